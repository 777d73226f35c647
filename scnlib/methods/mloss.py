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
  later versions the prediction's). Here they stand as in the original paper; `mloss_form="swapped"`
  is as there at first, "swapped, with length" as there later, and "no length" tells the changes
  apart.
- Padding by a rotation is left out (`valid`).
"""

import torch
from torch import Tensor

from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses
from scnlib.methods.pce import PCE

WEIGHT = 1e-6 * 12 * 256 * 256  # 0.786


class MLoss(PCE):
    """Every class is of one brightness, and its boundary short."""

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits = self.net(batch.image).logits
        pce = partial_cross_entropy(logits, batch.scribble)
        form, P = self.run.compared.mloss_form, logits.softmax(dim=1)
        length = batch.image.shape[2] / 256 if form in ("original", "swapped, with length") else 0.0
        swapped = form.startswith("swapped")
        shape = mumford_shah(P, batch.image, valid=batch.valid, length=length, swapped=swapped)
        return pce + WEIGHT * shape, {"pce": pce.detach(), "mumford_shah": shape.detach()}


def masked(
    probabilities: Tensor, image: Tensor, valid: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Both with 0 where not valid, and valid as a number, (B, 1, H, W) like the image.

    Raises `ValueError` for an image of another shape, as when the two arguments are swapped: the
    losses would be computed, and say nothing about the prediction.
    """
    B, _, H, W = probabilities.shape
    if image.shape != (B, 1, H, W):
        raise ValueError(
            f"image has shape {tuple(image.shape)}, not {(B, 1, H, W)} as the probabilities' "
            f"{tuple(probabilities.shape)} ask for; give the probabilities first, then the image"
        )
    if valid is None:
        return probabilities, image, torch.ones_like(image)
    used = valid[:, None]
    return torch.where(used, probabilities, 0), torch.where(used, image, 0), used.to(image.dtype)


def level_set(
    probabilities: Tensor, image: Tensor, *, valid: Tensor | None = None, swapped: bool = False
) -> Tensor:
    r"""Sum over pixels and classes of (I - m_c)^2 P_c, m_c an image's P_c-weighted mean of I.

    Source: Kim and Ye 2020. It is 0 where every class is of one brightness. With `swapped` it is
    of I (P_c - m_c)^2, m_c an image's I-weighted mean of P_c, as WSL4MIS calls it: with the image
    for the prediction and the prediction for the image. Arguments as in `mumford_shah`.
    """
    P, image, _ = masked(probabilities, image, valid)
    weight, value = (image, P) if swapped else (P, image)
    with torch.no_grad():  # the sum is smallest at the means, so that their gradient is 0 anyway
        size = weight.sum(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
        means = (weight * value).sum(dim=(2, 3), keepdim=True) / size  # (B, K, 1, 1)
    return ((value - means).square() * weight).sum()


def total_variation(probabilities: Tensor, *, valid: Tensor | None = None) -> Tensor:
    r"""Sum over classes of |P - next P| down and across (anisotropic, L1): the regions' length.

    Source: Kim and Ye 2020. Arguments as in `mumford_shah`.
    """
    P = probabilities
    down, across = (P[:, :, 1:] - P[:, :, :-1]).abs(), (P[..., 1:] - P[..., :-1]).abs()
    if valid is not None:
        down = torch.where((valid[:, 1:] & valid[:, :-1])[:, None], down, 0)
        across = torch.where((valid[..., 1:] & valid[..., :-1])[:, None], across, 0)
    return down.sum() + across.sum()


def mumford_shah(
    probabilities: Tensor,
    image: Tensor,
    *,
    valid: Tensor | None = None,
    length: float = 1.0,
    swapped: bool = False,
) -> Tensor:
    r"""Mumford-Shah functional: 1/N (level set + length x total variation of P).

    Source: Kim and Ye 2020, who sum over the batch.

    Args:
        probabilities: (B, K, H, W) in 0..1.
        image: (B, 1, H, W) float; another shape is a `ValueError` (see `scnlib.methods.mloss`).
        valid: (B, H, W) bool.
        length: weight of the variation term.
        swapped: whether the level set is WSL4MIS's (`level_set`).
    """
    N = probabilities[:, 0].numel() if valid is None else valid.sum().clamp(min=1)
    level = level_set(probabilities, image, valid=valid, swapped=swapped)
    return (level + length * total_variation(probabilities, valid=valid)) / N
