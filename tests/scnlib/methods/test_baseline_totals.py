"""What the baselines with one loss beside pCE hand to it: weights, scales, and no padding."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from scnlib.losses import partial_cross_entropy
from scnlib.methods import dice, meloss, mloss, rloss
from scnlib.methods.base import Batch
from tests.scnlib.methods.test_methods import K, batch_of, build, now

LOGITS = torch.randn(2, K, 32, 32, generator=torch.Generator().manual_seed(3))


def mumford_shah(P: Tensor, given: Batch) -> Tensor:
    # 1e-6 of a sum over 12 images of 256 x 256; boundaries at 32 are an eighth as long.
    return 0.786432 * mloss.mumford_shah(P, given.image, valid=given.valid, length=0.125)


def gated_crf(P: Tensor, given: Batch) -> Tensor:
    # At 32 pixels a radius of 5 becomes 1 (not 0), and 6 becomes 0.75.
    scale: Any = {"radius": 1, "sigma_xy": 0.75, "sigma_intensity": 0.1}
    return 0.1 * rloss.gated_crf(P, given.image, valid=given.valid, **scale)


def no_length(P: Tensor, given: Batch) -> Tensor:
    return 0.786432 * mloss.mumford_shah(P, given.image, valid=given.valid, length=0.0)


def swapped(P: Tensor, given: Batch) -> Tensor:
    level = mloss.level_set(P, given.image, valid=given.valid, swapped=True)
    return 0.786432 * level / count(given)


def swapped_with_length(P: Tensor, given: Batch) -> Tensor:
    length = 0.125 * mloss.total_variation(P, valid=given.valid) / count(given)
    return swapped(P, given) + 0.786432 * length


def count(given: Batch) -> Tensor:
    return given.valid.sum()


def compensated(P: Tensor, given: Batch) -> Tensor:
    return gated_crf(P, given) * rloss.boundary_cost(256) / rloss.boundary_cost(32)


def entropy(P: Tensor, given: Batch) -> Tensor:
    return 0.1 * meloss.entropy(P, valid=given.valid) / 1.3862943611  # ln 4


def soft_dice(P: Tensor, given: Batch) -> Tensor:
    return dice.soft_dice(P, given.scribble)


@pytest.mark.parametrize(
    ("name", "variant", "second"),
    [
        ("mloss", "", mumford_shah),
        ("mloss", "nolength", no_length),
        ("mloss", "swapped", swapped),
        ("mloss", "swappedlength", swapped_with_length),
        ("rloss", "", gated_crf),
        ("rloss", "compensated", compensated),
        ("meloss", "", entropy),
        ("full", "", soft_dice),
    ],
)
def test_total_is_the_cross_entropy_and_the_weighted_loss(
    name: str, variant: str, second: Callable[[Tensor, Batch], Tensor]
) -> None:
    method, given, logits = (
        build(name, variant=variant),
        batch_of(whole=name == "full"),
        LOGITS.clone().requires_grad_(),
    )
    method._modules["net"] = lambda image: SimpleNamespace(logits=logits)  # type: ignore[assignment]
    total, parts = method.loss(given, now())
    first = partial_cross_entropy(LOGITS, given.scribble)
    other = second(LOGITS.softmax(dim=1), given)
    assert float(other) > 1e-3
    assert float(total.detach()) == pytest.approx(float(first + other), rel=1e-5)
    assert len(parts) == 2
    total.backward()
    gradient = logits.grad
    assert gradient is not None
    assert gradient.movedim(1, 3)[given.valid].any()
    assert not gradient.movedim(1, 3)[~given.valid].any()
