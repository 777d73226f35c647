"""Kernels that die, do not start, are not there or go on for ever: one line, and nothing hidden."""

import subprocess
import sys
import time

import jupyter_client.kernelspec as kernels
import nbformat
import psutil
import pytest

from scnlib.paths import REPOSITORY
from study.run import notebook, planning
from study.run.executed import failure
from study.run.lock import lock
from study.run.notebook import run_notebook
from tests.pretended import write_notebook

DEATH = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
def test_a_killed_kernel_is_told_in_the_cell_that_it_died_in(before, after, tmp_path, capfd):
    cells = [nbformat.v4.new_code_cell("x = 1", id=f"a{n}") for n in range(before)]
    cells += [nbformat.v4.new_code_cell(DEATH, id="death")]
    cells += [nbformat.v4.new_code_cell("y = 2", id=f"b{n}") for n in range(after)]
    parameters = nbformat.v4.new_code_cell("", id="p", metadata={"tags": ["parameters"]})
    book = nbformat.v4.new_notebook(cells=[parameters, *cells])
    nbformat.write(book, tmp_path / "n.ipynb")
    output = tmp_path / "out.ipynb"
    assert notebook.main([str(tmp_path / "n.ipynb"), str(output)]) == 1
    assert "out: failed: DeadKernelError: Kernel died\n" in capfd.readouterr().err
    assert failure(output) == "DeadKernelError: Kernel died"
    left = nbformat.read(output, as_version=4).cells
    nbformat.validate(nbformat.read(output, as_version=4))
    (told,) = [cell for cell in left if cell.outputs]
    assert told.source == DEATH and told.outputs[-1].output_type == "error"


def test_a_cell_that_ends_the_notebook_before_its_time_is_no_success(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "import sys\nsys.exit()")
    with pytest.raises(RuntimeError, match="SystemExit"):
        run_notebook(path, {}, tmp_path / "out.ipynb")


def test_a_kernel_of_another_name_or_of_the_users_own_is_not_asked_for(tmp_path, monkeypatch):
    own = tmp_path / "share" / "kernels" / "python3"
    own.mkdir(parents=True)
    (own / "kernel.json").write_text('{"argv": ["false"], "display_name": "mine"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "share"))
    path = write_notebook(tmp_path / "n.ipynb", "import sys\nprint(sys.version_info.major)")
    book = nbformat.read(path, as_version=4)
    book.metadata["kernelspec"] = {"name": "julia-1.9", "display_name": "J", "language": "julia"}
    nbformat.write(book, path)
    run_notebook(path, {}, tmp_path / "out.ipynb")
    assert failure(tmp_path / "out.ipynb") is None


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (None, "No such kernel named python3: install ipykernel into the"),
        (["/nowhere/python"], "FileNotFoundError: .*/nowhere/python"),
        (["-c", "1"], "RuntimeError: Kernel died before replying to kernel_info"),
        (["-c", "import time; time.sleep(99)"], "RuntimeError: Kernel didn't respond in 2 seconds"),
    ],
)
def test_a_kernel_that_does_not_start_is_told_in_time(tmp_path, monkeypatch, spec, says):
    def get(self, name):
        if spec is None:
            raise kernels.NoSuchKernel(name)
        argv = spec if len(spec) == 1 else [sys.executable, *spec]
        return kernels.KernelSpec(argv=argv, display_name="x", language="python")

    monkeypatch.setattr(kernels.KernelSpecManager, "get_kernel_spec", get)
    monkeypatch.setattr(notebook, "START_SECONDS", 2)
    path, began = write_notebook(tmp_path / "n.ipynb", "pass"), time.monotonic()
    with pytest.raises(RuntimeError, match=says) as told:
        run_notebook(path, {}, tmp_path / "out.ipynb")
    assert time.monotonic() - began < 60
    assert failure(tmp_path / "out.ipynb") == str(told.value) and "\n" not in str(told.value)


def test_a_second_run_is_refused_until_a_time_limit_ended_the_first(
    notebooks, tmp_path, monkeypatch
):
    """A cell may take as long as it wants; who limits a run's time (timeout, a cluster) ends it."""
    training = notebooks / f"{planning.RULES['train']}.ipynb"
    (parameters, _) = nbformat.read(training, as_version=4).cells
    write_notebook(training, "import time\ntime.sleep(999)", parameters.source)
    where = ["--notebooks", str(notebooks), "--out", str(tmp_path / "out"), "--methods", "pce"]
    command = [sys.executable, "-P", "-m", "study.run.command", *where]
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        said = ""
        while "03_training_phantom_pce_seed0: started" not in said:
            line = first.stderr.readline()
            assert line, said
            said += line
        started = psutil.Process(first.pid).children(recursive=True)
        second = subprocess.run(command, capture_output=True, text=True)
        assert second.returncode == 1
        assert second.stderr.startswith(f"error: another run is at work in {tmp_path / 'out'}: ")
        assert first.poll() is None
        first.terminate()
        _, said = first.communicate(timeout=120)
    assert first.returncode == 130
    assert said.splitlines()[-1] == "stopped: the same command goes on where it stopped"
    assert not psutil.wait_procs(started, timeout=30)[1]
    with (tmp_path / "out" / ".run.lock").open("w") as file:
        assert lock(file)
