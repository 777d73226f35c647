"""Notebooks and records that are only pretended, for the tests of the runner."""

import json
from pathlib import Path
from types import SimpleNamespace

import nbformat

_NAMES = "pce s2l mloss rloss meloss ustm dmpls dmpls_sgd fddseg cale scn full".split()
METHODS = {
    name: SimpleNamespace(needs="label" if name == "full" else "scribble") for name in _NAMES
}

# Stands for study.run.notebook without a kernel: leaves the executed notebook, the record and a
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
for cell in book["cells"]:
    cell["execution_count"] = 1
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


def record_file(folder: Path) -> Path:
    return folder / "record.json"


def write_record(folder: Path, dice: float | None = 0.5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    record_file(folder).write_text(json.dumps(dice))


def write_notebook(path: Path, source: str, parameters: str | None = "") -> Path:
    cells = [nbformat.v4.new_code_cell(source, id="body")]
    if parameters is not None:
        tagged = nbformat.v4.new_code_cell(parameters, id="parameters")
        tagged.metadata["tags"] = ["parameters"]
        cells.insert(0, tagged)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path
