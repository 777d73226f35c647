"""run_all.sh: nothing is executed again until something changes."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from study.run import running, unchanged
from study.run.planning import RULES
from tests.pretended import write_record


@pytest.fixture
def executed(tmp_path, monkeypatch) -> Callable[[], list[str]]:
    """The rules of the notebooks that were executed since it was last asked.

    In place of Snakemake and kernels: each leaves its page, and a training its record. The one that
    the file `broken` names fails.
    """
    done: list[str] = []
    broken = tmp_path / "broken"

    def run(options, jobs, work, held):
        for job in jobs:
            job.output.parent.mkdir(parents=True, exist_ok=True)
            job.output.write_text(
                json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
            )
            if job.watch:
                write_record(job.watch.parent, 0.75)
            done.append(job.rule)
            if not broken.exists() or broken.read_text() != job.rule:
                (work / "done" / job.name).touch()
        return 0

    def asked() -> list[str]:
        found = [*done]
        done.clear()
        return found

    monkeypatch.setattr(running, "run_graph", run)
    return asked


def all_are_executed(start, executed, *options) -> bool:
    """Whether a start executes every notebook; else it must execute none."""
    assert start(*options) == 0
    done = executed()
    assert sorted(done) in ([], sorted({*RULES} - {"train"}))
    return bool(done)


def test_nothing_is_executed_again_until_something_changes(start, executed, tmp_path, capfd):
    options = ["--methods", "pce", "scn"]
    assert start(*options) == 0
    assert executed()
    for dry in ([], ["--dry-run"], []):
        capfd.readouterr()
        assert not all_are_executed(start, executed, *options, *dry)
        said = capfd.readouterr().out
        assert "nothing has changed" in said and "would run" not in said

    code = tmp_path / "repository"
    for name in ("study", "results/cpu"):
        (code / name).mkdir(parents=True)
    out, notebook_ = tmp_path / "out/demo", tmp_path / "notebooks/05_open_choices.ipynb"
    changes = (
        lambda: os.utime(notebook_, (1, 1)),
        lambda: notebook_.chmod(0o600),
        lambda: (out / "notebooks/05_open_choices.ipynb").unlink(),
        lambda: write_record(out / "variants/sgd/phantom/pce/seed0", 0.25),
        lambda: write_record(code / "results/night/acdc/scn/seed0"),
        lambda: (code / "study/new.py").touch(),
        lambda: (code / "results/cpu/lost_points.csv").touch(),
        lambda: (tmp_path / "out/.study/executed").unlink(),
    )
    for change in changes:
        change()
        assert all_are_executed(start, executed, *options)
        assert not all_are_executed(start, executed, *options)
    for name in ("demo/REPORT.md", "REPRODUCIBILITY.md", "night/tables/x.md", "paper/x.csv"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).touch()
    (code / "study/__pycache__").mkdir()
    (code / "study/__pycache__/new.pyc").touch()
    assert not all_are_executed(start, executed, *options)
    write_record(out / "phantom/full/seed0")
    assert all_are_executed(start, executed, *options, "full")


def test_to_execute_all_again_a_command_is_told(start, executed, tmp_path, capfd):
    options = ["--methods", "pce", "--out", str(tmp_path / "my out")]
    assert start(*options) == 0
    executed()
    capfd.readouterr()
    assert not all_are_executed(start, executed, *options)
    command = capfd.readouterr().out.partition("again: ")[2].partition(")\n")[0]
    assert shlex.split(command) == ["rm", str(tmp_path / "my out/.study/executed")]


def test_what_changed_while_notebooks_ran_is_executed_again(start, executed, tmp_path, monkeypatch):
    run = running._run_all

    def meanwhile(*given):
        failed = run(*given)
        (tmp_path / "notebooks/05_open_choices.ipynb").touch()
        return failed

    monkeypatch.setattr(running, "_run_all", meanwhile)
    assert start("--methods", "pce") == 0
    executed()
    monkeypatch.setattr(running, "_run_all", run)
    assert all_are_executed(start, executed, "--methods", "pce")
    assert not all_are_executed(start, executed, "--methods", "pce")


@pytest.mark.parametrize("name", ["_below", "replace_text"])
@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, ValueError])
def test_what_cannot_be_told_counts_as_a_change(name, error, start, executed, monkeypatch, capfd):
    with monkeypatch.context() as trouble:
        trouble.setattr(unchanged, name, mock.Mock(side_effect=error("trouble")))
        assert start("--methods", "pce") == 0
        assert "done: tables" in capfd.readouterr().out
        executed()
    assert all_are_executed(start, executed, "--methods", "pce")


def test_a_loop_of_links_is_walked_once(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in "ab":
        (tmp_path / name).symlink_to(".")
    names = [Path(path).name for path, *_ in unchanged._below(tmp_path)]
    assert names == ["file", "nowhere"]


def test_differences_are_told_where_nothing_is_left_to_run(
    start, executed, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr("scnlib.paths.RESULTS", tmp_path / "committed")
    write_record(tmp_path / "committed/cpu/acdc/pce/seed0", 0.5)
    (tmp_path / "data/acdc").mkdir(parents=True)
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "acdc"]
    options += ["--methods", "pce", "--retrain"]
    assert start(*options) == 0
    assert executed()
    capfd.readouterr()
    assert not all_are_executed(start, executed, *options)
    said = capfd.readouterr().out
    assert "nothing has changed" in said and "acdc_pce_seed0: 75.00, +25.00 from 50.00" in said


def test_after_a_failure_all_is_executed_again(start, executed, tmp_path):
    options = ["--methods", "pce"]
    assert start(*options) == 0
    (tmp_path / "notebooks/05_open_choices.ipynb").touch()
    (tmp_path / "broken").write_text("own")
    assert start(*options) == 1
    executed()
    (tmp_path / "broken").unlink()
    assert all_are_executed(start, executed, *options)
