"""run_all.sh on an own data set: checked before it is trained on, and never shown as another."""

from pathlib import Path

import numpy as np
import pytest

from scnlib.data.manifest import fingerprint
from scnlib.paths import run_folder
from study.experiments import make_run
from study.run import command, running
from tests import sample_record
from tests.scnlib.data.test_nifti import IMAGE, SCRIBBLE, TOML, save, tree

MARKS = "train/labels/subject1_DE_scribble.nii.gz"


@pytest.fixture
def plan(tmp_path, notebooks, monkeypatch):
    """Plans one training of SCN on a sound own set, `tmp_path/clinic`; the exit code."""
    folder = tree(tmp_path / "clinic", {"train": 8, "val": 2})
    for number, path in enumerate(sorted(folder.glob("*/images/*"))):
        save(path, IMAGE + np.int16(number))
    (folder / "dataset.toml").write_text(TOML)
    monkeypatch.setattr(running, "run_graph", lambda *_: pytest.fail("something was started"))
    words = ["--profile", "cpu", "--data", str(tmp_path), "--datasets", "clinic", "--dry-run"]
    words += ["--methods", "scn", "--out", str(tmp_path / "out"), "--notebooks", str(notebooks)]
    return lambda: command.main(words)


def test_a_record_of_other_files_is_not_taken_for_one_of_these(plan, tmp_path: Path, capsys):
    folder = run_folder(tmp_path / "out", "cpu", "clinic", "scn", 0)
    now = fingerprint("clinic", tmp_path)["sha256"]
    sample_record.write(folder, make_run("clinic", "scn", 0, "cpu"), sha256=now)
    assert plan() == 0 and "1 of 1 trainings have their record" in capsys.readouterr().out
    corrected = SCRIBBLE.copy()
    corrected[0, 0, 0] = 1 if corrected[0, 0, 0] != 1 else 2
    save(tmp_path / "clinic" / MARKS, corrected)
    assert plan() == 1
    (error,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("error"))
    assert error.startswith(f"error: {folder / 'record.json'}: the data of clinic have changed")
    assert f"delete {folder} to train on what there is now" in error and folder.exists()


def test_an_own_set_is_checked_before_it_is_trained_on(plan, tmp_path: Path, capsys):
    assert plan() == 0
    out = capsys.readouterr().out
    assert "warning: " in out and "there is nothing to test on" in out
    for path in (tmp_path / "clinic").glob("train/labels/*"):
        save(path, np.where(SCRIBBLE == 1, 4, SCRIBBLE).astype(np.uint16))
    (tmp_path / "clinic/val/labels/subject9_DE_manual.nii.gz").unlink()
    assert plan() == 1
    (error,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("error"))
    assert "no mask for" in error and error.endswith("--profile cpu names 1 more)")


def test_a_misspelt_name_is_told_with_those_there_are(plan, tmp_path: Path, capsys):
    (tmp_path / "clinic").rename(tmp_path / "clinics")
    assert plan() == 1
    (error,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("error"))
    assert "unknown data set 'clinic': there are" in error and "clinics" in error
