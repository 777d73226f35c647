"""Small tensors drawn by hand, and comparing a loss with arithmetic, for several test files."""

import pytest
import torch
from torch import Tensor


def pixels(*rows: list[float]) -> Tensor:
    """Pixels, each a list over channels, as (1, channels, 1, n) float64."""
    return torch.tensor(rows, dtype=torch.float64).T[None, :, None, :]


def row(*values: int | bool) -> Tensor:
    """One row of pixels, (1, 1, n)."""
    return torch.tensor([[values]])


def bits(text: str) -> Tensor:
    """ "110 011" as a bool tensor (1, 2, 3): a word a row."""
    return torch.tensor([[[c == "1" for c in word] for word in text.split()]])


def cells(*values: int) -> Tensor:
    """Cells of a grid, (1, n)."""
    return torch.tensor([values])


def check(value: Tensor, expected: float) -> None:
    """A scalar loss equals `expected`."""
    assert value.shape == ()
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5, abs=1e-12)


def random_map(seed: int, B: int = 2, D: int = 3, h: int = 2, w: int = 3) -> Tensor:
    """Numbers in place of features or logits, (B, D, h, w) float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, D, h, w, generator=generator, dtype=torch.float64)


FEATURES = pixels([3, 4], [0, 2], [1, 0], [5, 5])

# Four pixels: softmax(log P) = P, so that log P serves as logits.
P = pixels([0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.25] * 4, [0.1, 0.2, 0.3, 0.4])
LOGITS = P.log()
