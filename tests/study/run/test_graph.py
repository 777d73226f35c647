"""run_all.sh: the graph of notebooks runs, goes on after a failure, and says how it ended."""

import fcntl
import getpass
import json
import os
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from study.run import command, graph, notebook, running
from study.run.planning import RULES
from tests.pretended import record_file, write_record


def test_a_failed_run_does_not_stop_the_others_and_the_next_start_goes_on(
    start, pretended, tmp_path, capfd
):
    (tmp_path / "broken").write_text("pce")
    options = ["--methods", "pce", "scn"]
    assert start(*options) == 1
    error = capfd.readouterr().err
    executed = tmp_path / "out/demo/notebooks/03_training_phantom_pce_seed0.ipynb"
    assert "1 failed:\n  03_training_phantom_pce_seed0: ValueError: loss is nan\n" in error
    assert f"    see {executed}\n" in error
    assert "run the same command again" in error
    assert executed.exists()
    done = pretended()
    assert sorted(done) == sorted({*done})  # each ran once, the tables too
    assert len(done) == 2 + len(RULES) - 1  # two trainings, and every other notebook
    assert done.index("04_tables_and_figure") > done.index("03_training_phantom_scn_seed0")
    assert (tmp_path / "out/demo/phantom/pce/seed0/checkpoint.pt").exists()

    (tmp_path / "broken").write_text("")
    assert start(*options) == 0
    again = pretended()
    assert "03_training_phantom_pce_seed0" in again
    assert "03_training_phantom_scn_seed0" not in again
    assert again.index("04_tables_and_figure") > again.index("03_training_phantom_pce_seed0")


def test_training_again_in_the_demos_own_folder_says_how_to_keep_what_is_done(capsys):
    failed: Any = [mock.Mock(output=Path("nowhere.ipynb"))]
    for own, words in ((True, "run the command without --retrain again"), (False, "the same")):
        options = mock.Mock(retrain=True, is_default_out=own, out=Path())
        assert running._say_failures(options, failed) == 1
        assert words in capsys.readouterr().err


def test_a_full_disk_is_named_where_it_ended(tmp_path, monkeypatch, capsys):
    failed: Any = [mock.Mock(output=tmp_path / "nowhere.ipynb")]
    options = mock.Mock(retrain=False, out=tmp_path)
    for free, told in ((3 << 20, True), (300 << 20, False)):
        monkeypatch.setattr(running.shutil, "disk_usage", lambda _, n=free: mock.Mock(free=n))
        assert running._say_failures(options, failed) == 1
        text = capsys.readouterr().err
        assert (f"The disk of {tmp_path} has 3 MiB left: make room there." in text) == told


def test_each_training_has_a_gpu_of_its_own_and_other_notebooks_none(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("SCN_GPUS", graph._environment(["0", "3"], 2, tmp_path)["SCN_GPUS"])
    with notebook._gpu():
        first = os.environ["CUDA_VISIBLE_DEVICES"]
        with notebook._gpu():
            assert {first, os.environ["CUDA_VISIBLE_DEVICES"]} == {"0", "3"}
    taken = mock.MagicMock()
    monkeypatch.setattr(notebook, "_gpu", taken)
    monkeypatch.setattr(notebook, "typed", lambda *_: {})
    monkeypatch.setattr(notebook, "_execute", mock.Mock(side_effect=ValueError("enough")))
    for watch in (None, tmp_path / "progress.json"):
        with pytest.raises(RuntimeError, match="enough"):
            notebook.run_notebook(tmp_path / "a.ipynb", {}, tmp_path / "out.ipynb", watch)
        assert taken.called == bool(watch)


def test_a_plan_counts_the_cores_it_may_use_and_one_place_a_training(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5, 7, 8}, raising=False)
    monkeypatch.setattr(graph, "_gpus", list)
    monkeypatch.setattr(graph, "_wait", lambda command, *_: command)
    options = mock.Mock(jobs=2, on=Path("local"))
    command_line: Any = graph.run_graph(options, [], tmp_path, 0)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert (plan["threads"], plan["gpu"]) == (2, 1)
    assert command_line[-4:] == ["--cores", "5", "--resources", "gpu=2"]


