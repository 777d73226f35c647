"""The reproducibility report: verdicts from records of known numbers, and files that exist."""

import pytest

from scnlib.config import SCNOptions
from scnlib.paths import REPOSITORY
from study.report import reproducibility
from study.report.reproducibility import CHECKLIST, choices, hours
from tests.study.report.test_tables import record


def test_the_list_of_choices_is_the_notebooks():
    lines = choices().splitlines()
    assert lines[0].startswith("| Where |") and len(lines) > 15
    assert all(line.count("|") == 5 for line in lines)
    assert "`pap_target`" in choices() and SCNOptions().pap_target == "hard"


@pytest.mark.parametrize(("item", "path"), CHECKLIST[["item", "path"]].to_numpy().tolist())
def test_every_answer_of_the_checklist_leads_to_a_file(item: str, path: str):
    assert item.split(":")[0] in ("Models", "Theory", "Data", "Code", "Results")
    assert (REPOSITORY / path).is_file()


def test_a_lone_notebook_without_the_list_is_said(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (tmp_path / "notebooks" / "05_open_choices.ipynb").write_text(text)
    monkeypatch.setattr(reproducibility, "REPOSITORY", tmp_path)
    with pytest.raises(ValueError, match=r"05_open_choices\.ipynb: no table of the open choices"):
        choices()


def test_without_records_there_are_no_hours():
    assert hours([]).splitlines()[-1] == "| all |  | 0 | 0.0 | 0.0 |"


def test_what_other_patients_would_move_is_reckoned_from_those_at_hand():
    """Of six patients' means three are 0.1 above: their deviation is 0.0548; times 1.96 and the
    root of 2/6, 6.2 points."""
    run = record("scn", 0.7)
    run.metrics["dice"] += [0.1] * 9 + [0.0] * 9
    assert "may lie 6.2 points off" in reproducibility._other_patients([run])
    assert reproducibility._other_patients([record("pce", 0.7)]) == ""
