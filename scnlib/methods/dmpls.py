r"""DMPLS: dual-branch network supervised by dynamically mixed pseudo-labels.

Source: Luo et al., Scribble-supervised medical image segmentation via dual-branch network and
dynamically mixed pseudo labels supervision, MICCAI 2022.

    L = (L_pce(P1) + L_pce(P2)) / 2 + 0.5 (L_dice(P1, Y) + L_dice(P2, Y)) / 2
    Y = argmax(beta P1 + (1 - beta) P2),  beta ~ U(0, 1) anew in every iteration

P1 and P2 come from one encoder and two decoders; the second decodes features half of whose
channels are dropped. No gradient flows into Y. The first decoder predicts. Dice is soft, with
squared denominators, over the batch and all K classes (the background too), on valid pixels.
The public code agrees with the paper here, and trains with SGD at 0.01. There is no threshold and
no warm-up: the first labels are those of a barely trained network, and in our runs with the study's
shared Adam they won over the scribbles of the background. Hence the row of the tables is
`dmpls_sgd`.
"""

import torch
from torch import Tensor, nn

from scnlib.config import Run
from scnlib.losses import partial_cross_entropy
from scnlib.methods.base import Batch, Losses, Now
from scnlib.methods.dice import soft_dice
from scnlib.methods.pce import PCE
from scnlib.unet import Decoder

WEIGHT = 0.5  # of the pseudo-labels


class DMPLS(PCE):
    """Two decoders that learn from a random mixture of what both predict."""

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.second = SecondDecoder(classes, bf16)

    def draw(self, shape: torch.Size, now: Now) -> dict[str, Tensor]:
        return {"beta": draw_share(now.generator)}

    def objective(self, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Tensor, Losses]:
        logits, encoder, _ = self.net(batch.image)
        both = logits, self.second(encoder)
        p1, p2 = (one.softmax(dim=1) for one in both)
        mixed = mixed_labels(p1, p2, drawn["beta"])
        pce = torch.stack([partial_cross_entropy(one, batch.scribble) for one in both]).mean()
        dice = torch.stack([soft_dice(p, mixed, valid=batch.valid) for p in (p1, p2)]).mean()
        return pce + WEIGHT * dice, {"pce": pce.detach(), "dice": dice.detach()}


def draw_share(generator: torch.Generator) -> Tensor:
    """A number from U(0, 1), a float32 tensor () on the CPU."""
    return torch.rand((), generator=generator)


def mixed_labels(p1: Tensor, p2: Tensor, beta: Tensor | float) -> Tensor:
    """argmax(beta p1 + (1 - beta) p2), (B, K, H, W) twice to (B, H, W) long, without gradient."""
    # max's indices, not argmax: the same values, thirty times faster over channels on a CPU.
    return torch.lerp(p2.detach(), p1.detach(), beta).max(dim=1).indices


class SecondDecoder(nn.Module):
    """A decoder beside a `UNet`'s own, on its encoder's maps with half of their channels dropped.

    Source: Luo et al. 2022 (DMPLS). In training its answer differs from the first decoder's.
    """

    def __init__(self, classes: int, bf16: bool = False) -> None:
        super().__init__()
        self.decoder = Decoder(classes)
        self.bf16 = bf16
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, features: list[Tensor]) -> Tensor:
        """The encoder's five maps (see `Output`) to logits (B, K, H, W) float32."""
        with torch.autocast(features[0].device.type, torch.bfloat16, enabled=self.bf16):
            logits, _ = self.decoder(drop_channels(features, self.training))
        return logits.float()


def drop_channels(features: list[Tensor], training: bool) -> list[Tensor]:
    """Half of every map's channels set to 0 at random and the others doubled, in training."""
    return [nn.functional.dropout2d(f, 0.5, training) for f in features]
