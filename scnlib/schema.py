"""record.json as a format with a version: its text and its sum.

It says every option of its run, tells of each process that took part, and carries a sha256 of its
own content. `python -m study.migrate` rewrites what is of an earlier version.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scnlib.config import EarlierError, Run
from scnlib.errors import first_line

VERSION = 2


def to_text(content: dict[str, Any]) -> str:
    """The text of a record in the current version; `run` in `content` is a Run."""
    whole = {"schema": VERSION, "run": json.loads(content["run"].to_json())}
    whole |= {name: value for name, value in content.items() if name != "run"}
    return json.dumps(whole | {"sha256": _sum(whole)}, indent=1, allow_nan=True) + "\n"


def from_text(text: str) -> dict[str, Any]:
    """What a record says, by the names of `Record`'s fields.

    Raises ValueError, TypeError or KeyError (see `why`) for what is no record, was changed, or is
    of another version.
    """
    content = checked(json.loads(text))
    return content | {"run": Run.from_json(json.dumps(content["run"]))}


def checked(content: Any) -> dict[str, Any]:
    """The content of a record of this version, less that and its sum.

    Raises `EarlierError` for an earlier version, `ValueError` or `TypeError` for what is no record.
    """
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    version = content.get("schema", 1)  # the first had none, and no sum
    if version < VERSION and "sha256" not in content:
        raise EarlierError(f"it has version {version}")
    if version != VERSION:
        raise ValueError(f"of version {version}, and this code reads version {VERSION}: update it")
    content = dict(content)
    if content.pop("sha256", None) != _sum(content):
        raise ValueError("its own sum is another: it was changed")
    del content["schema"]
    return content


def of_earlier_version(path: Path, error: EarlierError) -> ValueError:
    """What to raise for a file that `study.migrate` has to rewrite first."""
    do = f"python -m study.migrate {path.parent} rewrites it"
    return ValueError(f"{path}: of an earlier version ({error}): {do}")


def why(error: Exception) -> str:
    """What is wrong, in one line, also where pydantic says it in several."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    if isinstance(error, KeyError):
        return f"no {error}"
    return first_line(error)


def _sum(content: dict[str, Any]) -> str:
    """sha256 of the content, whatever the order of names and the space between them."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()
