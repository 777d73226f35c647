"""How long the whole study takes, on one machine or on many: from the measured cost of a step.

The seconds a step of each method are measured (`python -m study.speed`, least of its rounds, 12
slices); hours are reckoned from them: steps x seconds, for every printed row of Tables 1-3 and
full supervision, three seeds each. The printed batch of 24 is taken for twice the cost of 12.
"""

import heapq
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scnlib.config import Profile
from study.experiments import PROFILES, without_recipe
from study.report import markdown
from study.report.titles import ROWS
from study.speed.figure import step_costs
from study.speed.parts import FAST_PARTS
from study.speed.steps import PLAIN

SEEDS_EACH = 3
TIMED = 12  # slices of a measured step
MACHINES = (1, 8, 32)
FORECAST = ("cpu", "night", "paper")


def forecast(folder: Path) -> str:
    """A table in Markdown of the machines whose benchmarks lie in the folder; a line if none."""
    rows = []
    for content in benchmarks(folder).values():
        for name in FORECAST:
            if runs := hours_by_run(content, PROFILES[name]):
                spread = [f"{makespan(runs, count):.1f}" for count in MACHINES]
                rows.append((content["machine"], name, str(len(runs)), f"{max(runs):.1f}", *spread))
    if not rows:
        return "No machine has a benchmark of all methods yet."
    head = ("machine", "profile", "runs", "longest run", *(f"on {n}" for n in MACHINES))
    return markdown.table(head, rows, numbers=True)


def steps_told(folder: Path) -> str:
    """A table in Markdown, a row a machine and size: SCN's step beside the plain one and PCE's.

    Where they were measured, also the share that convolutions have of it, and their rate in percent
    of the processor's rate for matrix products in the same type. Empty without a benchmark.
    """
    rows = []
    for content in benchmarks(folder).values():
        costs = step_costs(content)
        if not {PLAIN, "pce", "scn"} <= set(costs.index):
            continue
        for size in costs.columns:
            plain, pce, scn = (float(costs.loc[name, size]) for name in (PLAIN, "pce", "scn"))
            found = convolutions_of(content, "scn", int(size))
            share = f"{100 * found['share']:.0f}" if found else ""
            rate = f"{100 * found['gflop_s'] / found['matrix_gflop_s']:.0f}" if found else ""
            times = (f"{scn:.2f}", f"{plain / scn:.2f}", f"{scn / pce:.2f}")
            rows.append((content["machine"], str(size), *times, share, rate))
    head = ("machine", "side", "SCN (s)", "plain/SCN", "SCN/PCE", "convolutions (%)", "rate (%)")
    return markdown.table(head, rows, numbers=True) if rows else ""


def parts_told(folder: Path) -> str:
    """A table in Markdown: how much longer SCN's step is without each part of the fast one, percent
    of the whole step, a machine and size a column. Empty without such a benchmark.
    """
    columns: dict[str, dict[str, str]] = {}
    for content in benchmarks(folder).values():
        for row in [row for row in content["benchmarks"] if "part" in row]:
            column = columns.setdefault(f"{content['machine']}, {row['size']} px", {})
            column[row["part"]] = f"{100 * (row['ratio'] - 1):+.0f}"
    found = [part for part in FAST_PARTS if any(part in column for column in columns.values())]
    rows = [
        (part, FAST_PARTS[part], *(column.get(part, "") for column in columns.values()))
        for part in found
    ]
    return markdown.table(("part", "in its place", *columns), rows) if rows else ""


def benchmarks(folder: Path) -> dict[str, dict[str, Any]]:
    """What `python -m study.speed` has written to the folder, a machine each, by the file."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def convolutions_of(content: Mapping[str, Any], method: str, size: int) -> Mapping[str, float]:
    """The row of a benchmark of convolutions (`study.speed.limits`); empty without one."""
    name = f"convolutions[{method}-{size}]"
    return next((row for row in content["benchmarks"] if row["name"] == name), {})


def hours_by_run(content: Mapping[str, Any], profile: Profile) -> list[float]:
    """Hours of each run of Tables 1-3 with three seeds; none unless every method was timed.

    content: what `python -m study.speed` writes.
    """
    table = step_costs(content)
    methods = [*ROWS[1], *(m for m in ROWS[3] if m not in ROWS[1]), *ROWS[2]]
    steps = profile.iterations * profile.batch / TIMED
    try:
        seconds = [float(table.loc[without_recipe(m), profile.size]) for m in methods]
    except KeyError:
        return []
    return [steps * cost / 3600 for cost in seconds for _ in range(SEEDS_EACH)]


def makespan(hours: Sequence[float], machines: int) -> float:
    """Hours until the last run ends if a free machine always takes the longest run left."""
    busy = [0.0] * machines
    for run in sorted(hours, reverse=True):
        heapq.heapreplace(busy, busy[0] + run)
    return max(busy)
