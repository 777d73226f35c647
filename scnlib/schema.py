"""record.json as a format with a version: its text, its sum, and how older versions are read.

Version 2 says every option that there was when it was written, tells of each process that took
part, and carries a sha256 of its own content. What an older one does not tell stays untold.
"""

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from scnlib.config import Run

VERSION = 2
OF_A_PROCESS = ("code_version", "hardware", "dtype", "threads", "versions")


def to_text(content: dict[str, Any]) -> str:
    """The text of a record in the current version; `run` in `content` is a Run."""
    whole = {"schema": VERSION, "run": json.loads(content["run"].to_json())}
    whole |= {name: value for name, value in content.items() if name != "run"}
    return json.dumps(whole | {"sha256": _sum(whole)}, indent=1, allow_nan=True) + "\n"


def from_text(text: str) -> dict[str, Any]:
    """What a record says, by the names of `Record`'s fields.

    Raises ValueError, TypeError or KeyError (see `why`) for what is no record, was changed, or is
    of a later version.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is no object")
    version = content.setdefault("schema", 1)
    if version == 1:
        content["processes"] = _processes(content)
    elif version != VERSION:
        raise ValueError(f"of version {version}, and this code reads up to {VERSION}: update it")
    elif content.pop("sha256", None) != _sum(content):
        raise ValueError("its own sum is another: it was changed")
    return content | {"run": Run.from_json(json.dumps(content["run"]))}


def why(error: Exception) -> str:
    """What is wrong, in one line, also where pydantic says it in several."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    if isinstance(error, KeyError):
        return f"no {error}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _processes(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Version 1 told the codes of all processes, and the rest of the last one alone."""
    *earlier, last = content["code_version"].split(" then ")
    unknown = dict.fromkeys(("before", *OF_A_PROCESS))
    known = {name: content[name] for name in OF_A_PROCESS} | {"code_version": last}
    processes = [*(unknown | {"code_version": code} for code in earlier), unknown | known]
    processes[0]["before"] = 0
    return processes


def _sum(content: dict[str, Any]) -> str:
    """sha256 of the content, whatever the order of names and the space between them."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()
