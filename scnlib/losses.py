r"""The losses, one function each: Eq. 19, then the paper's others in its order.

The compared methods' losses stand with their methods, and are found here by name, too.

| symbol | variable | shape |
| --- | --- | --- |
| \hat Y (logits) | `logits` | (B, K, H, W) float |
| Y_corr | `Y_corr` | (B, K, H, W) probabilities |
| F(x), pseudo-labels | `labels` | (B, H, W) integer 0..K-1 |
| M | `confident` | (B, H, W) bool |
| F, features of the last block | `features` | (B, D, H, W) float |
| scribble y | `scribble` | (B, H, W) integer, K = unlabelled |

With `normalised`, `logits` are log-probabilities already: one log-softmax serves several losses.
`valid` (B, H, W) bool marks the pixels that are not padding; N counts these alone, and None means
all. Every loss is a scalar, finite also where nothing is labelled or trusted (then 0). Weighted
sums stand in the methods' files. An option that is none of those named is a `ValueError`.
"""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scnlib.confidence import one_hot
from scnlib.config import SCNOptions
from scnlib.errors import check_choice
from scnlib.kernels import SHORTEST, by_hand, cosines

# Losses of compared methods, and the file of each.
_ELSEWHERE = {
    "entropy": "meloss",
    "gated_crf": "rloss",
    "mumford_shah": "mloss",
    "soft_dice": "dice",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"scnlib.methods.{_ELSEWHERE[name]}"), name)


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


def cross_entropy_map(logits: Tensor, labels: Tensor, *, normalised: bool = False) -> Tensor:
    """-log softmax(logits)[labels] at every pixel, (B, H, W); 0 where the label is K (unlabelled).

    Summed up afterwards: on a GPU torch's own sum gives each image to one block of threads.
    """
    log_P = logits if normalised else logits.log_softmax(dim=1)
    return F.nll_loss(log_P, labels.long(), ignore_index=logits.shape[1], reduction="none")


def partial_cross_entropy(
    logits: Tensor, scribble: Tensor, *, reduction: str = "mean", normalised: bool = False
) -> Tensor:
    r"""Eq. 19: cross-entropy over the scribbled pixels, -log softmax(logits)[scribble].

    Departure: the print sums over the pixels, here it is their mean over the batch (not a mean of
    per-image means), so that its weight does not depend on how much was scribbled;
    `reduction="sum"` is as printed. A batch without any scribbled pixel gives 0, not NaN.

    Args:
        logits: (B, K, H, W) float.
        scribble: (B, H, W) integer in 0..K, K = unlabelled.
    """
    total = cross_entropy_map(logits, scribble, normalised=normalised).sum()
    if check_choice(reduction, "mean", "sum") == "sum":
        return total
    return total / (scribble < logits.shape[1]).sum().clamp(min=1)


def propagation_loss(
    logits: Tensor,
    Y_corr: Tensor,
    *,
    valid: Tensor | None = None,
    target: str = "hard",
    normalised: bool = False,
) -> Tensor:
    r"""Eq. 3: cross-entropy of the prediction to what propagation made of it.

    As printed it does not type-check (a class index times a prediction inside exp); the text calls
    it a cross-entropy to hard pseudo-labels, which are the detached argmax of Y_corr.

    Args:
        logits: (B, K, H, W) float.
        Y_corr: (B, K, H, W), propagated probabilities at H x W; no gradient flows into them.
        target: "hard" (argmax) or "soft" (Y_corr itself).
    """
    propagated = Y_corr.detach()
    if check_choice(target, "hard", "soft") == "soft":
        log_P = logits if normalised else logits.log_softmax(dim=1)
        return mean_over(-(propagated * log_P).sum(dim=1), valid)
    # max's indices, not argmax: the same values, thirty times faster over channels on a CPU.
    hard = propagated.max(dim=1).indices
    return mean_over(cross_entropy_map(logits, hard, normalised=normalised), valid)


def _over_region(values: Tensor, confident: Tensor, valid: Tensor | None, mean: str) -> Tensor:
    """1/N sum of M x values, N all valid pixels ("pixels") or those of M alone ("mask")."""
    inside = confident if valid is None else confident & valid
    if check_choice(mean, "pixels", "mask") == "mask":
        return mean_over(values, inside)
    return mean_over(torch.where(inside, values, 0), valid)


