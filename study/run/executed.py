"""The executed copy of a notebook: less what is volatile, and why it is not whole."""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from scnlib.errors import first_line
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY

PICTURE = re.compile(r"(image/(?!svg)|application/pdf|audio/|video/).*")  # kept as base64
# Also in quotes, as widgets hold their data; what begins as a path does is none.
BASE64 = re.compile(r"(;base64,[A-Za-z0-9+/=]+|(?:\"|&quot;)[A-Za-z0-9+][A-Za-z0-9+/]{63,}=*)")
WIDGET = "application/vnd.jupyter.widget-view+json"


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
