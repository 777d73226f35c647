r"""Fddseg: two networks, superpixel pseudo-labels and feature decomposition distillation.

Source: Zhang et al., FDDSeg: Unleashing the power of scribble annotation for cardiac MRI images
through feature decomposition distillation, IEEE Journal of Biomedical and Health Informatics 2024,
and its public code, which has what the text leaves open.

    L = (L_pce(P1) + L_pce(P2)) / 2 + 0.5 (L_dice(P1, G) + L_dice(P2, G)) / 2
        + 0.35 sum_s L_dice(P1_s, Y_s) + 0.15 sum_s L_dkd(P1_s, P2_s; Y_s)

P1 and P2 are two U-Nets, encoders and all; the second decodes features half of whose channels are
dropped. The first predicts. Y = argmax(beta P1 + (1 - beta) P2), and the target G of the
pseudo-label loss mixes it with the pseudo-labels S that superpixels make of the scribbles
(`superpixels.py`): G = gamma onehot(Y) + (1 - gamma) onehot(S); where S says nothing, G is Y.
beta and gamma ~ U(0, 1) are drawn in every iteration; no gradient flows into Y, S, G. The scales s
are an eighth, a quarter and half of the image (32, 64, 128 of 256), with a head each on the
decoder's levels of 128, 64 and 32 channels. Both networks have heads, since the distillation
compares them there; the second's learn from it alone, and it pulls both networks.

Faults of the public code, repaired here:

- One of the three heads is put through softmax and the others are not (and that one twice in the
  distillation): here every head is, once.
- Class indices are mixed where Y meets S, with a random real share, and compared with 0..3 for
  equality: only pixels where Y = S keep a label, and the others' empty targets still count in the
  denominators (`fddseg_target="agreed"` does that). Where Y is resized to a scale, half a 1 and
  half a 3 make class 2. Here one-hot labels are mixed, and a scale's labels are the majority's.
- The distillation's non-target term sets the target's logit to 0 in place of leaving it out, and
  its softmax runs over classes and rows together: here over the other classes alone. Its two
  target terms are equal, as ours are.

The encoder of the public code can't be run as it stands: its second downsampling calls a block that
is not there. Ours is the U-Net's.

Y holds the labels of barely trained networks at first. In runs by the study's shared Adam they won
over the scribbles, as with DMPLS, where what no superpixel claims was unlabelled (`fddseg_rest`);
with that as background, as in the public code, they did not.

Superpixels are found once, on the unaugmented slices, and follow the slice through its
augmentation; published is a batch of 4, with superpixels of every augmented one.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scnlib.augment import warp_labels
from scnlib.confidence import one_hot
from scnlib.config import Run
from scnlib.losses import mean_over, partial_cross_entropy
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.dice import dice_to_target, soft_dice
from scnlib.methods.dmpls import draw_share, drop_channels, mixed_labels
from scnlib.methods.pce import PCE
from scnlib.methods.superpixels import spread_scribble
from scnlib.unet import CHANNELS, UNet

PSEUDO, SCALES, DISTILLATION = 0.5, 0.35, 0.15  # the losses' weights
FACTORS = (8, 4, 2)  # how much smaller than the image the three heads' scales are


class Fddseg(PCE):
    """Two U-Nets that learn from superpixels and from each other, at four scales."""

    spread: Tensor | None = None  # (S, H, W), the pseudo-labels; made again when a run goes on

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.heads = Heads(classes)
        self.second = UNet(classes, run.profile.dropout, bf16)
        self.second_heads = Heads(classes)

    def prepare(self, images: Tensor, scribbles: Tensor) -> None:
        pairs = zip(images.cpu().numpy(), scribbles.cpu().numpy(), strict=True)
        rest = self.run.compared.fddseg_rest
        spread = [spread_scribble(image, scribble, self.classes, rest) for image, scribble in pairs]
        self.spread = torch.from_numpy(np.stack(spread)).to(scribbles.device)

    def draw(self, shape: torch.Size, now: Now) -> dict[str, Tensor]:
        return {name: draw_share(now.generator) for name in ("beta", "gamma")}

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        assert self.spread is not None
        spread = warp_labels(self.spread[batch.index].long(), batch.affine, self.classes)
        *scaled1, logits1 = self.heads(self.net, batch.image)
        *scaled2, logits2 = self.second_heads(self.second, batch.image, drop=True)
        p1, p2 = logits1.softmax(dim=1), logits2.softmax(dim=1)
        labels = mixed_labels(p1, p2, drawn["beta"])
        if self.run.compared.fddseg_target == "agreed":
            target = agreed_target(labels, spread, self.classes)
        else:
            target = mixed_target(labels, spread, drawn["gamma"], self.classes)

        both = (partial_cross_entropy(one, batch.scribble) for one in (logits1, logits2))
        pce = torch.stack(list(both)).mean()
        pseudo = torch.stack([dice_to_target(p, target, valid=batch.valid) for p in (p1, p2)])
        pseudo = pseudo.mean()
        dice, distillation = self.at_scales(scaled1, scaled2, labels, batch.valid)
        total = pce + PSEUDO * pseudo + SCALES * dice + DISTILLATION * distillation
        parts = {"pce": pce, "pseudo": pseudo, "dice": dice, "distillation": distillation}
        return total, {name: part.detach() for name, part in parts.items()}

    def at_scales(
        self, scaled1: list[Tensor], scaled2: list[Tensor], labels: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The Dice losses of the first network's heads, and the distillations, summed."""
        dice, distillation = [], []
        # Padding has no vote in a scale's labels.
        kept = torch.where(valid, labels, self.classes)
        for one, other, factor in zip(scaled1, scaled2, FACTORS, strict=True):
            Y, inside = shrink_labels(kept, self.classes, factor), shrink_valid(valid, factor)
            dice.append(soft_dice(one.softmax(dim=1), Y, valid=inside))
            Y = Y.clamp(max=self.classes - 1)  # cells without a label are not inside
            distillation.append(decoupled_distillation(one, other, Y, valid=inside))
        return torch.stack(dice).sum(), torch.stack(distillation).sum()


class Heads(nn.Module):
    """Logits of a `UNet` at an eighth, a quarter and half of its size too: a 3x3 convolution each.

    Source: Zhang et al. 2024 (Fddseg), whose heads are two or three convolutions with nothing
    between them, which one does as well. The network is given at every call and not a part, so
    that it is the very one of the other methods.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, classes, 3, padding=1) for channels in CHANNELS[3:0:-1]
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, net: UNet, x: Tensor, *, drop: bool = False) -> list[Tensor]:
        """x (B, 1, H, W) to logits (B, K, h, w) float32 at H/8, H/4, H/2 and H, in this order.

        With `drop`, half of the encoder's channels are dropped before the decoder, in training.
        """
        with torch.autocast(x.device.type, torch.bfloat16, enabled=net.bf16):
            x = x.contiguous(memory_format=torch.channels_last)
            features = net.encoder(x)
            if drop:
                features = drop_channels(features, self.training)
            levels = net.decoder.levels(features)
            heads = (*self.heads, net.decoder.output)
            logits = [head(level) for head, level in zip(heads, levels, strict=True)]
        return [one.float() for one in logits]


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
    logits: Tensor, other: Tensor, labels: Tensor, *, valid: Tensor | None = None
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
    return mean_over(0.4 * target + 0.6 * rest, valid)
