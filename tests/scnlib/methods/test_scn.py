"""The paper's method and its baseline as a whole: the total loss, batches without a scribble."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from scnlib.methods.base import Batch, Now
from scnlib.methods.pce import PCE
from scnlib.methods.scn import SCN
from study.experiments import make_run

K = 4
ln = math.log


# Equation 18, and methods as a whole


def batch_of(scribble: Tensor, seed: int = 0) -> Batch:
    B, H, W = scribble.shape
    image = torch.rand(B, 1, H, W, generator=torch.Generator().manual_seed(seed))
    valid = torch.ones(B, H, W, dtype=torch.bool)
    theta = torch.eye(2, 3).expand(B, 2, 3)
    return Batch(image, scribble, valid, torch.arange(B), theta)


def now() -> Now:
    return Now(0, 10, torch.Generator().manual_seed(0))


def striped() -> Tensor:
    scribble = torch.full((2, 32, 32), K)
    for c in range(K):
        scribble[:, 8 * c + 3, 4:28] = c
    return scribble


@pytest.mark.parametrize("weights", [(1.0, 0.3, 0.25, 0.1), (0.5, 2.0, 0.0, 3.0)])
def test_total_is_the_weighted_sum_of_four_losses(weights: tuple[float, ...]) -> None:
    torch.manual_seed(0)
    l1, l2, l3, l4 = weights
    options = replace(
        make_run("phantom", "scn").scn, lambda1=l1, lambda2=l2, lambda3=l3, lambda4=l4
    )
    run = replace(make_run("phantom", "scn", size=32), scn=options)
    total, parts = SCN(run, K).loss(batch_of(striped()), now())
    pce, pap, rsr, cacl = (float(parts[name]) for name in ("pce", "pap", "rsr", "cacl"))
    assert min(pce, pap, rsr, cacl) > 0
    assert float(total.detach()) == pytest.approx(
        l1 * pce + l2 * pap + l3 * rsr + l4 * cacl, rel=1e-5
    )


def test_the_weights_are_the_papers() -> None:
    o = make_run("phantom", "scn").scn
    assert (o.lambda1, o.lambda2, o.lambda3, o.lambda4) == (1, 0.3, 0.25, 0.1)


def test_batch_without_a_scribble_leaves_the_network_alone() -> None:
    torch.manual_seed(0)
    method = PCE(make_run("phantom", "pce", size=32), K)
    loss, _ = method.loss(batch_of(torch.full((2, 32, 32), K)), now())
    assert loss.item() == 0
    loss.backward()
    for parameter in method.parameters():
        assert parameter.grad is not None and not parameter.grad.any()
    for name, buffer in method.named_buffers():
        assert torch.isfinite(buffer).all(), name


def test_scn_stays_finite_without_a_scribble() -> None:
    torch.manual_seed(0)
    method = SCN(make_run("phantom", "scn", size=32), K)
    total, parts = method.loss(batch_of(torch.full((2, 32, 32), K)), now())
    total.backward()
    assert float(parts["pce"]) == 0 and float(parts["cacl"]) == 0
    assert torch.isfinite(total)
    for parameter in method.parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()