def test_folders_may_have_any_name(science, notebooks, pretended, tmp_path):
    place = tmp_path / "a {b} 'c\" é %d #1: x"
    place.mkdir()
    notebooks.rename(place / "notebooks")
    for name in ("broken", "pretended.py"):
        (place / name).write_text((tmp_path / name).read_text())
    options = ["--notebooks", str(place / "notebooks"), "--out", str(place / "out")]
    assert command.main([*options, "--methods", "pce"]) == 0
    assert (place / "out/demo/phantom/pce/seed0/record.json").exists()


def test_why_nothing_started_is_told(start, pretended, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "SNAKEFILE", tmp_path / "Snakefile")
    (tmp_path / "Snakefile").write_text("rule all:\n    input: 'nowhere {b}'\n")
    with pytest.raises(SystemExit, match=r"started no notebook \(code 1\): WildcardError .*'b'"):
        start("--methods", "pce")


@pytest.mark.parametrize("home", [None, "/proc", "here"])
def test_a_user_id_without_an_account_gets_a_name_and_a_home(tmp_path, monkeypatch, home):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr("pwd.getpwuid", mock.Mock(side_effect=KeyError("uid not found")))
    monkeypatch.setattr(os, "access", lambda place, mode: "proc" not in str(place))
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        os.environ.pop(name, None)
    if home:
        os.environ["HOME"] = str(tmp_path) if home == "here" else home
    command.name_the_user()
    assert getpass.getuser() == f"user{os.getuid()}"
    assert Path(os.environ["HOME"]).is_dir() and os.environ["HOME"] != "/proc"
    assert (os.environ["HOME"] == str(tmp_path)) == (home == "here")


SET_BACK = """
import itertools, os, time
utime, hours = os.utime, itertools.count()
def earlier(path, times=None, **given):
    now = time.time() - 3600 * next(hours)
    utime(path, times or (now, now), **given)
os.utime = earlier
"""


def test_a_clock_that_is_set_back_does_no_harm(start, pretended, tmp_path, monkeypatch, capfd):
    """Snakemake's marks are each an hour older than the one before, the notebooks of tomorrow."""
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(SET_BACK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "patch"))
    tomorrow = time.time() + 86_400
    for path in (tmp_path / "notebooks").iterdir():
        os.utime(path, (tomorrow, tomorrow))
    assert start("--methods", "pce", "scn") == 0
    done = pretended()
    assert len(done) == len({*done}) == 2 + len(RULES) - 1

    (tmp_path / "broken").write_text("ustm")
    capfd.readouterr()
    monkeypatch.setattr("time.time", mock.Mock(return_value=time.time() + 3600))
    assert start("--methods", "ustm") == 1
    assert "1 failed:\n  03_training_phantom_ustm_seed0: ValueError" in capfd.readouterr().err


def test_training_again_prints_the_difference_from_the_committed_record(
    start, pretended, tmp_path, capfd, monkeypatch
):
    committed = tmp_path / "committed"
    write_record(committed / "cpu/acdc/scn/seed0", 0.7425)
    monkeypatch.setattr("scnlib.paths.RESULTS", committed)
    (tmp_path / "data/acdc").mkdir(parents=True)
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "acdc"]
    assert start(*options, "--methods", "scn", "full", "--retrain") == 0
    lines = capfd.readouterr().out.splitlines()
    assert "  acdc_scn_seed0: 75.00, +0.75 from 74.25" in lines
    assert "  acdc_full_seed0: 75.00, no record to compare with" in lines
    assert json.loads(record_file(committed / "cpu/acdc/scn/seed0").read_text()) == 0.7425


def test_a_second_live_run_ends_and_a_left_lock_file_does_no_harm(
    start, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(running, "LOCK_WAIT", 0.1)
    monkeypatch.setattr(running, "_run_all", lambda *_: [])
    (tmp_path / "out").mkdir()
    with (tmp_path / "out/.run.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert start() == 1
        assert "another run is at work in" in capsys.readouterr().err
    assert start() == 0
