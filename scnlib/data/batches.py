"""The training slices in memory, and the augmented batches that are drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scnlib.augment import Batch, random_affine, upload, warp_training
from scnlib.config import Run, ScribbleRule, Strokes
from scnlib.data.cases import Case, require
from scnlib.data.resize import resize_image, resize_label, resize_scribble
from scnlib.data.scribble_amount import redrawn


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


class TrainingSet:
    """All training slices on the device: loaded, resized and moved once.

    `images` (S, H, W) float32 in 0..1, `scribbles` (S, H, W) uint8, K = unlabelled: whole masks for
    a method that `needs` a "label", which nothing else gets to see. Raises `ValueError` if that
    annotation is missing, or if the slices do not fill a batch.
    """

    def __init__(
        self, run: Run, cases: list[Case], device: torch.device, needs: str = "scribble"
    ) -> None:
        profile = run.profile
        scribbles = needs == "scribble"
        require(cases, needs, "training on scribbles" if scribbles else f"method {run.method}")
        if scribbles and profile.strokes != "all":
            cases = [_redrawn(case, profile.strokes) for case in cases]
        self.batch, self.device, self.padding = profile.batch, device, profile.padding
        data = stack(cases, profile.size, profile.scribble_rule)
        self.names = cases[0].classes
        self.classes = len(self.names)
        self.images = torch.from_numpy(data.image).to(device)
        self.scribbles = torch.from_numpy(getattr(data, needs)).to(device)
        if len(self.images) < self.batch:
            raise ValueError(
                f"{run.dataset}: {len(self.images)} training slices do not fill a batch of "
                f"{self.batch}; add data or take a smaller batch"
            )

    def draw(self, order: list[int], generator: torch.Generator) -> tuple[Batch, list[int]]:
        """The next full batch, augmented, and what is left of the epoch's order then.

        A rest that fills no batch is dropped, and a new epoch begins.
        """
        index, theta, rest = self.pick(order, generator)
        return self.augmented(upload(index, self.device), upload(theta, self.device)), rest

    def pick(
        self, order: list[int], generator: torch.Generator
    ) -> tuple[Tensor, Tensor, list[int]]:
        """What `draw` leaves to chance, on the CPU: slices (B,) long, affines (B, 2, 3), the rest.

        `augmented` makes a batch of the two.
        """
        if len(order) < self.batch:
            order = torch.randperm(len(self.images), generator=generator).tolist()
        picked, rest = order[: self.batch], order[self.batch :]
        return torch.tensor(picked), random_affine(self.batch, generator), rest

    def augmented(self, index: Tensor, theta: Tensor) -> Batch:
        """The batch of `pick`'s slices and affines, on the device; reads none of their values."""
        image, scribble, valid = warp_training(
            self.images[index][:, None],
            self.scribbles[index].long(),
            theta,
            self.classes,
            self.padding,
        )
        return Batch(image, scribble, valid, index, theta)


def _redrawn(case: Case, strokes: Strokes) -> Case:
    assert case.scribble is not None  # asked for above
    scribble = redrawn(case.scribble, len(case.classes), strokes, case.volume)
    return replace(case, scribble=scribble)
