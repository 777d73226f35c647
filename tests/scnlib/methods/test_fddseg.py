"""Fddseg: superpixels that scribbles touch, mixed targets, scales, and decoupled distillation."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from scnlib.data import load_split
from scnlib.methods import fddseg as module
from scnlib.methods.dice import dice_to_target, soft_dice
from scnlib.methods.fddseg import (
    Fddseg,
    agreed_target,
    decoupled_distillation,
    mixed_target,
    shrink_labels,
    shrink_valid,
)
from scnlib.methods.superpixels import spread_scribble
from study.experiments import make_run
from tests.drawn import check, pixels, row
from tests.scnlib.methods.test_methods import SIZE, K, batch_of, build, now, total_and_parts


def fddseg() -> Fddseg:
    method = build("fddseg")
    assert isinstance(method, Fddseg)
    return method


# Pseudo-labels


# Background spreads as structures do, and the rest is unlabelled.
spread_alike = partial(spread_scribble, rest="unlabelled")


def halves() -> tuple[np.ndarray, np.ndarray]:
    """256 x 256, dark on the left and bright from column 128 on; nothing scribbled."""
    image = np.zeros((256, 256), np.float32)
    image[:, 128:] = 1.0
    return image, np.full((256, 256), K, np.uint8)


def test_a_label_fills_its_superpixel_within_seven_pixels() -> None:
    image, scribble = halves()
    scribble[100, 124] = 2
    spread = spread_alike(image, scribble, K)
    y, x = np.mgrid[:256, :256]
    disc = (y - 100) ** 2 + (x - 124) ** 2 <= 7**2
    # Smoothing moves a superpixel's edge by a pixel at most.
    assert (spread[disc & (x < 127)] == 2).all()
    assert (spread[~disc | (x > 128)] == K).all()


def test_lengths_shrink_with_the_image() -> None:
    scribble = np.full((128, 128), K, np.uint8)
    scribble[60, 60] = 1
    spread = spread_alike(np.zeros((128, 128), np.float32), scribble, K)
    rows, columns = np.nonzero(spread == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (57, 63, 57, 63)
    y, x = np.mgrid[:128, :128]
    assert np.array_equal(spread == 1, (y - 60) ** 2 + (x - 60) ** 2 <= 3.5**2)


def test_what_two_classes_claim_is_unlabelled_and_scribbles_stay() -> None:
    """Pixels 100 and 106 of a flat image: within seven of both are columns 99 to 107."""
    scribble = np.full((256, 256), K, np.uint8)
    scribble[80, 100], scribble[80, 106] = 1, 3
    middle = spread_alike(np.zeros((256, 256), np.float32), scribble, K)[80, 90:117]
    expected = [K] * 3 + [1] * 6 + [K, 1] + [K] * 5 + [3, K] + [3] * 6 + [K] * 3
    assert middle.tolist() == expected


def test_background_spreads_in_the_box_only_and_alone_not_at_all() -> None:
    scribble = np.full((256, 256), K, np.uint8)
    scribble[80, 100], scribble[80, 200] = 0, 0
    image = np.zeros((256, 256), np.float32)
    assert np.array_equal(spread_alike(image, scribble, K), scribble)
    scribble[80, 112] = 2  # the box reaches to columns 102 and 122
    line = spread_alike(image, scribble, K)[80]
    assert line[200] == 0 and (line[190:200] == K).all()
    assert line[100] == 0 and line[112] == 2


def test_what_no_structure_claims_is_background_as_in_the_public_code() -> None:
    """Structures claim as they do alone, background what they leave, in every slice."""
    scribble = np.full((256, 256), K, np.uint8)
    image = np.zeros((256, 256), np.float32)
    assert (spread_scribble(image, scribble, K) == 0).all()
    scribble[80, 100], scribble[80, 106], scribble[80, 112] = 1, 3, 0
    middle = spread_scribble(image, scribble, K)[80, 90:121]
    expected = [0] * 3 + [1] * 6 + [K, 1] + [K] * 5 + [3, K] + [3] * 4 + [0] + [3] + [0] * 7
    assert middle.tolist() == expected
    far = spread_scribble(image, scribble, K)
    assert (far[:60] == 0).all() and (far[:, 200:] == 0).all()


@pytest.mark.parametrize("rest", ["background", "unlabelled"])
def test_real_strokes_are_kept_and_nothing_lies_far_from_one(rest: str) -> None:
    case = load_split("phantom", None, "train")[0]
    assert case.scribble is not None
    before = case.scribble.copy()
    spread = np.stack(
        [spread_scribble(i, s, K, rest) for i, s in zip(case.image, case.scribble, strict=True)]
    )
    assert np.array_equal(case.scribble, before)
    assert np.array_equal(spread[before < K], before[before < K])
    assert (spread < K).sum() > (before < K).sum()
    # 7 x 64 / 256 pixels: within a 3 x 3 square.
    for k in range(rest == "background", K):
        padded = np.pad(before == k, ((0, 0), (1, 1), (1, 1)))
        H, W = before.shape[1:]
        near = np.any([padded[:, i : i + H, j : j + W] for i in range(3) for j in range(3)], axis=0)
        assert not (spread == k)[~near].any()
        assert ((spread == k) & (before == K)).any()


def test_slices_without_a_scribble_are_background_and_follow_their_index() -> None:
    method = fddseg()
    scribbles = torch.full((3, SIZE, SIZE), K, dtype=torch.uint8)
    scribbles[1, 5, 5] = 2
    method.prepare(torch.zeros(3, SIZE, SIZE), scribbles)
    assert method.spread is not None
    first = method.spread.clone()
    assert first[1, 5, 5] == 2 and (first[[0, 2]] == 0).all()
    method.prepare(torch.zeros(3, SIZE, SIZE), scribbles)
    assert torch.equal(method.spread, first)
    assert not any("spread" in name for name in method.state_dict())


# Targets


def test_one_hot_labels_are_mixed_and_not_their_numbers() -> None:
    """Half of a 1 and half of a 3 are not a 2; where nothing is spread, the network's class."""
    target = mixed_target(row(1, 1, 2), row(3, K, 2), 0.25, K)
    assert target.movedim(1, 3)[0, 0].tolist() == [[0, 0.25, 0, 0.75], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_only_what_both_say_is_kept_where_asked() -> None:
    """A 1 against a 3 has no class; where nothing is spread, the network's is kept."""
    target = agreed_target(row(1, 1, 2), row(3, K, 2), K)
    assert target.movedim(1, 3)[0, 0].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize("variant", ["", "restunlabelled", "agreed"])
def test_the_options_reach_the_targets(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Fddseg(make_run("phantom", "fddseg", variant=variant, size=SIZE), K)
    method.prepare(torch.zeros(1, SIZE, SIZE), torch.full((1, SIZE, SIZE), K, dtype=torch.uint8))
    assert method.spread is not None
    assert (method.spread == (K if variant == "restunlabelled" else 0)).all()
    used = []
    for name in ("mixed_target", "agreed_target"):
        plain = getattr(module, name)
        spy = lambda *given, plain=plain, name=name: (used.append(name), plain(*given))[1]  # noqa: E731
        monkeypatch.setattr(module, name, spy)
    given = batch_of()
    method.spread = torch.zeros(len(given.image), SIZE, SIZE, dtype=torch.uint8)
    method.loss(given, now())
    assert used == ["agreed_target" if variant == "agreed" else "mixed_target"]


def test_dice_to_a_soft_target() -> None:
    p, g = pixels([0.5, 0.5], [1.0, 0.0]), pixels([0.25, 0.75], [1.0, 0.0])
    # Class 0: 2 (0.125 + 1) / (1.25 + 1.0625); class 1: 2 x 0.375 / (0.25 + 0.5625).
    dice = dice_to_target(p, g)
    assert float(dice) == pytest.approx(1 - (2.25 / 2.3125 + 0.75 / 0.8125) / 2, abs=1e-5)
    assert float(dice_to_target(g, g)) == pytest.approx(0, abs=1e-12)
    labels = torch.randint(K, (2, 3, 3))
    q, hot = torch.rand(2, K, 3, 3), torch.eye(K)[labels].movedim(3, 1)
    valid = torch.rand(2, 3, 3) < 0.7
    assert torch.allclose(
        dice_to_target(q, hot, valid=valid), soft_dice(q, labels, valid=valid), atol=1e-6
    )
    assert float(dice_to_target(q, hot, valid=torch.zeros_like(valid))) == pytest.approx(0)


def test_a_scales_labels_are_the_majoritys() -> None:
    labels = torch.tensor([[[1, 3, 2, 2], [3, 3, K, 0], [K, K, K, 1], [K, K, K, 2]]])
    assert shrink_labels(labels, K, 2).tolist() == [[[3, 2], [K, 1]]]
    valid = labels < K
    assert shrink_valid(valid, 2).tolist() == [[[True, False], [False, False]]]


# Distillation


def test_distillation_by_hand() -> None:
    """Target class 0: its pair (p, 1 - p), and the other two classes among themselves."""
    p, q = pixels([0.5, 0.3, 0.2]).log(), pixels([0.2, 0.2, 0.6]).log()
    target, rest = 2 * 0.3**2, 2 * (0.6 - 0.25) ** 2
    check(decoupled_distillation(p, q, row(0)), 0.4 * target + 0.6 * rest)
    check(decoupled_distillation(p, p, row(1)), 0.0)
    check(decoupled_distillation(p, q, row(0), valid=row(False)), 0.0)
    # Shifting the target's logit leaves what the others are among themselves.
    shifted = p + torch.tensor([math.log(3), 0, 0]).view(1, 3, 1, 1)
    check(decoupled_distillation(shifted, p, row(0)), 0.4 * 2 * (0.75 - 0.5) ** 2)


def test_gradients() -> None:
    g = torch.Generator().manual_seed(0)
    p, q = (
        torch.randn(2, K, 2, 3, generator=g, dtype=torch.float64).requires_grad_() for _ in range(2)
    )
    labels = torch.randint(K, (2, 2, 3), generator=g)
    valid = torch.rand(2, 2, 3, generator=g) < 0.7
    assert gradcheck(lambda x, y: decoupled_distillation(x, y, labels, valid=valid), (p, q))
    target = torch.rand(2, K, 2, 3, generator=g, dtype=torch.float64)
    assert gradcheck(lambda x: dice_to_target(x.softmax(dim=1), target, valid=valid), (p,))
    decoupled_distillation(p, q, labels, valid=valid).backward()
    for one in (p.grad, q.grad):
        assert isinstance(one, Tensor) and not one.movedim(1, 3)[~valid].any()


# The method


def test_two_whole_networks_with_heads_learn_and_the_first_predicts() -> None:
    method, image = fddseg(), torch.rand(2, 1, SIZE, SIZE)
    sizes = [one.shape[-1] for one in method.heads(method.net, image)]
    assert sizes == [SIZE // 8, SIZE // 4, SIZE // 2, SIZE]
    method.loss(batch_of(), now())[0].backward()
    assert all(p.grad is not None for p in method.parameters())
    method.eval()
    with torch.no_grad():
        before = method.predict(image)
        assert torch.equal(method.heads(method.net, image)[-1], before)
        for part in (method.second, method.heads, method.second_heads):
            for p in part.parameters():
                p.zero_()
        assert torch.equal(method.predict(image), before)


def test_the_scales_by_hand() -> None:
    """Of class 0 everywhere. A network that says 1 loses two of four classes: Dice 0.5 a scale.
    Distillation: 0.4 x 2 of the target class, 0.6 x 2/3 of the three others: 1.2 a scale."""

    def sure(c: int) -> list[Tensor]:
        maps = [torch.full((1, 16 // f, 16 // f), c) for f in (8, 4, 2)]
        return [50 * F.one_hot(labels, K).movedim(3, 1).float() for labels in maps]

    labels, valid = torch.zeros(1, 16, 16, dtype=torch.long), torch.ones(1, 16, 16).bool()
    found = [
        [float(x) for x in fddseg().at_scales(sure(one), sure(other), labels, valid)]
        for one, other in ((0, 1), (1, 0))
    ]
    assert found == [pytest.approx([0, 3.6], abs=1e-3), pytest.approx([1.5, 3.6], abs=1e-3)]


def test_the_parts_add_up_by_their_weights() -> None:
    total, parts = total_and_parts(fddseg(), batch_of())
    expected = parts["pce"] + 0.5 * parts["pseudo"] + 0.35 * parts["dice"]
    assert float(total.detach()) == pytest.approx(expected + 0.15 * parts["distillation"], rel=1e-5)
    assert min(parts.values()) > 0


def test_pseudo_labels_follow_their_slices_through_the_augmentation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Slices in another order, mirrored; beta and gamma are two draws; the target is the mix."""
    method, given = fddseg(), batch_of()
    mirror = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3)
    given = replace(given, index=torch.tensor([1, 0]), affine=mirror)
    shares, seen = iter(torch.tensor([0.25, 0.75])), {}
    monkeypatch.setattr(module, "draw_share", lambda generator: next(shares))

    def spied(name: str) -> None:
        plain = getattr(module, name)

        def spy(*given: Any, **named: Any) -> Any:
            result = plain(*given, **named)
            seen.setdefault(name, []).append((given, result))
            return result

        monkeypatch.setattr(module, name, spy)

    for name in ("mixed_labels", "mixed_target", "dice_to_target"):
        spied(name)
    method.loss(given, now())
    ((*_, beta), labels) = seen["mixed_labels"][0]
    (of, spread, gamma, _), target = seen["mixed_target"][0]
    assert (beta, gamma) == (0.25, 0.75) and of is labels
    assert method.spread is not None
    assert torch.equal(spread, method.spread[[1, 0]].flip(-1).long())
    assert [pair[0][1] is target for pair in seen["dice_to_target"]] == [True, True]


def test_only_the_second_network_drops_features() -> None:
    method, seen = fddseg(), {}
    for name in ("heads", "second_heads"):
        part = getattr(method, name)
        part.register_forward_pre_hook(
            lambda _, given, named, name=name: seen.update({name: (len(given), named)}),
            with_kwargs=True,
        )
    method.loss(batch_of(), now())
    assert seen == {"heads": (2, {}), "second_heads": (2, {"drop": True})}


def test_dropping_changes_every_scale_in_training_alone() -> None:
    method, image = fddseg().eval(), torch.rand(2, 1, SIZE, SIZE)
    with torch.no_grad():
        plain = method.second_heads(method.second, image)
        for training in (False, True):
            method.second_heads.train(training)  # the network stays in evaluation
            told = method.second_heads(method.second, image, drop=True)
            same = [torch.equal(a, b) for a, b in zip(told, plain, strict=True)]
            assert same == [not training] * 4


@pytest.mark.parametrize(("size", "least", "side"), [(256, 30, 21), (128, 8, 11), (64, 2, 5)])
def test_superpixels_shrink_with_the_square(size, least, side, monkeypatch) -> None:
    seen: dict[str, Any] = {}

    def spied(image: np.ndarray, **given: float) -> np.ndarray:
        seen.update(given, shape=image.shape)
        return image.astype(int)

    monkeypatch.setattr("scnlib.methods.superpixels.felzenszwalb", spied)
    scribble = np.full((size, size), K, np.uint8)
    scribble[size // 2, size // 2] = 1
    spread_alike(np.zeros((size, size), np.float32), scribble, K)
    assert seen == {"scale": 50, "sigma": 0.5, "min_size": least, "shape": (side, side)}


def test_nothing_is_asked_of_padding_at_any_scale() -> None:
    method, given = fddseg(), batch_of()  # the last eight columns are padding
    g = torch.Generator().manual_seed(0)
    first, second = (
        [
            torch.randn(2, K, SIZE // f, SIZE // f, generator=g).requires_grad_()
            for f in (8, 4, 2, 1)
        ]
        for _ in range(2)
    )
    method._modules["heads"] = lambda net, image: first  # type: ignore[assignment]
    method._modules["second_heads"] = lambda net, image, drop: second  # type: ignore[assignment]
    method.loss(given, now())[0].backward()
    for leaf, factor in zip([*first, *second], (8, 4, 2, 1) * 2, strict=True):
        assert isinstance(leaf.grad, Tensor)
        assert leaf.grad[..., : -8 // factor].any()
        assert not leaf.grad[..., -8 // factor :].any()
