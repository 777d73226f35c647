"""run_all.sh and workflow/: which Python, which options, what is left to do, and how it ends."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from workflow import environment, planning, progress, running, study
from workflow.notebook import WIDGET, check, run_notebook, tidy

ROOT = Path(__file__).resolve().parent.parent
METHODS = dict.fromkeys("pce s2l mloss rloss meloss ustm dmpls fddseg cale scn full".split())

# ---------------------------------------------------------------- which Python


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A repository with a lock file, where interpreters and installing are only pretended."""
    (tmp_path / "requirements.lock").write_text("torch==1\n")
    state = SimpleNamespace(root=tmp_path, working=set(), calls=[], fail=False)
    own = str(tmp_path / ".venv" / "bin" / "python")

    def succeeds(command):
        is_own = command[0] == own and Path(own).exists()
        return command[0] in state.working or (is_own and command[1:2] != ["-P"])

    def run(command):
        state.calls.append("pip" if "pip" in command else "venv")
        if "venv" in command:
            Path(own).parent.mkdir(parents=True)
            Path(own).touch()
        elif state.fail:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(environment, "_succeeds", succeeds)
    monkeypatch.setattr(environment, "_run", run)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    state.own = own
    return state


def test_first_use_makes_its_own_environment_once(house):
    assert environment.choose(house.root) == house.own
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "pip"]


def test_a_changed_lock_is_installed_into_the_same_environment(house):
    environment.choose(house.root)
    (house.root / "requirements.lock").write_text("torch==2\n")
    environment.choose(house.root)
    assert house.calls == ["venv", "pip", "pip"]


def test_an_interrupted_installation_is_repaired(house):
    house.fail = True
    with pytest.raises(subprocess.CalledProcessError):
        environment.choose(house.root)
    house.fail = False
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "pip", "pip"]


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_that_works_is_used_and_never_installed_into(
    house, variable, monkeypatch
):
    monkeypatch.setenv(variable, "/somewhere/env")
    house.working = {"/somewhere/env/bin/python"}
    assert environment.choose(house.root) == "/somewhere/env/bin/python"
    house.working = set()
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "pip"]


def test_a_container_with_everything_installed_needs_no_environment(house, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    house.working = {"/usr/bin/python3"}
    assert environment.choose(house.root) == "/usr/bin/python3"


def test_the_present_environment_has_what_the_lock_names():
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in locked if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and "+" not in line and "/" not in line for line in pins)
    assert "torch==2.13.0" in pins