def propagation_consistency_loss(
    Y_corr: Tensor,
    labels: Tensor,
    confident: Tensor,
    *,
    valid: Tensor | None = None,
    mean: str = "pixels",
) -> Tensor:
    r"""Eq. 9: 1/N sum over M of -log Y_corr[F(x)].

    Y_corr is a probability already: it is clamped at 1e-6 and not put through a second softmax.
    The gradient flows through Y_corr into C and P.

    Args:
        Y_corr: (B, K, H, W) probabilities.
        labels: (B, H, W) integer in 0..K-1.
        confident: (B, H, W) bool, M after refinement.
        mean: divide by all valid pixels ("pixels", as printed) or by M's size ("mask").
    """
    picked = Y_corr.gather(1, labels.long()[:, None]).squeeze(1)  # (B, H, W)
    return _over_region(-picked.clamp(min=1e-6).log(), confident, valid, mean)


def region_loss(
    logits: Tensor,
    labels: Tensor,
    confident: Tensor,
    *,
    valid: Tensor | None = None,
    mean: str = "pixels",
    normalised: bool = False,
) -> Tensor:
    r"""Eq. 10: 1/N sum over M of the cross-entropy of the logits to F(x).

    Arguments as in `propagation_consistency_loss`, with logits (B, K, H, W) in place of Y_corr.
    """
    values = cross_entropy_map(logits, labels, normalised=normalised)  # (B, H, W)
    return _over_region(values, confident, valid, mean)


def refinement_loss(
    logits: Tensor,
    Y_corr: Tensor,
    labels: Tensor,
    confident: Tensor,
    *,
    valid: Tensor | None = None,
    mean: str = "pixels",
    normalised: bool = False,
) -> Tensor:
    r"""Eq. 11: the RSR loss, the sum of its consistency and region terms."""
    consistency = propagation_consistency_loss(Y_corr, labels, confident, valid=valid, mean=mean)
    return consistency + region_loss(
        logits, labels, confident, valid=valid, mean=mean, normalised=normalised
    )


