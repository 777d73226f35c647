"""Trusted pixels, shapes and their votes, and the threshold that follows the confidence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scnlib.confidence import ConfidenceThreshold, confident_pixels
from scnlib.propagation import (
    connected_parts,
    dominant_class,
    overlap_ratio,
    refine_image,
    shape_masks,
)
from tests.drawn import bits, cells

K = 4


def probabilities(pixels: list[list[float]]) -> Tensor:
    """A list of pixels, each its classes' probabilities, as (1, K, 1, n)."""
    return torch.tensor(pixels).T[None, :, None, :]


# Equation 4


def test_shape_masks_by_hand() -> None:
    rows = torch.tensor([[[0.1, 0.2, 0.3, 0.5], [0.0, 0.4, 0.9, 1.0]]])
    # Row 0 scaled: 0, .1/.4 = .25, .2/.4 = .5, 1; row 1 is 0, .4, .9, 1 already.
    assert torch.equal(shape_masks(rows, 0.45), bits("0011 0011"))
    assert torch.equal(shape_masks(rows, 0.2), bits("0111 0111"))
    assert torch.equal(shape_masks(rows, 0.95), bits("0001 0001"))


def test_shape_mask_compares_strictly() -> None:
    rows = torch.tensor([[[0.0, 0.5, 1.0]]])
    assert torch.equal(shape_masks(rows, 0.5), bits("001"))  # .5 > .5 is false
    assert torch.equal(shape_masks(rows, 0.0), bits("011"))  # the minimum is never in
    assert torch.equal(shape_masks(rows, 1.0), bits("000"))


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("threshold", [0.0, 0.85, 1.0])
def test_constant_row_has_an_empty_mask(value: float, threshold: float) -> None:
    masks = shape_masks(torch.full((2, 3, 4), value), threshold)
    assert masks.dtype == torch.bool and not masks.any()


def test_connected_parts_by_hand() -> None:
    # 1 1 0
    # 0 0 1    Cells 1 and 5 touch at a corner alone.
    # 1 0 1
    mask = "110001101"
    masks = bits(" ".join([mask] * 5))
    own = torch.tensor([[0, 5, 8, 6, 4]])  # cell 4 is not in its mask
    expected = bits("110000000 000001001 000001001 000000100 000000000")
    assert torch.equal(connected_parts(masks, own, (3, 3)), expected)


def test_masks_of_other_rows_and_images_connect_nothing() -> None:
    masks = torch.ones(2, 3, 3, dtype=torch.bool)
    masks[0, 1, 1] = masks[1, 1, 1] = False  # two ends, between masks that are whole
    parts = connected_parts(masks, torch.tensor([[0, 0, 0], [2, 2, 2]]), (1, 3))
    assert torch.equal(parts[0], bits("111 100 111")[0])
    assert torch.equal(parts[1], bits("111 001 111")[0])


# Equation 5

PIXELS = [[0.9, 0.1, 0.0, 0.0], [0.2, 0.6, 0.1, 0.1], [0.0, 0.0, 0.05, 0.95], [0.3, 0.3, 0.4, 0.0]]


