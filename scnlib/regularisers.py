r"""What the compared methods lay on the whole prediction: entropy, level sets, CRF, soft Dice.

All take probabilities P (B, K, H, W), where classes sum to 1 at every pixel, before the image
(B, 1, H, W). `valid` (B, H, W) bool marks the pixels that are not padding: N counts these alone, a
pair of pixels needs both, nothing depends on what stands elsewhere, and None means all. Every loss
is a scalar, finite also at probabilities of 0 and 1 and where nothing is valid (then 0), and never
negative. `scnlib.losses` has them too.
"""

import math

import torch
from torch import Tensor

from scnlib.propagation import one_hot


def check_choice(value: str, *choices: str) -> str:
    """The value; ValueError unless it is one of the choices (a typing error would pass for one)."""
    if value not in choices:
        raise ValueError(f"{value!r}: choose one of {', '.join(choices)}")
    return value


def mean_over(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of `values` where `mask` holds (None: everywhere); 0 with zero gradient if nowhere.

    ValueError for a mask of another shape, which would be broadcast and counted wrongly.
    """
    if mask is None:
        return values.mean()
    if mask.shape != values.shape:
        raise ValueError(
            f"the mask (`valid`, M) has shape {tuple(mask.shape)}, not {tuple(values.shape)}"
        )
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)


def _masked(
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


def level_set(probabilities: Tensor, image: Tensor, *, valid: Tensor | None = None) -> Tensor:
    r"""Sum over pixels and classes of (I - m_c)^2 P_c, m_c an image's P_c-weighted mean of I.

    Source: Kim and Ye 2020. It is 0 where every class is of one brightness. Arguments as in
    `mumford_shah`.
    """
    P, image, _ = _masked(probabilities, image, valid)
    with torch.no_grad():  # the sum is smallest at the means, so that their gradient is 0 anyway
        size = P.sum(dim=(2, 3), keepdim=True).clamp(min=torch.finfo(P.dtype).tiny)
        means = (P * image).sum(dim=(2, 3), keepdim=True) / size  # (B, K, 1, 1)
    return ((image - means).square() * P).sum()


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
) -> Tensor:
    r"""Mumford-Shah functional: 1/N (level set + length x total variation of P).

    Source: Kim and Ye 2020, who sum over the batch.

    Args:
        probabilities: (B, K, H, W) in 0..1.
        image: (B, 1, H, W) float; another shape is a `ValueError` (see `scnlib.methods.mloss`).
        valid: (B, H, W) bool.
        length: weight of the variation term.
    """
    N = probabilities[:, 0].numel() if valid is None else valid.sum().clamp(min=1)
    variation = total_variation(probabilities, valid=valid)
    return (level_set(probabilities, image, valid=valid) + length * variation) / N


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
    P, image, used = _masked(probabilities, image, valid)
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


def soft_dice(probabilities: Tensor, labels: Tensor, *, valid: Tensor | None = None) -> Tensor:
    r"""Soft Dice loss to labels: `dice_to_target` of their one-hot maps.

    Source: Milletari et al. 2016. Pixels that are unlabelled (K) or not valid enter no sum.

    Args:
        probabilities: (B, K, H, W) in 0..1.
        labels: (B, H, W) integer in 0..K, K = left out.
        valid: (B, H, W) bool.
    """
    K = probabilities.shape[1]
    used = labels < K if valid is None else (labels < K) & valid  # (B, H, W)
    target = one_hot(labels, K)  # (B, K, H, W)
    return dice_to_target(probabilities, target, valid=used)


def dice_to_target(probabilities: Tensor, target: Tensor, *, valid: Tensor | None = None) -> Tensor:
    r"""Soft Dice loss, 1 - mean over classes of 2 sum(p g) / (sum p^2 + sum g^2), over the batch.

    A class that is absent on both sides counts as met.

    Args:
        probabilities, target: (B, K, H, W) in 0..1.
        valid: (B, H, W) bool; other pixels enter no sum.
    """
    p, g = probabilities, target.to(probabilities.dtype)
    if valid is not None:
        p, g = p * valid[:, None], g * valid[:, None]
    axes = (0, 2, 3)
    size = p.square().sum(axes) + g.square().sum(axes)  # (K,)
    return 1 - ((2 * (p * g).sum(axes) + 1e-5) / (size + 1e-5)).mean()
