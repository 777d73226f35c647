"""The correlation map and what propagation makes of a prediction."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from scnlib import kernels
from scnlib.correlation import (
    correlation_map,
    propagate,
    propagate_features,
    to_grid,
    to_image,
)
from scnlib.methods.scn import draw_cells
from tests.drawn import random_map


def two_cells() -> torch.Tensor:
    """D = 4 features on a 1 x 2 grid: f_0 = (2, 0, 0, 0) and f_1 = 0."""
    f = torch.zeros(1, 4, 1, 2)
    f[0, 0, 0, 0] = 2
    return f


# Equation 1


def test_map_by_hand() -> None:
    C = correlation_map(two_cells())
    # f_0 . f_0 / sqrt(4) = 2 and f_0 . f_1 = 0; row 1 has nothing but zeros.
    first = math.exp(2) / (math.exp(2) + 1)
    torch.testing.assert_close(C, torch.tensor([[[first, 1 - first], [0.5, 0.5]]]))


def test_map_of_two_projections_compares_each_cell_with_the_others_second() -> None:
    f = two_cells()
    C = correlation_map(f, f.flip(3))  # the second projection holds the cells in reverse
    first = math.exp(2) / (math.exp(2) + 1)
    torch.testing.assert_close(C, torch.tensor([[[1 - first, first], [0.5, 0.5]]]))


def test_map_as_printed_divides_after_the_softmax() -> None:
    C = correlation_map(two_cells(), scale_inside=False)
    first = math.exp(4) / (math.exp(4) + 1)
    expected = torch.tensor([[[first / 2, (1 - first) / 2], [0.25, 0.25]]])
    torch.testing.assert_close(C, expected)
    torch.testing.assert_close(C.sum(dim=2), torch.full((1, 2), 1 / math.sqrt(4)))


def test_map_of_a_2x2_grid_is_row_major() -> None:
    f = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]]]])  # D = 1: cells 1, 2, 3, 0 in row-major order
    C = correlation_map(f)
    weights = [math.exp(2 * 1), math.exp(2 * 2), math.exp(2 * 3), math.exp(2 * 0)]
    torch.testing.assert_close(C[0, 1], torch.tensor([w / sum(weights) for w in weights]))


@given(st.integers(0, 10_000), st.sampled_from([0.01, 1.0, 30.0]), st.booleans())
@settings(max_examples=40)
def test_rows_of_the_map_sum_to_one(seed: int, scale: float, inside: bool) -> None:
    f = random_map(seed) * scale
    C = correlation_map(f, scale_inside=inside)
    assert C.shape == (2, 6, 6) and C.min() >= 0
    total = 1.0 if inside else 1 / math.sqrt(3)
    torch.testing.assert_close(C.sum(dim=2), torch.full((2, 6), total, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_map_is_float32_under_autocast_too(dtype: torch.dtype) -> None:
    f = random_map(0).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        C = correlation_map(f)
    assert C.dtype == torch.float32
    torch.testing.assert_close(C, correlation_map(f.double()).float())


def test_map_of_large_features_stays_finite() -> None:
    assert torch.isfinite(correlation_map(random_map(1) * 1e6)).all()


# Equation 2


def test_propagation_sums_along_the_axis_that_sums_to_one() -> None:
    C = torch.tensor([[[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]]])
    P = torch.tensor([[[[1.0, 0.0, 0.0]], [[0.0, 1.0, 1.0]]]])  # (1, 2, 1, 3)
    # Class 0 stands in cell 0 alone, so that cell i gets C[i, 0]: .8, .5, .2. Class 1 gets the
    # rest: .1 + .1, .4 + .1, .2 + .6.
    expected = torch.tensor([[[[0.8, 0.5, 0.2]], [[0.2, 0.5, 0.8]]]])
    torch.testing.assert_close(propagate(C, P), expected)
    # The other axis is a different thing, whose columns sum to 1.5, 0.7 and 0.8.
    other = torch.tensor([[0.8, 0.1, 0.1], [0.7, 0.6, 0.7]])
    assert not torch.allclose(propagate(C, P)[0, :, 0], other)


def test_propagation_on_a_2x2_grid_keeps_the_cells_in_place() -> None:
    P = torch.arange(8.0).reshape(1, 2, 2, 2)
    torch.testing.assert_close(propagate(torch.eye(4)[None], P), P)
    # Every cell reads from cell 2 (second row, first column): class 0 has 2 there, class 1 has 6.
    C = torch.zeros(1, 4, 4)
    C[:, :, 2] = 1
    expected = torch.stack([torch.full((2, 2), 2.0), torch.full((2, 2), 6.0)])[None]
    torch.testing.assert_close(propagate(C, P), expected)


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_propagated_probabilities_are_a_convex_mix(seed: int) -> None:
    P = random_map(seed + 1, D=4).softmax(dim=1)
    Y = propagate(correlation_map(random_map(seed) * 3), P)
    torch.testing.assert_close(Y.sum(dim=1), torch.ones(2, 2, 3, dtype=torch.float64))
    low, high = P.flatten(2).aminmax(dim=2)
    assert (Y.flatten(2) >= low[:, :, None] - 1e-12).all()
    assert (Y.flatten(2) <= high[:, :, None] + 1e-12).all()


def test_gradient_through_map_and_propagation() -> None:
    f = random_map(0, B=1).requires_grad_()
    P = random_map(1, B=1).softmax(dim=1).requires_grad_()
    assert gradcheck(lambda f, P: propagate(correlation_map(f), P), (f, P))
    assert gradcheck(lambda f, P: propagate(correlation_map(f, scale_inside=False), P), (f, P))


# Grids


def test_to_grid_averages_cells() -> None:
    x = torch.tensor([[[[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 8.0]]]])
    # (1 + 3 + 5 + 7) / 4 = 4 and (0 + 0 + 0 + 8) / 4 = 2
    torch.testing.assert_close(to_grid(x, (1, 2)), torch.tensor([[[[4.0, 2.0]]]]))


def test_to_grid_refuses_cells_that_do_not_divide_the_image() -> None:
    with pytest.raises(ValueError, match=r"5 x 4 image .* 2 x 2 grid"):
        to_grid(torch.zeros(1, 1, 5, 4), (2, 2))


def test_to_image_interpolates_between_cell_centres() -> None:
    x = torch.tensor([[[[0.0, 1.0]]]])
    # Pixel centres .25 .75 1.25 1.75 (in cells) lie at -.25 .25 .75 1.25 between the centres.
    expected = torch.tensor([[[[0.0, 0.25, 0.75, 1.0]]]])
    torch.testing.assert_close(to_image(x, (1, 4)), expected)


# Rows drawn from the map


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(0, 14))
@settings(max_examples=60)
def test_drawn_cells_are_distinct_cells_of_the_map(seed: int, N: int, rows: int) -> None:
    cells = draw_cells(2, N, rows, torch.Generator().manual_seed(seed))
    expected = N if rows == 0 or rows >= N else rows
    assert cells.shape == (2, expected)
    for drawn in cells.tolist():
        assert len(set(drawn)) == expected and set(drawn) <= set(range(N))


def test_every_cell_is_drawn_equally_often_the_last_included() -> None:
    N, rows, B = 5, 2, 4000
    counts = draw_cells(B, N, rows, torch.Generator().manual_seed(0)).flatten().bincount()
    # 4000 * 2 / 5 = 1600 each; the standard deviation is sqrt(4000 * .4 * .6) = 31.
    assert len(counts) == N and (counts - 1600).abs().max() < 5 * 31


def test_cells_are_drawn_anew_for_each_image_and_alike_for_a_seed() -> None:
    first = draw_cells(2, 64, 8, torch.Generator().manual_seed(3))
    assert torch.equal(first, draw_cells(2, 64, 8, torch.Generator().manual_seed(3)))
    assert not torch.equal(first[0], first[1])


# Without the whole map


@pytest.mark.parametrize("inside", [True, False])
def test_rows_are_those_of_the_whole_map(inside: bool) -> None:
    f, other = random_map(0), random_map(1)
    N = f.shape[2] * f.shape[3]
    cells = draw_cells(len(f), N, 3, torch.Generator().manual_seed(0))
    for others in ([], [other]):
        C = correlation_map(f, *others, scale_inside=inside)
        rows = correlation_map(f, *others, rows=cells, scale_inside=inside)
        torch.testing.assert_close(rows, C.gather(1, cells[:, :, None].expand(-1, -1, N)))


@pytest.mark.parametrize("at_once", [1, 15, 2**20], ids=["row by row", "in blocks", "kept"])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("D", [2, 3, 8])
def test_propagation_without_the_map_equals_that_with_it(
    D: int, inside: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and gradients, for one set of features and for two, fewer or more than classes."""
    monkeypatch.setattr(kernels, "AT_ONCE", at_once)
    for others in ([], [random_map(1, D=D).requires_grad_()]):
        given = [random_map(0, D=D).requires_grad_(), *others]
        f, *other = given
        P = random_map(2).softmax(dim=1).requires_grad_()
        weights = random_map(3)
        whole = propagate(correlation_map(f, *other, scale_inside=inside), P)
        parts = propagate_features(f, P, *other, scale_inside=inside)
        torch.testing.assert_close(parts, whole)
        expected = torch.autograd.grad((whole * weights).sum(), [*given, P])
        found = torch.autograd.grad((parts * weights).sum(), [*given, P])
        torch.testing.assert_close(found, expected)
