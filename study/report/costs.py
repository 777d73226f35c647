"""What runs and commands cost beside a step's time, in a few lines of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scnlib.methods.ustm import NOISY_PASSES
from scnlib.records import Record
from study.report.forecast import benchmarks
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
            record.peak_memory_mb / 1024
            for record in records
            if record.run.profile.name == profile and record.peak_memory_mb
        )
        if used:
            said = f"{used[0]:.2f} to {used[-1]:.2f} GiB (runs: {len(used)})"
            lines.append(f"Peak memory of the tables' runs of profile `{profile}`: {said}.")
    for stem, content in benchmarks(folder).items():
        lines += [f"{content['machine']}: {line}" for line in _of_a_machine(content, stem)]
    return "\n".join(f"- {line}" for line in lines)


def _of_a_machine(content: Mapping[str, Any], stem: str) -> list[str]:
    """What else was timed on a machine, and the pictures of its benchmark."""
    lines, costs = [], step_costs(content)
    if {"ustm", "pce"} <= set(costs.index):
        size = max(costs.columns)
        times = float(costs.loc["ustm", size]) / float(costs.loc["pce", size])
        lines.append(
            f"a step of USTM costs {times:.1f} of PCE's at {size} pixels: beside the student's "
            f"own, its teacher predicts {NOISY_PASSES + 1} times a step."
        )
    least = {row["name"]: row["least_s"] for row in content["benchmarks"]}
    named = {
        "import[scnlib]": "`import scnlib`",
        "import[scnlib.training]": "`import scnlib.training`",
        "asking_what_is_left_to_do": "planning of `--profile cpu --dry-run` with nothing to train",
    }
    said = [f"{words} {least[name]:.2g} s" for name, words in named.items() if name in least]
    lines += [f"{', '.join(said)}."] if said else []
    step, growth = f"benchmarks/{stem}.png", f"benchmarks/{stem}-growth.png"
    lines.append(f"[every method's step]({step}); [time and memory by size and stride]({growth}).")
    return lines
