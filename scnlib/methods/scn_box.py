"""SCN+box: SCN with the box's prior (`scnlib.methods.box`), to tell what each adds to the other.

L_pce of Eq. 18 becomes the sum of both terms, under the same lambda1; the curve's column "pce"
holds that sum.
"""

from torch import Tensor

from scnlib.methods.base import Batch
from scnlib.methods.box import Near
from scnlib.methods.scn import SCN


class SCNBox(Near, SCN):
    """SCN with the box."""

    def stroke_loss(self, log_P: Tensor, batch: Batch) -> Tensor:
        pce = super().stroke_loss(log_P, batch)
        return pce + self.far_cross_entropy(log_P, batch, normalised=True)