def class_means(
    features: Tensor, scribble: Tensor, classes: int, *, normalise: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Eq. 13: mu_c = sum_i M_c F_i / (sum_i M_c + epsilon), over the batch's scribbled pixels.

    Args:
        features: (B, D, H, W) float.
        scribble: (B, H, W) integer, K = `classes` = unlabelled.
        normalise: scale the features, and then the means, to length 1 (printed: as they are).

    Returns:
        means (K, D), the gradient flows through them, and present (K,) bool.
    """
    member = one_hot(scribble, classes)  # (B, K, H, W)
    size = member.sum(dim=(0, 2, 3))  # (K,)
    weight = member.to(features.dtype)
    weight = weight * _inverse_lengths(features) if normalise else weight
    # A product over all pixels: to pick the scribbled ones first would wait for their number.
    sums = (weight.flatten(2) @ features.flatten(2).transpose(1, 2)).sum(dim=0)  # (K, D)
    means = sums / (size[:, None] + 1e-6)
    return (F.normalize(means, dim=1) if normalise else means), size > 0


def class_similarity(
    features: Tensor, means: Tensor, *, temperature: float = 0.1, normalise: bool = True
) -> Tensor:
    r"""Eq. 14: S_{i,c} = F_i . mu_c / T, the logits of the contrast, (B, K, H, W).

    Args:
        features: (B, D, H, W) float.
        means: (K, D) float, or (B, K, D) with means of each image's own.
        temperature: T > 0 (paper silent).
        normalise: divide by the length of F_i, so that S is a cosine over T.
    """
    S = (means / temperature @ features.flatten(2)).unflatten(2, features.shape[2:])
    # The product first and its length after: K channels to scale in place of D.
    return S * _inverse_lengths(features) if normalise else S


def _inverse_lengths(features: Tensor) -> Tensor:
    """1 / |F_i| at each pixel, (B, D, H, W) to (B, 1, H, W); finite, also its gradient, at 0."""
    length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return length.clamp(min=SHORTEST).reciprocal()


def scribble_contrast(log_p: Tensor, scribble: Tensor, *, mean: str = "pixels") -> Tensor:
    r"""Eq. 15: -log softmax_c(S)[y], mean over the scribbled pixels.

    Args:
        log_p: log softmax of S over the classes present, (B, K, H, W).
        scribble: (B, H, W) integer, K = unlabelled.
        mean: over the pixels, or "classes": the mean of the classes' means, as the print's
            1/|M_y| may be read.
    """
    K = log_p.shape[1]
    values = cross_entropy_map(log_p, scribble, normalised=True)  # (B, H, W)
    if check_choice(mean, "pixels", "classes") == "pixels":
        return values.sum() / (scribble < K).sum().clamp(min=1)
    member = one_hot(scribble, K)  # (B, K, H, W)
    size = member.sum(dim=(0, 2, 3))  # (K,)
    totals = torch.where(member, values[:, None], 0).sum(dim=(0, 2, 3))
    return (totals / size.clamp(min=1)).sum() / (size > 0).sum().clamp(min=1)


def pseudo_label_contrast(
    log_p: Tensor, labels: Tensor, confident: Tensor, scribble: Tensor, *, mean: str = "pixels"
) -> Tensor:
    r"""Eq. 16: the same over the pixels of M (after refinement) that nobody scribbled.

    Args:
        labels: pseudo-labels (B, H, W) integer in 0..K; K is left out.
        confident: M (B, H, W) bool.
        log_p, scribble, mean: as in `scribble_contrast`.
    """
    K = log_p.shape[1]
    target = torch.where(confident & (scribble == K), labels.long(), K)
    return scribble_contrast(log_p, target, mean=mean)


STUDYS = SCNOptions()


def contrastive_loss(
    features: Tensor,
    scribble: Tensor,
    labels: Tensor,
    confident: Tensor,
    *,
    classes: int = 4,
    choices: SCNOptions = STUDYS,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Eq. 17: class-aware contrastive loss, its scribble and pseudo-label terms added.

    A class that nobody scribbled in the batch has no mean vector: it leaves the softmax's sum, and
    pixels with that pseudo-label leave the loss. With means of each image's own this goes image by
    image.

    Args:
        features: (B, D, H, W) float, the last decoder block's output.
        scribble: (B, H, W) integer, K = `classes` = unlabelled.
        labels, confident: pseudo-labels (B, H, W) integer in 0..K-1 and M (B, H, W) bool, after
            refinement.
        choices: the temperature T, normalise, detach_means, means_over and contrast_mean.
        valid: (B, H, W) bool, False for padding, which leaves M; None where M has none.
    """
    confident = confident if valid is None else confident & valid
    log_p, present = _log_similarity(features, scribble, classes, choices)
    has_mean = present.gather(1, labels.long().flatten(1)).view_as(labels)
    labels = torch.where(has_mean, labels.long(), classes)
    mean = choices.contrast_mean
    return scribble_contrast(log_p, scribble, mean=mean) + pseudo_label_contrast(
        log_p, labels, confident, scribble, mean=mean
    )


def _log_similarity(
    features: Tensor, scribble: Tensor, classes: int, choices: SCNOptions
) -> tuple[Tensor, Tensor]:
    """log softmax of S over the classes that have a mean (B, K, H, W), and which have, (B, K)."""
    normalise = choices.normalise
    usual = normalise and choices.means_over == "batch" and not choices.detach_means
    if usual and by_hand(features):
        S, present = cosines(features, scribble, classes, class_means, choices.temperature)
        return _log_softmax_of(S, present.expand(len(features), classes))
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    if choices.means_over == "image":
        images = zip(features[:, None], scribble[:, None], strict=True)
        pairs = [class_means(f, s, classes, normalise=normalise) for f, s in images]
        means, present = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    else:
        means, present = class_means(features, scribble, classes, normalise=normalise)
        present = present.expand(len(features), classes)
    means = means.detach() if choices.detach_means else means
    S = class_similarity(features, means, temperature=choices.temperature, normalise=normalise)
    return _log_softmax_of(S, present)


def _log_softmax_of(S: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """log softmax of S (B, K, H, W) over the classes that are `present` (B, K), which go along."""
    # Added, not filled in: the gradient has nothing to do then.
    absent = S.new_zeros(present.shape).masked_fill(~present, torch.finfo(S.dtype).min)
    return (S + absent[:, :, None, None]).log_softmax(dim=1), present
