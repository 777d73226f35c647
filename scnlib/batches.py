"""The training slices in memory, and the augmented batches that are drawn from them."""

import numpy as np
import torch
from torch import Tensor

from scnlib.augment import inside_frame, random_affine, warp_image, warp_labels
from scnlib.config import Run
from scnlib.data.cases import Case, require_labels, require_scribbles, stack
from scnlib.methods import Batch, get_method


class TrainingSet:
    """All training slices on the device: loaded, resized and moved once.

    `images` (S, H, W) float32 in 0..1, `scribbles` and `labels` (S, H, W) uint8, None where there
    are none. Raises `ValueError` if the method's annotation is missing, or if the slices do not
    fill a batch.
    """

    def __init__(self, run: Run, cases: list[Case], device: torch.device) -> None:
        kind, profile = get_method(run.method), run.profile
        if kind.needs == "label":
            require_labels(cases, f"method {run.method}")
        else:
            require_scribbles(cases)
        self.batch, self.device = profile.batch, device
        self.with_labels = kind.needs == "label"
        self.classes = len(cases[0].classes)
        data = stack(cases, profile.size, profile.scribble_rule)
        self.images = torch.from_numpy(data.image).to(device)
        self.scribbles, self.labels = self._move(data.scribble), self._move(data.label)
        if len(self.images) < self.batch:
            raise ValueError(
                f"{run.dataset}: {len(self.images)} training slices do not fill a batch of "
                f"{self.batch}; add data or take a smaller batch"
            )

    def _move(self, array: np.ndarray | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(array).to(self.device)

    def draw(self, order: list[int], generator: torch.Generator) -> tuple[Batch, list[int]]:
        """The next full batch, augmented, and what is left of the epoch's order then.

        A rest that fills no batch is dropped, and a new epoch begins.
        """
        if len(order) < self.batch:
            order = torch.randperm(len(self.images), generator=generator).tolist()
        picked, rest = order[: self.batch], order[self.batch :]
        index = torch.tensor(picked, device=self.device)
        theta = random_affine(self.batch, generator).to(self.device)

        def warp(maps: Tensor | None) -> Tensor | None:
            return None if maps is None else warp_labels(maps[index].long(), theta, self.classes)

        batch = Batch(
            image=warp_image(self.images[index][:, None], theta),
            scribble=warp(self.scribbles),
            label=warp(self.labels) if self.with_labels else None,
            valid=inside_frame(theta, *self.images.shape[1:]),
            index=index,
            affine=theta,
        )
        return batch, rest
