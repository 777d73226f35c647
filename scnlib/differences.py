"""In what two runs differ, for whoever finds the record or the checkpoint of another one."""

import json
from typing import Any

from scnlib.config import Run, own_options


def differences(found: Run, asked: Run) -> str:
    """The fields in which two runs differ, in words: "profile.lr is 0.01, not 0.001"; or ""."""
    changed = changed_fields(found, asked).items()
    return ", ".join(f"{name} is {old}, not {new}" for name, (old, new) in changed)


def changed_fields(found: Run, asked: Run) -> dict[str, tuple[Any, Any]]:
    """The fields in which two runs differ, "profile.lr" and the like, with both values.

    What has no part in a run may have been another one in its time, and is not asked: options of
    other compared methods, and StepLR's where the schedule is another.
    """
    old, new = (_told(run) for run in (found, asked))
    return {name: (old[name], new[name]) for name in old if old[name] != new.get(name, old[name])}


def _told(run: Run) -> dict[str, Any]:
    """A run's fields by name, less those that have no part in it."""
    told = json.loads(run.to_json())
    own = own_options(run.method)
    told["compared"] = {name: value for name, value in told["compared"].items() if name in own}
    if run.profile.schedule != "step":
        del told["profile"]["lr_factor"], told["profile"]["lr_steps"]
    return _flat(told)


def _flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in fields.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{name}.") if inner else {prefix + name: value}
    return flat
