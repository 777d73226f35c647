"""In what two runs differ, for whoever finds the record or the checkpoint of another one."""

import json
from typing import Any

from scnlib.config import Run, idle_fields


def differences(found: Run, asked: Run) -> str:
    """The fields in which two runs differ, in words: "profile.lr is 0.01, not 0.001"; or ""."""
    changed = changed_fields(found, asked).items()
    return ", ".join(f"{name} is {old}, not {new}" for name, (old, new) in changed)


def changed_fields(found: Run, asked: Run) -> dict[str, tuple[Any, Any]]:
    """The fields in which two runs differ, "profile.lr" and the like, with both values.

    What has no part in either (`scnlib.config.idle_fields`) is not asked: it may have been another
    when one of the two was written.
    """
    both = (found, asked)
    idle = set.intersection(*map(idle_fields, both))
    old, new = (_flat(json.loads(run.to_json())) for run in both)
    return {
        name: (old[name], new[name]) for name in old if name not in idle and old[name] != new[name]
    }


def _flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in fields.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat
