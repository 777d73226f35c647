"""One notebook: its parameters, its execution, what is left of it, and its progress."""

import errno
import fcntl
import json
import os
import sys
import time
from unittest import mock

import nbformat
import pytest

from scnlib.paths import REPOSITORY
from study.run import planning, watching
from study.run.executed import WIDGET, failure, tidy
from study.run.lock import lock
from study.run.notebook import main, run_notebook
from study.run.parameters import typed
from tests.pretended import write_notebook


@pytest.fixture
def small(tmp_path):
    parameters = (
        'iterations = 100\nlr: float = 1e-3\nname = "a"  # x = 1\nfast = False\nany = None\n'
    )
    return write_notebook(tmp_path / "n.ipynb", "print(iterations, lr)", parameters)


def test_parameters_take_the_declared_types(small):
    text = {"iterations": "10", "lr": "1e-4", "name": "7", "fast": "True"}
    assert typed(small, text) == {"iterations": 10, "lr": 0.0001, "name": "7", "fast": True}
    assert repr(typed(small, {"lr": 1})["lr"]) == "1.0"
    assert typed(small, {"any": "text"}) == {"any": "text"}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"iteratons": 10}, "no parameter iteratons; it has iterations, lr, name, fast, any"),
        ({"iterations": 1.5}, "parameter iterations: 1.5 is not of type int"),
        ({"iterations": True}, "parameter iterations: True is not of type int"),
        ({"lr": "small"}, "parameter lr: 'small' is not of type float"),
        ({"fast": 1}, "parameter fast: 1 is not of type bool"),
        ({"name": 3}, "parameter name: 3 is not of type str"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(small, parameters, says, tmp_path):
    with pytest.raises(ValueError, match=r"n\.ipynb") as refused:
        run_notebook(small, parameters, tmp_path / "executed.ipynb")
    assert says in str(refused.value)
    assert not (tmp_path / "executed.ipynb").exists()


def test_a_notebook_is_never_its_own_executed_copy(small, tmp_path, capsys):
    before = small.read_bytes()
    (tmp_path / "linked.ipynb").symlink_to(small)
    for output in (small, tmp_path / "linked.ipynb", tmp_path / ".." / tmp_path.name / small.name):
        assert main([str(small), str(output)]) == 1
        assert f"{small}: is the notebook itself: give" in capsys.readouterr().err
        assert small.read_bytes() == before


def test_a_notebook_without_a_parameters_cell_is_refused(start, notebooks, tmp_path, capsys):
    name = planning.RULES["tables"]
    write_notebook(notebooks / f"{name}.ipynb", "pass", parameters=None)
    assert start() == 1
    error = capsys.readouterr().err
    assert f"{name}.ipynb: no cell is tagged 'parameters'" in error
    assert error.count("\n") == 1


def test_runs_with_this_python_and_leaves_no_trace_of_the_machine(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    source = "import sys, scnlib\nassert sys.prefix == any\nprint(name + '/ACDC', iterations, lr)"
    parameters = 'iterations = 1\nlr = 0.1\nname = ""\nany = ""\ndata = ""\n'
    notebook = write_notebook(tmp_path / "n.ipynb", source, parameters)
    given = {"name": "/somewhere/data", "data": "/somewhere/data", "lr": "1e-4", "any": sys.prefix}
    output = tmp_path / "results" / "n.ipynb"
    run_notebook(notebook, given, output)
    text = output.read_text()
    assert "DATA/ACDC 1 0.0001" in text
    for trace in ("/somewhere", str(REPOSITORY), sys.prefix, str(tmp_path), "start_time", "iopub"):
        assert trace not in text
    nbformat.validate(nbformat.read(output, as_version=4))


def test_pictures_are_not_searched_for_paths(tmp_path):
    picture = "iVBOR/d/w0KGgo+/d+AAAA/d/"
    page = f'<img src="data:image/png;base64,{picture}"> from /d/ACDC, "/d/{64 * "x"}"'
    page += f', "{3 * picture}", &quot;{3 * picture}==&quot;'  # as widgets hold their values
    cell = nbformat.v4.new_code_cell("show()")
    shown = nbformat.v4.new_markdown_cell("!", attachments={"a": {"image/jpeg": picture}})
    data = {"image/png": picture, "text/html": page, "image/svg+xml": "<svg><!-- /d --></svg>"}
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, shown]), tmp_path / "n.ipynb")
    tidy(tmp_path / "n.ipynb", {"data": "/d"})
    code, text = nbformat.read(tmp_path / "n.ipynb", as_version=4).cells
    (output,) = code.outputs
    assert text.attachments["a"]["image/jpeg"] == picture
    assert output.data["image/png"] == picture
    told = page.replace("/d/ACDC", "DATA/ACDC").replace('"/d/x', '"DATA/x')
    assert output.data["text/html"] == told
    assert output.data["image/svg+xml"] == "<svg><!-- DATA --></svg>"


@pytest.mark.parametrize("folder", ["{b}", "{name}", "a {b} 'c\" é", "%s $HOME"])
def test_a_folder_may_have_any_name(tmp_path, folder):
    place = tmp_path / folder
    notebook = write_notebook(place / "n.ipynb", "print(__import__('os').getcwd())", 'name = ""\n')
    run_notebook(notebook, {"name": "x"}, place / "out" / "n.ipynb")
    ((_, cell),) = [nbformat.read(place / "out" / "n.ipynb", as_version=4).cells[1:]]
    assert cell.outputs[0].text.strip() == str(place)


