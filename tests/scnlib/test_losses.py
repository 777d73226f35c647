"""Losses of labels and trusted regions: values worked out by hand, nothing labelled, padding."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from scnlib.config import SCNOptions
from scnlib.losses import (
    contrastive_loss,
    cross_entropy_map,
    mean_over,
    partial_cross_entropy,
    propagation_consistency_loss,
    propagation_loss,
    refinement_loss,
    region_loss,
    scribble_contrast,
)
from scnlib.methods.dice import soft_dice
from scnlib.methods.meloss import entropy
from tests.drawn import LOGITS, P, check, pixels, row

K = 4
ln = math.log


# Equation 19


def test_partial_cross_entropy_by_hand() -> None:
    scribble = row(0, K, 2, K)
    check(partial_cross_entropy(LOGITS, scribble), -(ln(0.7) + ln(0.25)) / 2)
    # As printed: the sum.
    check(partial_cross_entropy(LOGITS, scribble, reduction="sum"), -(ln(0.7) + ln(0.25)))


def test_mean_is_over_the_batch_and_not_over_images() -> None:
    scribble = torch.tensor([[[0, K], [K, 2]], [[K, K], [K, K]]])
    # Zero logits: -ln(1/4) at each of the two labelled pixels; the bare image has no say.
    check(partial_cross_entropy(torch.zeros(2, K, 2, 2), scribble), ln(4))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_batch_without_a_scribble_gives_zero_and_zero_gradients(reduction: str) -> None:
    logits = torch.randn(2, K, 3, 3, requires_grad=True)
    loss = partial_cross_entropy(logits, torch.full((2, 3, 3), K), reduction=reduction)
    assert loss.item() == 0
    loss.backward()
    assert logits.grad is not None and torch.equal(logits.grad, torch.zeros_like(logits))


def test_scribbles_of_any_integer_type() -> None:
    scribble = row(0, K, 2, K)
    expected = partial_cross_entropy(LOGITS, scribble)
    for dtype in (torch.uint8, torch.int16, torch.int32):
        assert torch.equal(partial_cross_entropy(LOGITS, scribble.to(dtype)), expected)


def test_one_scribbled_pixel_counts_whole() -> None:
    check(partial_cross_entropy(LOGITS, row(K, K, K, 3)), -ln(0.4))


def test_cross_entropy_of_each_pixel_is_of_logits_unless_told() -> None:
    values = cross_entropy_map(LOGITS + 5, row(1, 1, 1, 1))  # a constant does not matter
    torch.testing.assert_close(values, -LOGITS[:, 1])


def test_log_probabilities_are_taken_as_they_are() -> None:
    values, labels, everywhere = -LOGITS, row(0, 1, 2, 3), row(True, True, True, True)
    picked = [ln(0.7), ln(0.5), ln(0.25), ln(0.4)]  # -values at the labels, which are no log P
    given: Any = {"normalised": True}
    check(partial_cross_entropy(values, labels, **given), sum(picked) / 4)
    hard = torch.eye(K)[labels].movedim(3, 1)
    check(propagation_loss(values, hard, **given), sum(picked) / 4)
    soft = sum(p * ln(p) for p in P.flatten().tolist()) / 4
    check(propagation_loss(values, P, target="soft", **given), soft)
    check(region_loss(values, labels, everywhere, **given), sum(picked) / 4)
    consistency = propagation_consistency_loss(P, labels, everywhere)
    both = refinement_loss(values, P, labels, everywhere, **given)
    check(both - consistency, sum(picked) / 4)


def test_logits_need_not_be_log_probabilities() -> None:
    labels, everywhere = row(0, 1, 2, 3), row(True, True, True, True)
    for loss in (
        lambda logits: partial_cross_entropy(logits, labels),
        lambda logits: propagation_loss(logits, P),
        lambda logits: propagation_loss(logits, P, target="soft"),
        lambda logits: region_loss(logits, labels, everywhere),
        lambda logits: refinement_loss(logits, P, labels, everywhere),
    ):
        check(loss(LOGITS + 3), float(loss(LOGITS)))  # of the same softmax


WRONG = {
    "pce": lambda: partial_cross_entropy(LOGITS, row(0, K, 2, K), reduction="total"),
    "propagation": lambda: propagation_loss(LOGITS, P, target="Hard"),
    "region": lambda: region_loss(LOGITS, row(0, 1, 1, 3), row(1, 1, 1, 1).bool(), mean="all"),
    "contrast": lambda: scribble_contrast(LOGITS, row(0, K, 2, K), mean="pixel"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_option_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        WRONG[name]()


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1\).*\(1, 1, 4\)"):
        mean_over(torch.ones(1, 1, 4), torch.ones(1, 1, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask"):
        entropy(P, valid=torch.ones(1, 4, 1, dtype=torch.bool))


# Equation 3

Y_CORR = pixels([0.2, 0.6, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1], [0, 0, 0, 1])


def test_propagation_loss_by_hand() -> None:
    # Largest in Y_corr: classes 1, 1, 0, 3, which P gives .1, .5, .25, .4.
    nll = [-ln(0.1), -ln(0.5), -ln(0.25), -ln(0.4)]
    check(propagation_loss(LOGITS, Y_CORR), sum(nll) / 4)
    valid = row(True, True, False, True)
    check(propagation_loss(LOGITS, Y_CORR, valid=valid), (nll[0] + nll[1] + nll[3]) / 3)


def test_propagation_loss_with_soft_targets() -> None:
    first = -(0.2 * ln(0.7) + 0.6 * ln(0.1) + 0.1 * ln(0.1) + 0.1 * ln(0.1))
    loss = propagation_loss(LOGITS[..., :1], Y_CORR[..., :1], target="soft")
    check(loss, first)
    third = -ln(0.25) * sum(Y_CORR[0, :, 0, 2].tolist())
    valid = row(True, False, True, False)
    check(propagation_loss(LOGITS, Y_CORR, target="soft", valid=valid), (first + third) / 2)


@pytest.mark.parametrize("target", ["hard", "soft"])
def test_no_gradient_flows_into_the_propagated_target(target: str) -> None:
    logits, Y = LOGITS.clone().requires_grad_(), Y_CORR.clone().requires_grad_()
    propagation_loss(logits, Y, target=target).backward()
    assert Y.grad is None and logits.grad is not None


# Equations 9, 10 and 11

LABELS, M = row(0, 1, 1, 3), row(True, False, True, False)


def test_consistency_loss_by_hand() -> None:
    # Y_corr of the label at the trusted pixels 0 and 2: .2 and .3.
    total = -ln(0.2) - ln(0.3)
    check(propagation_consistency_loss(Y_CORR, LABELS, M), total / 4)
    check(propagation_consistency_loss(Y_CORR, LABELS, M, mean="mask"), total / 2)


def test_consistency_loss_clamps_a_probability_of_zero() -> None:
    Y = Y_CORR.clone().requires_grad_()
    loss = propagation_consistency_loss(Y, row(0, 0, 0, 0), row(False, False, False, True))
    check(loss, -ln(1e-6) / 4)
    loss.backward()
    assert Y.grad is not None and torch.isfinite(Y.grad).all()


def test_region_loss_by_hand() -> None:
    # P of the label at the trusted pixels 0 and 2: .7 and .25.
    total = -ln(0.7) - ln(0.25)
    check(region_loss(LOGITS, LABELS, M), total / 4)
    check(region_loss(LOGITS, LABELS, M, mean="mask"), total / 2)


def test_refinement_loss_by_hand() -> None:
    total = -ln(0.2) - ln(0.3) - ln(0.7) - ln(0.25)
    check(refinement_loss(LOGITS, Y_CORR, LABELS, M), total / 4)
    check(refinement_loss(LOGITS, Y_CORR, LABELS, M, mean="mask"), total / 2)


def test_only_valid_pixels_are_counted() -> None:
    valid = row(True, True, True, False)
    total = -ln(0.2) - ln(0.3) - ln(0.7) - ln(0.25)
    check(refinement_loss(LOGITS, Y_CORR, LABELS, M, valid=valid), total / 3)
    # A trusted pixel outside leaves the sum too.
    valid = row(True, True, False, False)
    total = -ln(0.2) - ln(0.7)
    check(refinement_loss(LOGITS, Y_CORR, LABELS, M, valid=valid), total / 2)
    check(refinement_loss(LOGITS, Y_CORR, LABELS, M, valid=valid, mean="mask"), total / 1)


@pytest.mark.parametrize("mean", ["pixels", "mask"])
def test_nothing_trusted_or_valid_gives_zero(mean: str) -> None:
    nowhere = row(False, False, False, False)
    for confident, valid in ((nowhere, None), (M, nowhere), (nowhere, nowhere)):
        logits, Y = LOGITS.clone().requires_grad_(), Y_CORR.clone().requires_grad_()
        loss = refinement_loss(logits, Y, LABELS, confident, valid=valid, mean=mean)
        assert loss.item() == 0
        for gradient in torch.autograd.grad(loss, (logits, Y)):
            assert torch.equal(gradient, torch.zeros_like(gradient))
    assert propagation_loss(LOGITS, Y_CORR, valid=nowhere).item() == 0


def test_mean_over_ignores_what_is_not_finite_outside() -> None:
    values = torch.tensor([1.0, math.inf, 3.0, math.nan])
    check(mean_over(values, torch.tensor([True, False, True, False])), (1 + 3) / 2)


# Soft Dice


def dice_scene() -> tuple[Tensor, Tensor]:
    P = torch.tensor([[0.1, 0.8, 0.05, 0.05], [0, 1, 0, 0], [0, 1, 0, 0], [0.7, 0.1, 0.1, 0.1]])
    return P.double().T.reshape(1, K, 2, 2), torch.tensor([[[1, K], [K, 0]]])


def test_unlabelled_pixels_are_in_neither_sum_of_dice() -> None:
    P, labels = dice_scene()
    # The two labelled pixels are of the classes 1 (.1 .8 .05 .05) and 0 (.7 .1 .1 .1).
    first, second = 2 * 0.7 / (0.01 + 0.49 + 1), 2 * 0.8 / (0.64 + 0.01 + 1)
    # Classes that only the prediction has: 1e-5 / (sum of p^2 + 1e-5).
    third, fourth = 1e-5 / (0.0025 + 0.01), 1e-5 / (0.0025 + 0.01)
    expected = 1 - (first + second + third + fourth) / 4
    assert float(soft_dice(P, labels)) == pytest.approx(expected, abs=1e-5)
    other = P.clone()
    other[..., 0, 1], other[..., 1, 0] = 0.25, 0.4
    assert torch.equal(soft_dice(other, labels), soft_dice(P, labels))


def test_padding_is_in_neither_sum_of_dice() -> None:
    P, labels = dice_scene()
    valid = labels < K
    padded = torch.where(valid, labels, 2)
    assert torch.equal(soft_dice(P, padded, valid=valid), soft_dice(P, labels))


def test_gradient_of_dice_is_zero_at_unlabelled_pixels() -> None:
    P, labels = dice_scene()
    P.requires_grad_()
    soft_dice(P, labels).backward()
    assert P.grad is not None
    assert torch.equal(P.grad[..., 0, 1], torch.zeros(1, K, dtype=torch.float64))
    assert torch.equal(P.grad[..., 1, 0], torch.zeros(1, K, dtype=torch.float64))
    assert (P.grad[..., 0, 0] != 0).all()


def test_dice_of_a_perfect_prediction_and_of_an_absent_class() -> None:
    labels = torch.tensor([[[0, 1], [1, 0]]])
    P = torch.nn.functional.one_hot(labels, K).movedim(3, 1).double()
    assert float(soft_dice(P, labels)) == pytest.approx(0)


def test_dice_without_a_label_has_no_gradient() -> None:
    P = dice_scene()[0].requires_grad_()
    loss = soft_dice(P, torch.full((1, 2, 2), K))
    loss.backward()
    assert float(loss.detach()) == 0 and P.grad is not None and not P.grad.any()


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
        lambda s, f: contrastive_loss(f, s["scribble"], s["labels"], s["M"]),
    ),
    "contrast, by image": (
        ("features",),
        lambda s, f: contrastive_loss(
            f, s["scribble"], s["labels"], s["M"], choices=SCNOptions(means_over="image")
        ),
    ),
    "contrast, plain": (
        ("features",),
        lambda s, f: contrastive_loss(
            f,
            s["scribble"],
            s["labels"],
            s["M"],
            choices=SCNOptions(normalise=False, contrast_mean="classes"),
        ),
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradient(name: str, seed: int) -> None:
    inputs, loss = GRADIENTS[name]
    s = scene(seed)
    assert s["M"].any()
    assert gradcheck(lambda *x: loss(s, *x), tuple(s[key] for key in inputs))
