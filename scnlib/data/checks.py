"""What every reader checks of an array before a later step relies on it."""

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from scnlib.data.cases import Layout

log = logging.getLogger("scnlib.data")

MOST_VOXELS = 2**26  # a header may ask for: far more than a heart needs, and a laptop has it
ROUNDING = 1e-3  # of a whole number stored as a float

Annotation = Literal["scribble", "mask"]
Fault = Callable[[Exception], None]  # what is done with a fault: stop here, or note it and go on


def stop(error: Exception) -> None:
    """The readers' way with a fault: raise it. `study.owndata.check` collects them instead."""
    raise error


def check_image(array: np.ndarray, source: str) -> np.ndarray:
    """The array as it is.

    Raises ValueError unless it is real-valued, three-dimensional, not empty and finite.
    """
    check_shape(array.dtype, array.shape, source)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{source}: image of type {array.dtype}: store real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{source}: image holds nan or infinite values: export it again")
    return array


def check_size(shape: tuple[int, ...], source: str) -> None:
    """Raises ValueError for a shape that no heart has: reading it could fill the memory."""
    if math.prod(shape) > MOST_VOXELS:
        raise ValueError(
            f"{source}: a volume of shape {tuple(shape)} has more than {MOST_VOXELS} voxels: "
            "its header is damaged, or crop it to the heart"
        )


def check_shape(dtype: np.dtype, shape: tuple[int, ...], source: str) -> None:
    """Raises ValueError unless the shape is that of a volume with at least one pixel."""
    if len(shape) != 3:
        raise ValueError(
            f"{source}: array of shape {shape} ({dtype}): a volume has three axes, store one each"
        )
    if 0 in shape:
        raise ValueError(f"{source}: empty array of shape {shape}: remove it or export it again")


def slice_axis_of(shape: tuple[int, ...], spacing: Sequence[float]) -> int:
    """The axis along which the slices of a volume seem to lie; 0, the first, if nothing speaks.

    The voxels of short-axis slices are several times as thick as wide. Where sizes are unknown or
    all alike, the axis with less than half the voxels of the others is taken.
    """
    sizes, counts = np.asarray(spacing, dtype=float), np.asarray(shape)
    thick, few = int(sizes.argmax()), int(counts.argmin())
    others, rest = np.delete(sizes, thick), np.delete(counts, few)
    if sizes[thick] > 1.5 * others.max() and others.max() < 1.5 * others.min():
        return thick
    if 2 * counts[few] < rest.min() or counts[0] > counts[1:].max():
        return few
    return thick if sizes[0] < 0.9 * sizes[1:].min() else 0


def check_same_shape(
    shape: tuple[int, ...], image_shape: tuple[int, ...], source: str, kind: Annotation
) -> None:
    """Raises ValueError unless a scribble or mask has the shape of its image."""
    if shape != image_shape:
        raise ValueError(
            f"{source}: {kind} of shape {shape} on an image of shape {image_shape}: "
            "both must share one grid"
        )


def to_classes(
    array: np.ndarray, source: str | Path, kind: Annotation, layout: Layout, step: float = 0.0
) -> np.ndarray:
    """Map the values in a file to the layout's classes 0..K-1 and, in a scribble, K = unlabelled.

    array   values as stored
    source  the file, for errors
    step    of a file that scales its integers: a value stands for the known one within half
    Returns uint8 of the array's shape. Raises ValueError for values that are not whole or not
    known, a scribble given as a mask, and a scribble without an unlabelled pixel.
    """
    classes = layout.scribble_map if kind == "scribble" else layout.label_map
    values = _whole(array, source, kind, {*classes, layout.unlabelled}, step)
    found = set(np.unique(values).tolist())
    _check_meaning(found, source, kind, set(classes), layout.unlabelled)
    result = np.full(array.shape, len(layout.classes), dtype=np.uint8)
    for value, index in classes.items():
        result[values == value] = index
    return result


def _check_meaning(
    found: set[int], source: str | Path, kind: Annotation, classes: set[int], unlabelled: int
) -> None:
    """Refuse values that mean nothing, and a scribble in a mask's place or the other way round."""
    if kind == "mask" and unlabelled in found - classes:
        raise ValueError(
            f"{source}: value {unlabelled} (unlabelled) in a mask: this is a scribble, "
            "give it as one or supply the full mask"
        )
    known = classes | ({unlabelled} if kind == "scribble" else set())
    if strange := sorted(found - known):
        raise ValueError(
            f"{source}: {kind} holds unknown values {strange[:5]}: known are {sorted(known)}"
        )
    if kind == "scribble" and unlabelled not in found:
        raise ValueError(
            f"{source}: scribble without an unlabelled pixel (value {unlabelled}): this is a full "
            "mask, or unlabelled was written as background; write it as its own value"
        )


def _whole(
    array: np.ndarray, source: str | Path, kind: Annotation, known: set[int], step: float
) -> np.ndarray:
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind != "f":
        raise ValueError(f"{source}: {kind} of type {array.dtype}: store whole numbers")
    rounded = np.rint(array)
    # A scale factor in a NIfTI header leaves rounding errors; resampled masks are far from whole.
    if np.isfinite(array).all() and np.abs(array - rounded).max(initial=0) <= ROUNDING:
        return rounded.astype(np.int64)
    if step:
        found, places = np.unique(array, return_inverse=True)
        near = [[k for k in known if abs(k - v) <= 0.505 * step] for v in found.tolist()]
        if all(len(values) == 1 for values in near):
            return np.array([k for (k,) in near])[places].reshape(array.shape)
    if not np.isfinite(array).all():
        scribbled = kind == "scribble"
        do = "write the value of unlabelled there" if scribbled else "export it again"
        raise ValueError(f"{source}: {kind} holds nan or infinite values: {do}")
    raise ValueError(
        f"{source}: {kind} holds values that are not whole numbers: "
        "resample label maps by nearest neighbour"
    )
