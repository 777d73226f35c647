"""The kinds of step are one step: compiled, recorded or eager, and what a machine refuses."""

import logging
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor

from scnlib import kernels, records, step
from scnlib.methods.base import Method
from scnlib.step import Inbox, StaticStep
from scnlib.training import Training, train
from tests.tiny_runs import CPU, advance, begin, same, tiny, without_dropout

pytestmark = pytest.mark.usefixtures("few_subjects")

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def steady(begun: Training) -> Training:
    without_dropout(begun.method)
    return begun


def other_step(begun: Training, compiler: str | None, recorded: bool) -> Training:
    begun.step = StaticStep(
        begun.method, begun.data, begun.optimiser, compiler=compiler, recorded=recorded
    )
    return begun


def losses(begun: Training, steps: int) -> list[list[float]]:
    """The loss and its parts of each of some steps."""
    seen = []
    for _ in range(steps):
        begun.counted = 0
        begun.advance()
        seen.append(begun.sums.tolist())
    return seen


def test_a_row_is_the_mean_of_steps_that_write_over_their_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, begun = torch.zeros(1), begin(tiny(iterations=20), tmp_path)
    steps = Mock(side_effect=lambda order, now: ((["loss"], place.add_(1)), order), kind="graph")
    monkeypatch.setattr(begun, "step", steps)
    monkeypatch.setattr(begun, "schedule", Mock())
    for _ in range(10):
        begun.advance()
    assert begun.state.curve[0]["loss"] == 5.5


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stands for a GPU's graph: does again what was recorded, and counts how often."""
    counts = [0]

    def record(action: Callable[[], step.Values]) -> Callable[[], step.Values]:
        def replay() -> step.Values:
            counts[0] += 1
            return action()

        return replay

    monkeypatch.setattr(step, "record", record)
    return counts


@pytest.mark.parametrize(
    ("method", "compiler", "recorded"),
    [("scn", None, True), ("dmpls_sgd", None, True), ("pce", "aot_eager", False)],
)
def test_every_kind_of_step_gives_the_same_run(
    method: str, compiler: str | None, recorded: bool, tmp_path: Path, recording: list[int]
) -> None:
    """Over a step of the schedule: a recorded optimiser has to see the new learning rate."""
    protocol = {"iterations": 6, "schedule": "step", "lr_steps": 1.2, "optimiser": "sgd"}
    run = tiny(method, size=32, lr=0.01, **protocol)
    one = steady(begin(run, tmp_path / "one"))
    expected = losses(one, 6)
    other = other_step(steady(begin(run, tmp_path / "other")), compiler, recorded)
    found = losses(other, 6)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert one.rate == other.rate == pytest.approx(0.001)  # in the sixth step
    assert one.state.order == other.state.order
    assert torch.equal(one.generator.get_state(), other.generator.get_state())
    assert recording[0] == (6 - step.WARM if recorded else 0)
    assert other.step.kind == ("graph" if recorded else "compiled")
    torch.testing.assert_close(
        other.method.state_dict(), one.method.state_dict(), rtol=0, atol=0.01
    )


