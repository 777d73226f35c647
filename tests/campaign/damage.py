"""Turned bits and cut ends, in every kind of file that the study reads or leaves.

A damage is `detected` if reading raises ValueError or OSError in one line that names the file, or
if the data's fingerprint tells; `harmless` if what is read is equal all the same; else `silent`,
which must not happen.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import nibabel as nib
import numpy as np
import torch

from scnlib import checkpoint, records
from scnlib.checkpoint import State
from scnlib.config import Run
from scnlib.data import lists, read_nifti
from scnlib.data.acdc import read_acdc
from scnlib.data.manifest import file_sums
from scnlib.methods import get_method
from scnlib.optimiser import make_optimiser
from scnlib.weights import load_weights, save_weights
from study.experiments import make_run
from tests import sample_record

Read = Callable[[Path], Any]  # what is read of the file, as a text or sum that can be compared


def _sum(*arrays: np.ndarray | None) -> str:
    parts = [b"" if a is None else np.ascontiguousarray(a).tobytes() for a in arrays]
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def _case(reader: Callable[[Path], Any]) -> Read:
    def read(path: Path) -> Any:
        case = reader(path)
        # The sums of the data stand in every record, and a run goes on only with the same ones.
        sums = file_sums("own", path.parents[2]) if path.suffix != ".h5" else _arrays(path)
        return _sum(case.image, case.scribble, case.label), case.spacing, sums

    return read


def _arrays(path: Path) -> str:
    with h5py.File(path) as file:
        return _sum(*(np.asarray(file[name]) for name in ("image", "scribble", "label")))


def _record(path: Path) -> Any:
    record = records.read(path.parent)
    return (
        record.run,
        str(record.summary),
        record.metrics.to_csv(),
        record.curve.to_csv(),
        _sum(record.prediction("a_ED")),
    )


def _weights(path: Path) -> Any:
    run, names, weights = load_weights(path)
    return run, names, _sum(*(weights[name].numpy() for name in sorted(weights)))


def _in_progress(run: Run) -> tuple[dict[str, Any], torch.Generator]:
    method = get_method(run.method)(run, 2)
    optimiser, schedule = make_optimiser(method, run.profile)
    parts = {"method": method, "optimiser": optimiser, "schedule": schedule}
    return parts, torch.Generator().manual_seed(0)


def _list(path: Path) -> Any:
    lists.published_rows.cache_clear()
    with mock.patch.object(lists, "PLACE", path.parent):
        return lists.published_rows(path.name)


def _checkpoint(run: Run) -> Read:
    def read(path: Path) -> Any:
        parts, generator = _in_progress(run)
        state = checkpoint.load(path.parent, run, parts, generator)
        return state, _sum(*(value.numpy() for value in parts["method"].state_dict().values()))

    return read


def files(folder: Path) -> dict[str, tuple[Path, Read]]:
    """One sound file of each kind in `folder`, and how it is read."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 900, (24, 20, 5)).astype(np.int16)
    label = rng.integers(0, 4, image.shape).astype(np.uint8)
    plain = folder / "own" / "train" / "images" / "patient1_ED.nii"
    plain.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(image, np.diag([1.5, 1.5, 8.0, 1.0])), plain)
    packed = folder / "packed" / "train" / "images" / "patient1_ED.nii.gz"
    packed.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(image, np.diag([1.5, 1.5, 8.0, 1.0])), packed)
    volume = folder / "patient001_frame01.h5"
    with h5py.File(volume, "w") as file:
        file["image"] = (np.moveaxis(image, 2, 0) / 900).astype(np.float32)
        file["label"] = np.moveaxis(label, 2, 0)
        file["scribble"] = np.where(rng.random((5, 24, 20)) < 0.1, np.moveaxis(label, 2, 0), 4)
    sample_record.write(folder / "record")
    run = make_run("phantom", "scn", size=16)
    weights = folder / "w.safetensors"
    save_weights(weights, get_method("scn")(run, 2), run, ("background", "LV"))
    checkpoint.save(folder, run, State(iteration=3), *_in_progress(run))
    split = Path(shutil.copytree(lists.PLACE, folder / "splits")) / "acdc.csv"
    left = {name: folder / "record" / name for name in ("record.json", *records.FILES)}
    return {
        "NIfTI": (plain, _case(read_nifti)),
        "NIfTI, packed": (packed, _case(read_nifti)),
        "h5": (volume, _case(read_acdc)),
        "weights": (weights, _weights),
        "split list": (split, _list),
        "checkpoint": (folder / checkpoint.CHECKPOINT, _checkpoint(run)),
        **{name: (path, _record) for name, path in left.items()},
    }


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one bit turned, or in one of four cases cut off somewhere."""
    place = int(rng.integers(len(content)))
    if rng.random() < 0.25:
        return content[:place]
    return content[:place] + bytes([content[place] ^ (1 << rng.integers(8))]) + content[place + 1 :]


def outcome(path: Path, read: Read, whole: Any) -> str:
    """What the study makes of a file: "detected", "harmless" or "silent"; see above."""
    try:
        return "harmless" if read(path) == whole else _told(path, read, whole)
    except (ValueError, OSError) as error:
        text = str(error)
        return "detected" if path.name in text and "\n" not in text else f"vague: {text[:200]}"


def _told(path: Path, read: Read, whole: Any) -> str:
    """Images and labels have no sum of their own; that of the data set tells, which is last."""
    data = (path.suffix == ".h5" and path.name != "predictions.h5") or ".nii" in path.name
    return "detected" if data and read(path)[-1] != whole[-1] else "silent"


def campaign(folder: Path, tries: int, seed: int) -> dict[str, Any]:
    """Damage each kind of file `tries` times; the outcomes counted by kind, and those not told."""
    rng = np.random.default_rng(seed)
    counts = {}
    for kind, (path, read) in files(folder).items():
        content, whole = path.read_bytes(), read(path)
        counts[kind] = Counter()
        for _ in range(tries):
            path.write_bytes(damaged(content, rng))
            counts[kind][outcome(path, read, whole)] += 1
        path.write_bytes(content)
        assert read(path) == whole
    total = sum(counts.values(), Counter())
    silent = total.total() - total["detected"] - total["harmless"]
    return {"tries": total.total(), "silent": silent, "files": counts}
