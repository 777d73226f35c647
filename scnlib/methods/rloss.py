r"""RLoss: pCE and the gated CRF loss.

Source: Obukhov et al., Gated CRF loss for weakly supervised semantic image segmentation, NeurIPS
2019 workshop; as WSL4MIS trains it on hearts.

    L = L_pce + 0.1 / N sum_{i,j} k_ij (1 - <P_i, P_j>)

over the ordered pairs of pixels near each other, with a Gaussian kernel k on position and
brightness (`gated_crf`). Choices:

- The lengths, radius 5 and sigma 6, are in pixels at 256 x 256. They are scaled with the image,
  the radius rounded half up and at least 1: 3 and 3.0 at 128, 1 and 1.5 at 64. A smaller window
  holds fewer pairs, and the weight is not raised for it: the loss is milder on a coarse grid (for
  the same boundary 0.42 at 128). With `rloss_weight="compensated"` the weight makes up for it.
- One kernel of weight 1; the gates of the original are `valid` here, which leaves out padding and
  nothing else: scribbled pixels are in pairs too.
"""

import math

import torch
from torch import Tensor

from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.mloss import masked
from scnlib.methods.pce import PCE

WEIGHT = 0.1


def window(size: int) -> tuple[int, float]:
    """Radius (whole pixels, at least 1) and sigma_xy (pixels) for images of `size` rows."""
    return max(1, math.floor(5 * size / 256 + 0.5)), 6 * size / 256


def boundary_cost(size: int) -> float:
    """The energy of a straight boundary as long as the image of `size` rows is wide.

    Of the pairs that stand dx columns apart, dx in a row lie on both sides of it: their kernels,
    brightness alike, over the image's pixels.
    """
    radius, sigma = window(size)
    pairs = [
        dx * math.exp(-(dx**2 + dy**2) / (2 * sigma**2))
        for dx in range(1, radius + 1)
        for dy in range(-radius, radius + 1)
    ]
    return 2 * sum(pairs) / size


class RLoss(PCE):
    """Pixels that are near and alike have the same class."""

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        radius, sigma_xy = window(batch.image.shape[2])
        crf = gated_crf(
            logits.softmax(dim=1), batch.image, valid=batch.valid, radius=radius, sigma_xy=sigma_xy
        )
        weight = WEIGHT
        if self.run.compared.rloss_weight == "compensated":
            weight *= boundary_cost(256) / boundary_cost(batch.image.shape[2])
        return pce + weight * crf, {"pce": pce.detach(), "crf": crf.detach()}


def gated_crf(
    probabilities: Tensor,
    image: Tensor,
    *,
    valid: Tensor | None = None,
    radius: int = 5,
    sigma_xy: float = 6.0,
    sigma_intensity: float = 0.1,
) -> Tensor:
    r"""Gated CRF energy: 1/N sum over ordered pairs (i, j) of k_ij (1 - <P_i, P_j>).

    k_ij = exp(-|x_i - x_j|^2 / 2 sigma_xy^2 - (I_i - I_j)^2 / 2 sigma_intensity^2) for pixels i
    and j within `radius` rows and columns of each other, both in the frame and valid; a pixel and
    itself are no pair. Sign and constant: it is a cost, with the sum of k_ij in it, so that it is
    0 where all labels agree and positive elsewhere (without that constant it would be negative).

    Source: Obukhov et al. 2019 (Potts model). No gradient flows into k.

    Args:
        probabilities: (B, K, H, W) in 0..1.
        image: (B, 1, H, W) float; another shape is a `ValueError`.
        valid: (B, H, W) bool.
        radius: half the window's side without its middle, in pixels; at least 1.
        sigma_xy: in pixels.
        sigma_intensity: in the image's unit.
    """
    P, image, used = masked(probabilities, image, valid)
    # One sum more than classes: of 1, which is sum_j k_ij.
    sums = _kernel_sums(
        torch.cat([P, used], dim=1).detach(), image, radius, sigma_xy, sigma_intensity
    )
    energy = used[:, 0] * (sums[:, -1] - (P * sums[:, :-1]).sum(dim=1))  # (B, H, W)
    energy = energy.sum() / used.sum().clamp(min=1)
    # P stands in the energy twice, and k is symmetric: the gradient is twice what flows through
    # the P above, as the sums were taken without one.
    return 2 * energy - energy.detach()


@torch.no_grad()
def _kernel_sums(
    values: Tensor, image: Tensor, radius: int, sigma_xy: float, sigma_intensity: float
) -> Tensor:
    """sum_j k_ij values_j, (B, C, H, W): half of the window's offsets, each used both ways."""
    H, W = image.shape[2:]
    scaled = image / (math.sqrt(2) * sigma_intensity)
    sums = torch.zeros_like(values)
    for dy in range(min(radius, H - 1) + 1):
        for dx in range(-min(radius, W - 1), min(radius, W - 1) + 1):
            if (dy, dx) <= (0, 0):
                continue
            rows, columns = slice(0, H - dy), slice(max(0, -dx), W - max(0, dx))
            here = (..., rows, columns)
            there = (..., slice(dy, H), slice(max(0, dx), W - max(0, -dx)))
            distance = (dy**2 + dx**2) / (2 * sigma_xy**2)
            k = (scaled[here] - scaled[there]).square_().add_(distance).neg_().exp_()
            sums[here].addcmul_(values[there], k)
            sums[there].addcmul_(values[here], k)
    return sums
