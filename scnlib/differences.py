"""In what two runs differ, for whoever finds the record or the checkpoint of another one."""

import json
from typing import Any

from scnlib.config import Run, foreign_options


def differences(found: Run, asked: Run) -> str:
    """The fields in which two runs differ, in words: "profile.lr is 0.01, not 0.001"; or ""."""
    changed = changed_fields(found, asked).items()
    return ", ".join(f"{name} is {old}, not {new}" for name, (old, new) in changed)


def changed_fields(found: Run, asked: Run) -> dict[str, tuple[Any, Any]]:
    """The fields in which two runs differ, "profile.lr" and the like, with both values.

    Options of compared methods that neither run is of, and StepLR's where neither has it, are not
    asked: they may have been others when one of the two was written.
    """
    both = (found, asked)
    idle = set.intersection(*map(_idle, both))
    old, new = (_flat(json.loads(run.to_json())) for run in both)
    return {
        name: (old[name], new[name]) for name in old if name not in idle and old[name] != new[name]
    }


def _idle(run: Run) -> set[str]:
    """Fields that have no part in a run, whatever their values."""
    names = {f"compared.{name}" for name in foreign_options(run.method)}
    if run.profile.schedule != "step":
        names |= {"profile.lr_factor", "profile.lr_steps"}
    return names


def _flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in fields.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat
