r"""S2L: Scribble2Label, pCE and pseudo-labels from predictions averaged over the run (paper: S2I).

Source: Lee and Jeong, Scribble2Label: scribble-supervised cell segmentation via self-generating
pseudo-labels with consistency, MICCAI 2020; as WSL4MIS trains it on hearts.

    A <- 0.2 P(unaugmented image) + 0.8 A
    L = L_pce + 0.5 x mean of -ln P[argmax A] over the unlabelled pixels where max A > 0.8

Choices:

- pCE is alone for the first tenth of the run (6,000 of WSL4MIS's 60,000 iterations) at least.
- Passes over the training set are evenly spaced, at most one a step, some 40 in the nine tenths
  after. A period scaled down with the run would spend more time on passes than on training; so A's
  memory, some five passes, is a ninth of the run in place of a hundredth.
- A starts at zero with the run, as there, so that it can't pass 0.8 before the eighth pass: at 18%
  of a run, where some 60 passes (the authors' own code: 20) have come by a tenth of it there. With
  `s2l_passes="late"` passes begin after the first tenth, and A with the first prediction, of which
  alone the first pseudo-labels are.
- A pass is made in evaluation mode (WSL4MIS: training mode, a slice at a time): dropout off,
  BatchNorm's statistics used and not changed, and no random number drawn.
- A is turned with its slice, by the batch's affine, bilinearly as the image is; what a rotation
  brings in from outside is never supervised.
- A is stored in half precision, as every checkpoint holds it and it is the largest thing there
  (600 slices at 128 x 128: 79 MB). Near 0.8 its steps are 0.0005; sums are in single precision.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from scnlib.augment import warp_image
from scnlib.config import Run
from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.pce import PCE

PASSES = 40
MOMENTUM = 0.8
CONFIDENT = 0.8
WEIGHT = 0.5


def warm_up(iterations: int) -> int:
    """Steps at the run's start that pCE trains alone."""
    return -(-iterations // 10)


def pass_due(iteration: int, iterations: int, throughout: bool) -> bool:
    """Whether a pass over the training set comes before this step (both from `Now`).

    `throughout`, the first is as long after the run's start as one pass is after another; else it
    is at the end of the warm-up.
    """
    late = iterations - warm_up(iterations)
    since, rest = (iteration, iterations) if throughout else (iteration - iterations + late, late)
    if since <= 0 or late == 0:
        return since == 0 and not throughout
    passes = min(PASSES * rest // late, rest)
    return since * passes // rest > (since - 1) * passes // rest


class S2L(PCE):
    """A slice's averaged prediction is its pseudo-label where it is sure."""

    memory: ClassVar[tuple[str, ...]] = ("average",)

    # (S, K, H, W) float16, means of probabilities; without elements before the first pass.
    average: Tensor

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.throughout = run.compared.s2l_passes == "throughout"
        self.register_buffer("average", torch.empty(0, dtype=torch.float16))

    def every(self, now: Now, images: Tensor) -> None:
        """When a pass is due, predict the unaugmented images (S, H, W) and average."""
        if pass_due(now.iteration, now.iterations, self.throughout):
            self.update(images)

    @torch.no_grad()
    def update(self, images: Tensor) -> None:
        """One pass: A <- 0.2 P + 0.8 A for every slice of (S, H, W); `late`, at first A <- P."""
        empty = self.average.numel() == 0
        if empty:
            S, H, W = images.shape
            self.average = self.average.new_zeros(S, self.classes, H, W)
        first = empty and not self.throughout
        training = self.training
        self.eval()
        size = self.run.profile.batch
        for mean, chunk in zip(self.average.split(size), images.split(size), strict=True):
            P = self.predict(chunk[:, None]).softmax(dim=1)
            mean.copy_(P if first else MOMENTUM * mean.float() + (1 - MOMENTUM) * P)
        self.train(training)

    def loss(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        if self.average.numel() == 0 or now.iteration < warm_up(now.iterations):
            return pce, {"pce": pce.detach(), "pseudo": 0.0, "share_pseudo": 0.0}
        target = self.pseudo_labels(batch)
        pseudo = partial_cross_entropy(logits, target)
        return pce + WEIGHT * pseudo, {
            "pce": pce.detach(),
            "pseudo": pseudo.detach(),
            "share_pseudo": (target < self.classes).float().mean(),
        }

    def pseudo_labels(self, batch: Batch) -> Tensor:
        """argmax A at the pixels to supervise, K elsewhere: (B, H, W) long, augmented alike."""
        average = warp_image(self.average[batch.index].float(), batch.affine)
        confidence, label = average.max(dim=1)
        used = (confidence > CONFIDENT) & (batch.scribble == self.classes) & batch.valid
        return torch.where(used, label, self.classes)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # A new method does not know the training set yet: it takes the average's size from the
        # checkpoint, before torch compares the two.
        stored = state_dict.get(f"{prefix}average")
        if stored is not None:
            self.average = self.average.new_empty(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
