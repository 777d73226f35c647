"""One notebook: its parameters, its execution, what is left of it, and its progress."""

import json
import os
import sys
import time
from pathlib import Path

import nbformat
import pytest

from study.run import planning, progress
from study.run.notebook import WIDGET, failure, run_notebook, tidy, typed
from tests.pretended import write_notebook

ROOT = Path(__file__).resolve().parents[3]


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
    for trace in ("/somewhere", str(ROOT), sys.prefix, str(tmp_path), "start_time", "iopub"):
        assert trace not in text
    nbformat.validate(nbformat.read(output, as_version=4))


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
    now = time.time()
    line = "[##########          ]  50%  300/600  validation Dice 81.2  90 s left"
    assert progress.line(watch, now - 60) == line
    os.utime(watch, (now - 600, now - 600))  # of a run before this one
    assert progress.line(watch, now - 60) == "running for 60 s"
    watch.write_text("{")
    assert progress.line(watch, now - 60) == "running for 60 s"
