"""Run one notebook with papermill, in a kernel of its own: away from the user's settings.

python -m study.run.notebook NOTEBOOK OUTPUT -p NAME VALUE ...
"""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from scnlib.errors import first_line
from scnlib.paths import REPOSITORY, to_path
from study.commands import described, exit_code
from study.run.command import STEP_KINDS
from study.run.executed import failure, tidy
from study.run.lock import lock
from study.run.parameters import typed
from study.run.watching import shown

START_SECONDS = 180  # that a kernel may take to start


def run_notebook(
    notebook: Path,
    parameters: dict[str, Any],
    output: Path,
    watch: Path | None = None,
    lines: bool = False,
    step: str = "auto",
) -> None:
    """Execute `notebook` with this Python's kernel and keep the executed copy in `output`.

    `watch` is a training's progress.json, shown as a bar on a terminal and otherwise (or with
    `lines`) as a line a minute; `step` is how its steps run (`scnlib.step.STEPS`). Raises
    `ValueError` for wrong parameters, or where `output` is the notebook, before a kernel starts,
    and `RuntimeError` with one line for an error in a cell, for a kernel that died or did not start
    in START_SECONDS, or for a full disk; `output` is kept then, and tells of it.
    """
    parameters = typed(notebook, parameters)
    if output.resolve() == notebook.resolve():
        raise ValueError(f"{output}: is the notebook itself: give the executed copy another place")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)  # one of an earlier call tells nothing of this one
    failed = ""
    try:
        # Trainings alone have something to watch, and a GPU of their own.
        with _gpu() if watch else nullcontext(), isolated(step), shown(output, watch, lines):
            _execute(notebook, parameters, output)
    except Exception as error:
        failed = _why(error)
    try:
        if output.exists():
            tidy(output, parameters, failed)
    except (ValueError, OSError) as error:  # cut off by a full disk, say
        failed = failed or f"{output}: {first_line(error)}"
    # Papermill takes sys.exit() in a cell for a good end, and leaves out the cells that follow.
    if why := failed or failure(output):
        raise RuntimeError(why)


def _execute(notebook: Path, parameters: dict[str, Any], output: Path) -> None:
    import papermill  # heavy, and not needed to refuse a parameter

    logging.getLogger("papermill").setLevel(logging.ERROR)
    papermill.execute_notebook(
        _unformatted(notebook),
        _unformatted(output),
        parameters,
        kernel_name="python3",
        language="python",
        progress_bar=False,
        cwd=notebook.parent,
        start_timeout=START_SECONDS,
        extra_arguments=["--log-level=CRITICAL"],  # else each start warns of TCP
    )


def _why(error: Exception) -> str:
    """In one line, why an execution ended before its time."""
    from jupyter_client.kernelspec import NoSuchKernel
    from papermill import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return first_line(f"{error.ename}: {error.evalue}")
    if isinstance(error, NoSuchKernel):
        return f"{error}: install ipykernel into the environment in use"
    # A dead kernel, or one that does not start, or a full disk.
    return f"{type(error).__name__}: {first_line(error)}"


def _unformatted(path: Path) -> str:
    """A path for papermill, which takes what stands in braces for a parameter."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def isolated(step: str = "auto") -> Iterator[None]:
    """Kernels started inside see this study's code and nothing of the user's own settings.

    A matplotlibrc with LaTeX, an IPython start-up file, warnings made errors or another `python3`
    kernel would change the figures, or fail a notebook. A training there takes steps of the kind
    `step`. The environment is as before at the end.
    """
    import matplotlib

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ipython") as folder:
        os.environ["PYTHONPATH"] = str(REPOSITORY)
        if step != "auto":
            os.environ["SCN_STEP"] = step  # else as the user has it, who says so in a shell
        os.environ["IPYTHONDIR"] = folder
        os.environ["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")
        os.environ["MATPLOTLIBRC"] = str(Path(matplotlib.get_data_path()) / "matplotlibrc")
        for name in ("PYTHONSTARTUP", "PYTHONWARNINGS", "MPLBACKEND"):
            os.environ.pop(name, None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def _gpu() -> Iterator[None]:
    """Take one of the places in SCN_GPUS (files named PLACE_GPU), where several trainings run."""
    folder = os.environ.get("SCN_GPUS")
    # For writing, too: NFS locks no other file.
    files = [path.open("r+") for path in sorted(Path(folder).iterdir())] if folder else []
    for file in files:
        if lock(file):
            os.environ["CUDA_VISIBLE_DEVICES"] = Path(file.name).name.split("_")[1]
            break
    try:
        yield
    finally:
        for file in files:
            file.close()


def main(arguments: list[str] | None = None) -> int:
    """Run one notebook from the command line; 1 after one line if it can't be run or fails."""
    parser = described("python -m study.run.notebook", __doc__)
    parser.add_argument("notebook", type=to_path)
    parser.add_argument("output", type=to_path)
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--watch", type=to_path, help="a training's progress.json")
    parser.add_argument(
        "--step", choices=STEP_KINDS, default="auto", help="how a training's steps run"
    )
    parser.add_argument("--lines", action="store_true", help="a line a minute, also on a terminal")
    options = parser.parse_args(arguments)

    def action() -> None:
        notebook, output = options.notebook.resolve(), options.output.resolve()
        run_notebook(notebook, dict(options.p), output, options.watch, options.lines, options.step)

    try:
        return exit_code(action)
    except RuntimeError as error:
        print(f"{options.output.stem}: failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
