r"""MELoss: pCE and entropy minimisation.

Source: Grandvalet and Bengio, Semi-supervised learning by entropy minimization, NeurIPS 2004; as
WSL4MIS trains it on hearts.

    L = L_pce - 0.1 / (N ln K) sum_{c,i} P_{c,i} ln P_{c,i}

The entropy is divided by its largest value, ln K, and so lies in 0..1. It is taken over all pixels
but the padding, scribbled ones too, where pCE lowers it anyway. WSL4MIS adds 1e-6 inside the
logarithm; here the logarithm is only kept from -infinity.
"""

import math

import torch
from torch import Tensor

from scnlib.losses import mean_over, partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.pce import PCE

WEIGHT = 0.1


class MELoss(PCE):
    """Every pixel makes up its mind."""

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        doubt = entropy(logits.softmax(dim=1), valid=batch.valid) / math.log(self.classes)
        return pce + WEIGHT * doubt, {"pce": pce.detach(), "entropy": doubt.detach()}


def pixel_entropy(probabilities: Tensor) -> Tensor:
    """-sum_c P_c ln P_c in nats, (B, K, H, W) to (B, H, W), in 0..ln K; 0 ln 0 is 0."""
    tiny = torch.finfo(probabilities.dtype).tiny
    return -(probabilities * probabilities.clamp(min=tiny).log()).sum(dim=1)


def entropy(probabilities: Tensor, *, valid: Tensor | None = None) -> Tensor:
    r"""Mean over the pixels of -sum_c P_c ln P_c, in nats: 0..ln K, largest where P is uniform.

    Source: Grandvalet and Bengio 2004. The logarithm is clamped, so that the gradient at P = 0 is
    large and finite (and the softmax before it makes it 0).

    Args:
        probabilities: (B, K, H, W) in 0..1.
        valid: (B, H, W) bool.
    """
    return mean_over(pixel_entropy(probabilities), valid)
