"""The two wings: the study imports the package, the package knows nothing of the study."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from scnlib.paths import REPOSITORY

PACKAGE = sorted((REPOSITORY / "scnlib").rglob("*.py"))
STUDY = sorted((REPOSITORY / "study").rglob("*.py"))
MOST_LINES = 40  # of a function, its docstring among them


def imported(source: str) -> Iterator[str]:
    """The dotted names that a module imports anywhere, in functions and by `import_module` too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and re.search(r"import", ast.unparse(node.func)):
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))


@pytest.mark.parametrize(
    "source",
    [
        "import study.run",
        "def f():\n    from study.report import tables",
        "import importlib\nimportlib.import_module('study')",
        "__import__('study.run')",
    ],
)
def test_every_way_to_import_is_seen(source):
    assert any(name.split(".")[0] == "study" for name in imported(source))


@pytest.mark.parametrize("path", PACKAGE, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_the_package_never_imports_the_study(path):
    names = list(imported(path.read_text()))
    assert not [name for name in names if name.split(".")[0] in ("study", "tests")]
    assert not [name for name in names if name.startswith(".")], "imports are absolute"


def test_the_old_name_of_the_check_says_where_it_is():
    command = [sys.executable, "-m", "scnlib.check", "DIR/NAME"]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "python -m study.owndata DIR/NAME" in ended.stderr


def test_a_name_means_one_thing():
    """No two files or public functions of one name, but `main` and `parse`, which commands have."""
    found: dict[str, list[str]] = {}
    for path in (*PACKAGE, *STUDY):
        if not path.stem.startswith("__"):
            found.setdefault(f"{path.stem}.py", []).append(path.parent.name)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(path.name)
    for name in ("main", "parse", "check.py"):  # scnlib's check.py only says where it has gone
        found.pop(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def values(tree: ast.Module) -> Iterator[str]:
    """The constants and type aliases that a module defines at its top."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = (part for target in targets for part in ast.walk(target))
            yield from (part.id for part in parts if isinstance(part, ast.Name))


def test_a_constant_or_an_alias_means_one_thing():
    """No two of one name, nor one of a function's or a class's name.

    Not looked at: the made-up data of the exercises, which notebooks call by their file's name, and
    the phantom's pixels.
    """
    apart = [REPOSITORY / name for name in ("study/lessons/exercises.py", "scnlib/data/phantom.py")]
    found: dict[str, list[str]] = {}
    for path in (*PACKAGE, *STUDY):
        tree = ast.parse(path.read_text())
        defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        for name in {*values(tree), *defined} if path not in apart else ():
            if not name.startswith("_"):
                found.setdefault(name, []).append(path.name)
    # Of one meaning in each file: what all commands have, a logger, the weight of a compared
    # method's own term, and how a figure looks.
    for name in ("main", "parse", "log", "WEIGHT", "LOOKS", "COLOURS", "EDGE"):
        found.pop(name)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_a_function_fits_on_a_screen():
    longer: set[str] = set()
    for path in (*PACKAGE, *STUDY):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = 1 + (node.end_lineno or 0) - node.lineno
                if lines > MOST_LINES:
                    longer.add(f"{path.relative_to(REPOSITORY)}:{node.name}")
    assert longer == set()
