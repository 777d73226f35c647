"""Cases written as somebody's own folder of NIfTI (notebook 07): images, labels, dataset.toml."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from scnlib.data.cases import Case

BACKGROUND_VALUE = 9  # in scribbles, as most tools leave unmarked pixels 0


def write_folder(folder: Path, splits: Mapping[str, Sequence[Case]]) -> None:
    """Write cases as `folder`/SPLIT/{images,labels}/*.nii.gz and its dataset.toml.

    Training volumes get their scribbles, the others their masks; slices lie on the last axis, and
    in scribbles 0 is unmarked and 9 background. The cases must share their classes.
    """
    for split, cases in splits.items():
        for case in cases:
            drawn = split == "train"
            labels = _marks(case) if drawn else case.label
            if labels is None:
                raise ValueError(f"{case.source}: no mask to write for {split}")
            _save(folder / split / "images" / f"{case.volume}.nii.gz", case.image, case)
            kind = "scribble" if drawn else "manual"
            _save(folder / split / "labels" / f"{case.volume}_{kind}.nii.gz", labels, case)
    classes = next(iter(splits.values()))[0].classes
    (folder / "dataset.toml").write_text(_layout(classes), encoding="utf-8")


def _marks(case: Case) -> np.ndarray:
    """The scribble with the values that a drawing tool would leave."""
    if case.scribble is None:
        raise ValueError(f"{case.source}: no scribble to write")
    values = np.array([BACKGROUND_VALUE, *range(1, len(case.classes)), 0], np.uint8)
    return values[case.scribble]


def _save(path: Path, slices: np.ndarray, case: Case) -> None:
    """An array (n, H, W) as NIfTI (H, W, n) with the case's spacing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    z, y, x = case.spacing
    nib.save(nib.Nifti1Image(np.moveaxis(slices, 0, 2), np.diag([y, x, z, 1.0])), path)


def _layout(classes: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in classes)
    lines = [f"classes = [{names}]   # background first"]
    lines += ["unlabelled = 0   # an unmarked pixel of a scribble"]
    lines += ["slice_axis = 2   # axis of the array along which the slices lie"]
    lines += ["", "[scribble_map]   # values in scribbles; masks: [label_map], else 0, 1, ..."]
    lines += [f'{k} = "{name}"' for k, name in enumerate(classes) if k]
    return "\n".join([*lines, f'{BACKGROUND_VALUE} = "{classes[0]}"', ""])
