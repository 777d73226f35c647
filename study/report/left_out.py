"""What it costs to leave out a part of SCN, or to choose otherwise, from the records.

Departures from the protocol are validated and never tested. So the costs are compared on validation
subjects, and instead of an interval over patients, which these runs have not, each has the range
over all pairs of a seed of its own and one of the protocol's, of the seeds that both have.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from scnlib.records import Record
from study.report.means import best_dice, seeds_count, seeds_text
from study.report.statistics import compare
from study.report.verdicts import interval

# Method and variant of the runs without the part.
LEFT_OUT = {
    "PAP's term": ("scn", "nopap"),
    "RSR's term": ("scn", "norsr"),
    "RSR's shapes": ("scn", "noshape"),
    "CACL's term": ("cale", ""),
}


class Cost(NamedTuple):
    """Points of mean validation Dice against SCN: over the seeds both have, and the range."""

    name: str
    points: float
    low: float
    high: float
    seeds: list[int]

    def __str__(self) -> str:
        # Of one run a range would look like an interval, and only tell of SCN's seeds.
        count = len(self.seeds)
        several = f" [{self.low:+.2f}, {self.high:+.2f}]" * (count > 1)
        seeds = seeds_count(count) if count > 1 else seeds_text(self.seeds)
        return f"{self.name} {self.points:+.2f}{several} ({seeds})"


def part_costs(records: Sequence[Record], variants: Sequence[Record], dataset: str) -> list[Cost]:
    """The parts left out, the largest loss first; those without a seed that SCN has are absent."""
    found = [_cost(name, [*records, *variants], dataset, *run) for name, run in LEFT_OUT.items()]
    return sorted((cost for cost in found if cost), key=lambda cost: cost.points)


def other_costs(variants: Sequence[Record], records: Sequence[Record], dataset: str) -> list[Cost]:
    """The same of SCN's other variants, such as another grid, by the variant's name."""
    named = {r.run.variant for r in variants if (r.run.dataset, r.run.method) == (dataset, "scn")}
    named -= {variant for _, variant in LEFT_OUT.values()}
    runs = [*records, *variants]
    found = [_cost(f"`{name}`", runs, dataset, "scn", name) for name in sorted(named)]
    return sorted((cost for cost in found if cost), key=lambda cost: cost.points)


def _cost(
    name: str, records: Sequence[Record], dataset: str, method: str, variant: str
) -> Cost | None:
    ours = best_by_seed(records, dataset, method, variant)
    protocol = best_by_seed(records, dataset, "scn", "")
    seeds = ours.keys() & protocol.keys()
    if not seeds:
        return None
    pairs = [ours[one] - protocol[other] for one in seeds for other in seeds]
    mean = sum(ours[seed] - protocol[seed] for seed in seeds) / len(seeds)
    return Cost(name, mean, min(pairs), max(pairs), sorted(seeds))


def best_by_seed(
    records: Sequence[Record], dataset: str, method: str, variant: str
) -> dict[int, float]:
    """Best mean validation Dice (percent) by seed."""
    which = (dataset, method, variant)
    return {
        r.run.seed: best_dice(r)
        for r in records
        if (r.run.dataset, r.run.method, r.run.variant) == which and r.validation.get("best")
    }


def told(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """Markdown, of ACDC: which part costs most when left out, which nothing, and what else."""
    found = part_costs(records, variants, "acdc")
    if not found:
        return "No run without a part of SCN has been validated beside SCN."
    once = [cost for cost in found if len(cost.seeds) < 2]
    losing = [cost for cost in found if cost.high < 0 and cost not in once]
    free = [cost for cost in found if cost.high >= 0 and cost not in once]
    text = ["Of the parts of SCN, left out one at a time, "]
    text.append(f"the dearest is **{losing[0]}**" if losing else "none has a cost in several seeds")
    text += [f"; less dear: {_listed(losing[1:])}" if losing[1:] else ""]
    text += [f"; no cost (the range reaches zero or lies above): {_listed(free)}" if free else ""]
    text += [f"; in one run each, which may be chance: {_listed(once)}." if once else "."]
    others = other_costs(variants, records, "acdc")
    if others:
        text.append(f" Other choices, from the dearest: {_listed(others)}.")
    text.append(
        " These are points of mean validation Dice against SCN, with the range over all pairs of "
        "seeds where there are several."
    )
    return "".join(text) + _tested(records)


def in_short(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """The parts' costs on ACDC in a line, the dearest first; "" where none was left out."""
    found = part_costs(records, variants, "acdc")
    if not found:
        return ""
    shapes = without_shapes(found)
    shapes += _by_pixels([*records, *variants]) if shapes else ""
    return (
        "**Which parts of SCN count** (points of Dice without one, ACDC, validation, range over "
        f"pairs of seeds): {_listed(found)}.{shapes}"
    )


def without_shapes(found: Sequence[Cost]) -> str:
    """How much of what RSR's term is worth its shapes are, where they are the smaller part."""
    several = {cost.name: cost for cost in found if len(cost.seeds) > 1}
    term, shapes = several.get("RSR's term"), several.get("RSR's shapes")
    if term is None or shapes is None or term.high >= 0 or shapes.points < term.points / 2:
        return ""
    return (
        " RSR is mostly training on confident pseudo-labels: without its shapes it keeps "
        f"{min(shapes.points, 0) - term.points:.1f} of its {-term.points:.1f} points."
    )


def _by_pixels(runs: Sequence[Record]) -> str:
    """What shapes add to a run without any, by cells and by pixels; "" of fewer than two seeds.

    By default cells vote, and a cell that is mostly trusted takes no vote.
    """
    cells, fine, none = (
        best_by_seed(runs, "acdc", "scn", name) for name in ("", "pixelmasks", "noshape")
    )
    seeds = cells.keys() & fine.keys() & none.keys()
    if len(seeds) < 2:
        return ""
    by_cells, by_pixels = (
        sum(dice[seed] - none[seed] for seed in seeds) / len(seeds) for dice in (cells, fine)
    )
    return (
        f" To a run without shapes those of cells add {by_cells:+.1f}, those of pixels "
        f"{by_pixels:+.1f} ({seeds_count(len(seeds))})."
    )


def _tested(records: Sequence[Record]) -> str:
    """The one part that the test subjects have a row for, with its interval over patients."""
    tests: Any = compare(records, metrics=["dice"])
    if not len(tests):
        return ""
    row = tests[(tests["method"] == "cale") & (tests["dataset"] == "acdc")]
    if row.empty:
        return ""
    return (
        f" On test patients SCN without CACL's term has {interval(row.iloc[0], 100)} "
        "points (95% bootstrap over patients; Table 3's PCE+CALE)."
    )


def _listed(found: Sequence[Cost]) -> str:
    return ", ".join(map(str, found))
