r"""MELoss: pCE and entropy minimisation.

Source: Grandvalet and Bengio, Semi-supervised learning by entropy minimization, NeurIPS 2004; as
WSL4MIS trains it on hearts.

    L = L_pce - 0.1 / (N ln K) sum_{c,i} P_{c,i} ln P_{c,i}

The entropy is divided by its largest value, ln K, and so lies in 0..1. It is taken over all pixels
but the padding, scribbled ones too, where pCE lowers it anyway. WSL4MIS adds 1e-6 inside the
logarithm; here the logarithm is only kept from -infinity.
"""

import math

from torch import Tensor

from scnlib.losses import entropy, partial_cross_entropy
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
