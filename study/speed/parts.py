"""What each part of the fast step gives: SCN's step on a CPU, with that part left to torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scnlib.kernels import ElementDropout, torchs_attention

# Part -> what stands in its place where it is left out.
FAST_PARTS = {
    "bfloat16": "float32",
    "dropout": "nn.Dropout, a 64-bit word an element",
    "attention": "F.scaled_dot_product_attention",
    "contrast": "CACL as torch's operations, one after the other",
    "upsampling": "F.interpolate in the decoder, its gradient with gaps in memory",
    "optimiser": "Adam, weight by weight",
}
_Adam = torch.optim.Adam


@contextmanager
def left_out(part: str) -> Iterator[None]:
    """Steps made and run inside are without one of `FAST_PARTS`; KeyError for another name."""
    with {
        "bfloat16": patch("study.speed.steps.bf16_supported", lambda device: False),
        "dropout": patch.object(ElementDropout, "forward", nn.Dropout.forward),
        "attention": patch("scnlib.correlation.attention", _attention),
        "contrast": patch("scnlib.losses.by_hand", lambda x: False),
        "upsampling": patch("scnlib.unet.twice_as_large", _twice_as_large),
        "optimiser": patch("torch.optim.Adam", _unfused),
    }[part]:
        yield


def _attention(
    queries: Tensor, keys: Tensor, P: Tensor, scale: float, dtype: torch.dtype
) -> Tensor:
    return torchs_attention(queries, keys, P, scale)


def _twice_as_large(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def _unfused(weights: Any, rate: float, weight_decay: float, fused: bool) -> torch.optim.Adam:
    return _Adam(weights, rate, weight_decay=weight_decay, foreach=False)
