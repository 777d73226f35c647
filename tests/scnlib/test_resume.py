"""A killed run goes on bit for bit, and a finished one is not trained again."""

import copy
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from scnlib import records, training
from scnlib.config import Run
from scnlib.paths import REPOSITORY
from scnlib.training import train
from study.experiments import make_run
from tests.tiny_runs import SUBJECTS, advance, begin, cases, same, tiny, whole_and_broken

pytestmark = pytest.mark.usefixtures("few_subjects")


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

torch.set_num_threads(int(sys.argv[3]))
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


def start(
    run: Run, folder: Path, threads: int = 1, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, run.to_json(), str(folder), str(threads)]
    variables = os.environ | dict(environment or {})
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=variables
    )


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
        state["seconds"] = state["memory"] = 0.0  # measured
        assert state.pop("processes")[0]["before"] == 0
        for row in state["curve"]:
            row.pop("seconds")
    assert [row["iteration"] for row in kept["curve"]] == [2, 4, 6, 8]
    assert same(kept, other)
    assert a.validation == b.validation and len(a.validation["curve"]) == 2
    assert a.summary == b.summary
    for case in cases("test"):
        assert np.array_equal(a.prediction(case.volume), b.prediction(case.volume))


def published(digit: str) -> dict[str, Any]:
    return {"dataset": "phantom", "sha256": digit * 64, "published": False}


def test_a_run_is_of_the_data_it_began_with(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(training, "fingerprint", lambda *_: published("1"))
    advance(begin(tiny(), tmp_path), 2)
    monkeypatch.setattr(training, "fingerprint", lambda *_: published("2"))
    with pytest.raises(ValueError, match=r"checkpoint\.pt: the data of phantom have changed .*111"):
        train(tiny(), tmp_path, device="cpu")
    # They change while it trains: what was computed stays, and nothing attests it.
    monkeypatch.setattr(training, "fingerprint", mock.Mock(side_effect=map(published, "12")))
    with pytest.raises(ValueError, match=r"record\.json: the data of phantom have changed"):
        train(tiny(), tmp_path, device="cpu")
    assert not (tmp_path / "record.json").exists() and (tmp_path / "checkpoint.pt").exists()
    monkeypatch.setattr(training, "fingerprint", lambda *_: published("1"))
    assert train(tiny(), tmp_path, device="cpu").data == published("1")


def test_a_record_tells_of_every_process_that_took_part(tmp_path: Path, monkeypatch) -> None:
    advance(begin(tiny(), tmp_path), 2)
    monkeypatch.setattr(training.provenance, "hardware", lambda device: "another machine")
    monkeypatch.setattr(training.provenance, "code_version", lambda: "another version")
    record = train(tiny(), tmp_path, device="cpu")
    first, second = record.processes
    assert (first["before"], second["before"]) == (0, 2)
    assert second["hardware"] == record.hardware == "another machine" != first["hardware"]
    assert record.code_version == f"{first['code_version']} then another version"
    (note,) = [note for note in record.notes if "changed on the way" in note]
    assert note == f"hardware changed on the way: {first['hardware']} then another machine"


def test_a_package_that_was_exchanged_on_the_way_is_noted(tmp_path: Path, monkeypatch) -> None:
    known = training.provenance.versions()
    assert {"torch", "scikit-image"} <= known.keys()
    monkeypatch.setattr(training.provenance, "versions", lambda: known | {"torch": "1.0"})
    advance(begin(tiny(), tmp_path), 2)
    monkeypatch.setattr(training.provenance, "versions", lambda: known | {"torch": "2.0"})
    record = train(tiny(), tmp_path, device="cpu")
    assert [note for note in record.notes if "changed on the way" in note] == [
        "torch changed on the way: 1.0 then 2.0"
    ]


@pytest.mark.parametrize("method", ["pce", "scn", "box", "scn_box", "dmpls", "fddseg"])
def test_ten_steps_and_ten_more_equal_twenty(method: str, tmp_path: Path) -> None:
    run = tiny(method, iterations=20, validations=1, optimiser="sgd", schedule="poly", lr=0.03)
    whole, _, broken = whole_and_broken(run, tmp_path, stop=10, steps=20)
    assert same(whole.method.state_dict(), broken.method.state_dict())
    assert same(whole.optimiser.state_dict(), broken.optimiser.state_dict())  # with the momentum
    assert torch.equal(whole.generator.get_state(), broken.generator.get_state())
    assert whole.state.order == broken.state.order


def test_the_papers_profile_trains_on_a_cpu(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", profile="paper", batch=4)  # but for the batch as printed
    begun = begin(run, tmp_path)
    before = copy.deepcopy(begun.method.state_dict())
    assert advance(begun, 1).state.iteration == 1
    assert begun.data.images.shape[-1] == 256 and not same(begun.method.state_dict(), before)


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