@pytest.mark.parametrize("line", ["%load_ext autoreload", "size = 2 * 64", "x = [y]", "!ls", "a b"])
def test_a_parameters_cell_that_is_no_list_of_values_is_named(tmp_path, line):
    notebook = write_notebook(tmp_path / "n.ipynb", "pass", f"name = 1\n{line}\n")
    with pytest.raises(ValueError, match=r"n\.ipynb: cell 1, tagged 'parameters', line 2: "):
        typed(notebook, {"name": 2})


def test_kernels_do_not_see_the_users_own_settings(tmp_path, monkeypatch):
    start = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    start.parent.mkdir(parents=True)
    start.write_text("mine = 1\n")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\n")
    (tmp_path / "startup.py").write_text("mine = 2\n")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("MPLBACKEND", "pdf")
    monkeypatch.setenv("SCN_STEP", "graph")
    source = """
import os
import warnings
import matplotlib
warnings.warn("not an error here")
assert "mine" not in globals()
assert not matplotlib.rcParams["text.usetex"] and matplotlib.rcParams["lines.linewidth"] == 1.5
assert "inline" in matplotlib.get_backend()
assert os.environ["SCN_STEP"] == "graph"
"""
    before = dict(os.environ)
    (tmp_path / "book").mkdir()
    run_notebook(write_notebook(tmp_path / "book" / "n.ipynb", source), {}, tmp_path / "out.ipynb")
    assert dict(os.environ) == before


def test_a_training_is_told_how_its_steps_run(tmp_path, capsys):
    source = 'import os\nassert os.environ["SCN_STEP"] == "eager"'
    book = write_notebook(tmp_path / "n.ipynb", source)
    out = tmp_path / "out.ipynb"
    assert main([str(book), str(out), "--step", "eager"]) == 0
    with pytest.raises(SystemExit):
        main([str(book), str(out), "--step", "fast"])
    assert "auto" in capsys.readouterr().err


def test_an_executed_notebook_that_is_cut_off_hides_no_cause(tmp_path, monkeypatch):
    def full(notebook, output, *rest, **more):
        (tmp_path / "out.ipynb").write_text('{"cells": [')
        raise OSError(errno.ENOSPC, "No space left on device")

    notebook = write_notebook(tmp_path / "n.ipynb", "pass")
    monkeypatch.setattr("papermill.execute_notebook", full)
    with pytest.raises(RuntimeError, match="No space left on device"):
        run_notebook(notebook, {}, tmp_path / "out.ipynb")
    assert failure(tmp_path / "out.ipynb") == "its executed notebook cannot be read"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_it_runs_and_says_so(tmp_path, monkeypatch, capsys, number):
    monkeypatch.setattr(fcntl, "flock", mock.Mock(side_effect=OSError(number, os.strerror(number))))
    with (tmp_path / "lock").open("w") as file:
        assert lock(file)
    (text,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'lock'}: no locks here ({os.strerror(number)})" in text


def test_an_error_in_a_cell_is_one_line_and_keeps_the_notebook(tmp_path):
    notebook = write_notebook(tmp_path / "n.ipynb", "raise ValueError('first\\nsecond')")
    with pytest.raises(RuntimeError) as failed:
        run_notebook(notebook, {}, tmp_path / "executed.ipynb")
    assert str(failed.value) == "ValueError: first"
    assert failure(tmp_path / "executed.ipynb") == "ValueError: first"


def test_widgets_that_nothing_can_draw_are_removed(tmp_path):
    bar = {WIDGET: {"model_id": "1"}, "text/plain": "0%"}
    drawing = {WIDGET: {"model_id": "2"}, "text/plain": "map", "image/png": "aGk="}
    cell = nbformat.v4.new_code_cell("show()")
    cell.outputs = [nbformat.v4.new_output("display_data", data) for data in (bar, drawing)]
    book = nbformat.v4.new_notebook(cells=[cell])
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    nbformat.write(book, tmp_path / "n.ipynb")
    tidy(tmp_path / "n.ipynb", {})
    tidied = nbformat.read(tmp_path / "n.ipynb", as_version=4)
    assert "widgets" not in tidied.metadata
    assert [set(out.data) for out in tidied.cells[0].outputs] == [{"text/plain", "image/png"}]


def test_progress_tells_how_far_and_how_long(tmp_path):
    watch = tmp_path / "progress.json"
    state = {"iteration": 300, "iterations": 600, "seconds": 60, "dice": 0.8123, "eta_seconds": 90}
    watch.write_text(json.dumps(state))
    began = time.monotonic() - 60
    written = watch.stat().st_mtime_ns
    line = "[##########          ]  50%  300/600  validation Dice 81.2  90 s left"
    for stale in (None, written - 1, written + 10**12):  # whatever the clock said before
        assert watching.line(watch, stale, began) == line
    assert watching.line(watch, written, began) == "running for 60 s"  # of a run before this one
    watch.write_text("{")
    assert watching.line(watch, None, began) == "running for 60 s"
