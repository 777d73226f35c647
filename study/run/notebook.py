"""Run one notebook with papermill: its parameters checked first, what is volatile removed after.

python -m study.run.notebook NOTEBOOK OUTPUT -p NAME VALUE ...
"""

import argparse
import ast
import fcntl
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import nbformat

from scnlib.files import replace_text
from scnlib.paths import REPOSITORY
from study.run.watching import shown

PICTURE = re.compile(r"(image/(?!svg)|application/pdf|audio/|video/).*")  # kept as base64
BASE64 = re.compile(r"(;base64,[A-Za-z0-9+/=]+)")
START_SECONDS = 180  # that a kernel may take to start
WIDGET = "application/vnd.jupyter.widget-view+json"


def declared(notebook: Path) -> dict[str, Any]:
    """Name and default of each parameter in the notebook's cell tagged `parameters`.

    Read as Python and not by `papermill.inspect_notebook`, whose patterns lose a parameter with a
    second "=" in its line, as in a comment. Raises `ValueError` naming the notebook if it has no
    such cell or can't be read.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(f"{notebook}: cannot be read as a notebook: {first_line(error)}") from None
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if not tagged:
        raise ValueError(f"{notebook}: no cell is tagged 'parameters', so nothing can be set in it")
    try:
        return _assigned(tagged[0].source)
    except (SyntaxError, ValueError) as error:
        where = f"cell {cells.index(tagged[0]) + 1}, tagged 'parameters'"
        raise ValueError(
            f"{notebook}: {where}, line {getattr(error, 'lineno', None) or 1}: only lines such as "
            'NAME = 3 or NAME: str = "text" may stand in it, with plain values'
        ) from None


def _assigned(source: str) -> dict[str, Any]:
    """Names and plain values that the lines assign. Raises SyntaxError or ValueError for others."""
    defaults = {}
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
            try:
                defaults[target.id] = ast.literal_eval(node.value) if node.value else None
            except ValueError:
                raise SyntaxError("no plain value", ("", node.lineno, 0, "")) from None
    return defaults


def typed(notebook: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with the types that the notebook declares by its defaults.

    Papermill only warns of a name that is not declared and passes `1e-4` on as text, so that a
    wrong run looks right; here both end, or are put right, before a kernel starts. Raises
    `ValueError` naming the notebook and the parameter.
    """
    defaults = declared(notebook)
    unknown = sorted(set(parameters) - set(defaults))
    if unknown:
        known = ", ".join(defaults)
        raise ValueError(f"{notebook}: no parameter {', '.join(unknown)}; it has {known}")
    return {
        name: _as(value, defaults[name], f"{notebook}: parameter {name}")
        for name, value in parameters.items()
    }


def _as(value: Any, default: Any, where: str) -> Any:
    kind = type(default)
    if default is None or type(value) is kind:
        return value
    read = value
    if isinstance(value, str):  # from a command line: 1e-4 is a float, True a bool
        with suppress(ValueError, SyntaxError):
            read = ast.literal_eval(value)
    if kind is float and type(read) is int:
        read = float(read)
    if type(read) is not kind:
        raise ValueError(f"{where}: {value!r} is not of type {kind.__name__}")
    return read


def run_notebook(
    notebook: Path, parameters: dict[str, Any], output: Path, watch: Path | None = None, lines=False
) -> None:
    """Execute `notebook` with this Python's kernel and keep the executed copy in `output`.

    `watch` is a training's progress.json, shown as a bar on a terminal and otherwise (or with
    `lines`) as a line a minute. Raises `ValueError` for wrong parameters, before a kernel starts,
    and `RuntimeError` with one line for an error in a cell, for a kernel that died or did not start
    in START_SECONDS, or for a full disk; `output` is kept then, and tells of it.
    """
    parameters = typed(notebook, parameters)
    import papermill  # heavy, and not needed to refuse a parameter
    from jupyter_client.kernelspec import NoSuchKernel

    logging.getLogger("papermill").setLevel(logging.ERROR)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)  # one of an earlier call tells nothing of this one
    try:
        with _gpu(), isolated(), shown(output, watch, lines):
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
    except papermill.PapermillExecutionError as error:
        failed = first_line(f"{error.ename}: {error.evalue}")
    except NoSuchKernel as error:
        failed = f"{error}: install ipykernel into the environment in use"
    except Exception as error:  # a dead kernel, or one that does not start, or a full disk
        failed = f"{type(error).__name__}: {first_line(error)}"
    else:
        failed = ""
    try:
        if output.exists():
            tidy(output, parameters, failed)
    except (ValueError, OSError) as error:  # cut off by a full disk, say
        failed = failed or f"{output}: {first_line(error)}"
    # Papermill takes sys.exit() in a cell for a good end, and leaves out the cells that follow.
    if why := failed or failure(output):
        raise RuntimeError(why)


def _unformatted(path: Path) -> str:
    """A path for papermill, which takes what stands in braces for a parameter."""
    return str(path).replace("{", "{{").replace("}", "}}")


