"""The committed notebooks: valid, renderable, clean, with the parameters that the runner sets."""

import re
from dataclasses import fields
from pathlib import Path

import nbformat
import pytest

from scnlib.config import SCNOptions
from scnlib.paths import REPOSITORY, SHORT
from study.experiments import VARIANTS
from study.run.executed import BASE64, WIDGET
from study.run.parameters import declared
from study.run.planning import RULES

SOURCES = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
# The demo's executed copies are made anew on each machine and are not committed.
EXECUTED = [
    path
    for path in sorted((REPOSITORY / "results").glob("*/notebooks/*.ipynb"))
    if path.relative_to(REPOSITORY / "results").parts[0] != "demo"
]
ALL = [pytest.param(path, id=str(path.relative_to(REPOSITORY))) for path in SOURCES + EXECUTED]
PARAMETERS = {
    "explore": {"profile": str, "data": str, "out": str},
    "correlation": {"profile": str, "data": str, "out": str},
    "own": {"profile": str, "data": str, "out": str},
    "heart": {"profile": str, "data": str, "out": str},
    "scribbles": {"profile": str, "data": str, "out": str},
    "train": {
        "profile": str,
        "dataset": str,
        "method": str,
        "seed": int,
        "data": str,
        "out": str,
        "fp32": bool,
        "variant": str,
    },
    "tables": {"profile": str, "data": str, "out": str},
    "pictures": {"profile": str, "data": str, "out": str},
    "choices": {"profile": str, "data": str, "out": str},
    "losses": {"profile": str, "data": str, "out": str},
}


@pytest.mark.parametrize("path", ALL)
def test_is_valid_and_renders_on_the_web(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    # A web view refuses a notebook whose widget metadata has no state (progress bars leave such).
    for kind, entry in book.metadata.get("widgets", {}).items():
        assert "state" in entry, f"{kind}: widget metadata without state"
    for out in (out for cell in book.cells for out in cell.get("outputs", [])):
        kinds = set(out.get("data", {}))
        assert WIDGET not in kinds, "a widget view: nothing can draw it without a kernel"
        assert kinds != {"text/html"}, "an output that is HTML only, as progress bars are"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_hold_no_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.name)
def test_executed_copies_succeeded_and_tell_nothing_of_the_machine(path):
    text = re.sub(r'"image/(png|jpeg)": "[^"]*"', "", BASE64.sub("", path.read_text()))
    for folder in (str(REPOSITORY), str(Path.home()), "/home/", "/Users/", "/tmp/"):
        assert len(folder) < 2 or folder not in text  # a home may be "/"
    assert path.stat().st_size < 1_000_000
    for cell in nbformat.read(path, as_version=4).cells:
        assert all(out.output_type != "error" for out in cell.get("outputs", []))


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.name)
def test_executed_copies_are_of_the_notebooks_as_they_are(path):
    (source,) = [source for source in SOURCES if path.stem.startswith(source.stem)]
    texts, executed = (
        [c.source for c in book.cells if "injected-parameters" not in c.metadata.get("tags", [])]
        for book in (nbformat.read(source, as_version=4), nbformat.read(path, as_version=4))
    )
    assert texts == executed, f"run {source.name} again: python -m study.run.notebook"


@pytest.mark.parametrize("rule", RULES)
def test_declares_the_parameters_that_the_runner_sets(rule):
    path = REPOSITORY / "notebooks" / f"{RULES[rule]}.ipynb"
    assert {name: type(value) for name, value in declared(path).items()} == PARAMETERS[rule]


def test_every_open_choice_is_listed_and_every_variant_shown():
    book = nbformat.read(REPOSITORY / "notebooks" / f"{RULES['choices']}.ipynb", as_version=4)
    table = next(cell.source for cell in book.cells if "| Eq. 1 |" in cell.source)
    table = table.replace("`lambda1` to `lambda4`", "`lambda1`, `lambda2`, `lambda3`, `lambda4`")
    assert [f.name for f in fields(SCNOptions) if f"`{f.name}`" not in table] == []
    measured = "".join(c.source for c in book.cells if c.source.startswith("measure("))
    explained = "".join(cell.source for cell in book.cells if "--variant short" in cell.source)
    shown = [*re.findall(r'"(\w+)"', measured), *re.findall(r"`(\w+)`", explained)]
    assert {name for name in VARIANTS if not name.startswith(SHORT)} <= set(shown)
    assert set(shown) <= VARIANTS.keys()


def test_every_option_of_scn_can_be_measured():
    changed = {name for changes in VARIANTS.values() for name in changes.get("scn", {})}
    assert {f.name for f in fields(SCNOptions)} - changed == {"lambda1"}, "without PCE none learns"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_code_cells_are_short(path):
    cells = nbformat.read(path, as_version=4).cells
    long = [cell.id for cell in cells if cell.cell_type == "code" and cell.source.count("\n") >= 12]
    assert long == []
