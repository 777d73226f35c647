"""The correlation map and what propagation makes of a prediction."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from scnlib import correlation
from scnlib.correlation import (
    correlation_map,
    correlation_rows,
    enlarge,
    propagate,
    propagate_features,
    to_grid,
    to_image,
)
from scnlib.methods.scn import draw_cells


def two_cells() -> torch.Tensor:
    """D = 4 features on a 1 x 2 grid: f_0 = (2, 0, 0, 0) and f_1 = 0."""
    f = torch.zeros(1, 4, 1, 2)
    f[0, 0, 0, 0] = 2
    return f


def random_map(seed: int, B: int = 2, D: int = 3, h: int = 2, w: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, D, h, w, generator=generator, dtype=torch.float64)


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
@settings(max_examples=40, deadline=None)
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
@settings(max_examples=40, deadline=None)
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
@settings(max_examples=60, deadline=None)
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
        rows = correlation_rows(f, cells, *others, scale_inside=inside)
        torch.testing.assert_close(rows, C.gather(1, cells[:, :, None].expand(-1, -1, N)))


@pytest.mark.parametrize("at_once", [1, 15, 2**20], ids=["row by row", "in blocks", "kept"])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("D", [2, 3, 8])
def test_propagation_without_the_map_equals_that_with_it(
    D: int, inside: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and gradients, for one set of features and for two, fewer or more than classes."""
    monkeypatch.setattr(correlation, "AT_ONCE", at_once)
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


def test_propagation_by_the_library_equals_that_with_the_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other devices than a CPU take the library's attention."""
    monkeypatch.setattr(correlation, "OWN", ())
    f, P = random_map(0).requires_grad_(), random_map(2).softmax(dim=1).requires_grad_()
    for other in ([], [random_map(1).requires_grad_()]):
        for inside in (True, False):
            whole = propagate(correlation_map(f, *other, scale_inside=inside), P)
            parts = propagate_features(f, P, *other, scale_inside=inside)
            torch.testing.assert_close(parts, whole)
            expected, found = (
                torch.autograd.grad((x * random_map(3)).sum(), [f, P, *other])
                for x in (whole, parts)
            )
            torch.testing.assert_close(found, expected)


def test_propagation_of_half_numbers_is_whole_but_for_the_features_gradient() -> None:
    f = random_map(0, D=8, h=4, w=4).bfloat16()
    P, weights = random_map(2, h=4, w=4).softmax(dim=1), random_map(3, h=4, w=4)
    of = {}
    for dtype in (torch.float32, torch.float64):  # of P; the features are as exact in float64
        features = f if dtype == torch.float32 else f.double()
        given = [features.requires_grad_(), P.float().to(dtype).requires_grad_()]
        mixed = propagate_features(*given)
        of[dtype] = mixed, *torch.autograd.grad((mixed * weights).sum(), given)
    (mixed, by_f, by_P), exact = of[torch.float32], of[torch.float64]
    assert (mixed.dtype, by_f.dtype, by_P.dtype) == (torch.float32, f.dtype, torch.float32)
    torch.testing.assert_close(mixed.double(), exact[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(by_P.double(), exact[2], rtol=1e-5, atol=1e-6)
    assert float((by_f.double() - exact[1]).norm() / exact[1].norm()) < 0.01


def test_on_a_cpu_propagation_holds_few_rows_of_a_large_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correlation, "AT_ONCE", 6 * 36)
    f = torch.rand(2, 8, 6, 6, requires_grad=True)
    P = torch.rand(2, 4, 6, 6).softmax(dim=1).requires_grad_()
    kinds = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=kinds, record_shapes=True) as profile:
        loss = propagate_features(f, P).square().sum()
        saved = [x for x in _saved(loss.grad_fn) if x.shape[-1:] == (36,)]
        loss.backward()
    shapes = [shape for event in profile.events() or [] for shape in event.input_shapes]
    maps = [shape for shape in shapes if shape[-1:] == [36] and len(shape) > 1 and shape[-2] > 8]
    assert [6, 36] in shapes and not maps
    assert saved and all(x.shape[1] == 4 for x in saved)  # P and C P alone


def _saved(node: Any) -> Iterator[Tensor]:
    """All tensors that a graph's own functions keep for the gradient."""
    if node is not None:
        yield from getattr(node, "saved_tensors", ())
        for before, _ in node.next_functions:
            yield from _saved(before)


@pytest.mark.parametrize("at_once", [1, 15, 2**20], ids=["row by row", "in blocks", "kept"])
def test_gradient_of_propagation_without_the_map(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correlation, "AT_ONCE", at_once)
    f = random_map(0, B=1).requires_grad_()
    P = random_map(1, B=1).softmax(dim=1).requires_grad_()
    assert gradcheck(propagate_features, (f, P))


@pytest.mark.parametrize("size", [(8, 12), (5, 7), (2, 3)])
def test_enlarging_by_products_is_to_image(size: tuple[int, int]) -> None:
    x = random_map(0).requires_grad_()
    torch.testing.assert_close(enlarge(x, size), to_image(x, size))
    weights = torch.rand(*x.shape[:2], *size, dtype=x.dtype)
    (expected,) = torch.autograd.grad((to_image(x, size) * weights).sum(), x)
    (found,) = torch.autograd.grad((enlarge(x, size) * weights).sum(), x)
    torch.testing.assert_close(found, expected)
