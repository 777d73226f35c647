r"""Which pixels are trusted: the confidence-guided threshold (CGTM) and the region M."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Pseudo(NamedTuple):
    """Pseudo-labels and where they are trusted, at H x W."""

    labels: Tensor  # (B, H, W) long, F(x)
    confident: Tensor  # (B, H, W) bool, M


class ConfidenceThreshold(nn.Module):
    """CGTM's threshold tau, an average that follows the network's confidence.

    The paper names a moving average of the largest confidences, and yet calls their mean an
    increment, which would leave 0..1 at once. The momentum is not printed; 1 keeps tau fixed.
    `state_dict` holds tau, so that a resumed run goes on with it.
    """

    value_: Tensor

    def __init__(self, initial: float = 0.85, momentum: float = 0.999) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value_", torch.tensor(initial, dtype=torch.float64))

    @property
    def value(self) -> float:
        """tau, in 0..1."""
        return float(self.value_)

    def update(self, P: Tensor) -> float:
        r"""Eq. 12: tau <- m tau + (1 - m) mean over present classes of their largest confidence.

        Args:
            P: probabilities (B, K, H, W) of the whole batch. A class is present where it is some
                pixel's argmax.

        Returns:
            The new tau, a float in 0..1.
        """
        self.follow(*P.detach().max(dim=1), P.shape[1])
        return self.value

    def follow(self, confidence: Tensor, labels: Tensor, classes: int) -> None:
        """`update` from max P and argmax P, both (B, H, W), without waiting for the device."""
        # (K,); 0 stands for "absent".
        largest = torch.where(one_hot(labels, classes), confidence[:, None], 0).amax(dim=(0, 2, 3))
        target = largest.sum() / (largest > 0).sum()
        self.value_.mul_(self.momentum).add_((1 - self.momentum) * target.double())


def confident_pixels(
    confidence: Tensor,
    labels: Tensor,
    tau: float | Tensor,
    classes: int,
    scribble: Tensor | None = None,
    *,
    trusted: bool = True,
    valid: Tensor | None = None,
) -> Pseudo:
    r"""Eq. 5: M = max P > tau, and the pseudo-labels argmax P with the scribbles written in.

    The paper does not say whether scribbled pixels belong to M; by default they do, with their own
    class.

    Args:
        confidence, labels: max P and argmax P, (B, H, W) each: `P.max(dim=1)`.
        tau: threshold in 0..1, a number or a tensor of one.
        classes: K.
        scribble: (B, H, W) integer, K = unlabelled; None leaves the pseudo-labels as predicted.
        trusted: scribbled pixels belong to M, however sure the network is there.
        valid: (B, H, W) bool, False where augmentation brought in padding, which is never in M.

    Returns:
        Labels (B, H, W) long and M (B, H, W) bool.
    """
    confident = confidence > tau
    if scribble is not None:
        scribbled = scribble < classes
        labels = torch.where(scribbled, scribble.long(), labels)
        confident = confident | scribbled if trusted else confident
    return Pseudo(labels, confident if valid is None else confident & valid)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Which class each label is: (B, ...) integer to (B, K, ...) bool; a label of K is none.

    torch's own makes 64-bit integers, and asks the device for the largest label.
    """
    kinds = torch.arange(classes, device=labels.device)
    return labels[:, None] == kinds.view(1, classes, *[1] * (labels.ndim - 1))
