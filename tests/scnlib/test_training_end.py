"""How a run ends: which weights are tested, and what is written meanwhile."""

import json
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scnlib import training
from scnlib.config import Run
from scnlib.inference import label_volume
from scnlib.training import train
from study.experiments import make_run
from tests.tiny_runs import begin, cases, same, serve, tiny, without

pytestmark = pytest.mark.usefixtures("few_subjects")


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
    for case in cases("test"):  # the method holds the best weights now
        predicted = label_volume(begun.predict, case.image, 16, 4)
        assert np.array_equal(record.prediction(case.volume), predicted)


def test_only_weights_that_learn_are_counted_and_each_image_of_a_batch(tmp_path: Path) -> None:
    record, single = (train(tiny(name), tmp_path / name, device="cpu") for name in ("ustm", "pce"))
    assert record.parameters == single.parameters > 1_000_000, "USTM's teacher learns nothing"
    per_step = record.images_per_second * record.seconds_per_step
    assert per_step == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([nan, 0.2, 0.6, 0.5], {"iteration": 3, "dice": 0.6}),
        ([0.2, nan, 0.1, nan], {"iteration": 1, "dice": 0.2}),
        ([nan, nan, nan, nan], None),
    ],
)
def test_a_dice_that_is_no_number_is_never_the_best(
    scores: list[float],
    best: dict[str, float] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = replace(tiny(validations=4), variant="untested")
    given = iter(scores)
    monkeypatch.setattr(training, "summary", lambda rows: {"dice": {"mean": next(given)}})
    begun = begin(run, tmp_path)
    kept = []
    for _ in range(4):
        begun.advance()
        kept.append({name: value.clone() for name, value in begun.method.state_dict().items()})
    record = begun.finish()
    assert record.validation["best"] == best
    assert same(dict(begun.method.state_dict()), kept[int(best["iteration"]) - 1 if best else -1])
    note = "no validation gave a Dice: the last weights were taken"
    assert record.notes == ([] if best else [note])


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
