r"""USTM: uncertainty-aware self-ensembling and transformation-consistent mean teacher.

Source: Liu et al., Weakly supervised segmentation of COVID-19 infection with scribble annotation
on CT images, Pattern Recognition 2022; as WSL4MIS trains it on hearts.

    L = L_pce + w sum(mask d) / (2 sum(mask)),  w = exp(-5 (1 - t/T)^2)

d is the squared difference of two softmaxes, summed over the classes (2 at most, hence the 2): the
student's, turned by a random multiple of 90 degrees, and that of a teacher that sees the image
turned alike, with noise. The mask keeps the pixels where the teacher is certain: where the entropy
of T = 8 more noisy passes' mean lies under (0.75 + 0.25 v) ln 2, with v = exp(-5 (1 - t/T)^2).

Choices:

- The limit is in units of ln 2 as in the public code, although K classes reach ln K: with four, a
  pixel must be surer than of two equally likely ones. ln 4 would keep nearly every pixel.
- The teacher runs in training mode, dropout on, so that its passes differ. BatchNorm then takes
  the batch's statistics, and the teacher's running ones are never used (they are averaged all the
  same). The public code averages parameters alone; its teacher starts from other weights, but its
  first average is the student, so that this never matters.
- The eight passes run one after the other, each with its own batch's statistics (the public code
  runs them two by two).
- One turn for the whole batch. w grows over the whole run, without steps: there in 60 steps of
  1,000 iterations, however long the run, so that in the paper's 30,000 it would end at 0.26;
  `ustm_ramp="twice"` ends at 0.29. v grows over the whole run with either, as there.
"""

import copy
import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from scnlib.config import Run
from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.meloss import pixel_entropy
from scnlib.methods.pce import PCE

NOISY_PASSES = 8
DECAY = 0.99


class USTM(PCE):
    """A mean teacher's certain predictions, and consistency when the image is turned."""

    memory: ClassVar[tuple[str, ...]] = ("teacher",)

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.teacher = copy.deepcopy(self.net).requires_grad_(False)

    def loss(self, batch: Batch, now: Now) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)

        turn = int(torch.randint(4, (), generator=now.generator))
        progress = now.iteration / now.iterations
        weight = ramp(progress / 2 if self.run.compared.ustm_ramp == "twice" else progress)
        target, uncertainty = self.teach(turned(batch.image, turn), now.generator)
        used = (uncertainty < entropy_limit(ramp(progress))) & turned(batch.valid, turn)
        consistency = consistency_loss(turned(logits, turn).softmax(dim=1), target, used)
        parts: Losses = {
            "pce": pce.detach(),
            "consistency": consistency.detach(),
            "weight": weight,
            "share_certain": used.float().mean(),
        }
        return pce + weight * consistency, parts

    @torch.no_grad()
    def teach(self, image: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The teacher's softmax of one noisy pass (B, K, H, W), and its uncertainty (B, H, W).

        The uncertainty is the entropy in nats of the mean of `NOISY_PASSES` other passes.
        """
        target, *others = (
            self.teacher(noisy(image, generator)).logits.softmax(dim=1)
            for _ in range(1 + NOISY_PASSES)
        )
        return target, pixel_entropy(torch.stack(others).mean(dim=0))

    def after_step(self, now: Now) -> None:
        # A plain mean of the student at first, until the memory is long enough.
        update_average(self.teacher, self.net, min(1 - 1 / (now.iteration + 1), DECAY))


def ramp(progress: float) -> float:
    """exp(-5 (1 - t/T)^2): from 0.0067 at the run's start to 1 at its end."""
    return math.exp(-5 * (1 - progress) ** 2)


def entropy_limit(weight: float) -> float:
    """(0.75 + 0.25 w) ln 2 in nats; w in 0..1 gives 0.519860 to 0.693147."""
    return (0.75 + 0.25 * weight) * math.log(2)


def noisy(image: Tensor, generator: torch.Generator) -> Tensor:
    """The image and Gaussian noise of 0.1, clipped to +-0.2; drawn on the generator's device."""
    noise = torch.randn(image.shape, generator=generator).mul_(0.1).clamp_(-0.2, 0.2)
    return image + noise.to(image.device)


def turned(maps: Tensor, turns: int) -> Tensor:
    """Maps (..., H, W) turned by `turns` x 90 degrees, counterclockwise."""
    return torch.rot90(maps, turns, (-2, -1))


def consistency_loss(probabilities: Tensor, target: Tensor, used: Tensor) -> Tensor:
    """sum(mask d) / (2 sum(mask)), d the squared difference summed over the classes; in 0..1.

    Args:
        probabilities: (B, K, H, W).
        target: (B, K, H, W); no gradient flows into it.
        used: (B, H, W) bool, the mask. Nothing used gives 0, with zero gradient.
    """
    d = (probabilities - target.detach()).square().sum(dim=1)  # (B, H, W)
    return torch.where(used, d, 0).sum() / (2 * used.sum()).clamp(min=1)


@torch.no_grad()
def update_average(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """teacher <- decay x teacher + (1 - decay) x student, of parameters and float buffers.

    Integer buffers (BatchNorm's counts) are copied and stay integers; `torch.optim.swa_utils`, made
    for this, would average them too, and name the teacher's weights anew in checkpoints.
    """
    pairs = zip(teacher.state_dict().values(), student.state_dict().values(), strict=True)
    for mean, new in pairs:
        mean.copy_(torch.lerp(mean, new, 1 - decay) if mean.is_floating_point() else new)
