"""Targets and losses of Fddseg (Zhang et al. 2024): mixed labels, and distillation."""

import torch
from torch import Tensor
from torch.nn import functional as F

from scnlib.confidence import one_hot
from scnlib.losses import mean_over


def mixed_target(labels: Tensor, spread: Tensor, share: Tensor | float, classes: int) -> Tensor:
    """share x onehot(labels) + (1 - share) x onehot(spread), (B, K, H, W) float32.

    Args:
        labels: (B, H, W) long in 0..K-1, what the networks say.
        spread: (B, H, W) long in 0..K, the scribbles' pseudo-labels; where there is none (K), the
            target is `labels` alone.
        share: in 0..1.
    """
    spread = torch.where(spread < classes, spread, labels)
    one, other = (one_hot(m, classes).float() for m in (labels, spread))
    return torch.lerp(other, one, share)


def agreed_target(labels: Tensor, spread: Tensor, classes: int) -> Tensor:
    """onehot(labels) where `spread` says the same or nothing (K), and no class elsewhere.

    What the public code's target comes to. Arguments and result as in `mixed_target`.
    """
    agreed = (labels == spread) | (spread == classes)
    return one_hot(torch.where(agreed, labels, classes), classes).float()


def shrink_labels(labels: Tensor, classes: int, factor: int) -> Tensor:
    """Each cell's most frequent class (a tie: the lower one), (B, H, W) to (B, H / f, W / f) long.

    Labels of no class (K) have no vote; a cell without votes is K.
    """
    votes = one_hot(labels, classes).float()
    most, winner = F.avg_pool2d(votes, factor).max(dim=1)
    return torch.where(most > 0, winner, classes)


def shrink_valid(valid: Tensor, factor: int) -> Tensor:
    """Which cells of factor x factor pixels are valid throughout, (B, H / f, W / f) bool."""
    return F.max_pool2d((~valid).float(), factor) == 0


def decoupled_distillation(
    logits: Tensor,
    other: Tensor,
    labels: Tensor,
    *,
    valid: Tensor | None = None,
    target_weight: float = 0.4,
    rest_weight: float = 0.6,
) -> Tensor:
    r"""How far two networks differ in the target class, and how far among all others.

    With t = `labels` at a pixel, p and q the two softmaxes, p^ and q^ those over the classes
    without t:

        0.4 |(p_t, 1 - p_t) - (q_t, 1 - q_t)|^2 + 0.6 sum_{k != t} (p^_k - q^_k)^2

    averaged over the pixels. The gradient flows into both networks.

    Source: Zhao et al. 2022 for the decomposition, Zhang et al. 2024 for squared errors in place
    of its divergences.

    Args:
        logits, other: (B, K, h, w).
        labels: (B, h, w) long in 0..K-1.
    """
    chosen = one_hot(labels, logits.shape[1])  # (B, K, h, w)
    p, q = (one.softmax(dim=1) for one in (logits, other))
    # The pair (p_t, 1 - p_t): both entries differ by as much.
    target = 2 * ((p - q) * chosen).sum(dim=1).square()
    p, q = (one.masked_fill(chosen, -torch.inf).softmax(dim=1) for one in (logits, other))
    rest = (p - q).square().sum(dim=1)
    return mean_over(target_weight * target + rest_weight * rest, valid)
