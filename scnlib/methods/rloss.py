r"""RLoss: pCE and the gated CRF loss.

Source: Obukhov et al., Gated CRF loss for weakly supervised semantic image segmentation, NeurIPS
2019 workshop; as WSL4MIS trains it on hearts.

    L = L_pce + 0.1 / N sum_{i,j} k_ij (1 - <P_i, P_j>)

over the ordered pairs of pixels near each other, with a Gaussian kernel k on position and
brightness (`scnlib.regularisers.gated_crf`). Choices:

- The lengths, radius 5 and sigma 6, are in pixels at 256 x 256. They are scaled with the image,
  the radius rounded half up and at least 1: 3 and 3.0 at 128, 1 and 1.5 at 64. A smaller window
  holds fewer pairs, and the weight is not raised for it: the loss is milder on a coarse grid (for
  the same boundary about half at 128).
- One kernel of weight 1; the gates of the original are `valid` here, which leaves out padding and
  nothing else: scribbled pixels are in pairs too.
"""

import math

from torch import Tensor

from scnlib.losses import gated_crf, partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.pce import PCE

WEIGHT = 0.1


def window(size: int) -> tuple[int, float]:
    """Radius (whole pixels, at least 1) and sigma_xy (pixels) for images of `size` rows."""
    return max(1, math.floor(5 * size / 256 + 0.5)), 6 * size / 256


class RLoss(PCE):
    """Pixels that are near and alike have the same class."""

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        radius, sigma_xy = window(batch.image.shape[2])
        crf = gated_crf(
            logits.softmax(dim=1),
            batch.image,
            valid=batch.valid,
            radius=radius,
            sigma_xy=sigma_xy,
            sigma_intensity=0.1,
        )
        return pce + WEIGHT * crf, {"pce": pce.detach(), "crf": crf.detach()}
