r"""Soft Dice: full supervision's loss, and what DMPLS and Fddseg lay on their pseudo-labels."""

from torch import Tensor

from scnlib.confidence import one_hot


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
