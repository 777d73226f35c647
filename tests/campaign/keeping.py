"""results/reliability.json: what each campaign found, with the code and versions that it ran."""

import json
import time
from pathlib import Path
from typing import Any

from scnlib.files import replace_text
from scnlib.provenance import code_version, versions


def read(path: Path | None) -> dict[str, Any]:
    """The parts kept in a file, by name; none where it isn't there."""
    return json.loads(path.read_text()) if path and path.exists() else {}


def put(path: Path, parts: dict[str, dict[str, Any]]) -> None:
    """Let these parts take their places in the file; the others stay as they are."""
    replace_text(path, json.dumps(read(path) | parts, indent=1) + "\n")


def signed(part: dict[str, Any], **about: Any) -> dict[str, Any]:
    """A part with its date, code and versions."""
    now = {"date": time.strftime("%Y-%m-%d"), "code_version": code_version()}
    return now | about | part | {"versions": versions()}


def added(earlier: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A slice of a campaign and those before it as one: counts add up, all codes are named.

    ValueError if they are of different seeds.
    """
    if earlier["seed"] != part["seed"]:
        raise ValueError(f"the earlier slices have seed {earlier['seed']}, not {part['seed']}")
    counts = {
        name: earlier[name] + value
        for name, value in part.items()
        if isinstance(value, int) and name != "seed"
    }
    codes = earlier["code_version"].split(" then ")
    codes += [part["code_version"]] * (part["code_version"] != codes[-1])
    return part | counts | {"code_version": " then ".join(codes)}
