"""Notebooks 01 and 03 on a data set that is none of the paper's: their cells, without a kernel."""

from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from scnlib.paths import REPOSITORY, run_folder
from study.experiments import make_run
from tests import sample_record
from tests.scnlib.data.test_own_data import own

NOTEBOOKS = REPOSITORY / "notebooks"


def run_cells(name: str, **parameters: Any) -> dict[str, Any]:
    """What a notebook's code cells leave behind, with these parameters in place of its own."""
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    left: dict[str, Any] = {}
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        exec(compile(cell.source, f"{name}, cell {cell.id}", "exec"), left)
        if "parameters" in cell.metadata.get("tags", []):
            left |= parameters
    return left


@pytest.fixture
def clinic(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(NOTEBOOKS)  # as Jupyter does
    own(tmp_path)
    return tmp_path


def test_the_data_are_explored(clinic):
    left = run_cells("01_data_exploration", data=str(clinic))
    assert list(left["sets"]) == ["clinic"]
    assert left["tables"]["clinic"].loc["RV", "scribbled %"] > 0


def test_a_set_that_cannot_be_read_is_named_and_left_out(clinic, capsys):
    (clinic / "unfinished").mkdir()
    (clinic / "unfinished" / "dataset.toml").write_text("classes = [")
    left = run_cells("01_data_exploration", data=str(clinic))
    assert list(left["sets"]) == ["clinic"]
    assert "unfinished is left out: " in capsys.readouterr().out


def test_a_run_that_could_not_be_tested_is_shown(clinic, capsys):
    run = make_run("clinic", "scn")
    sample_record.write(run_folder(clinic / "out", "demo", "clinic", "scn", 0), run, tested=False)
    given = {"data": str(clinic), "out": str(clinic / "out"), "dataset": "clinic"}
    left = run_cells("03_training", **given)
    assert left["record"].summary == {}
    assert "Not tested: a note." in capsys.readouterr().out


def test_a_run_without_any_defined_score_is_shown(clinic, capsys):
    """Each patient lacks a class in truth and prediction: no patient is the median one."""
    nowhere = {"volume": ["a_ED"], "subject": ["a"], "structure": ["RV"], "dice": [float("nan")]}
    nowhere |= {"frame": ["ED"], "hd95_voxel": [float("nan")], "hd95_mm": [float("nan")]}
    run, folder = make_run("clinic", "scn"), run_folder(clinic / "out", "demo", "clinic", "scn", 0)
    sample_record.write(folder, run, metrics=pd.DataFrame(nowhere))
    given = {"data": str(clinic), "out": str(clinic / "out"), "dataset": "clinic"}
    assert run_cells("03_training", **given)["chosen"] == []
    assert "No slice is shown" in capsys.readouterr().out
