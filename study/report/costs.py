"""What runs and commands cost beside a step's time, in a few lines of the report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scnlib.methods.ustm import NOISY_PASSES
from scnlib.records import Record
from study.speed.figure import step_costs


def costs_told(folder: Path, records: Sequence[Record]) -> str:
    """A list in Markdown: memory of runs, USTM's step, imports, planning, and the pictures.

    Args:
        folder: what `python -m study.speed` writes to.
        records: runs whose peak memory is told by profile.
    """
    lines = []
    for profile in dict.fromkeys(record.run.profile.name for record in records):
        used = sorted(
            record.peak_memory_mb / 1000
            for record in records
            if record.run.profile.name == profile and record.peak_memory_mb
        )
        if used:
            said = f"{used[0]:.2f} to {used[-1]:.2f} GB, {len(used)} runs"
            lines.append(f"Peak memory of a run of profile `{profile}`: {said}.")
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        lines += _of_a_machine(content)
        growth = path.with_name(f"{path.stem}-growth.png").name
        lines.append(
            f"Pictures ({content['machine']}): [every method's step](benchmarks/{path.stem}.png); "
            f"[time and memory by image size and stride](benchmarks/{growth})."
        )
    return "\n".join(f"- {line}" for line in lines)


def _of_a_machine(content: Mapping[str, Any]) -> list[str]:
    """What else was timed on a machine, in its words."""
    lines, costs = [], step_costs(content)
    if {"ustm", "pce"} <= set(costs.index):
        size = max(costs.columns)
        times = float(costs.loc["ustm", size]) / float(costs.loc["pce", size])
        lines.append(
            f"A step of USTM costs {times:.1f} of PCE's: beside the student's own, its teacher "
            f"predicts {NOISY_PASSES + 1} times a step."
        )
    least = {row["name"]: row["least_s"] for row in content["benchmarks"]}
    named = {
        "import[scnlib]": "`import scnlib`",
        "import[scnlib.training]": "`import scnlib.training`",
        "asking_what_is_left_to_do": "`./run_all.sh --dry-run` with nothing left to train",
    }
    said = [f"{words} {least[name]:.2g} s" for name, words in named.items() if name in least]
    return [*lines, f"{', '.join(said)}."] if said else lines