@pytest.mark.parametrize("method", ["scn", "dmpls_sgd"])
def test_what_a_gpu_compiles_is_traced_with_its_gradient(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's attention and plain cosines, which a CPU has by hand."""
    monkeypatch.setattr(kernels, "OWN", ())
    one = steady(begin(tiny(method, size=32), tmp_path / "one"))
    other = other_step(steady(begin(tiny(method, size=32), tmp_path / "other")), "aot_eager", False)
    expected, found = losses(one, 2), losses(other, 2)
    assert other.step.kind == "compiled"
    if method == "scn":  # the other draws the channels it drops, by other bits where compiled
        one_step, theirs = torch.tensor(found[0]), torch.tensor(expected[0])
        # Rounding may move a pixel over a threshold.
        torch.testing.assert_close(one_step, theirs, rtol=0.01, atol=0.001)
    assert torch.isfinite(torch.tensor(found)).all()


# The inbox


def test_the_inbox_keeps_its_places_and_takes_every_type() -> None:
    def values(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return {
            "cells": torch.randint(99, (3, 5)),
            "share": torch.rand(()),
            "theta": torch.rand(3, 2, 3),
            "flags": torch.rand(7) > 0.5,
            "rate": torch.rand((), dtype=torch.float64),
        }

    inbox = Inbox(values(0), CPU)
    addresses = {name: place.data_ptr() for name, place in inbox.places.items()}
    for seed in (1, 2):
        inbox.fill(values(seed))
        assert same(inbox.places, values(seed))
    assert addresses == {name: place.data_ptr() for name, place in inbox.places.items()}


def test_a_recorded_step_writes_where_it_wrote_before(tmp_path: Path, recording: list[int]) -> None:
    begun = other_step(begin(tiny("scn"), tmp_path), None, recorded=True)
    advance(begun, 1)
    assert isinstance(begun.step, StaticStep) and begun.step.inbox is not None
    places = {name: place.data_ptr() for name, place in begun.step.inbox.places.items()}
    assert set(places) == {"index", "theta", "rate", "cells"}
    weights = [w.data_ptr() for w in begun.method.parameters()]
    advance(begun, 3)
    assert places == {name: place.data_ptr() for name, place in begun.step.inbox.places.items()}
    assert weights == [w.data_ptr() for w in begun.method.parameters()]


# What a machine refuses


def refused(*_: object, **__: object) -> None:
    raise RuntimeError("not on this machine\nand more about it")


def test_a_refused_compiler_is_said_once_and_changes_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The loss is refused halfway: the network has run, and its statistics have moved."""
    run = tiny("scn")
    expected = losses(begin(run, tmp_path / "one"), 3)

    def halfway(loss: Callable[..., object], **_: object) -> Callable[..., None]:
        return lambda places: refused(loss(places))

    monkeypatch.setattr(torch, "compile", halfway)
    other = other_step(begin(run, tmp_path / "other"), "inductor", recorded=False)
    with caplog.at_level(logging.WARNING):
        assert losses(other, 3) == expected
    assert [record.getMessage() for record in caplog.records] == [
        "this machine can't compile a step (not on this machine): going on in a plainer way"
    ]
    assert other.step.kind == "eager"


def test_a_refused_recording_is_said_once_and_changes_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = {"size": 16, "iterations": 6, "optimiser": "sgd"}
    expected = losses(begin(tiny("scn", **protocol), tmp_path / "one"), 6)
    monkeypatch.setattr(step, "record", lambda action: refused(action))
    other = other_step(begin(tiny("scn", **protocol), tmp_path / "other"), None, recorded=True)
    with caplog.at_level(logging.WARNING):
        torch.testing.assert_close(losses(other, 6), expected, rtol=1e-5, atol=1e-7)
    assert len(caplog.records) == 1 and other.step.kind == "eager"


def test_trouble_that_is_no_refusal_is_told_as_ever(tmp_path: Path) -> None:
    begun = other_step(begin(tiny("pce"), tmp_path), "eager", recorded=False)
    begun.data.images = begun.data.images[:, 1:, 1:]  # too small to be halved four times
    with pytest.raises(RuntimeError, match="size is too small"):
        begun.advance()


def test_only_an_objective_can_be_recorded(tmp_path: Path) -> None:
    for method, kind in (("s2l", "eager"), ("pce", "compiled graph"), ("scn", "compiled graph")):
        begun = begin(tiny(method), tmp_path / method)
        made = step.make_step("graph", begun.method, begun.data, begun.optimiser)
        assert made.kind == kind
        assert (type(begun.method).loss is Method.loss) == (kind != "eager")
        assert step.make_step("auto", begun.method, begun.data, begun.optimiser).kind == "eager"
    with pytest.raises(ValueError, match=r"'fast'.*auto, eager, compiled, graph"):
        train(tiny(), tmp_path / "new", device="cpu", step="fast")
    assert not (tmp_path / "new").exists()


def test_a_variable_says_how_steps_run_where_the_call_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is the same one: a record that other steps have made is taken as it is."""
    run = tiny()
    for asked, called, kind in (("graph", "auto", "compiled graph"), ("graph", "eager", "eager")):
        monkeypatch.setenv("SCN_STEP", asked)
        assert Training(run, tmp_path, None, CPU, step=called).step.kind == kind
    monkeypatch.setenv("SCN_STEP", "fast")
    with pytest.raises(ValueError, match=r"SCN_STEP=fast: .*auto, eager, compiled, graph"):
        train(run, tmp_path / "new", device="cpu")
    monkeypatch.setenv("SCN_STEP", "")
    assert Training(run, tmp_path, None, CPU).step.kind == "eager"
    monkeypatch.setenv("SCN_STEP", "eager")
    assert train(run, tmp_path / "new", device="cpu").step == "eager"
    monkeypatch.setenv("SCN_STEP", "graph")
    monkeypatch.setattr(Training, "advance", None)
    assert train(run, tmp_path / "new", device="cpu").step == "eager"


# The record


def test_the_record_says_which_steps_made_it(tmp_path: Path, recording: list[int]) -> None:
    run = tiny("pce", iterations=6, validations=1)
    advance(begin(run, tmp_path), 2).save()
    other = advance(other_step(begin(run, tmp_path), None, recorded=True), 4)
    assert other.finish().step == "eager then graph"
    assert records.read(tmp_path).step == "eager then graph"


def test_a_checkpoint_is_the_same_for_every_kind_of_step(
    tmp_path: Path, recording: list[int]
) -> None:
    """A learning rate is a number in it: the optimiser's tensor stays with the recorded step."""
    begun = other_step(begin(tiny("pce", iterations=8), tmp_path), None, recorded=True)
    advance(begun, 5).save()
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    group = content["optimiser"]["param_groups"][0]
    assert isinstance(group["lr"], float) and group["capturable"] is False
    assert advance(begin(tiny("pce", iterations=8), tmp_path), 3).state.iteration == 8


# On a GPU


@needs_gpu
@pytest.mark.parametrize("kind", ["compiled", "graph"])
@pytest.mark.parametrize("method", ["pce", "scn", "dmpls", "fddseg", "mloss", "rloss"])
def test_on_a_gpu_every_kind_of_step_trains_alike(
    method: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Within bfloat16's tolerance; and nothing is refused where the GPU can do it."""
    run = tiny(method, size=64, iterations=8, bf16=True, optimiser="sgd", lr=0.01)
    found = []
    for name in ("eager", kind):
        begun = Training(run, tmp_path / name, None, torch.device("cuda"), step=name)
        found.append(losses(steady(begun), 8))
    assert kind in begun.step.kind and not caplog.records
    torch.testing.assert_close(
        torch.tensor(found[1])[:, 0], torch.tensor(found[0])[:, 0], rtol=0.05, atol=0.02
    )


@needs_gpu
def test_on_a_gpu_a_killed_run_goes_on_as_a_graph(tmp_path: Path) -> None:
    run = tiny("scn", size=64, iterations=10)
    where = torch.device("cuda")
    first = advance(Training(run, tmp_path, None, where, step="graph"), 5)
    first.save()
    second = Training(run, tmp_path, None, where, step="graph")
    second.resume()
    a, b = losses(first, 5), losses(second, 5)
    torch.testing.assert_close(torch.tensor(a)[:, 0], torch.tensor(b)[:, 0], rtol=0.05, atol=0.02)
