"""One volume as a Case, how its files are read, and what a use of some of them asks for.

A Case holds one short-axis volume with whatever is known of it. Inside scnlib a class is its
index 0..K-1 in ``Case.classes`` and an unlabelled scribble pixel is always K.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SPLITS = ("train", "val", "test")
HEART = ("background", "RV", "MYO", "LV")


@dataclass(frozen=True, eq=False)
class Case:
    """One volume.

    image     (n, H, W) float32 in 0..1, slices first
    scribble  (n, H, W) uint8, classes 0..K-1 and K = unlabelled, or None
    label     (n, H, W) uint8, classes 0..K-1, or None
    spacing   (z, y, x) in mm, in the order of the axes; nan where unknown
    source    the image's path as text, or "phantom"
    classes   the K class names, background first
    """

    subject: str
    frame: str
    image: np.ndarray
    scribble: np.ndarray | None
    label: np.ndarray | None
    spacing: tuple[float, float, float]
    source: str
    classes: tuple[str, ...] = HEART

    @property
    def volume(self) -> str:
        """Name of the volume, as in "patient001_frame01"."""
        return f"{self.subject}_{self.frame}"


@dataclass(frozen=True)
class Layout:
    """How to read the files of a data set.

    classes       names, background first; K = len(classes), at most 255
    label_map     value in a mask -> class 0..K-1
    scribble_map  value in a scribble -> class 0..K-1
    unlabelled    value in a scribble of a pixel nobody marked
    slice_axis    axis of the array along which the slices lie: 0, 1 or 2
    arrays_fit    read a label array to array even if its affine differs from the image's
    volume_name   regular expression of a file's name, with groups subject and frame; "": split_name
    """

    classes: tuple[str, ...]
    label_map: Mapping[int, int]
    scribble_map: Mapping[int, int]
    unlabelled: int
    slice_axis: int = 2
    arrays_fit: bool = False
    volume_name: str = ""


_IN_ORDER = {0: 0, 1: 1, 2: 2, 3: 3}
MSCMR = Layout(HEART, _IN_ORDER, _IN_ORDER, unlabelled=4, arrays_fit=True)  # ACDC's values, too


def split_name(stem: str, pattern: str = "") -> tuple[str, str]:
    """Subject and frame of a file without its ending.

    pattern  a regular expression for the whole name with a group "subject" and perhaps "frame"
             (dataset.toml's volume_name); without one, what follows decides

    The subject ends with the first part (parts are joined by "_") that holds a digit; the rest is
    the frame, and "volume" if nothing is left: "subject12_DE" is ("subject12", "DE"), "LGE_P01"
    ("LGE_P01", "volume"), "sub-01_ses-2_cine" ("sub-01", "ses-2_cine"). Without any digit the last
    part is the frame. Raises ValueError if the pattern does not fit.
    """
    if pattern:
        found = re.fullmatch(pattern, stem)
        if found is None or not found["subject"]:
            raise ValueError(f"{stem}: volume_name = {pattern!r} does not fit it: correct either")
        return found["subject"], found.groupdict().get("frame") or "volume"
    parts = stem.split("_")
    numbered = [number for number, part in enumerate(parts, 1) if re.search(r"\d", part)]
    ends = numbered[0] if numbered else max(1, len(parts) - 1)
    subject, frame = "_".join(parts[:ends]), "_".join(parts[ends:])
    return (subject, frame or "volume") if subject.strip("_") else (stem, "volume")


def require(cases: Sequence[Case], kind: str, purpose: str) -> None:
    """Refuse, with ValueError, a purpose that needs a "scribble" or "label" if a Case has none."""
    need, have = {
        "label": ("full mask", "scribbles at most: use a split with masks or another method"),
        "scribble": ("scribble", "none: use the training split or add the scribbles"),
    }[kind]
    if bare := [case.volume for case in cases if getattr(case, kind) is None]:
        names = first_names(bare, 5)
        raise ValueError(f"{purpose} needs a {need} of every volume, and {names} have {have}")


def first_names(names: Sequence[str], most: int = 10) -> str:
    """The first of some names with commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
