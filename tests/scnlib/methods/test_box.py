"""PCE+box: the box by hand, how it follows a slice, and what it asks of whom."""

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from scnlib.data import load_split
from scnlib.methods.box import Box, outside_box
from scnlib.methods.pce import PCE
from scnlib.methods.scn_box import SCNBox
from tests.scnlib.methods.test_methods import SIZE, K, batch_of, build, now


def test_box_by_hand() -> None:
    """Strokes in rows 3 to 6 and columns 4 and 5: the longer side is 4, half of it is 2."""
    scribbles = torch.full((3, 12, 12), K, dtype=torch.uint8)
    scribbles[0, 3, 4], scribbles[0, 6, 5] = 1, 3
    scribbles[:2, 0, 0] = 0  # background has no box
    scribbles[2, 0, 11] = 2  # at the edge: side 1, half of it rounds to 0
    outside = outside_box(scribbles, K)
    expected = torch.ones(3, 12, 12, dtype=torch.bool)
    expected[0, 1:9, 2:8] = False
    expected[2, 0, 11] = False
    assert torch.equal(outside, expected)
    whole = outside_box(scribbles[:1], K, margin=3.0)  # 12 on each side: nothing is outside
    assert not whole.any()


def test_loss_is_two_means_over_their_own_pixels() -> None:
    method, given = build("box"), batch_of()
    assert isinstance(method, Box) and isinstance(method, PCE)
    logits = torch.randn(2, K, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    method._modules["net"] = lambda image: SimpleNamespace(logits=logits)  # type: ignore[assignment]
    method.outside = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    method.outside[1, :, :5] = True
    given = replace(given, index=torch.tensor([1, 0]), affine=torch.eye(2, 3).expand(2, 2, 3))
    total, parts = method.loss(given, now())
    far = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    far[0, :, :5] = True
    far &= given.valid & (given.scribble == K)
    assert far.any()
    log_p = F.log_softmax(logits, dim=1)
    box = -log_p[:, 0][far].mean()
    pce = F.cross_entropy(logits, given.scribble, ignore_index=K)
    assert float(parts["box"]) == pytest.approx(float(box), rel=1e-5)
    assert float(total) == pytest.approx(float(pce + box), rel=1e-5)


def test_box_turns_with_its_slice_and_never_reaches_into_padding() -> None:
    method, given = build("box"), batch_of()
    seen = torch.zeros(2, K, SIZE, SIZE).requires_grad_()
    method._modules["net"] = lambda image: SimpleNamespace(logits=seen)  # type: ignore[assignment]
    method.outside = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    method.outside[:, :, :4] = True
    mirror = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3)
    given = replace(
        given,
        affine=mirror,
        scribble=torch.full_like(given.scribble, K),
        valid=torch.ones_like(given.valid),
    )
    given.valid[:, 0] = False
    method.loss(given, now())[0].backward()
    assert seen.grad is not None
    asked = seen.grad.abs().sum(dim=1) > 0
    expected = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    expected[:, 1:, -4:] = True
    assert torch.equal(asked, expected)


def test_the_margin_holds_the_heart_of_real_slices(data_root: Path) -> None:
    """As the docstring has it: 83.5% of the pixels, and 0.01% of the heart's wrongly."""
    labelled = pixels = lost = heart = 0
    for case in load_split("acdc", data_root, "val"):
        assert case.scribble is not None and case.label is not None
        outside = outside_box(torch.from_numpy(case.scribble), K).numpy()
        lost += int((outside & (case.label > 0)).sum())
        heart += int((case.label > 0).sum())
        labelled, pixels = labelled + int(outside.sum()), pixels + outside.size
    assert labelled / pixels == pytest.approx(0.835, abs=0.001)
    assert lost / heart < 1.5e-4


def test_scn_with_the_box_is_scn_and_the_far_term() -> None:
    """Where nothing is far, the loss is SCN's; else it is larger by the term, which weighs 1."""
    method, given = build("scn_box").eval(), batch_of()  # no dropout
    assert isinstance(method, SCNBox)
    given = replace(given, index=torch.tensor([1, 0]), affine=torch.eye(2, 3).expand(2, 2, 3))
    drawn = method.draw(given.image.shape, now())
    scn = build("scn").eval()
    scn.load_state_dict(method.state_dict())
    log_P = method.net(given.image).logits.log_softmax(dim=1)
    far = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    far[0, :, :5] = True
    totals = []
    for outside in (torch.zeros_like(far), far[[1, 0]]):
        fresh = copy.deepcopy(method)  # each with the same tau, which a loss moves on
        fresh.outside = outside
        totals.append(float(fresh.objective(given, drawn)[0].detach()))
    term = -log_P[:, 0][far & given.valid & (given.scribble == K)].mean()
    assert totals[1] - totals[0] == pytest.approx(float(term.detach()), rel=1e-3)
    assert float(scn.objective(given, drawn)[0].detach()) == pytest.approx(totals[0])
