"""ACDC as WSL4MIS distributes it: one h5 file a volume, with the scribbles of Valvano et al. 2021.

The images come clipped at the 99th percentile of their volume and scaled to 0..1 (in each volume
0.9 to 1.2% of pixels are exactly 1), so there is nothing left to normalise. The files have no
voxel spacing; splits/acdc_spacing.csv holds that of the official headers.
"""

import errno
import re
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from scnlib.data import lists
from scnlib.data.cases import MSCMR, Case, first_names, split_name
from scnlib.data.checks import (
    check_image,
    check_same_shape,
    check_shape,
    check_size,
    log,
    slice_axis_of,
    to_classes,
)
from scnlib.data.contrast import FEW, to_unit_range
from scnlib.errors import one_line

KEYS = ("image", "scribble", "label")
LEAST_CONTRAST = 0.2  # from the 1st to the 99th percentile; the published images have 0.97 or more
UNKNOWN = (float("nan"), float("nan"), float("nan"))


def read_acdc(path: str | Path) -> Case:
    """Read one volume (h5 with image, scribble and label, each (n, H, W)).

    An image in 0..1 is taken as it is. Else, if a few pixels are outside, these are clipped; if
    many are, or if 98% of the pixels share a small part of the range, it is clipped at its 99th
    percentile and scaled, as the published ones were. All of that is logged. Spacing is nan for a
    volume that is not ACDC's.
    Raises FileNotFoundError, or ValueError naming the file for bad content, for arrays kept in
    another file, and for a file that another process holds.
    """
    path = Path(path)
    image, scribble, label = read_arrays(path)
    source = str(path)
    image = check_image(image, source)
    image = _in_unit_range(image, source)
    if axis := slice_axis_of(image.shape, UNKNOWN):
        log.warning(
            "%s: of shape %s, the slices seem to lie on axis %d: store them on the first",
            *(source, image.shape, axis),
        )
    check_same_shape(scribble.shape, image.shape, source, "scribble")
    check_same_shape(label.shape, image.shape, source, "mask")
    subject, frame = split_name(path.stem)
    return Case(
        subject=subject,
        frame=frame,
        image=image,
        scribble=to_classes(scribble, source, "scribble", MSCMR),
        label=to_classes(label, source, "mask", MSCMR),
        spacing=spacings().get(path.stem, UNKNOWN),
        source=source,
    )


def acdc_split(folder: Path, split: str, scheme: str = "acdc") -> list[Case]:
    """All volumes of a split, sorted by name; other files in the folder are left aside, noted.

    Raises FileNotFoundError that lists the patients with missing volumes.
    """
    expected = [v for v in spacings() if v.partition("_")[0] in patients(scheme, split)]
    present = {p.name for p in folder.iterdir()}
    missing = sorted({v.partition("_")[0] for v in expected if f"{v}.h5" not in present})
    if missing:
        raise FileNotFoundError(
            f"{folder}: no complete volumes of {len(missing)} patients of the {split} split: "
            f"{', '.join(missing)}; unpack the published folder again"
        )
    if strays := sorted(present - {f"{v}.h5" for v in spacings()}):
        log.warning("%s: left aside, not of ACDC: %s", folder, first_names(strays))
    return [read_acdc(folder / f"{volume}.h5") for volume in sorted(expected)]


@cache
def spacings() -> dict[str, tuple[float, float, float]]:
    """Volume -> spacing (z, y, x) in mm, for the 200 volumes of ACDC."""
    return {
        row["volume"]: (float(row["z_mm"]), float(row["y_mm"]), float(row["x_mm"]))
        for row in lists.published_rows("acdc_spacing.csv")
    }


@cache
def patients(scheme: str, split: str) -> frozenset[str]:
    """Patients of a split: scheme "acdc", or "acdc_foldK" (which has no validation patients)."""
    name, column = ("acdc.csv", "split") if scheme == "acdc" else ("acdc_folds.csv", "fold")
    rows = {row["patient"]: row[column] for row in lists.published_rows(name)}
    if scheme == "acdc":
        return frozenset(p for p, part in rows.items() if part == split)
    tested = {p for p, fold in rows.items() if fold == scheme.removeprefix("acdc_fold")}
    return frozenset({"train": rows.keys() - tested, "val": set(), "test": tested}[split])


def read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, scribble and label as stored; raises as read_acdc does."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            _check_inside(file, path)
            image, scribble, label = (np.asarray(file[key]) for key in KEYS)
            return image, scribble, label
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        locked = getattr(error, "errno", 0) in (errno.EAGAIN, errno.ENOLCK)
        if locked or re.search("unable to lock|already open", str(error)):
            raise ValueError(
                f"{path}: cannot open, another process writes to it or the file system has no "
                "locks: wait for that process, or set HDF5_USE_FILE_LOCKING=FALSE if nobody writes"
            ) from error
        raise ValueError(
            f"{path}: not a readable HDF5 file, perhaps truncated ({one_line(error)}): "
            "copy it again"
        ) from error


def _in_unit_range(image: np.ndarray, source: str) -> np.ndarray:
    """The image as float32 in 0..1; see read_acdc."""
    outside = float(np.mean((image < 0) | (image > 1)))
    first, last = np.percentile(np.clip(image, 0, 1), [1, 99])
    if not 0 < last - first < LEAST_CONTRAST:
        if outside == 0:
            return image.astype(np.float32)
        if outside < FEW and last > first:
            log.warning("%s: %.2g%% of the image outside 0..1: clipped", source, 100 * outside)
            return np.clip(image, 0, 1).astype(np.float32)
    why = "outside 0..1" if outside else "uses little of 0..1"
    log.warning("%s: image %s: clipped at its 99th percentile and scaled", source, why)
    return to_unit_range(image, source)


def _check_inside(file: h5py.File, path: Path) -> None:
    """All arrays must lie in this file: a link elsewhere could read any file of the user."""
    for key in KEYS:
        if (link := file.get(key, getclass=True, getlink=True)) is None:
            raise ValueError(f"{path}: no array {key!r}: ACDC files hold {', '.join(KEYS)}")
        array = file[key] if link is h5py.HardLink else None
        if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual:
            raise ValueError(f"{path}: {key} is no array in this file: store the array itself")
        source = f"{path}: {key}"
        check_shape(array.dtype, array.shape, source)
        for shape in (array.shape, array.chunks or ()):  # a chunk is read whole
            check_size(shape, source)
        if array.dtype.kind == "O" or array.dtype.itemsize > 16:
            raise ValueError(f"{source}: array of type {array.dtype}: store whole or real numbers")
        packing = array.id.get_create_plist()
        for code, _, _, name in (packing.get_filter(i) for i in range(packing.get_nfilters())):
            if not h5py.h5z.filter_avail(code):
                raise ValueError(
                    f"{source}: packed with a filter that is not installed ({code} "
                    f"{name.decode(errors='replace')}): pack it with `h5repack -f GZIP=4`, or "
                    "install hdf5plugin and import it"
                )
