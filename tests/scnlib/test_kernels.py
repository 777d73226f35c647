"""Operations written by hand: they give what torch's own give."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from scnlib import kernels
from scnlib.correlation import correlation_map, propagate, propagate_features
from scnlib.kernels import ElementDropout, cosines, twice_as_large
from scnlib.losses import class_means, class_similarity
from tests.drawn import random_map

# C P without C


def test_propagation_by_the_library_equals_that_with_the_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other devices than a CPU take the library's attention."""
    monkeypatch.setattr(kernels, "OWN", ())
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
    monkeypatch.setattr(kernels, "AT_ONCE", 6 * 36)
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
    monkeypatch.setattr(kernels, "AT_ONCE", at_once)
    f = random_map(0, B=1).requires_grad_()
    P = random_map(1, B=1).softmax(dim=1).requires_grad_()
    assert gradcheck(propagate_features, (f, P))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_doubling_is_the_librarys_also_where_its_gradient_has_gaps(
    layout: torch.memory_format,
) -> None:
    x = random_map(0, D=3).contiguous(memory_format=layout).requires_grad_()
    skip = torch.rand(2, 2, 4, 6, dtype=x.dtype).contiguous(memory_format=layout)
    weights = torch.rand(2, 5, 4, 6, dtype=x.dtype).contiguous(memory_format=layout)
    theirs = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    torch.testing.assert_close(twice_as_large(x), theirs)
    expected, found = (
        torch.autograd.grad((torch.cat([skip, up], dim=1) * weights).sum(), x)
        for up in (theirs, twice_as_large(x))
    )
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_a_doubled_map_has_no_gaps() -> None:
    given: list[Tensor] = []
    x = random_map(0, D=3).contiguous(memory_format=torch.channels_last).requires_grad_()
    up = twice_as_large(x)
    last: Any = up.grad_fn
    nodes = [last, *(node for node, _ in last.next_functions)]
    (library,) = (node for node in nodes if "Upsample" in node.name())
    library.register_prehook(given.extend)
    whole = torch.cat([torch.zeros_like(up), up], dim=1)
    (whole * torch.rand_like(whole)).sum().backward()
    assert given[0].is_contiguous(memory_format=torch.channels_last)


# Cosines


def scribbled(images: int = 2) -> tuple[Tensor, Tensor]:
    """Features (B, 5, 4, 4) float64 and scribbles of the classes 0 and 2 of 3."""
    torch.manual_seed(3)
    features = torch.randn(images, 5, 4, 4, dtype=torch.float64)
    scribble = torch.full((images, 4, 4), 3)
    scribble[0, 0], scribble[-1, 1, :2] = torch.tensor([0, 2, 2, 3]), 0
    return features, scribble


def both_ways(features: Tensor, scribble: Tensor, T: float = 0.5) -> list[tuple[Tensor, Tensor]]:
    """(S, present) by the kernel, and by the two equations' own functions."""
    means, present = class_means(features, scribble, 3)
    S = class_similarity(features, means, temperature=T)
    return [cosines(features, scribble, 3, class_means, T), (S, present)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_cosines_are_those_of_the_equations_and_so_is_their_gradient(
    layout: torch.memory_format,
) -> None:
    features, scribble = scribbled()
    features = features.contiguous(memory_format=layout).requires_grad_()
    (S, present), (expected, has) = both_ways(features, scribble)
    assert present.tolist() == has.tolist() == [True, False, True]
    torch.testing.assert_close(S, expected)
    weights = torch.rand_like(expected)
    found, wanted = (torch.autograd.grad((x * weights).sum(), features)[0] for x in (S, expected))
    torch.testing.assert_close(found, wanted)
    assert (wanted.abs() > 1e-3).all()  # at scribbled and other pixels


def test_gradient_of_cosines() -> None:
    features, scribble = scribbled(1)
    assert gradcheck(
        lambda f: cosines(f, scribble, 3, class_means, 0.5)[0], features.requires_grad_()
    )


def test_without_a_scribble_there_is_no_mean_and_no_nan() -> None:
    features, scribble = scribbled()
    features.requires_grad_()
    S, present = cosines(features, torch.full_like(scribble, 3), 3, class_means, 0.5)
    S.sum().backward()
    assert not present.any() and not S.any()
    assert features.grad is not None and not features.grad.any()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-13])
def test_cosines_do_not_follow_the_length_of_features_that_have_none(length: float) -> None:
    features, scribble = scribbled()
    features[0, :, 3, 3] = length * F.normalize(features[0, :, 3, 3], dim=0)
    features.requires_grad_()
    found, wanted = (
        torch.autograd.grad(S.sum(), features)[0] for S, _ in both_ways(features, scribble)
    )
    assert found.isfinite().all()
    torch.testing.assert_close(found, wanted)


def test_cosines_of_half_numbers_are_whole_but_for_the_gradient() -> None:
    features, scribble = scribbled()
    half = features.bfloat16().requires_grad_()
    S, _ = cosines(half, scribble, 3, class_means, 0.5)
    exact = half.detach().double().requires_grad_()
    expected, _ = cosines(exact, scribble, 3, class_means, 0.5)
    assert S.dtype == torch.float32
    torch.testing.assert_close(S.double(), expected, rtol=1e-5, atol=1e-5)
    (found,), (wanted,) = (
        torch.autograd.grad(x.square().sum(), f) for x, f in ((S, half), (expected, exact))
    )
    assert found.dtype == torch.bfloat16
    assert float((found.double() - wanted).norm() / wanted.norm()) < 0.01


# Dropout


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_dropout_leaves_the_stated_share_and_the_mean(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(64, 16, 32, 32)
    out = ElementDropout(p)(x)
    n = x.numel()
    dropped = int((out == 0).sum())
    assert abs(dropped - p * n) < 5 * (p * (1 - p) * n) ** 0.5
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([1 / (1 - p)]))
    # Neighbours are drawn from one word of random bits, and are independent all the same.
    flat = (out == 0).flatten()
    for shift in (1, 2, 3, 4, 8):
        both = int((flat[shift:] & flat[:-shift]).sum())
        assert abs(both - p * p * n) < 6 * (p * p * (1 - p * p) * n) ** 0.5


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_layout_and_type_and_follows_the_seed(
    layout: torch.memory_format, dtype: torch.dtype
) -> None:
    x = torch.rand(3, 5, 7, 9).add(1).to(dtype).contiguous(memory_format=layout)
    layer = ElementDropout(0.3)
    torch.manual_seed(1)
    first = layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first) and not torch.equal(layer(x), first)
    assert first.dtype == dtype and first.stride() == x.stride()
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_dropout_of_half_numbers_is_that_of_whole_ones(dtype: torch.dtype) -> None:
    """Scaled by other means: the same elements are dropped, the others times 1 / (1 - p)."""
    x = torch.rand(3, 5, 7, 9).add(1)
    layer = ElementDropout(0.3)
    torch.manual_seed(1)
    expected = layer(x) == 0
    torch.manual_seed(1)
    out = layer(x.to(dtype))
    assert torch.equal(out == 0, expected)
    scaled = x.to(dtype) * torch.tensor(1 / 0.7, dtype=dtype)
    assert torch.equal(out[~expected], scaled[~expected])


def test_dropouts_gradient_is_zero_exactly_where_it_dropped() -> None:
    x = torch.rand(4, 3, 8, 8).add(1).requires_grad_()
    out = ElementDropout(0.4)(x)
    out.sum().backward()
    assert x.grad is not None and torch.equal(x.grad == 0, out == 0)
