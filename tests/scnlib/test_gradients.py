"""Gradients of every loss against finite differences."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from scnlib.losses import (
    contrastive_loss,
    entropy,
    gated_crf,
    mumford_shah,
    partial_cross_entropy,
    propagation_consistency_loss,
    propagation_loss,
    refinement_loss,
    region_loss,
    soft_dice,
)

K = 4
ln = math.log


# Gradients


def scene(seed: int) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    draw = {"generator": g, "dtype": torch.float64}
    return {
        "logits": torch.randn(2, K, 2, 3, **draw).requires_grad_(),
        "Y": torch.randn(2, K, 2, 3, **draw).softmax(dim=1).requires_grad_(),
        "features": torch.randn(2, 3, 2, 3, **draw).requires_grad_(),
        # Class 3 is never scribbled, though pseudo-labels have it.
        "scribble": torch.tensor([[[0, 1, K], [K, 2, 0]], [[K, K, 1], [K, K, K]]]),
        "labels": torch.randint(K, (2, 2, 3), generator=g),
        "M": torch.rand(2, 2, 3, generator=g) < 0.7,
        "valid": torch.rand(2, 2, 3, generator=g) < 0.8,
        "image": torch.rand(2, 1, 2, 3, **draw),
    }


GRADIENTS: dict[str, tuple[tuple[str, ...], Callable[..., Tensor]]] = {
    "pce": (("logits",), lambda s, x: partial_cross_entropy(x, s["scribble"])),
    "propagation": (("logits",), lambda s, x: propagation_loss(x, s["Y"], valid=s["valid"])),
    "propagation, soft": (("logits",), lambda s, x: propagation_loss(x, s["Y"], target="soft")),
    "consistency": (
        ("Y",),
        lambda s, y: propagation_consistency_loss(y, s["labels"], s["M"], valid=s["valid"]),
    ),
    "region": (("logits",), lambda s, x: region_loss(x, s["labels"], s["M"], mean="mask")),
    "refinement": (
        ("logits", "Y"),
        lambda s, x, y: refinement_loss(x, y, s["labels"], s["M"], valid=s["valid"]),
    ),
    "contrast": (
        ("features",),
        lambda s, f: contrastive_loss(f, s["scribble"], s["labels"], s["M"], valid=s["valid"]),
    ),
    "contrast, by image": (
        ("features",),
        lambda s, f: contrastive_loss(f, s["scribble"], s["labels"], s["M"], means_over="image"),
    ),
    "contrast, plain": (
        ("features",),
        lambda s, f: contrastive_loss(
            f, s["scribble"], s["labels"], s["M"], normalise=False, mean="classes"
        ),
    ),
    "dice": (("Y",), lambda s, y: soft_dice(y, s["scribble"], valid=s["valid"])),
    "entropy": (("Y",), lambda s, y: entropy(y, valid=s["valid"])),
    "entropy, logits": (("logits",), lambda s, x: entropy(x.softmax(dim=1))),
    "mumford-shah": (
        ("Y",),
        lambda s, y: mumford_shah(y, s["image"], valid=s["valid"], length=0.5),
    ),
    "crf": (
        ("Y",),
        lambda s, y: gated_crf(y, s["image"], valid=s["valid"], radius=1, sigma_intensity=0.5),
    ),
    "crf, logits": (("logits",), lambda s, x: gated_crf(x.softmax(dim=1), s["image"])),
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradient(name: str, seed: int) -> None:
    inputs, loss = GRADIENTS[name]
    s = scene(seed)
    assert s["M"].any()
    assert gradcheck(lambda *x: loss(s, *x), tuple(s[key] for key in inputs))
