"""USTM: the teacher's average, its uncertainty, and consistency when the image is turned."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from scnlib.methods.meloss import pixel_entropy
from scnlib.methods.ustm import (
    USTM,
    consistency_loss,
    entropy_limit,
    noisy,
    ramp,
    turned,
    update_average,
)
from tests.drawn import check, pixels, row
from tests.scnlib.methods.test_methods import SIZE, K, batch_of, build, now, total_and_parts
from tests.tiny_runs import same, tiny, whole_and_broken


def ustm(variant: str = "") -> USTM:
    method = build("ustm", variant=variant)
    assert isinstance(method, USTM)
    return method


# The teacher's average


@pytest.mark.parametrize(("decay", "expected"), [(0.99, 6.339677), (0.0, 10.0), (1.0, 0.0)])
def test_average_covers_running_statistics_and_keeps_integers(
    decay: float, expected: float
) -> None:
    """The student's at 10, the teacher's at 0, 100 updates: 10 (1 - 0.99^100)."""
    student, teacher = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    for value in (student.running_mean, student.weight.data, student.bias.data):
        assert isinstance(value, Tensor)
        value.fill_(10.0)
    teacher.weight.data.zero_()
    assert student.num_batches_tracked is not None
    student.num_batches_tracked.fill_(7)
    for _ in range(100):
        update_average(teacher, student, decay)
    for value in (teacher.running_mean, teacher.weight, teacher.bias):
        assert isinstance(value, Tensor)
        assert value.tolist() == pytest.approx([expected] * 2, rel=1e-5)
    assert teacher.num_batches_tracked is not None
    assert teacher.num_batches_tracked.dtype == torch.long
    assert int(teacher.num_batches_tracked) == 7
    assert student.weight.tolist() == [10.0, 10.0]


def test_the_memory_grows_from_a_copy_to_099() -> None:
    method = ustm()
    student, teacher = (net.decoder.output.bias for net in (method.net, method.teacher))
    assert student is not None and teacher is not None
    means = []
    for iteration, value in [(0, 1.0), (1, 2.0), (2, 6.0), (500, 103.0)]:
        student.data.fill_(value)
        method.after_step(now(iteration))
        means.append(float(teacher[0]))
    # A copy, then means of 2 and of 3 values, then 0.99 x 3 + 0.01 x 103.
    assert means == pytest.approx([1.0, 1.5, 3.0, 4.0])


def test_teacher_starts_as_the_student_and_gets_no_gradient() -> None:
    method = ustm()
    assert same(dict(method.net.state_dict()), dict(method.teacher.state_dict()))
    method.loss(batch_of(), now())[0].backward()
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    assert all(p.grad is not None for p in method.net.parameters())
    kept = {name for name in method.state_dict() if not name.startswith("teacher.")}
    assert kept == {f"net.{name}" for name in method.net.state_dict()}


def test_the_first_pass_is_the_target_and_eight_more_the_uncertainty() -> None:
    method, passes = ustm(), []

    def teacher(image: Tensor) -> SimpleNamespace:
        share = 0.5 + 0.05 * len(passes)  # another prediction at each call
        passes.append(share)
        rest = (1 - share) / 3
        P = torch.tensor([share, rest, rest, rest]).view(1, K, 1, 1).expand(1, K, 2, 2)
        return SimpleNamespace(logits=P.log())

    method._modules["teacher"] = teacher  # type: ignore[assignment]
    target, uncertainty = method.teach(torch.zeros(1, 1, 2, 2), torch.Generator())
    assert len(passes) == 9
    assert target[0, :, 0, 0].tolist() == pytest.approx([0.5, *[1 / 6] * 3])
    p = sum(passes[1:]) / 8  # 0.725
    by_hand = -p * math.log(p) - (1 - p) * math.log((1 - p) / 3)
    assert uncertainty.flatten().tolist() == pytest.approx([by_hand] * 4, rel=1e-5)


def test_each_pass_sees_noise_of_its_own() -> None:
    method, seen = ustm(), []
    method.teacher.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    image = torch.full((1, 1, SIZE, SIZE), 0.5)
    method.teach(image, torch.Generator().manual_seed(0))
    assert len({float(one.double().sum()) for one in seen}) == 9
    assert all(0.1 < float((one - image).abs().max()) < 0.201 for one in seen)


def test_teacher_drops_out_and_takes_the_batchs_statistics() -> None:
    method = ustm()
    image = torch.rand(2, 1, SIZE, SIZE)
    first, second = (method.teach(image, torch.Generator().manual_seed(0)) for _ in range(2))
    assert not torch.equal(first[0], second[0])  # the same noise, another dropout
    torch.manual_seed(3)
    before = method.teach(image, torch.Generator().manual_seed(0))
    for name, value in method.teacher.state_dict().items():
        if "running" in name:
            value.fill_(5.0)
    torch.manual_seed(3)
    after = method.teach(image, torch.Generator().manual_seed(0))
    assert torch.equal(before[0], after[0]) and torch.equal(before[1], after[1])


# Uncertainty


def test_entropy_in_nats_and_its_limit() -> None:
    p = pixels([0.4, 0.3, 0.2, 0.1], [0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3], [1, 0, 0, 0], [0.25] * 4)
    found = pixel_entropy(p).flatten().tolist()
    assert found == pytest.approx([1.279854, 0.434944, 0.0, math.log(4)], abs=1e-6)
    assert entropy_limit(0.0) == pytest.approx(0.519860, abs=1e-6)
    assert entropy_limit(1.0) == pytest.approx(0.693147, abs=1e-6)
    for weight in (0.0, 0.5, 1.0):  # at any time, the first is left out and the second used
        assert found[1] < entropy_limit(weight) < found[0]


def test_ramp_runs_over_the_whole_run() -> None:
    assert [ramp(x) for x in (0, 0.5, 1)] == pytest.approx([math.exp(-5), math.exp(-1.25), 1])


def test_noise_is_clipped_and_drawn_from_the_given_generator() -> None:
    image = torch.full((4, 1, 64, 64), 0.5)
    g = torch.Generator().manual_seed(0)
    noise = noisy(image, g) - image
    assert float(noise.abs().max()) == pytest.approx(0.2)
    assert float(noise.mean()) == pytest.approx(0, abs=5e-3)
    # The standard deviation of a normal distribution clipped at two of its own.
    assert float(noise.std()) == pytest.approx(0.0959, abs=2e-3)
    assert float((noise.abs() > 0.1999).float().mean()) == pytest.approx(0.0455, abs=5e-3)
    torch.manual_seed(5)
    assert torch.equal(noisy(image, torch.Generator().manual_seed(0)) - image, noise)


# Consistency


def test_consistency_by_hand() -> None:
    p = pixels([1.0, 0.0], [0.5, 0.5], [0.6, 0.4], [0.0, 1.0])
    q = pixels([0.0, 1.0], [0.5, 0.5], [0.8, 0.2], [1.0, 0.0])
    # Pixel by pixel: 2, 0, 0.08, 2.
    check(consistency_loss(p, q, row(True, True, True, True)), (2 + 0 + 0.08 + 2) / 8)
    check(consistency_loss(p, q, row(False, False, True, False)), 0.04)
    check(consistency_loss(p, q, row(True, False, False, True)), 1.0)


def test_nothing_certain_gives_zero_and_zero_gradient() -> None:
    p = pixels([0.3, 0.7], [0.5, 0.5]).requires_grad_()
    loss = consistency_loss(p, 1 - p.detach(), row(False, False))
    loss.backward()
    check(loss, 0.0)
    assert p.grad is not None and not p.grad.any()


def test_gradient_reaches_the_student_alone() -> None:
    g = torch.Generator().manual_seed(0)
    p, q = (
        torch.randn(2, K, 2, 3, generator=g, dtype=torch.float64).softmax(1).requires_grad_()
        for _ in range(2)
    )
    used = torch.rand(2, 2, 3, generator=g) < 0.6
    assert gradcheck(lambda x: consistency_loss(x, q.detach(), used), (p,))
    consistency_loss(p, q, used).backward()
    assert q.grad is None and p.grad is not None
    assert not p.grad.movedim(1, 3)[~used].any() and p.grad.movedim(1, 3)[used].any()


def test_four_turns_are_none_and_one_is_counterclockwise() -> None:
    maps = torch.arange(6).view(1, 2, 3)
    assert turned(maps, 1).tolist() == [[[2, 5], [1, 4], [0, 3]]]
    assert torch.equal(turned(turned(maps, 3), 1), maps)
    images = torch.rand(2, K, 4, 4)
    assert torch.equal(turned(images, 2), images.flip(-1).flip(-2))


class PixelNet(nn.Module):
    """Looks at each pixel alone, so that turning it before or after is the same; no dropout."""

    def forward(self, x: Tensor) -> SimpleNamespace:
        levels = torch.linspace(0, 1, K).view(1, K, 1, 1)
        return SimpleNamespace(logits=-200 * (x - levels).square())


@pytest.mark.parametrize("turn", range(4))
def test_a_network_that_turns_with_its_image_is_consistent(
    turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, batch = ustm(), batch_of()
    net: nn.Module = PixelNet()
    monkeypatch.setitem(method._modules, "net", net)
    monkeypatch.setitem(method._modules, "teacher", copy.deepcopy(net))
    monkeypatch.setattr("scnlib.methods.ustm.noisy", lambda image, generator: image)
    monkeypatch.setattr(torch, "randint", lambda *given, **named: torch.tensor(turn))
    _, parts = total_and_parts(method, batch)
    assert parts["consistency"] == 0 and 0.3 < parts["share_certain"] <= 0.75
    # And it is not when only one of the two is turned.
    monkeypatch.setattr("scnlib.methods.ustm.turned", lambda maps, turns: maps)
    assert total_and_parts(method, batch)[1]["consistency"] == 0
    monkeypatch.setattr(
        "scnlib.methods.ustm.turned", lambda m, t: turned(m, t if m.shape[1] == 1 else 0)
    )
    assert (total_and_parts(method, batch)[1]["consistency"] > 0) == (turn > 0)


@pytest.mark.parametrize("seed", range(4))  # as many draws of the turn
def test_padding_never_counts(seed: int) -> None:
    """Neither as a pixel that is used, nor in what the used ones add up to."""
    method, batch = ustm(), batch_of()
    at = now(9)  # near the run's end, where nearly all pixels are certain enough
    at.generator.manual_seed(seed)
    method.teach = lambda image, generator: (  # type: ignore[method-assign]
        torch.full((2, K, SIZE, SIZE), 0.25),
        torch.zeros(2, SIZE, SIZE),
    )
    _, parts = method.loss(batch, at)
    assert float(parts["share_certain"]) == 0.75
    nowhere = replace(batch, valid=torch.zeros_like(batch.valid))
    total, parts = method.loss(nowhere, at)
    assert parts["consistency"] == 0 and parts["share_certain"] == 0
    total.backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


@pytest.mark.parametrize("turn", range(4))
def test_padding_is_turned_with_the_image(turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = ustm(), batch_of()
    g = torch.Generator().manual_seed(2)
    logits = torch.randn(2, K, SIZE, SIZE, generator=g).requires_grad_()
    monkeypatch.setitem(method._modules, "net", lambda image: SimpleNamespace(logits=logits))
    monkeypatch.setattr(torch, "randint", lambda *given, **named: torch.tensor(turn))
    method.teach = lambda image, generator: (  # type: ignore[method-assign]
        torch.full((2, K, SIZE, SIZE), 0.25),
        torch.zeros(2, SIZE, SIZE),
    )
    nothing_drawn = replace(batch, scribble=torch.full_like(batch.scribble, K))
    method.loss(nothing_drawn, now(9))[0].backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(dim=1) > 0, batch.valid)


def test_the_limit_of_uncertainty_follows_the_ramp() -> None:
    method = ustm()
    method.teach = lambda image, generator: (  # type: ignore[method-assign]
        torch.full((2, K, SIZE, SIZE), 0.25),
        torch.full((2, SIZE, SIZE), 0.6),  # between 0.75 ln 2 = 0.52 and ln 2 = 0.69
    )
    shares = [float(method.loss(batch_of(), now(step))[1]["share_certain"]) for step in (0, 9)]
    assert shares == [0.0, 0.75]


def test_a_ramp_of_twice_the_run_weighs_less_and_trusts_as_much() -> None:
    method = ustm("halframp")
    method.teach = lambda image, generator: (  # type: ignore[method-assign]
        torch.full((2, K, SIZE, SIZE), 0.25),
        torch.full((2, SIZE, SIZE), 0.6),
    )
    early, late = (method.loss(batch_of(), now(step))[1] for step in (0, 9))
    assert [float(p["share_certain"]) for p in (early, late)] == [0.0, 0.75]  # as over the run
    assert early["weight"] == pytest.approx(math.exp(-5))
    assert late["weight"] == pytest.approx(math.exp(-5 * 0.55**2))  # at 9 of 20 steps


def test_weight_and_parts() -> None:
    method = ustm()
    torch.manual_seed(1)
    total, parts = method.loss(batch_of(), now(5))
    assert parts["weight"] == pytest.approx(math.exp(-1.25))
    expected = float(parts["pce"]) + math.exp(-1.25) * float(parts["consistency"])
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)


# Going on


@pytest.mark.usefixtures("few_subjects")
def test_three_steps_and_three_more_equal_six(tmp_path: Path) -> None:
    run = tiny("ustm", iterations=6, validations=1)
    whole, _, broken = whole_and_broken(run, tmp_path, stop=3, steps=6)
    assert same(dict(whole.method.state_dict()), dict(broken.method.state_dict()))
    assert torch.equal(whole.generator.get_state(), broken.generator.get_state())
    names = whole.method.state_dict()
    student, teacher = names["net.decoder.output.bias"], names["teacher.decoder.output.bias"]
    assert not torch.equal(student, teacher)
