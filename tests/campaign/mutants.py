"""Mutation testing: mutmut plants faults where every number goes through, and a test must fail.

    pip install mutmut
    python -m tests.campaign.mutants --folder DIR --keep results/reliability.json

A copy of the code in DIR is mutated, and tested by the modules' own tests (20 minutes on a core).
With a DIR that is there already, only what is left or was not noticed is tested, by the tests as
they are now. Messages of errors stay as they are.
Prints what no test noticed, with the reason where there is one (survivors.csv). Exit code 1 where
fewer than nine in ten were noticed.
"""

import argparse
import ast
import csv
import difflib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from scnlib.paths import REPOSITORY
from tests.campaign import keeping

TESTS = {
    "scnlib/evaluation.py": ["scnlib/test_evaluation.py"],
    "scnlib/propagation.py": ["scnlib/test_propagation.py", "scnlib/test_refinement.py"],
    "scnlib/losses.py": ["scnlib/test_losses.py", "scnlib/test_contrast.py"],
    "study/report/statistics.py": ["study/report/test_statistics.py"],
}
SELECTION = [f"tests/{name}" for names in TESTS.values() for name in names]
SETTINGS = f"""
[tool.mutmut]
source_paths = ["scnlib", "study"]
only_mutate = {json.dumps(list(TESTS))}
do_not_mutate_patterns = ['raise \\w+', '^\\s+f"']
also_copy = ["README.md", "requirements.lock"]
pytest_add_cli_args_test_selection = {json.dumps(SELECTION)}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
timeout_multiplier = 40.0
use_git_change_detection = false
"""
KILLED = {1, 3, 24, 36, -24, 152, 255}  # mutmut's codes: a test failed, or it took too long
LEAST = 0.9


def copy(folder: Path) -> None:
    """Put what mutmut needs into the folder; the code and the tests anew, its results stay."""
    for name in ("scnlib", "study", "tests"):
        shutil.copytree(REPOSITORY / name, folder / name, dirs_exist_ok=True)
    for name in ("README.md", "requirements.lock"):
        shutil.copy(REPOSITORY / name, folder)
    settings = (REPOSITORY / "pyproject.toml").read_text() + SETTINGS
    (folder / "pyproject.toml").write_text(settings)


def unsettled(folder: Path) -> list[str]:
    """The mutants that were not tested yet, and those that survived without a reason."""
    found = []
    for module in TESTS:
        codes = exit_codes(folder, module)
        found += [name for name, code in codes.items() if code is None]
        alive = [name for name, code in codes.items() if code is not None and code not in KILLED]
        rows = outcome(folder, module)["survived"] if alive else []
        pairs = zip(alive, map(explained, rows), strict=True)
        found += [name for name, row in pairs if not row["reason"]]
    return sorted(found)


def exit_codes(folder: Path, module: str) -> dict[str, int | None]:
    """What testing each mutant of a module came to; None where it is still to do."""
    file = folder / "mutants" / f"{module}.meta"
    return json.loads(file.read_text())["exit_code_by_key"] if file.exists() else {}


def outcome(folder: Path, module: str) -> dict[str, Any]:
    """How many mutants of a module there are, were tested and killed, and the changes that were not
    noticed."""
    place, codes = folder / "mutants" / module, exit_codes(folder, module)
    tested = {name: code for name, code in codes.items() if code is not None}
    found = [name.split(".")[-1] for name, code in tested.items() if code not in KILLED]
    return {
        "mutants": len(codes),
        "tested": len(tested),
        "killed": len(tested) - len(found),
        "survived": changes(place.read_text(), found) if found else [],
    }


def changes(source: str, names: list[str]) -> list[dict[str, str]]:
    """Of each mutant its function, and the lines that it changes as they were and as they are."""
    functions = {
        node.name: [f"({ast.unparse(node.args)})", *ast.unparse(node).splitlines()[1:]]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }
    rows = []
    for name in names:
        stem = name.rsplit("__mutmut_", 1)[0]
        lines = list(difflib.ndiff(functions[f"{stem}__mutmut_orig"], functions[name]))
        was, now = (
            " ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
        )
        rows.append({"function": stem.removeprefix("x_"), "was": was, "now": now})
    return rows


def explained(row: dict[str, str]) -> dict[str, str]:
    """The change with why no test can notice it, where survivors.csv says so."""
    with Path(__file__).with_name("survivors.csv").open(newline="") as file:
        reasons = {(r["function"], r["now"]): r["reason"] for r in csv.DictReader(file)}
    return row | {"reason": reasons.get((row["function"], row["now"]), "")}


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.campaign.mutants", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="PATTERN", help="of mutants' names"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    copy(options.folder)
    names = unsettled(options.folder)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    subprocess.run(command, cwd=options.folder, check=True)
    return report(options.folder, options.keep)


def report(folder: Path, keep: Path | None) -> int:
    """Print and keep what the folder's mutants came to; 1 if too few were killed."""
    found = {module: outcome(folder, module) for module in TESTS}
    for part in found.values():
        part["survived"] = [explained(row) for row in part["survived"]]
    tested, killed = (sum(part[name] for part in found.values()) for name in ("tested", "killed"))
    part = {"tested": tested, "killed": killed, "modules": found}
    if keep:
        keeping.put(keep, {"mutants": keeping.signed(part)})
    print(json.dumps(part, indent=1))
    return int(killed < LEAST * tested)


if __name__ == "__main__":
    sys.exit(main())
