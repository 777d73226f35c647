"""The 2D U-Net that all methods share: WSL4MIS's layout, 1,813,764 weights for K = 4."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from scnlib.kernels import ElementDropout, twice_as_large

CHANNELS = (16, 32, 64, 128, 256)
DROPOUT = (0.05, 0.1, 0.2, 0.3, 0.5)


class Output(NamedTuple):
    """What a forward pass gives; the features are bfloat16 where the network computes so."""

    logits: Tensor  # (B, K, H, W) float32
    encoder: list[Tensor]  # five levels, (B, 16 * 2**l, H / 2**l, W / 2**l)
    last: Tensor  # (B, 16, H, W), the last decoder block's features


def block(inside: int, outside: int, dropout: float, kind: str) -> nn.Sequential:
    """Two 3x3 convolutions with BatchNorm and LeakyReLU, dropout between them."""
    drop = {"channel": nn.Dropout2d, "element": ElementDropout}[kind](dropout)
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1),
        nn.BatchNorm2d(outside),
        nn.LeakyReLU(inplace=True),
        drop if dropout else nn.Identity(),
        nn.Conv2d(outside, outside, 3, padding=1),
        nn.BatchNorm2d(outside),
        nn.LeakyReLU(inplace=True),
    )


class Encoder(nn.Module):
    """Five levels of blocks, halved by max-pooling; `kind` is "channel" or "element" dropout."""

    def __init__(self, kind: str = "channel") -> None:
        super().__init__()
        inside = (1, *CHANNELS[:-1])
        self.blocks = nn.ModuleList(
            block(i, o, p, kind) for i, o, p in zip(inside, CHANNELS, DROPOUT, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x (B, 1, H, W), H and W multiples of 16, to five feature maps, finest first."""
        features = []
        for level, layer in enumerate(self.blocks):
            x = layer(nn.functional.max_pool2d(x, 2) if level else x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """1x1 convolution, bilinear doubling, skip connection and block, four times; 3x3 output."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        pairs = list(zip(CHANNELS[:0:-1], CHANNELS[-2::-1], strict=True))  # (256, 128) ... (32, 16)
        self.narrow = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in pairs)
        self.blocks = nn.ModuleList(block(2 * o, o, 0.0, "channel") for _, o in pairs)
        self.output = nn.Conv2d(CHANNELS[0], classes, 3, padding=1)

    def levels(self, features: list[Tensor]) -> list[Tensor]:
        """The encoder's maps to the four blocks': (B, 128, H / 8, W / 8) ... (B, 16, H, W)."""
        x, levels = features[-1], []
        for narrow, layer, skip in zip(self.narrow, self.blocks, features[-2::-1], strict=True):
            x = layer(torch.cat([skip, twice_as_large(narrow(x))], dim=1))
            levels.append(x)
        return levels

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The encoder's maps to (logits, last block's features), both at H x W."""
        last = self.levels(features)[-1]
        return self.output(last), last


class UNet(nn.Module):
    """Encoder and decoder. With `bf16`, bfloat16 inside; logits are float32.

    Channels last in memory: without it bfloat16 was slower than float32 on a CPU, and float32 a
    ninth slower than with it.
    """

    def __init__(self, classes: int, dropout: str = "channel", bf16: bool = False) -> None:
        super().__init__()
        self.encoder = Encoder(dropout)
        self.decoder = Decoder(classes)
        self.bf16 = bf16
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Output:
        """x (B, 1, H, W) float32 in 0..1, H and W multiples of 16, to an `Output`."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            x = x.contiguous(memory_format=torch.channels_last)
            features = self.encoder(x)
            logits, last = self.decoder(features)
        return Output(logits.float(), features, last)