def best(P: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """max P and argmax P."""
    confidence, labels = P.max(dim=1)
    return confidence, labels


def test_confident_pixels_by_hand() -> None:
    pseudo = confident_pixels(*best(probabilities(PIXELS)), 0.85, K)
    assert pseudo.labels.tolist() == [[[0, 1, 3, 2]]]
    assert pseudo.confident.tolist() == [[[True, False, True, False]]]  # .9, .6, .95, .4 > .85
    assert not pseudo.labels.is_floating_point()


def test_confidence_compares_strictly() -> None:
    P = probabilities([[0.5, 0.5, 0.0, 0.0], [0.75, 0.25, 0.0, 0.0]])
    assert confident_pixels(*best(P), 0.5, P.shape[1]).confident.tolist() == [[[False, True]]]


def test_scribbles_are_trusted_with_their_own_class() -> None:
    scribble = torch.tensor([[[1, 2, K, K]]])
    pseudo = confident_pixels(*best(probabilities(PIXELS)), 0.85, K, scribble)
    assert pseudo.labels.tolist() == [[[1, 2, 3, 2]]]  # also against a confident prediction
    assert pseudo.confident.tolist() == [[[True, True, True, False]]]


def test_padding_is_never_trusted() -> None:
    valid = torch.tensor([[[False, False, True, True]]])
    scribble = torch.tensor([[[1, K, K, 0]]])
    pseudo = confident_pixels(*best(probabilities(PIXELS)), 0.0, K, scribble, valid=valid)
    assert pseudo.confident.tolist() == [[[False, False, True, True]]]
    masks = torch.ones(1, 1, 4, dtype=torch.bool)
    refined = refine_image(pseudo, masks, (1, 4), K, free=valid, overwrite=True)
    assert refined.confident.tolist() == [[[False, False, True, True]]]
    assert refined.labels[0, 0, :2].tolist() == pseudo.labels[0, 0, :2].tolist()


# Equations 6 and 7


def test_overlap_ratio_by_hand() -> None:
    confident = bits("1110")[:, 0]
    r = overlap_ratio(bits("1100 0001 1111"), confident)
    # 2 of M's 3 cells, none of them, all of them
    torch.testing.assert_close(r, torch.tensor([[2 / 3, 0.0, 1.0]]))


def test_overlap_is_of_each_images_own_region() -> None:
    masks = torch.cat([bits("1100 0011"), bits("1000 0111")])
    r = overlap_ratio(masks, torch.cat([bits("1110"), bits("1000")])[:, 0])
    torch.testing.assert_close(r, torch.tensor([[2 / 3, 1 / 3], [1.0, 0.0]]))


def test_without_a_cell_nothing_votes() -> None:
    none = torch.zeros(1, 0, dtype=torch.long)
    winner, count = dominant_class(none, none.bool(), torch.zeros(1, 2, 0, dtype=torch.bool))
    assert (winner.tolist(), count.tolist()) == ([[0, 0]], [[0.0, 0.0]])


def test_overlap_with_an_empty_region_is_zero() -> None:
    r = overlap_ratio(bits("1111 0000"), torch.zeros(1, 4, dtype=torch.bool))
    assert r.tolist() == [[0.0, 0.0]]


def test_dominant_class_by_hand() -> None:
    labels = cells(2, 2, 3, 1, 1)
    confident = bits("11110")[:, 0]
    winner, count = dominant_class(labels, confident, bits("11100 00111 11111 00001"))
    # G = {2: 2, 3: 1}; {3: 1, 1: 1}, a tie to the lower; {2: 2, 3: 1, 1: 1}; nobody votes
    assert winner[0, :3].tolist() == [2, 1, 2]
    assert count.tolist() == [[2.0, 1.0, 2.0, 0.0]]


# Equation 12


def test_threshold_by_hand() -> None:
    tau = ConfidenceThreshold(0.85, 0.9)
    # The argmax classes are 0, 1, 3, 2 with largest confidences .9, .6, .95, .4.
    P = probabilities(PIXELS)
    target = (0.9 + 0.6 + 0.95 + 0.4) / 4
    assert tau.update(P) == pytest.approx(0.9 * 0.85 + 0.1 * target)
    second = 0.9 * (0.9 * 0.85 + 0.1 * target) + 0.1 * target
    assert tau.update(P) == pytest.approx(second)
    assert tau.value == pytest.approx(second)


def test_threshold_takes_the_largest_of_each_present_class() -> None:
    tau = ConfidenceThreshold(0.5, 0.0)
    P = probabilities([[0.7, 0.3, 0, 0], [0.9, 0.1, 0, 0], [0.4, 0.6, 0, 0]])
    # Class 0: max(.7, .9); class 1: .6; classes 2 and 3 are absent and do not count as 0.
    assert tau.update(P) == pytest.approx((0.9 + 0.6) / 2)
    # Over the whole batch: image 1 has class 0 alone, at .99.
    batch = torch.cat([P, probabilities([[0.99, 0.01, 0, 0]] * 3)])
    assert tau.update(batch) == pytest.approx((0.99 + 0.6) / 2)


def test_momentum_one_keeps_the_threshold() -> None:
    tau = ConfidenceThreshold(0.85, 1.0)
    tau.update(probabilities(PIXELS))
    assert tau.value == 0.85


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=40)
def test_threshold_stays_between_zero_and_one(seed: int, initial: float, momentum: float) -> None:
    tau = ConfidenceThreshold(initial, momentum)
    g = torch.Generator().manual_seed(seed)
    for _ in range(3):
        assert 0 <= tau.update((5 * torch.randn(2, K, 3, 3, generator=g)).softmax(dim=1)) <= 1


def test_threshold_goes_on_from_its_state() -> None:
    first, second = ConfidenceThreshold(0.85, 0.9), ConfidenceThreshold(0.1, 0.9)
    first.update(probabilities(PIXELS))
    second.load_state_dict(first.state_dict())
    assert second.value == first.value
    assert second.update(probabilities(PIXELS)) == first.update(probabilities(PIXELS))
