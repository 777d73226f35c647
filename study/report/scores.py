"""The numbers of Tables 1-3: the paper beside our runs.

Numbers come from the records' summaries: Dice in percent, 95HD in voxels of the original grid (most
likely the paper's unit, which it does not state) and in mm; means over volumes, then over seeds.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.experiments import RECIPES
from study.report.paper import group, paper_table
from study.report.statistics import (
    bootstrap_mean,
    check_runs,
    compare,
    long_frame,
    patient_values,
)
from study.report.titles import (
    BESIDE,
    DATASETS,
    ROWS,
    STRUCTURES,
    TITLES,
    check_number,
    data_title,
    in_order,
    in_print,
    paper_row,
    row_title,
    title,
)

# Our quantity: its key in a record's summary and the factor to the table's unit.
QUANTITIES = {"Dice": ("dice", 100.0), "95HD": ("hd95_voxel", 1.0), "95HD mm": ("hd95_mm", 1.0)}
RUN_COLUMNS = ("volumes", "empty", "seeds", "iterations", "profile", "status")
FOOTNOTES = (
    "Ours: mean over volumes, then over seeds (± standard deviation where there are several). "
    "Δ: ours minus the paper's.",
    "Dice in percent. 95HD: 95th percentile of the pooled surface distances of both directions, "
    "3D; in voxels of the original grid where not said otherwise. The paper does not state its "
    "unit.",
    "†: has structures that are empty in only one of prediction and truth (counted under 'empty', "
    "over all volumes and seeds); they enter with Dice 0 and the volume's diagonal as 95HD.",
)
TESTS = (
    "Each method against SCN: the unit is the patient (mean over frames, then structures, then "
    "seeds); mean difference (method minus SCN) with its 95% bootstrap interval; two-sided "
    "Wilcoxon signed-rank test with zeros split (zsplit); p adjusted by Holm over all methods on "
    "this data set that the paper has, for each metric; over full supervision and the rows (Adam) "
    "apart; the p of another row stands for itself. Chance between seeds is in no interval and no "
    "p. Seeds: the method's / SCN's. 95HD includes the penalties for empty structures."
)
ONE_SEED = (
    "A test is over patients and takes the trained networks as they are: with one seed it compares "
    "two networks, not two methods."
)
SPREAD = 5.0  # points of Dice or voxels; beyond, a mean over seeds is of runs of two kinds
APART = (
    f"‡: single seeds, of the method or of SCN, move the difference by over {SPREAD:g} points "
    "(voxels), so that the mean, its interval and its p are of runs of two kinds."
)
_OWN = [title(method) for method in RECIPES]
OWN_RECIPE = (
    f"{', '.join(_OWN[:-1])} and {_OWN[-1]} are trained by SGD, as in their public code: chosen on "
    "validation subjects, where in the mean of both data sets they do worse by this study's Adam "
    '(the rows "(Adam)", where they were run). The paper trained all by Adam.'
)
FIVE_FOLDS = (
    "The printed row of DMPLS on ACDC is that of its own paper: five folds, and 95HD in mm, to be "
    "compared with ours in mm."
)
DEMONSTRATION = "a demonstration on {0}, no evidence"


def footnotes(number: int) -> list[str]:
    """What stands below a table."""
    more = {1: (OWN_RECIPE, FIVE_FOLDS), 2: (OWN_RECIPE,)}
    return [*FOOTNOTES, *more.get(number, ())]


def table_dataset(number: int, records: Sequence[Record], profile: str = "") -> str:
    """The data set that stands in a table: the paper's, or the phantom where only that was run."""
    check_number(number)
    found = {record.run.dataset for record in records}
    if DATASETS[number] not in found and ("phantom" in found or profile == "demo"):
        return "phantom"
    return DATASETS[number]


