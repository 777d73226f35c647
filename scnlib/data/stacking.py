"""Many Cases as the arrays that a training loop takes: all slices on one square grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scnlib.config import ScribbleRule
from scnlib.data.cases import Case
from scnlib.data.resize import resize_image, resize_label, resize_scribble


@dataclass(frozen=True, eq=False)
class Stack:
    """All slices of some Cases on one square grid.

    image     (S, size, size) float32 in 0..1, in the order of the Cases and of their slices
    scribble  (S, size, size) uint8, K = unlabelled, or None if the Cases have none
    label     (S, size, size) uint8, or None if the Cases have none
    """

    image: np.ndarray
    scribble: np.ndarray | None
    label: np.ndarray | None


def stack(cases: Sequence[Case], size: int, scribble_rule: ScribbleRule = "keep") -> Stack:
    """Resize all slices of the Cases to size x size and keep them in memory.

    Scribbles, or masks, that only some of the Cases have are left out: who needs them asks first
    (`require`). Raises ValueError if there is no Case, or if the Cases differ in their classes.
    """
    if not cases:
        raise ValueError("no volumes to train on: the list of cases is empty")
    if len({case.classes for case in cases}) > 1:
        raise ValueError("the cases differ in their classes: train on one data set at a time")
    unlabelled = len(cases[0].classes)
    scribbles = [case.scribble for case in cases if case.scribble is not None]
    labels = [case.label for case in cases if case.label is not None]
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
    )