@contextmanager
def isolated() -> Iterator[None]:
    """Kernels started inside see this study's code and nothing of the user's own settings.

    A matplotlibrc with LaTeX, an IPython start-up file or another `python3` kernel would change the
    figures, or fail a notebook. The environment is as before at the end.
    """
    import matplotlib

    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ipython") as folder:
        os.environ["PYTHONPATH"] = str(REPOSITORY)
        os.environ["IPYTHONDIR"] = folder
        os.environ["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")
        os.environ["MATPLOTLIBRC"] = str(Path(matplotlib.get_data_path()) / "matplotlibrc")
        for name in ("PYTHONSTARTUP", "MPLBACKEND"):
            os.environ.pop(name, None)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def tidy(path: Path, parameters: dict[str, Any], failed: str = "") -> None:
    """Remove from an executed notebook what differs between runs or tells of the machine.

    Times, versions and widget state go; this machine's folders become DATA, OUT, `.` and `~`. Why
    its execution `failed` is put where it stopped, unless a cell tells of an error of its own.
    """
    book = nbformat.read(path, as_version=4)
    if failed and not any(out.output_type == "error" for out in _outputs(book)):
        _tell(book, failed)
    for key in ("papermill", "widgets", "language_info"):
        book.metadata.pop(key, None)
    for cell in book.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []) and "id" in cell:
            cell["id"] = "injected-parameters"
        if "outputs" in cell:
            cell["outputs"] = [kept for out in cell.outputs if (kept := _without_widget(out))]
    names = {str(parameters.get("data", "")): "DATA", str(parameters.get("out", "")): "OUT"}
    names |= {str(REPOSITORY): ".", sys.prefix: "PYTHON", str(Path.home()): "~"}
    for folder, name in sorted(names.items(), key=lambda item: -len(item[0])):
        if len(folder) > 1:
            pattern = re.compile(rf"(?<![\w./-]){re.escape(folder)}(?![\w-])")
            book = _replace(book, pattern, name)
    replace_text(path, nbformat.writes(book) + "\n")


def _outputs(book: Any) -> list[Any]:
    return [out for cell in book.cells for out in cell.get("outputs", [])]


def _tell(book: Any, failed: str) -> None:
    """Put an error that is no cell's own into the last cell that was begun, or the first."""
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    begun = [cell for cell in code if cell.metadata.get("papermill", {}).get("start_time")]
    if code:
        name, _, text = failed.partition(": ")
        error = nbformat.v4.new_output("error", ename=name, evalue=text, traceback=[failed])
        (begun[-1] if begun else code[0]).outputs.append(error)


def _without_widget(output: Any) -> Any:
    """The output less its widget view, which nothing can draw later; None if only text is left."""
    if WIDGET not in output.get("data", {}):
        return output
    del output["data"][WIDGET]
    return output if set(output["data"]) - {"text/plain"} else None


def _replace(node: Any, pattern: re.Pattern[str], name: str) -> Any:
    if isinstance(node, str):  # every second part is base64, in which a path is mere chance
        parts = BASE64.split(node)
        return "".join(part if i % 2 else pattern.sub(name, part) for i, part in enumerate(parts))
    if isinstance(node, list):
        return [_replace(item, pattern, name) for item in node]
    if isinstance(node, dict):
        return type(node)(
            {
                key: item if PICTURE.fullmatch(str(key)) else _replace(item, pattern, name)
                for key, item in node.items()
            }
        )
    return node


def failure(output: Path) -> str | None:
    """Why an executed notebook is not whole, in one line; None if all of it ran or it is absent."""
    if not output.exists():
        return None
    try:
        book = nbformat.read(output, as_version=4)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError):
        return "its executed notebook cannot be read"
    for out in _outputs(book):
        if out.output_type == "error":
            return first_line(f"{out.ename}: {out.evalue}")
    code = [cell for cell in book.cells if cell.cell_type == "code" and cell.source.strip()]
    if any(cell.get("execution_count") is None for cell in code):
        return "its kernel ended without an error message (out of memory, perhaps)"
    return None


def lock(file: TextIO) -> bool:
    """Take the file's lock without waiting; it lasts as long as a process keeps the file open.

    True with a note where the file system knows no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # the file system has no locks: nothing then keeps two runs apart
        print(f"{file.name}: no locks here ({error.strerror}): run one at a time", file=sys.stderr)
    return True


@contextmanager
def _gpu() -> Iterator[None]:
    """Take one of the places in SCN_GPUS (files named PLACE_GPU), where several trainings run."""
    folder = os.environ.get("SCN_GPUS")
    files = [path.open() for path in sorted(Path(folder).iterdir())] if folder else []
    for file in files:
        if lock(file):
            os.environ["CUDA_VISIBLE_DEVICES"] = Path(file.name).name.split("_")[1]
            break
    try:
        yield
    finally:
        for file in files:
            file.close()


def first_line(error: object) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "no message"


def main(arguments: list[str] | None = None) -> int:
    """Run one notebook from the command line; 1 after one line if it can't be run or fails."""
    parser = argparse.ArgumentParser("python -m study.run.notebook", description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--watch", type=Path, help="a training's progress.json")
    parser.add_argument("--lines", action="store_true", help="a line a minute, also on a terminal")
    options = parser.parse_args(arguments)
    try:
        run_notebook(
            options.notebook.resolve(),
            dict(options.p),
            options.output.resolve(),
            options.watch,
            options.lines,
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except RuntimeError as error:
        print(f"{options.output.stem}: failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