def our_table(number: int, records: Sequence[Record], profile: str = "") -> pd.DataFrame:
    """Our numbers for a table: rows by title in the paper's order, two-level columns.

    Methods that a user added stand below the paper's in Tables 1 and 2.

    ("Dice" | "95HD" | "95HD mm", structure) are means over seeds, "Dice spread" and "95HD spread"
    their standard deviations (nan with one seed), ("Run", ...) says how many volumes, empty
    structures, seeds and iterations, which profile, and "not run" where there is no record.
    ValueError for another number than 1-3, a run given twice, or records of several profiles.
    """
    check_runs(records)
    dataset = table_dataset(number, records, profile)
    rows = {}
    for method in _rows(number, records, dataset):
        mine = [r for r in records if (r.run.dataset, r.run.method) == (dataset, method)]
        runs = [record for record in mine if record.summary]  # empty: it was never tested
        rows[row_title(number, method)] = _our_row(runs)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=_our_columns())
    for name in ("volumes", "empty", "seeds"):
        table["Run", name] = table["Run", name].astype("Int64")
    return table


def side_by_side(number: int, records: Sequence[Record], profile: str = "") -> pd.DataFrame:
    """`our_table` with the printed numbers: "... paper", "... ours", "... spread", "... Δ".

    On the phantom the printed numbers are left out: they are of another data set. DMPLS has no
    "95HD Δ" in Table 1, as its printed row is in mm.
    """
    ours = our_table(number, records, profile)
    names = {paper_row(number, method): row_title(number, method) for method in ROWS[number]}
    printed = paper_table(number).rename(index=names).reindex(ours.index)
    blocks: dict[str, pd.DataFrame] = {}
    for quantity in ("Dice", "95HD"):
        if table_dataset(number, records, profile) != "phantom":
            blocks[f"{quantity} paper"] = group(printed, quantity)
        blocks[f"{quantity} ours"] = group(ours, quantity)
        blocks[f"{quantity} spread"] = group(ours, f"{quantity} spread")
        if f"{quantity} paper" in blocks:
            blocks[f"{quantity} Δ"] = group(ours, quantity) - group(printed, quantity)
        if (number, quantity) == (1, "95HD") and "95HD Δ" in blocks:
            blocks["95HD Δ"].loc[title("dmpls_sgd")] = math.nan  # printed in mm (`FIVE_FOLDS`)
    blocks |= {name: group(ours, name) for name in ("95HD mm", "Run")}
    return pd.concat(blocks, axis=1)


def table_title(number: int, records: Sequence[Record], profile: str) -> str:
    """The heading of a table; for the demo it says that it is no evidence."""
    dataset = table_dataset(number, records, profile)
    what = "ablation" if number == 3 else "all methods"
    heading = f"Table {number}: {what} on {data_title(dataset)}, profile {profile}"
    if profile == "demo" or dataset == "phantom":
        heading += f" ({DEMONSTRATION.format(data_title(dataset))})"
    return heading


def statistics_table(number: int, records: Sequence[Record], profile: str = "") -> pd.DataFrame:
    """`study.report.statistics.compare` for the rows of a table, in its order; may be empty.

    Holm's adjustment is over all methods of the paper that were run on the data set, shown here or
    not; over those of other questions apart.
    """
    dataset = table_dataset(number, records, profile)
    found = compare([record for record in records if record.run.dataset == dataset])
    shown = [found[found["method"] == method] for method in _rows(number, records, dataset)]
    table: Any = pd.concat(shown, ignore_index=True)
    table["method"] = [row_title(number, method) for method in table["method"]]
    return table.sort_values("metric", kind="stable", ignore_index=True)


def interval_table(number: int, records: Sequence[Record], profile: str = "") -> pd.DataFrame:
    """Each tested method's mean over patients with its 95% bootstrap interval, by row and metric.

    Columns method (the row's title), metric (dice as a fraction, hd95_voxel), mean, low, high.
    """
    dataset = table_dataset(number, records, profile)
    found = []
    for method in _rows(number, records, dataset):
        runs = [r for r in records if (r.run.dataset, r.run.method) == (dataset, method)]
        runs = [run for run in runs if run.summary]
        rows = long_frame(runs)
        for metric in ("dice", "hd95_voxel") if runs else ():
            interval = bootstrap_mean(patient_values(rows, metric))
            found.append((row_title(number, method), metric, *interval))
    return pd.DataFrame(found, columns=["method", "metric", "mean", "low", "high"])


def note_on_tests(number: int, records: Sequence[Record], profile: str, tests: pd.DataFrame) -> str:
    """What stands below a table's `tests` (`statistics_table`), with warnings of its seeds."""
    dataset = table_dataset(number, records, profile)
    methods = [record.run.method for record in records if record.run.dataset == dataset]
    shown = set(methods) & {*_rows(number, records, dataset)}
    once = any(methods.count(m) < 2 for m in shown)
    rows: Any = tests
    apart = [seeds_mark(row) for row in rows.to_dict("records")]
    return " ".join([TESTS, *([ONE_SEED] if once else ()), *([APART] if any(apart) else ())])


