"""What the study found, computed from the records: no number of it is typed by hand."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scnlib.config import changed_fields
from scnlib.records import Record
from study.experiments import make_run
from study.report.means import best_dice, difference, typical_step
from study.report.paper import group, printed_mean
from study.report.scores import side_by_side
from study.report.titles import ROWS, row_title, title


def ours_minus_printed(records: Sequence[Record], profile: str) -> pd.DataFrame:
    """Ours minus printed, for each printed number that we have a run for.

    Columns table, quantity, method (its row's title), structure, difference: Dice in points of
    percent, 95HD in voxels. Empty for the phantom, which the paper has not.
    """
    rows = []
    for number in ROWS:
        table = side_by_side(number, records, profile)
        for quantity in ("Dice", "95HD"):
            if f"{quantity} Δ" in table.columns.get_level_values(0):
                cells: Any = group(table, f"{quantity} Δ").astype(float).stack()
                rows += [(number, quantity, *cell, value) for cell, value in cells.items()]
    columns = ["table", "quantity", "method", "structure", "difference"]
    return pd.DataFrame(rows, columns=columns).dropna(ignore_index=True)


class AblationStep(NamedTuple):
    """From one row of Table 3 to the next: both titles, points of mean Dice, their seeds, and the
    printed points."""

    one: str
    two: str
    gain: float
    seeds: list[int]
    printed: float


def ablation_steps(records: Sequence[Record]) -> list[AblationStep]:
    """What each part of the method adds on ACDC, where both rows have runs of one seed."""
    steps = []
    for one, two in pairwise(ROWS[3]):
        gain, seeds = difference(records, "acdc", one, two)
        if seeds:
            printed = printed_mean(3, two) - printed_mean(3, one)
            steps.append(AblationStep(row_title(3, one), row_title(3, two), gain, seeds, printed))
    return steps


def reproduced(records: Sequence[Record], profile: str) -> pd.DataFrame:
    """Per table and quantity: how many numbers are compared, how many within 1, 3, 5."""
    rows = []
    found: Any = ours_minus_printed(records, profile)
    for (number, quantity), part in found.groupby(["table", "quantity"], sort=False):
        counts = {
            f"within {limit}": int((part["difference"].abs() <= limit).sum()) for limit in (1, 3, 5)
        }
        rows.append({"table": number, "quantity": quantity, "compared": len(part)} | counts)
    return pd.DataFrame(rows)


def order_holds(records: Sequence[Record], profile: str, quantity: str = "Dice") -> pd.DataFrame:
    """Per table: pairs of methods by their mean, how many are in the printed order, which are not.

    "reversed" says of the latter which method has the higher mean here, and than which. Pairs with
    equal numbers, printed or ours, are left out, and those of another unit. `quantity` is Dice or
    95HD.
    """
    rows = []
    for number in ROWS:
        table = side_by_side(number, records, profile)
        if f"{quantity} paper" not in table.columns.get_level_values(0):
            continue
        kinds = ("paper", "ours", "Δ")  # without a difference the two are not to be compared
        means: Any = pd.DataFrame({n: table[f"{quantity} {n}", "Mean"] for n in kinds}).dropna()
        pairs = [
            (a, b)
            for a, b in combinations(means.index, 2)
            if means["paper"][a] != means["paper"][b] and means["ours"][a] != means["ours"][b]
        ]
        wrong = [
            (a, b) if means["ours"][a] > means["ours"][b] else (b, a)
            for a, b in pairs
            if (means["paper"][a] > means["paper"][b]) != (means["ours"][a] > means["ours"][b])
        ]
        count = {"table": number, "pairs": len(pairs), "in printed order": len(pairs) - len(wrong)}
        rows.append(count | {"reversed": _above(wrong)})
    return pd.DataFrame(rows)


def _above(pairs: list[tuple[str, str]]) -> str:
    """Pairs of a higher and a lower method in words, each higher one said once."""
    below = {higher: [low for high, low in pairs if high == higher] for higher, _ in pairs}
    return "; ".join(f"{higher} above {', '.join(lower)}" for higher, lower in below.items())


def seed_spread(records: Sequence[Record]) -> pd.DataFrame:
    """How far the seeds of one method lie apart on one data set, where there are several.

    Columns data set, method, seeds, and between the highest and lowest seed the points of best
    validation Dice and of test Dice (nan where one was not validated or tested), by the former.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.run.dataset, record.run.method), []).append(record)
    rows = []
    for (dataset, method), runs in groups.items():
        if len(runs) > 1:
            best = [best_dice(r) for r in runs]
            test = [100 * r.summary["dice"]["mean"] if r.summary else np.nan for r in runs]
            rows.append((dataset, title(method), len(runs), np.ptp(best), np.ptp(test)))
    columns = ["data set", "method", "seeds", "validation Dice (points)", "test Dice (points)"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(columns[3], ascending=False, ignore_index=True)


def cost_table(records: Sequence[Record]) -> pd.DataFrame:
    """What each run took beside its Dice: steps, images, minutes, memory, where.

    A step's time is the median over the stretches between validations, and the times in minutes are
    made from it, so that what else the machine did does not count. Peak memory is of the whole
    process on a CPU, of the tensors alone on a GPU. "to 80% (min)" is the training up to the first
    validation with a mean Dice of at least 0.8; nan where none reached it.
    """
    return pd.DataFrame([_cost(record) for record in records])


def _cost(record: Record) -> dict[str, Any]:
    run, step = record.run, typical_step(record)
    return {
        "data set": run.dataset,
        "method": title(run.method),
        "seed": run.seed,
        "test Dice (%)": _percent(record.summary),
        "parameters (million)": round(record.parameters / 1e6, 2),
        "seconds a step": round(step, 3),
        "images/s": round(run.profile.batch / step, 1),
        "training (min)": round(run.profile.iterations * step / 60, 1),
        "to 80% (min)": round(first_reaching(record, 0.8) * step / 60, 1),
        "peak memory (MB)": round(record.peak_memory_mb),
        "dtype": record.dtype,
        "hardware": record.hardware,
    }


def first_reaching(record: Record, dice: float) -> float:
    """The iteration of the first validation with that mean Dice (fraction); nan if none has it."""
    reached = [p["iteration"] for p in record.validation["curve"] if p["dice"] >= dice]
    return min(reached, default=float("nan"))


def _percent(summary: dict[str, Any]) -> float:
    return round(100 * summary["dice"]["mean"], 2) if summary else float("nan")


def variants_table(
    records: Sequence[Record], variants: Sequence[Record], names: Sequence[str] = ()
) -> pd.DataFrame:
    """Best validation Dice (%) of each variant beside the default run's, same method and seed.

    Only the variants in `names`, or all. nan where the default was not run.
    """
    default = {run_key(record): best_dice(record) for record in records}
    rows = []
    for record in variants:
        if not record.validation.get("best") or (names and record.run.variant not in names):
            continue
        best, other = best_dice(record), default.get(run_key(record), np.nan)
        rows.append(
            {
                "variant": record.run.variant,
                "changed": departures(record),
                "data set": record.run.dataset,
                "method": record.run.method,
                "seed": record.run.seed,
                "validation Dice (%)": best,
                "default's (%)": other,
                "difference": best - other,
            }
        )
    return pd.DataFrame(rows)


def departures(record: Record) -> str:
    """The fields in which a run departs from the study's protocol, with their values."""
    run = record.run
    changed = changed_fields(run, make_run(run.dataset, run.method, run.seed, run.profile.name))
    return ", ".join(
        f"{name.split('.')[-1]}={value}"
        for name, (value, _) in changed.items()
        if name != "variant"
    )


def run_key(record: Record) -> tuple[str, str, int]:
    """What two runs share that differ in their options alone: data set, method and seed."""
    return record.run.dataset, record.run.method, record.run.seed
