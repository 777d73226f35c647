"""What the tests against SCN say: who has better means, who differs, where interval and test part.

One rule says whether a difference is significant: the p of the signed-rank test, by Holm's
adjustment where a question has several rows (`study.report.statistics.compare`). The
bootstrap interval is of one difference alone and of its mean; it shows how large the difference is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report.scores import ONE_SEED, SPREAD
from study.report.statistics import ALPHA, compare
from study.report.titles import DATASETS, data_title, in_order, in_print, row_title
from study.report.uneven import seeds_far_apart

UNITS = {"dice": ("Dice", 100.0, "points"), "hd95_voxel": ("95HD", 1.0, "voxels")}
_WORDS = {
    "worse": "SCN is better than",
    "better": "SCN is worse than",
    "not significant": "no significant difference from",
    "no difference": "no difference at all from",
}


def tests_against_scn(records: Sequence[Record]) -> pd.DataFrame:
    """`compare` on the paper's data sets, for its claims on rivals.

    Without the rows that the paper has not, among them full supervision and what a user added.
    """
    tests: Any = compare(records)
    pairs = zip(tests["method"], tests["dataset"], strict=True)
    printed = [name in DATASETS.values() and in_print(method, name) for method, name in pairs]
    return tests[np.array(printed, dtype=bool)]


def ahead_of_scn(tests: pd.DataFrame) -> pd.DataFrame:
    """The rows of `tests_against_scn` whose mean is better than SCN's, in the tables' order.

    A lead that would be printed as 0.00 is none. SCN may have the better ranks all the same, and
    be significantly better by them.
    """
    if not len(tests):
        return tests
    unit: Any = tests["metric"].replace({"dice": 100.0, "hd95_voxel": -1.0}).astype(float)
    ahead: Any = tests[unit * tests["mean_difference"] >= 0.005]
    place = {method: i for i, method in enumerate(in_order(ahead["method"].tolist()))}
    ahead = ahead.assign(place=ahead["method"].map(place))
    return ahead.sort_values(["dataset", "metric", "place"], ignore_index=True)


def proven_leads(ahead: pd.DataFrame) -> tuple[int, int]:
    """Of the rows of `ahead_of_scn`, how many lead significantly, and in how many SCN has the
    better ranks."""
    balances = ahead["by_ranks"].tolist()
    return ahead["verdict"].tolist().count("better"), sum(balance < 0 for balance in balances)


def best(records: Sequence[Record]) -> list[str]:
    """The claim that SCN has the highest mean Dice and the lowest mean 95HD of Tables 1 and 2."""
    tests = tests_against_scn(records)
    if not len(tests):
        return []
    named = []
    for row in ahead_of_scn(tests).to_dict("records"):
        quantity, factor, unit = UNITS[row["metric"]]
        where = f"{row_title(1, row['method'])} on {data_title(row['dataset'])}, {quantity}"
        text = f"{where} {interval(row, factor, unit)}"
        led = " (SCN has the better ranks)" * (row["by_ranks"] < 0)
        if row["verdict"] in ("better", "worse"):
            led = " (SCN is significantly better by ranks)" if led else " (significant)"
        named.append(text + led)
    return [
        "**The best.** The paper claims the best mean Dice and 95HD for SCN. "
        "Rows with a better mean over patients here, all seeds taken together (difference to SCN, "
        f"with its 95% bootstrap interval): {'; '.join(named) or 'none'}."
    ]


def significance(records: Sequence[Record]) -> list[str]:
    """The claim "p < 0.05" over all methods, answered a patient at a time and adjusted."""
    tests = tests_against_scn(records)
    if not len(tests):
        return []
    said = []
    groups: Any = tests.groupby(["dataset", "metric"], sort=False)
    for (dataset, metric), rows in groups:
        by = {v: in_order(part["method"].tolist()) for v, part in rows.groupby("verdict")}
        parts = [f"{words} {_titles(by[v])}" for v, words in _WORDS.items() if v in by]
        said.append(f"{data_title(str(dataset))}, {UNITS[str(metric)][0]}: {'; '.join(parts)}.")
    said += [*_parted(tests), *_single(tests), *_by_seed(records, tests)]
    return [
        "**Significance.** The paper claims p < 0.05 and names no test. By patient, two-sided "
        f"Wilcoxon, Holm's adjustment: this rule alone. {' '.join(said)}"
    ]


def _parted(tests: pd.DataFrame) -> list[str]:
    """Where the interval of the mean reads otherwise than the test, and why."""
    found = []
    for row in tests.dropna(subset=["p_holm"]).to_dict("records"):
        apart = row["low"] > 0 or row["high"] < 0
        if apart == (row["p_holm"] < ALPHA):
            continue
        quantity, factor, unit = UNITS[row["metric"]]
        many = row["p"] < ALPHA <= row["p_holm"]
        why = p_text(row["p"]) + f", {row['p_holm']:.3f} after Holm" * many
        where = f"{row_title(1, row['method'])} on {data_title(row['dataset'])}, {quantity}"
        found.append(f"{where} {interval(row, factor, unit)}, {why}")
    if not found:
        return []
    return [
        "An interval is not adjusted for many comparisons and follows the mean, the test follows "
        f"the ranks; so they part, and the test counts, for {'; '.join(found)}."
    ]


def _single(tests: pd.DataFrame) -> list[str]:
    """Which comparisons rest on one seed."""
    once = tests[tests[["seeds", "reference_seeds"]].min(axis=1) < 2]
    names = []
    for dataset, rows in once.groupby("dataset", sort=False):
        methods = set(rows["method"])
        names.append(f"{data_title(str(dataset))} {_titles(in_order(methods))}")
    return [f"{ONE_SEED} Of one seed are on {'; on '.join(names)}."] if names else []


def _by_seed(records: Sequence[Record], tests: pd.DataFrame) -> list[str]:
    """Methods, SCN among them, whose seeds tell more than one story: each seed's mean Dice."""
    found = []
    for dataset, rows in tests.groupby("dataset", sort=False):
        far = seeds_far_apart(records, str(dataset))
        for method in in_order(far.keys() & {*rows["method"], "scn"}):
            each = ", ".join(f"{value:.2f}" for value in far[method])
            found.append(f"{row_title(1, method)} on {data_title(str(dataset))} {each}")
    told = f"Of seeds over {SPREAD:g} points apart, mean Dice in percent: "
    return [f"{told}{'; '.join(found)}."] if found else []


def p_text(p: float) -> str:
    """A p-value with three decimals, in words: "p 0.042", or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


def interval(row: Any, factor: float, unit: str = "") -> str:
    """A row of `compare` in words: the mean difference with its 95% bootstrap interval."""
    mean, low, high = (factor * float(row[name]) for name in ("mean_difference", "low", "high"))
    return f"{mean:+.2f}{' ' * bool(unit)}{unit} [{low:+.2f}, {high:+.2f}]"


def interval_with_seeds(row: Any, factor: float) -> str:
    """A row's interval over patients and seeds in words, after a comma; "" for few seeds."""
    low, high = (factor * float(row[name]) for name in ("low_seeds", "high_seeds"))
    return "" if np.isnan(low) else f", over patients and seeds [{low:+.2f}, {high:+.2f}]"


def _titles(methods: Sequence[str]) -> str:
    return ", ".join(row_title(1, method) for method in methods)