def seeds_mark(row: Any) -> str:
    """ "‡" for a row of `compare` whose seeds, or the reference's, tell two stories, else ""."""
    factor = 100 if row["metric"] == "dice" else 1
    return "‡" if factor * row.get("seeds_apart", float("nan")) > SPREAD else ""


def own_table(records: Sequence[Record], dataset: str) -> pd.DataFrame:
    """Our numbers on a data set that the paper has not, as text: a row a method.

    For each structure and their mean Dice (%) and 95HD (voxels), means over volumes, then over
    seeds, with the standard deviation over seeds where there are several. Empty if no run was
    tested.
    """
    tested = [r for r in records if r.run.dataset == dataset and r.summary]
    rows: dict[str, dict[str, str]] = {}
    for method in in_order([record.run.method for record in tested]):
        runs = [record for record in tested if record.run.method == method]
        row = {"seeds": str(len(runs))}
        for quantity in ("Dice", "95HD"):
            means, spreads = over_seeds(runs, quantity)
            for (structure, mean), spread in zip(means.items(), spreads, strict=True):
                row[f"{quantity} {structure}"] = number_text(mean, spread)
        rows[title(method)] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def number_text(
    value: float, spread: float = float("nan"), sign: bool = False, digits: int = 2
) -> str:
    """A number with so many digits, its spread behind it; "" for nan."""
    if pd.isna(value):
        return ""
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text if pd.isna(spread) else f"{text} ± {spread:.{digits}f}"


def _rows(number: int, records: Sequence[Record], dataset: str) -> list[str]:
    """The methods of a table; those that the paper has not there follow, in no ablation."""
    run = {record.run.method for record in records if record.run.dataset == dataset}
    if dataset == DATASETS[number]:
        others = {method for method in run if not in_print(method, dataset)}
    else:
        others = {method for method in run if method in BESIDE or method not in TITLES}
    added = in_order(others - {*ROWS[number]})
    return [*ROWS[number], *(added if number != 3 else ())]


def over_seeds(runs: Sequence[Record], quantity: str) -> tuple[pd.Series, pd.Series]:
    """Mean and standard deviation over runs, by structure and `mean`; nan spread with one run.

    Of one of `QUANTITIES`, in its table's unit.
    """
    key, factor = QUANTITIES[quantity]
    seeds: Any = pd.DataFrame([run.summary[key] for run in runs], dtype=float) * factor
    return seeds.mean(), seeds.std()


def _our_columns() -> pd.MultiIndex:
    quantities = [*QUANTITIES, "Dice spread", "95HD spread"]
    pairs = [(quantity, structure) for quantity in quantities for structure in STRUCTURES]
    return pd.MultiIndex.from_tuples(pairs + [("Run", name) for name in RUN_COLUMNS])


def _our_row(runs: list[Record]) -> list:
    """The values of one row in the order of `_our_columns`."""
    if not runs:
        return (
            [float("nan")] * (len(_our_columns()) - len(RUN_COLUMNS))
            + [None] * (len(RUN_COLUMNS) - 1)
            + ["not run"]
        )
    means: dict[str, pd.Series] = {}
    spreads: dict[str, pd.Series] = {}
    for quantity in QUANTITIES:
        means[quantity], spreads[quantity] = (
            values.rename(index={"mean": "Mean"}).reindex(list(STRUCTURES))
            for values in over_seeds(runs, quantity)
        )
    values = [value for quantity in QUANTITIES for value in means[quantity]]
    values += [value for quantity in ("Dice", "95HD") for value in spreads[quantity]]
    metrics = pd.concat([run.metrics for run in runs])
    empty = int(np.count_nonzero(metrics["empty_prediction"] != metrics["empty_truth"]))
    profiles = [run.run.profile for run in runs]
    iterations = "/".join(str(n) for n in sorted({int(p.iterations) for p in profiles}))
    volumes = max(int(run.summary["volumes"]) for run in runs)
    return [*values, volumes, empty, len(runs), iterations, profiles[0].name, "run"]
