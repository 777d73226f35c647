r"""MLoss: pCE and the Mumford-Shah loss.

Source: Kim and Ye, Mumford-Shah loss functional for image segmentation with deep learning, IEEE
Transactions on Image Processing 2020; as WSL4MIS trains it on hearts.

    L = L_pce + 0.786 / N [sum_{c,i} (I_i - m_c)^2 P_{c,i} + H/256 sum |grad P|_1]

m_c is an image's mean of I, weighted by P_c. Choices:

- WSL4MIS sums over a batch of 12 at 256 x 256 and weighs by 1e-6: 0.786 times the mean per pixel,
  which does not depend on the batch.
- The length of a boundary grows with H, the number of pixels N with H^2: the factor H/256 gives
  the variation term the same share at every size.
- WSL4MIS passes the two arguments in swapped order: its level set asks the bright pixels for one
  common prediction, whatever it is, and its variation term is the image's and trains nothing (in
  later versions the prediction's). Here they stand as in the original paper.
- Padding by a rotation is left out (`valid`).
"""

from torch import Tensor

from scnlib.losses import mumford_shah, partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.pce import PCE

WEIGHT = 1e-6 * 12 * 256 * 256  # 0.786


class MLoss(PCE):
    """Every class is of one brightness, and its boundary short."""

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        length = batch.image.shape[2] / 256
        P = logits.softmax(dim=1)
        shape = mumford_shah(P, batch.image, valid=batch.valid, length=length)
        return pce + WEIGHT * shape, {"pce": pce.detach(), "mumford_shah": shape.detach()}
