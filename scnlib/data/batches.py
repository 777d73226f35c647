"""The training slices in memory, and the augmented batches that are drawn from them."""

from dataclasses import replace

import torch
from torch import Tensor

from scnlib.augment import Batch, random_affine, upload, warp_training
from scnlib.config import Run, Strokes
from scnlib.data.cases import Case, require
from scnlib.data.scribble_amount import redrawn
from scnlib.data.stacking import stack


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
