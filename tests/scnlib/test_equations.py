"""Every equation of the paper is found by its number, in one place."""

import ast
import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

import scnlib

PACKAGE = Path(scnlib.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
EQUATIONS = range(1, 20)


def function_docstrings() -> dict[str, str]:
    """Docstring of every function and method, by "file:line name"."""
    found = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                place = f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
                found[place] = ast.get_docstring(node) or ""
    return found


def test_there_are_modules_to_search() -> None:
    assert {"correlation.py", "propagation.py", "losses.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("number", EQUATIONS)
def test_equation_opens_exactly_one_docstring(number: int) -> None:
    pattern = re.compile(rf"Eq\. {number}\b")
    docstrings = function_docstrings()
    places = [place for place, text in docstrings.items() if pattern.search(text)]
    assert len(places) == 1, places
    assert docstrings[places[0]].startswith(f"Eq. {number}: ")
    assert len(pattern.findall(docstrings[places[0]])) == 1


@pytest.mark.parametrize("number", EQUATIONS)
def test_equation_is_numbered_on_one_line_of_the_package(number: int) -> None:
    pattern = re.compile(rf"Eq\. {number}\b:")
    lines = [
        f"{path.name}: {line.strip()}"
        for path in MODULES
        for line in path.read_text(encoding="utf-8").splitlines()
        if pattern.search(line)
    ]
    assert len(lines) == 1, lines


def test_no_equation_has_a_number_that_the_paper_does_not_have() -> None:
    text = "\n".join(function_docstrings().values())
    assert {int(n) for n in re.findall(r"Eq\. (\d+)", text)} == set(EQUATIONS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_compiles_without_a_warning(path: Path) -> None:
    # A backslash of LaTeX in a docstring that is not raw is a SyntaxWarning.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_reading_order_names_modules_that_exist() -> None:
    text = scnlib.__doc__ or ""
    names = re.findall(r"`(scnlib\.[\w.]+)`", text)
    assert len(names) >= 8
    missing = [name for name in names if find_spec(name) is None]
    assert missing == []
    for relative in re.findall(r"`(\w+/\w+\.py)`", text):
        assert (PACKAGE / relative).is_file(), relative
