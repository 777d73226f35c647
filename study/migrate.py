"""Records, weights and growth.json, rewritten as they are today: python -m study.migrate FOLDER

What was written before an option says what the code did before there was a choice: the option is
put in as `EARLIER` has it, whatever its default is today.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from scnlib.config import EarlierError, Run
from scnlib.files import replace_bytes, replace_text
from scnlib.paths import to_path
from scnlib.schema import checked, to_text, why
from scnlib.weights import ABOUT, packed, said_of, sum_of
from study.commands import described
from study.places import files_under

EARLIER: dict[str, dict[str, Any]] = {
    "profile": {"padding": "unlabelled", "strokes": "all"},
    "scn": {
        "projections": False,
        "pap_pixels": "all",
        "mask_grid": "cells",
        "connected": False,
        "means_over": "batch",
    },
    "compared": {
        "s2l_passes": "late",
        "fddseg_rest": "unlabelled",
        "fddseg_target": "mixed",
        "rloss_weight": "fixed",
        "mloss_form": "original",
        "ustm_ramp": "run",
    },
}
OF_A_PROCESS = ("code_version", "hardware", "dtype", "threads", "versions")


def migrate(path: Path) -> bool:
    """Bring a record.json to the current version and options, atomically; False if it has them.

    Raises ValueError, TypeError or KeyError for what is no record, was changed, or is of a later
    version.
    """
    before = path.read_text(encoding="utf-8")
    content = json.loads(before)
    try:
        content = checked(content)
    except EarlierError:
        content["processes"] = _processes(content)
        content.pop("schema", None)
    if (after := to_text(content | {"run": whole_run(content["run"])})) == before:
        return False
    replace_text(path, after)
    return True


def migrate_weights(path: Path) -> bool:
    """The same for a file of weights, whose tensors stay as they are."""
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error
    if ABOUT in told:
        about = json.loads(told[ABOUT])
        said = said_of(about)
    else:  # at first texts stood side by side
        about = {name: json.loads(told[name]) for name in ("run", "classes")}
        about["sha256"], said = told["sha256"], f"{told['run']}\n{told['classes']}"
    if about["sha256"] != sum_of(said, weights):
        raise ValueError("its own sum is another: it was changed")
    after = packed(whole_run(about["run"]), about["classes"], weights)
    if after == path.read_bytes():
        return False
    replace_bytes(path, after)
    return True


def migrate_growth(path: Path) -> bool:
    """The same for the run that a growth.json tells of."""
    before = path.read_text(encoding="utf-8")
    content = json.loads(before)
    content["run"] = json.loads(whole_run(content["run"]).to_json())
    if (after := json.dumps(content, indent=1) + "\n") == before:
        return False
    replace_text(path, after)
    return True


def whole_run(said: dict[str, Any]) -> Run:
    """A run from what was said of it, with the options that came later; ValueError as `Run`."""
    parts = {"compared": {}} | said  # the first records are older than all of that part
    parts |= {part: options | parts[part] for part, options in EARLIER.items()}
    return Run.from_json(json.dumps(parts))


def _processes(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Version 1 told the codes of all processes, and the rest of the last one alone."""
    *earlier, last = content["code_version"].split(" then ")
    unknown = dict.fromkeys(("before", *OF_A_PROCESS))
    known = {name: content[name] for name in OF_A_PROCESS} | {"code_version": last}
    processes = [*(unknown | {"code_version": code} for code in earlier), unknown | known]
    processes[0]["before"] = 0
    return processes


REWRITERS: dict[str, Callable[[Path], bool]] = {
    "record.json": migrate,
    "*.safetensors": migrate_weights,
    "growth.json": migrate_growth,
}


def main(words: Sequence[str] | None = None) -> int:
    """Rewrite all such files in these folders; 1 if one could not be read."""
    parser = described("python -m study.migrate", __doc__)
    parser.add_argument("folders", type=to_path, nargs="+", metavar="FOLDER")
    folders = parser.parse_args(words).folders
    for folder in folders:
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    failed = False
    found = [
        (p, do) for f in folders for name, do in REWRITERS.items() for p in files_under(f, name)
    ]
    for path, rewrite in sorted(found, key=lambda one: one[0]):
        try:
            print(f"{path}: {'rewritten' if rewrite(path) else 'is of this version'}")
        except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
            print(f"error: {path}: can't be read ({why(error)})", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
