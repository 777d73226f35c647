"""The training loop: killed runs, checkpoints, schedules, batches, refusals and what is written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scnlib import records, training
from scnlib.config import PROFILES, Profile, Run, make_run
from scnlib.data.cases import Case
from scnlib.data.phantom import draw_subject
from scnlib.evaluation import label_volume
from scnlib.methods.base import Losses, Method
from scnlib.methods.pce import PCE
from scnlib.methods.scn import draw_rows
from scnlib.training import Training, make_optimiser, train

CPU = torch.device("cpu")
REPOSITORY = Path(__file__).parents[1]
SUBJECTS = {"train": (1, 2, 3, 4), "val": (25, 26), "test": (33, 34)}


@cache
def cases(split: str) -> list[Case]:
    return [draw_subject(number)[0] for number in SUBJECTS[split]]


def serve(monkeypatch: pytest.MonkeyPatch, **splits: list[Case]) -> list[str]:
    """Let the loop read these splits (a few phantom subjects for others); the splits it asked."""
    asked: list[str] = []

    def load_split(dataset: str, root: Path | None, split: str) -> list[Case]:
        asked.append(split)
        return splits[split] if split in splits else cases(split)

    monkeypatch.setattr(training, "load_split", load_split)
    return asked


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few subjects, one thread."""
    serve(monkeypatch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny(method: str = "pce", **protocol: Any) -> Run:
    given = {"iterations": 4, "batch": 4, "validations": 2, "size": 16, "bf16": False} | protocol
    return make_run("phantom", method, **given)


def begin(run: Run, folder: Path) -> Training:
    """The run as `train` begins it: new, or gone on with."""
    begun = Training(run, folder, None, CPU)
    begun.resume()
    return begun


def spy_on_batches(begun: Training) -> list[list[int]]:
    """Fills, as the run goes on, with the slices of its batches."""
    seen: list[list[int]] = []
    loss = begun.method.loss

    def watched(batch: Any, now: Any) -> tuple[Tensor, Losses]:
        seen.append(batch.index.tolist())
        assert len(batch.image) == len(batch.scribble) == len(batch.index)
        return loss(batch, now)

    begun.method.loss = watched  # type: ignore[method-assign]
    return seen


def same(a: Any, b: Any) -> bool:
    """Equality bit for bit of nested dicts and lists of tensors and numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b


# A run that is killed

DRIVER = f"""
import sys
from pathlib import Path
import torch
from scnlib import training
from scnlib.config import Run
from scnlib.data.phantom import draw_subject

class Kept(training.Training):
    def finish(self):  # keep what the record rounds
        torch.save(vars(self.state), self.folder / "state.pt")
        return super().finish()

torch.set_num_threads(1)
subjects = {SUBJECTS!r}
training.Training = Kept
training.CHECKPOINT_SECONDS = 0
training.LOG_EVERY = 2
training.load_split = lambda dataset, root, split: [draw_subject(n)[0] for n in subjects[split]]
training.train(
    Run.from_json(sys.argv[1]),
    Path(sys.argv[2]),
    report=lambda state, run: print(state.iteration, flush=True),
    device="cpu",
)
"""


def start(run: Run, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, run.to_json(), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def kill_after(process: subprocess.Popen[str], iteration: int, seconds: float) -> None:
    """SIGKILL, some time after the run has reported an iteration."""
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= iteration:
                break
        time.sleep(seconds)
        process.kill()


def test_a_killed_run_equals_an_unbroken_one_bit_for_bit(tmp_path: Path) -> None:
    run = tiny("scn", iterations=8, validations=2, size=32)
    folder = tmp_path / "killed"
    with start(run, tmp_path / "whole") as whole:
        # During a step, during a step or a validation, and while the result is tested and written.
        for iteration, seconds in ((2, 0.0), (4, 0.1), (8, 0.05)):
            kill_after(start(run, folder), iteration, seconds)
            assert (folder / "checkpoint.pt").exists() or records.is_done(folder)
        with start(run, folder) as last:
            last.communicate(timeout=300)
        whole.communicate(timeout=300)
    assert (last.returncode, whole.returncode) == (0, 0)

    a, b = records.read(tmp_path / "whole"), records.read(folder)
    assert not (folder / "checkpoint.pt").exists()
    kept, other = (torch.load(record.folder / "state.pt", weights_only=True) for record in (a, b))
    for state in (kept, other):
        state["seconds"] = 0.0
        for row in state["curve"]:
            row.pop("seconds")
    assert [row["iteration"] for row in kept["curve"]] == [2, 4, 6, 8]
    assert same(kept, other)
    assert a.validation == b.validation and len(a.validation["curve"]) == 2
    assert a.summary == b.summary
    for case in cases("test"):
        assert np.array_equal(a.prediction(case.volume), b.prediction(case.volume))


@pytest.mark.parametrize("method", ["pce", "scn"])
def test_ten_steps_and_ten_more_equal_twenty(method: str, tmp_path: Path) -> None:
    run = tiny(method, iterations=20, validations=1, optimiser="sgd", schedule="poly", lr=0.03)
    whole = begin(run, tmp_path / "whole")
    for _ in range(20):
        whole.advance()
    broken = begin(run, tmp_path / "broken")
    for _ in range(10):
        broken.advance()
    broken.save()
    torch.rand(7)  # whatever else drew numbers in between
    broken = begin(run, tmp_path / "broken")
    assert broken.state.iteration == 10
    for _ in range(10):
        broken.advance()
    assert same(whole.method.state_dict(), broken.method.state_dict())
    assert same(whole.optimiser.state_dict(), broken.optimiser.state_dict())  # with the momentum
    assert torch.equal(whole.generator.get_state(), broken.generator.get_state())
    assert whole.state.order == broken.state.order


def test_a_finished_run_leaves_no_checkpoint_and_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(tiny(), tmp_path, device="cpu")
    assert not (tmp_path / "checkpoint.pt").exists()

    def never(*given: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "Training", never)
    assert train(tiny(), tmp_path, device="cpu") == first
    with pytest.raises(ValueError, match=r"record\.json.*another configuration"):
        train(tiny(lr=0.01), tmp_path, device="cpu")


# Checkpoints


def test_checkpoint_with_numpy_scalars_loads_as_weights_only(tmp_path: Path) -> None:
    run = tiny(iterations=8)
    begun = begin(run, tmp_path)
    begun.advance()
    state: Any = begun.state
    state.iteration = np.int64(1)
    state.validation = [{"iteration": np.int64(1), "dice": np.float64(0.87)}]
    state.best = {"iteration": np.int64(1), "dice": np.float64(0.87), "weights": {}}
    state.seconds = np.float32(0.5)
    begun.save()
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]
    assert content["best"] == {"iteration": 1, "dice": 0.87, "weights": {}}
    assert content["validation"] == [{"iteration": 1, "dice": 0.87}]
    again = begin(run, tmp_path)
    assert (again.state.iteration, again.state.seconds) == (1, 0.5)
    assert type(again.state.best["dice"]) is float


def test_checkpoint_that_could_run_code_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    run, path = tiny(), tmp_path / "checkpoint.pt"
    torch.save({"run": run.to_json(), "state": Path("anything")}, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: not a readable checkpoint"):
        begin(run, tmp_path)
    path.unlink()
    begin(run, tmp_path).save()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"checkpoint\.pt: not a readable checkpoint"):
        begin(run, tmp_path)


@pytest.mark.parametrize(
    "other", [tiny("cale"), tiny(lr=0.01), replace(tiny(), seed=1), replace(tiny(), variant="x")]
)
def test_checkpoint_of_another_configuration_is_refused(other: Run, tmp_path: Path) -> None:
    begin(tiny(), tmp_path).save()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint\.pt: of another configuration"):
        train(other, tmp_path, device="cpu")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begin(tiny(), tmp_path)
    begun.advance()
    begun.advance()  # validates, and so saves
    before = (tmp_path / "checkpoint.pt").read_bytes()
    loss = PCE.loss

    def broken(self: PCE, batch: Any, now: Any) -> tuple[Tensor, Losses]:
        total, parts = loss(self, batch, now)
        return total * float("nan"), parts

    monkeypatch.setattr(PCE, "loss", broken)
    with pytest.raises(ValueError, match="the loss is nan at iteration 4"):
        train(tiny(), tmp_path, device="cpu")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    monkeypatch.setattr(PCE, "loss", loss)
    assert train(tiny(), tmp_path, device="cpu").validation["last"]["iteration"] == 4


# The learning rate


class Nothing(Method):
    """A method with one number to learn."""

    def __init__(self) -> None:
        super().__init__(make_run("phantom", "pce"), 4)
        self.number = torch.nn.Parameter(torch.zeros(1))


def rates(profile: Profile, stop: int | None = None) -> list[float]:
    """The rate of every step; with `stop`, saved and taken up again before that step."""
    method = Nothing()
    optimiser, schedule = make_optimiser(method, profile)
    used = []
    for step in range(profile.iterations):
        if step == stop:
            kept = optimiser.state_dict(), schedule.state_dict()
            optimiser, schedule = make_optimiser(method, profile)
            optimiser.load_state_dict(kept[0])
            schedule.load_state_dict(kept[1])
        used.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return used


def test_poly_rate_goes_on_without_a_jump() -> None:
    """lr (1 - t/T)^0.9, where the step counted from 0 uses its own index."""
    profile = Profile(name="poly", optimiser="sgd", lr=0.01, schedule="poly", iterations=30_000)
    used = rates(profile, stop=15_000)
    assert used[0] == 0.01
    assert used[15_000] == pytest.approx(0.005358867, abs=1e-9)
    assert used[15_001] == pytest.approx(0.005358546, abs=1e-9)
    assert used[29_999] == pytest.approx(9.3452e-07, rel=1e-4)
    index = np.arange(30_000)
    assert np.allclose(used, 0.01 * (1 - index / 30_000) ** 0.9, rtol=1e-6, atol=0)


@pytest.mark.parametrize("stop", [11_999, 12_000, 12_001, 15_000])
def test_step_rate_goes_on_without_a_jump(stop: int) -> None:
    """The paper's 1e-3, halved after every fifth of the run."""
    used = rates(PROFILES["paper"], stop)
    expected = [1e-3 * 0.5 ** (step // 6_000) for step in range(30_000)]
    assert np.allclose(used, expected, rtol=1e-12, atol=0)


# Batches


def test_no_slice_is_repeated_or_skipped_in_an_epoch(tmp_path: Path) -> None:
    run = tiny(iterations=100, validations=1)
    begun = begin(run, tmp_path)
    slices = len(begun.images)
    epoch = slices // 4
    seen = spy_on_batches(begun)
    for _ in range(3):
        begun.advance()
    begun.save()
    begun = begin(run, tmp_path)
    later = spy_on_batches(begun)
    for _ in range(2 * epoch - 3):
        begun.advance()
    batches = seen + later
    assert [len(batch) for batch in batches] == [4] * (2 * epoch)
    for first in (0, epoch):
        drawn = [index for batch in batches[first : first + epoch] for index in batch]
        assert len(set(drawn)) == len(drawn) == 4 * epoch
        assert set(drawn) <= set(range(slices))
    assert batches[:epoch] != batches[epoch:]


def test_a_last_batch_of_one_slice_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """25 slices of 16 x 16: after 24 of them, four poolings would leave BatchNorm one number."""
    whole = cases("train")
    images = np.concatenate([case.image for case in whole])[:25]
    scribbles = np.concatenate([case.scribble for case in whole if case.scribble is not None])[:25]
    case = replace(whole[0], image=images, scribble=scribbles, label=None)
    serve(monkeypatch, train=[case], val=[])
    begun = begin(tiny(iterations=3, batch=24, validations=1), tmp_path)
    seen = spy_on_batches(begun)
    for _ in range(3):
        begun.advance()
    assert [len(batch) for batch in seen] == [24, 24, 24]
    assert all(len(set(batch)) == 24 for batch in seen)

    one, all_but_one = (label_volume(begun.predict, images, 16, batch) for batch in (1, 24))
    assert one.shape == images.shape
    assert np.array_equal(one, all_but_one)

    serve(monkeypatch, train=[replace(case, image=images[:3], scribble=scribbles[:3])])
    with pytest.raises(ValueError, match="3 training slices do not fill a batch of 4"):
        begin(tiny(), tmp_path / "other")


def test_draws_do_not_depend_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, augmentation and rows of C; on a device without memory, where nothing can be drawn."""
    drawn: list[Tensor] = []
    affine = training.random_affine

    def watched(*given: Any) -> Tensor:
        drawn.append(affine(*given))
        return drawn[-1]

    monkeypatch.setattr(training, "random_affine", watched)
    runs = [Training(tiny("scn"), tmp_path, None, torch.device(name)) for name in ("cpu", "meta")]
    for begun in runs:
        for _ in range(2):
            batch = begun._batch()
            assert batch.image.device == begun.device
            draw_rows(torch.zeros(4, 16, 16, device=begun.device), 3, begun.generator)
    here, there = runs
    assert same(drawn[:2], drawn[2:])
    assert here.state.order == there.state.order
    assert here.generator.device.type == there.generator.device.type == "cpu"
    assert torch.equal(here.generator.get_state(), there.generator.get_state())


# Refused before anything is trained


def without(split: str, **missing: None) -> list[Case]:
    return [replace(case, **missing) for case in cases(split)]


def test_full_supervision_without_masks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scribbles are never taken for masks."""
    serve(monkeypatch, train=without("train", label=None))
    with pytest.raises(ValueError, match=r"method full needs a full mask.*phantom001_ED"):
        train(tiny("full"), tmp_path / "run", device="cpu")
    serve(monkeypatch, train=[*cases("train")[:3], *without("train", label=None)[3:]])
    with pytest.raises(ValueError, match=r"method full needs a full mask.*phantom004_ED"):
        train(tiny("full"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["pce", "cale", "scn"])
def test_scribble_supervision_without_scribbles_is_refused(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, train=without("train", scribble=None))
    with pytest.raises(ValueError, match=r"scribble of every volume.*phantom001_ED"):
        train(tiny(method), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_full_supervision_needs_no_scribbles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, train=without("train", scribble=None))
    assert train(tiny("full"), tmp_path, device="cpu").summary["volumes"] == 2


def test_unknown_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'unet'.*pce"):
        train(tiny("unet"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


# What is tested and written


def test_the_best_weights_are_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.2, 0.6, 0.6, 0.5])
    monkeypatch.setattr(training, "summary", lambda rows: {"dice": {"mean": next(scores)}})
    begun = begin(tiny(validations=4), tmp_path)
    kept = []
    for _ in range(4):
        begun.advance()
        kept.append({name: value.clone() for name, value in begun.method.state_dict().items()})
    monkeypatch.undo()
    serve(monkeypatch)
    record = begun.finish()
    assert same(dict(begun.method.state_dict()), kept[1])  # the first of two that are as good
    assert record.validation["best"] == {"iteration": 2, "dice": 0.6}
    assert record.validation["last"] == {"iteration": 4, "dice": 0.5}
    assert record.notes == []
    rows = record.metrics
    assert set(rows["volume"]) == {case.volume for case in cases("test")}
    assert record.summary["volumes"] == 2


def test_without_masks_to_validate_on_the_last_weights_are_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, val=without("val", label=None))
    begun = begin(tiny(), tmp_path)
    for _ in range(4):
        begun.advance()
    last = {name: value.clone() for name, value in begun.method.state_dict().items()}
    record = begun.finish()
    assert same(dict(begun.method.state_dict()), last)
    assert record.validation == {"curve": [], "best": None, "last": None}
    assert any("last weights" in note for note in record.notes)
    assert record.summary["volumes"] == 2


def test_without_masks_to_test_on_there_is_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, test=without("test", label=None))
    record = train(tiny(), tmp_path, device="cpu")
    assert record.notes == ["no masks to test on"]
    assert record.summary == {} and record.metrics.empty


def test_a_variant_is_never_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch)
    given: dict[str, Any] = {"iterations": 2, "batch": 4, "validations": 1, "size": 16}
    run = make_run("phantom", "scn", variant="factor03", **given)
    record = train(run, tmp_path, device="cpu")
    assert asked == ["train", "val"]
    assert record.summary == {} and record.metrics.empty
    assert list(record.files) == ["curve.csv"]
    assert not (tmp_path / "weights.safetensors").exists()
    assert record.validation["best"]["iteration"] == 2


def test_progress_and_curve_are_written_while_it_runs(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def report(state: training.State, run: Run) -> None:
        seen.append(json.loads((tmp_path / "progress.json").read_text()))

    record = train(tiny(iterations=12), tmp_path, report=report, device="cpu")
    assert [content["iteration"] for content in seen] == [6, 10, 12]
    assert all(content["iterations"] == 12 for content in seen)
    assert seen[-1]["eta_seconds"] == 0 < seen[0]["eta_seconds"]
    assert seen[-1]["dice"] == record.validation["last"]["dice"]
    assert seen[0]["seconds"] <= seen[-1]["seconds"]
    assert list(record.curve["iteration"]) == [6, 10, 12]
    assert {"lr", "loss", "pce", "seconds"} <= set(record.curve.columns)