def test_help_needs_no_packages():
    bare = [sys.executable, "-S", "-P", "-m", "workflow.study", "--help"]
    out = subprocess.run(bare, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert "--profile {demo,cpu,paper}" in out.stdout


def test_without_python_one_clear_line(tmp_path):
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as a Python before 3.11 answers
    old.chmod(0o755)
    command = [str(tmp_path / "bash"), str(ROOT / "run_all.sh")]
    out = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert out.returncode == 1
    assert out.stderr == "error: no Python 3.11 or newer found; install one and run this again\n"


def test_the_check_of_a_change_is_the_readme_command():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    code = [line for line in lines if line and not line.startswith("#")]
    assert code == ['cd "$(dirname "$0")/.." && exec ./run_all.sh --test']


# ---------------------------------------------------------------- options and plan


@pytest.fixture
def science(monkeypatch):
    """Stands for what the runner asks of scnlib: method names, records, data."""

    def read(folder):
        return SimpleNamespace(summary={"dice": {"mean": json.loads(_record(folder).read_text())}})

    def load_split(dataset, root, split):
        if not (root / dataset).is_dir():
            raise FileNotFoundError(f"{root / dataset}: there is no data set")

    records = SimpleNamespace(is_done=lambda folder: _record(folder).exists(), read=read)
    monkeypatch.setitem(sys.modules, "scnlib.methods", SimpleNamespace(METHODS=METHODS))
    monkeypatch.setitem(sys.modules, "scnlib.records", records)
    monkeypatch.setitem(sys.modules, "scnlib.data", SimpleNamespace(load_split=load_split))


def _record(folder: Path) -> Path:
    return folder / "record.json"


def _write_record(folder: Path, dice: float = 0.5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _record(folder).write_text(json.dumps(dice))


def _notebook(path: Path, source: str, parameters: str | None = "") -> Path:
    cells = [nbformat.v4.new_code_cell(source, id="body")]
    if parameters is not None:
        tagged = nbformat.v4.new_code_cell(parameters, id="parameters")
        tagged.metadata["tags"] = ["parameters"]
        cells.insert(0, tagged)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def notebooks(tmp_path):
    """Notebooks with the right parameters that do nothing."""
    common = 'profile = "demo"\ndata = ""  # a folder\nout = ""\n'
    training = 'dataset = "phantom"\nmethod = "scn"\nseed: int = 0\nfp32 = False\n'
    for rule, name in planning.RULES.items():
        parameters = common + training * (rule == "train")
        _notebook(tmp_path / "notebooks" / f"{name}.ipynb", "pass", parameters)
    return tmp_path / "notebooks"


@pytest.fixture
def start(science, notebooks, tmp_path):
    """Start the study in this process, with those notebooks and results in tmp_path/out."""
    where = ["--notebooks", str(notebooks), "--out", str(tmp_path / "out")]
    return lambda *options: study.main([*where, *options])


@pytest.mark.parametrize(
    "options",
    [
        ["--profile", "gpu"],
        ["--seeds", "-1"],
        ["--seeds", "one"],
        ["--jobs", "two"],
        ["--prof", "cpu"],
    ],
)
def test_wrong_usage_is_one_line(options, capsys):
    with pytest.raises(SystemExit) as ended:
        study.parse(options)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--methods", "scm"], "unknown method 'scm': choose from pce, s2l"),
        (["--datasets", "../up"], "a name has letters, digits, - and _ only"),
        (["--datasets", "acdc"], "data set 'acdc' needs --data DIR"),
        (["--jobs", "0"], "--jobs must be 1 or more"),
        (["--data", "/nowhere"], "--data /nowhere: there is no such folder"),
        (["--on", "moon"], "--on moon: neither local nor slurm"),
        (["--profile", "cpu", "--retrain"], "--retrain needs --data DIR, and --out DIR"),
        (["--profile", "paper"], "no --data DIR to train with"),
        (["--profile", "cpu", "--data", "{tmp}"], "there is no data set"),
    ],
)
def test_wrong_values_end_before_anything_starts(
    options, says, start, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(running, "_snakemake", lambda *_: pytest.fail("something was started"))
    assert start(*[word.format(tmp=tmp_path) for word in options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1


def test_only_trainings_without_a_record_are_left(start, tmp_path, capsys):
    _write_record(tmp_path / "out/demo/phantom/scn/seed0")
    assert start("--methods", "pce,scn", "full", "--seeds", "0", "1", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "demo: 1 of 6 trainings have their record",
        "would run 03_training_phantom_pce_seed0",
        "would run 03_training_phantom_full_seed0",
        "would run 03_training_phantom_pce_seed1",
        "would run 03_training_phantom_scn_seed1",
        "would run 03_training_phantom_full_seed1",
        "would run 01_data_exploration",
        "would run 02_correlation_and_propagation",
        "would run 04_tables_and_figure",
        "would run 05_open_choices",
    ]
    assert not (tmp_path / "out/.study").exists()


def test_without_data_nothing_is_trained_and_skips_are_named(start, tmp_path, capsys):
    _write_record(tmp_path / "out/cpu/acdc/scn/seed0")
    assert start("--profile", "cpu", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "cpu: 1 of 22 trainings have their record",
        "skipped 01_data_exploration: no --data",
        "skipped 02_correlation_and_propagation: no --data",
        "skipped 03_training: no --data",
        "would run 04_tables_and_figure",
        "would run 05_open_choices",
    ]


def test_notebooks_get_the_parameters_of_the_command_line(start, tmp_path, monkeypatch):
    (tmp_path / "data/acdc").mkdir(parents=True)
    seen = []
    monkeypatch.setattr(running, "_run_all", lambda options, jobs, *_: seen.extend(jobs))
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "acdc"]
    assert start(*options, "--methods", "scn", "--seeds", "3", "--fp32") == 0
    common = {"profile": "cpu", "data": str(tmp_path / "data"), "out": str(tmp_path / "out")}
    training = {"dataset": "acdc", "method": "scn", "seed": 3, "fp32": True}
    assert seen[0].parameters == common | training
    assert all(job.parameters == common for job in seen[1:])
    assert seen[0].output == tmp_path / "out/cpu/notebooks/03_training_acdc_scn_seed3.ipynb"
    assert seen[0].watch == tmp_path / "out/cpu/acdc/scn/seed3/progress.json"
    assert {job.rule: job.needs for job in seen[1:]} == {
        "explore": [],
        "correlation": [seen[0].name],
        "tables": [seen[0].name],
        "choices": [seen[0].name],
    }


# ---------------------------------------------------------------- running the graph

# Stands for workflow.notebook without a kernel: leaves the executed notebook, the record and a
# line in a diary; fails for the method that the file `broken` names.
PRETENDED = """
import json, sys
from pathlib import Path
notebook, output = map(Path, sys.argv[1:3])
words = sys.argv[3:]
given = {words[i + 1]: words[i + 2] for i, word in enumerate(words) if word == "-p"}
out = Path(given["out"])
with (out.parent / "diary").open("a") as diary:
    diary.write(output.stem + chr(10))
book = json.loads(notebook.read_text())
broken = (out.parent / "broken").read_text()
fails = given.get("method") == broken
if fails:
    error = {"output_type": "error", "ename": "ValueError", "evalue": "loss is nan"}
    book["cells"][-1]["outputs"] = [error | {"traceback": []}]
output.parent.mkdir(parents=True, exist_ok=True)
output.write_text(json.dumps(book))
if "method" in given:
    folder = out / given["profile"] / given["dataset"] / given["method"] / ("seed" + given["seed"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ("checkpoint.pt" if fails else "record.json")).write_text("0.75")
sys.exit(fails)
"""


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    script = tmp_path / "pretended.py"
    script.write_text(PRETENDED)
    (tmp_path / "broken").write_text("")
    monkeypatch.setattr(planning, "RUNNER", [sys.executable, str(script)])
    diary = tmp_path / "diary"

    def read() -> list[str]:
        lines = diary.read_text().split()
        diary.unlink()
        return lines

    return read


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
    assert len(done) == 6
    assert done.index("04_tables_and_figure") > done.index("03_training_phantom_scn_seed0")
    assert (tmp_path / "out/demo/phantom/pce/seed0/checkpoint.pt").exists()

    (tmp_path / "broken").write_text("")
    assert start(*options) == 0
    again = pretended()
    assert "03_training_phantom_pce_seed0" in again
    assert "03_training_phantom_scn_seed0" not in again
    assert again.index("04_tables_and_figure") > again.index("03_training_phantom_pce_seed0")


def test_training_again_prints_the_difference_from_the_committed_record(
    start, pretended, tmp_path, capfd, monkeypatch
):
    committed = tmp_path / "committed"
    _write_record(committed / "cpu/acdc/scn/seed0", 0.7425)
    monkeypatch.setattr("scnlib.paths.RESULTS", committed)
    (tmp_path / "data/acdc").mkdir(parents=True)
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "acdc"]
    assert start(*options, "--methods", "scn", "full", "--retrain") == 0
    lines = capfd.readouterr().out.splitlines()
    assert "  acdc_scn_seed0: 75.00, +0.75 from 74.25" in lines
    assert "  acdc_full_seed0: 75.00, no record to compare with" in lines
    assert json.loads(_record(committed / "cpu/acdc/scn/seed0").read_text()) == 0.7425


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


# ---------------------------------------------------------------- one notebook


@pytest.fixture
def small(tmp_path):
    parameters = (
        'iterations = 100\nlr: float = 1e-3\nname = "a"  # x = 1\nfast = False\nany = None\n'
    )
    return _notebook(tmp_path / "n.ipynb", "print(iterations, lr)", parameters)


def test_parameters_take_the_declared_types(small):
    text = {"iterations": "10", "lr": "1e-4", "name": "7", "fast": "True"}
    assert check(small, text) == {"iterations": 10, "lr": 0.0001, "name": "7", "fast": True}
    assert repr(check(small, {"lr": 1})["lr"]) == "1.0"
    assert check(small, {"any": "text"}) == {"any": "text"}


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
    _notebook(notebooks / f"{name}.ipynb", "pass", parameters=None)
    assert start() == 1
    error = capsys.readouterr().err
    assert f"{name}.ipynb: no cell is tagged 'parameters'" in error
    assert error.count("\n") == 1


def test_runs_with_this_python_and_leaves_no_trace_of_the_machine(small, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    source = "import sys, scnlib\nassert sys.prefix == any\nprint(name + '/ACDC', iterations, lr)"
    parameters = 'iterations = 1\nlr = 0.1\nname = ""\nany = ""\ndata = ""\n'
    notebook = _notebook(tmp_path / "n.ipynb", source, parameters)
    given = {"name": "/somewhere/data", "data": "/somewhere/data", "lr": "1e-4", "any": sys.prefix}
    output = tmp_path / "results" / "n.ipynb"
    run_notebook(notebook, given, output)
    text = output.read_text()
    assert "DATA/ACDC 1 0.0001" in text
    for trace in ("/somewhere", str(ROOT), sys.prefix, str(tmp_path), "start_time", "iopub"):
        assert trace not in text
    nbformat.validate(nbformat.read(output, as_version=4))


def test_an_error_in_a_cell_is_one_line_and_keeps_the_notebook(tmp_path):
    notebook = _notebook(tmp_path / "n.ipynb", "raise ValueError('first\\nsecond')")
    with pytest.raises(RuntimeError) as failed:
        run_notebook(notebook, {}, tmp_path / "executed.ipynb")
    assert str(failed.value) == "ValueError: first"
    assert running._error(tmp_path / "executed.ipynb") == "ValueError: first"


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
