"""One volume as a Case, and many as the arrays that a training loop takes.

A Case holds one short-axis volume with whatever is known of it. Inside scnlib a class is its
index 0..K-1 in ``Case.classes`` and an unlabelled scribble pixel is always K.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scnlib.data.resize import ScribbleRule, resize_image, resize_label, resize_scribble

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


@dataclass(frozen=True, eq=False)
class Stack:
    """All slices of some Cases on one square grid.

    image       (S, size, size) float32 in 0..1
    scribble    (S, size, size) uint8, K = unlabelled, or None if the Cases have none
    label       (S, size, size) uint8, or None if the Cases have none
    case_index  (S, 2) int64: number of the Case in the list, number of the slice in the Case
    """

    image: np.ndarray
    scribble: np.ndarray | None
    label: np.ndarray | None
    case_index: np.ndarray


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


def require_labels(cases: Sequence[Case], purpose: str) -> None:
    """Refuse, with ValueError, a purpose that needs masks if a Case has none."""
    bare = [case.volume for case in cases if case.label is None]
    if bare:
        raise ValueError(
            f"{purpose} needs a full mask of every volume, and {_some(bare)} "
            "have scribbles at most: use a split with masks or another method"
        )


def require_scribbles(cases: Sequence[Case]) -> None:
    """Refuse, with ValueError, to train on scribbles if a Case has none."""
    bare = [case.volume for case in cases if case.scribble is None]
    if bare:
        raise ValueError(
            f"training on scribbles needs a scribble of every volume, and {_some(bare)} "
            "have none: use the training split or add the scribbles"
        )


def stack(cases: Sequence[Case], size: int, scribble_rule: ScribbleRule = "keep") -> Stack:
    """Resize all slices of the Cases to size x size and keep them in memory.

    Scribbles, or masks, that only some of the Cases have are left out: who needs them asks first
    (`require_scribbles`, `require_labels`). Raises ValueError if there is no Case, or if the Cases
    differ in their classes.
    """
    if not cases:
        raise ValueError("no volumes to train on: the list of cases is empty")
    if len({case.classes for case in cases}) > 1:
        raise ValueError("the cases differ in their classes: train on one data set at a time")
    unlabelled = len(cases[0].classes)
    scribbles = [case.scribble for case in cases if case.scribble is not None]
    labels = [case.label for case in cases if case.label is not None]
    index = [(c, s) for c, case in enumerate(cases) for s in range(len(case.image))]
    return Stack(
        image=np.concatenate([resize_image(case.image, size) for case in cases]),
        scribble=np.concatenate(
            [resize_scribble(s, size, unlabelled, scribble_rule) for s in scribbles]
        )
        if len(scribbles) == len(cases)
        else None,
        label=np.concatenate([resize_label(t, size) for t in labels])
        if len(labels) == len(cases)
        else None,
        case_index=np.array(index, dtype=np.int64),
    )


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
