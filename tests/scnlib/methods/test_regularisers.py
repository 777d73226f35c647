"""Entropy, Mumford-Shah and gated CRF: by hand, by brute force, padding, and what is refused."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from scnlib.methods.dice import soft_dice
from scnlib.methods.meloss import entropy
from scnlib.methods.mloss import WEIGHT, level_set, mumford_shah, total_variation
from scnlib.methods.rloss import boundary_cost, gated_crf, window
from tests.drawn import P, check, pixels, row

ln = math.log
LOSSES: dict[str, Callable[..., Tensor]] = {
    "entropy": lambda P, image, **given: entropy(P, **given),
    "mumford_shah": mumford_shah,
    "gated_crf": gated_crf,
}


def draw(B: int = 2, K: int = 3, H: int = 4, W: int = 5, seed: int = 0) -> tuple[Tensor, ...]:
    """Random P, image and valid."""
    g = torch.Generator().manual_seed(seed)
    P = torch.randn(B, K, H, W, generator=g, dtype=torch.float64).mul(2).softmax(dim=1)
    image = torch.rand(B, 1, H, W, generator=g, dtype=torch.float64)
    return P, image, torch.rand(B, H, W, generator=g) < 0.7


def one_hot(labels: Tensor, K: int = 2) -> Tensor:
    return F.one_hot(labels.long(), K).movedim(3, 1).double()


# Entropy


def test_entropy_by_hand() -> None:
    each = [
        -(0.7 * ln(0.7) + 0.3 * ln(0.1)),
        -(0.4 * ln(0.2) + 0.5 * ln(0.5) + 0.1 * ln(0.1)),
        ln(4),
        -(0.1 * ln(0.1) + 0.2 * ln(0.2) + 0.3 * ln(0.3) + 0.4 * ln(0.4)),
    ]
    check(entropy(P), sum(each) / 4)
    check(entropy(P, valid=row(True, False, False, True)), (each[0] + each[3]) / 2)
    assert each[3] == pytest.approx(1.279854, abs=1e-6)


@pytest.mark.parametrize("K", [2, 4, 7])
def test_entropy_is_ln_k_where_all_is_open_and_0_where_all_is_sure(K: int) -> None:
    check(entropy(torch.full((2, K, 3, 3), 1 / K)) / ln(K), 1)
    check(entropy(one_hot(torch.randint(K, (2, 3, 3)), K)), 0)


def test_gradient_of_entropy_is_finite_where_all_is_sure() -> None:
    sure = pixels([1, 0], [0, 1], [0.5, 0.5]).float().requires_grad_()
    logits = torch.tensor([[[[200.0, -200.0]], [[-200.0, 200.0]]]], requires_grad=True)
    for given, taken in ((sure, sure), (logits, logits.softmax(dim=1))):
        (gradient,) = torch.autograd.grad(entropy(taken), given)
        assert torch.isfinite(gradient).all()
    assert not gradient.any()  # a softmax at its end no longer moves


# Mumford-Shah

BRIGHT = torch.tensor([[0.0, 0, 1, 1]] * 2)[None, None].double()
FITTED = one_hot(BRIGHT[:, 0])
OPEN = torch.full((1, 2, 2, 4), 0.5, dtype=torch.float64)


def test_mumford_shah_by_hand() -> None:
    """Two classes on an image of two halves: fitted to them, and undecided."""
    check(level_set(FITTED, BRIGHT), 0)
    check(level_set(OPEN, BRIGHT), 2.0)  # 8 pixels x 2 classes x (1/2)^2 x 1/2
    check(total_variation(FITTED), 4.0)  # one edge in 2 rows and 2 channels
    check(total_variation(OPEN), 0)
    check(mumford_shah(FITTED, BRIGHT), 4 / 8)
    check(mumford_shah(OPEN, BRIGHT), 2 / 8)
    check(mumford_shah(FITTED, BRIGHT, length=0.5), 2 / 8)


def test_swapped_arguments_would_not_see_the_prediction() -> None:
    # For one class their shapes are alike; the sums are not.
    check(level_set(BRIGHT, OPEN[:, :1]), 0)
    check(level_set(OPEN[:, :1], BRIGHT), 1.0)
    for loss in (mumford_shah, gated_crf, level_set):
        with pytest.raises(ValueError, match="give the probabilities first"):
            loss(BRIGHT, OPEN)


def test_swapped_level_set_by_hand() -> None:
    """Bright pixels (2 x 2 of the right half) are to agree, and nobody asks the dark ones."""
    check(level_set(FITTED, BRIGHT, swapped=True), 0)  # all bright pixels say class 1
    P = FITTED.clone()
    P[:, :, :, 0] = 0.5  # dark
    check(level_set(P, BRIGHT, swapped=True), 0)
    P[0, :, 0, 3] = torch.tensor([1.0, 0.0])  # bright: one of four says class 0, so 3/4 is the mean
    check(level_set(P, BRIGHT, swapped=True), 2 * (3 * (1 / 4) ** 2 + (3 / 4) ** 2))
    check(mumford_shah(P, BRIGHT, length=0, swapped=True), 2 * 12 / 16 / 8)
    valid = torch.ones(1, 2, 4, dtype=torch.bool)
    valid[0, 0, 3] = False
    check(level_set(P, BRIGHT, valid=valid, swapped=True), 0)


def test_mumford_shah_equals_loops_over_pixels() -> None:
    P, image, valid = draw()
    total = 0.0
    for b, p in enumerate(P):
        inside = [(y, x) for y in range(4) for x in range(5) if valid[b, y, x]]
        for c in range(3):
            size = sum(float(p[c, y, x]) for y, x in inside)
            mean = sum(float(p[c, y, x] * image[b, 0, y, x]) for y, x in inside) / size
            for y, x in inside:
                total += float((image[b, 0, y, x] - mean) ** 2 * p[c, y, x])
                for near in ((y + 1, x), (y, x + 1)):
                    if near in inside:
                        total += 0.5 * abs(float(p[c, *near] - p[c, y, x]))
    expected = total / int(valid.sum())
    check(mumford_shah(P, image, valid=valid, length=0.5), expected)


def test_class_that_is_nowhere_adds_nothing() -> None:
    P = torch.cat([FITTED, torch.zeros_like(FITTED)], dim=1).requires_grad_()
    loss = mumford_shah(P, BRIGHT)
    check(loss, 4 / 8)
    assert torch.isfinite(torch.autograd.grad(loss, P)[0]).all()


def test_weight_is_a_millionth_of_the_sum_over_the_benchmarks_batch() -> None:
    assert pytest.approx(0.786, abs=1e-3) == WEIGHT


# Gated CRF


def crf_scene() -> tuple[Tensor, dict[str, Tensor]]:
    """An 8 x 8 image of two halves, and labels that fit it, or less so."""
    image = torch.zeros(1, 8, 8)
    image[..., 4:] = 1
    late, flipped = torch.zeros(1, 8, 8), image.clone()
    late[..., 5:] = 1
    flipped[0, 2, 1] = 1
    labels = {"one": torch.zeros(1, 8, 8), "fit": image, "flipped": flipped, "late": late}
    return image[:, None].double(), labels


@pytest.mark.parametrize(
    ("name", "energy"), [("one", 0), ("fit", 0), ("flipped", 0.857023), ("late", 4.629169)]
)
def test_crf_of_hard_labels(name: str, energy: float) -> None:
    image, labels = crf_scene()
    value = float(gated_crf(one_hot(labels[name]), image, radius=5, sigma_xy=6.0))
    assert value == pytest.approx(energy, abs=1e-6 if energy else 1e-9)
    single = gated_crf(one_hot(labels[name]).float(), image.float(), radius=5, sigma_xy=6.0)
    assert float(single) == pytest.approx(energy, abs=1e-5 if energy else 1e-9)


@pytest.mark.parametrize("radius", [1, 2, 9])
@pytest.mark.parametrize("masked", [False, True])
def test_crf_equals_loops_over_pairs(radius: int, masked: bool) -> None:
    P, image, valid = draw()
    valid = valid if masked else torch.ones_like(valid)
    total = 0.0
    for b in range(2):
        inside = [(y, x) for y in range(4) for x in range(5) if valid[b, y, x]]
        for y, x in inside:
            for v, u in inside:
                if (v, u) == (y, x) or max(abs(v - y), abs(u - x)) > radius:
                    continue
                bright = float(image[b, 0, y, x] - image[b, 0, v, u])
                k = math.exp(-((v - y) ** 2 + (u - x) ** 2) / (2 * 1.5**2) - bright**2 / 0.08)
                total += k * (1 - float(P[b, :, y, x] @ P[b, :, v, u]))
    given = {"radius": radius, "sigma_xy": 1.5, "sigma_intensity": 0.2}
    loss = gated_crf(P, image, valid=valid if masked else None, **given)
    check(loss, total / int(valid.sum()))


def test_crf_window_follows_the_images_size() -> None:
    assert [window(size) for size in (16, 64, 128, 256, 512)] == [
        (1, 0.375),
        (1, 1.5),
        (3, 3.0),  # 2.5, rounded up
        (5, 6.0),
        (10, 12.0),
    ]


def test_cost_of_a_boundary_is_the_losss_own_energy() -> None:
    """A vertical boundary through a flat image; the window is cut at the image's upper edge."""
    for size in (64, 128):
        P = torch.zeros(1, 2, size, size, dtype=torch.float64)
        P[:, 0, :, : size // 2] = 1
        P[:, 1] = 1 - P[:, 0]
        radius, sigma_xy = window(size)
        energy = gated_crf(P, torch.zeros_like(P[:, :1]), radius=radius, sigma_xy=sigma_xy)
        assert float(energy) == pytest.approx(boundary_cost(size), rel=0.03)


# All of them


@pytest.mark.parametrize("name", LOSSES)
def test_never_negative_and_no_gradient_into_the_image(name: str) -> None:
    for seed in range(3):
        P, image, valid = draw(seed=seed)
        image.requires_grad_()
        P.requires_grad_()
        loss = LOSSES[name](P, image, valid=valid)
        assert loss.shape == () and float(loss.detach()) > 0
        loss.backward()
        assert P.grad is not None and P.grad.any()
        if name != "mumford_shah":
            assert image.grad is None


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_depends_on_what_stands_outside(name: str) -> None:
    P, image, valid = draw()
    expected = LOSSES[name](P, image, valid=valid)
    other, noise = P.clone(), image.clone()
    other.movedim(1, 3)[~valid] = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    noise[:, 0][~valid] = math.nan
    other.requires_grad_()
    loss = LOSSES[name](other, noise, valid=valid)
    assert torch.equal(loss.detach(), expected)
    (gradient,) = torch.autograd.grad(loss, other)
    assert torch.isfinite(gradient).all()
    assert not gradient.movedim(1, 3)[~valid].any()
    assert gradient.movedim(1, 3)[valid].any()


@pytest.mark.parametrize("name", LOSSES)
def test_all_valid_equals_none_and_nothing_valid_gives_zero(name: str) -> None:
    P, image, valid = draw()
    P.requires_grad_()
    everywhere = LOSSES[name](P, image, valid=torch.ones_like(valid))
    assert torch.allclose(everywhere, LOSSES[name](P, image), rtol=1e-12)
    nowhere = LOSSES[name](P, image, valid=torch.zeros_like(valid))
    assert float(nowhere.detach()) == 0
    assert not torch.autograd.grad(nowhere, P)[0].any()


# Gradients

GRADIENTS: dict[str, Callable[..., Tensor]] = {
    "swapped": lambda P, image, valid: level_set(P, image, valid=valid, swapped=True),
    "entropy": lambda P, image, valid: entropy(P, valid=valid),
    "mumford-shah": lambda P, image, valid: mumford_shah(P, image, valid=valid, length=0.5),
    "crf": lambda P, image, valid: gated_crf(P, image, valid=valid, radius=1, sigma_intensity=0.5),
    "dice": lambda P, image, valid: soft_dice(P, (4 * image[:, 0]).long(), valid=valid),
}


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_gradient(name: str, seed: int) -> None:
    P, image, valid = draw(H=2, W=3, seed=seed)
    loss = GRADIENTS[name]
    assert gradcheck(lambda p: loss(p, image, valid), (P.requires_grad_(),))
    logits = P.detach().log().requires_grad_()
    assert gradcheck(lambda x: loss(x.softmax(dim=1), image, valid), (logits,))
