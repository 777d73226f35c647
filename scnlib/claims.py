"""The paper's claims, answered in sentences: every number in them is computed from the records."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib import findings
from scnlib.config import RECIPES, without_recipe
from scnlib.paper import NAMES, ROWS, group, paper_table, printed_inconsistencies, row_title, title
from scnlib.records import Record
from scnlib.statistics import compare
from scnlib.table_numbers import side_by_side


def answers(records: Sequence[Record], variants: Sequence[Record], profile: str) -> list[str]:
    """One sentence or two on each claim that the runs at hand can answer, in Markdown."""
    found = [
        *(_numbers(records, profile)),
        *(_order(records, profile)),
        *(_significance(records)),
        *(_ablation(records, profile)),
        *(_bound(records)),
        *(_baseline(records)),
        *(_below(records)),
        *(_recipes(records, variants)),
        *(_choices(records, variants)),
        _print(),
    ]
    return found


def _numbers(records: Sequence[Record], profile: str) -> list[str]:
    """How many printed numbers came out again."""
    table: Any = findings.reproduced(records, profile)
    table = table[(table["compared"] > 0) & (table["quantity"] == "Dice")] if len(table) else table
    if not len(table):
        return []
    parts = [
        f"Table {row['table']}: {row['within 1']}, {row['within 3']} and {row['within 5']} of "
        f"{row['compared']}"
        for row in table.to_dict("records")
    ]
    return [f"**Numbers.** Printed Dice values met within 1, 3 and 5 points: {'; '.join(parts)}."]


def _order(records: Sequence[Record], profile: str) -> list[str]:
    """Which pairs of methods stand the other way round than printed."""
    said = _pairs(findings.order_holds(records, profile))
    if not said:
        return []
    sentences = [f"**Order.** Methods in the printed order of mean Dice: {'; '.join(said)}."]
    own = _pairs(findings.order_holds(records, profile, own_recipes=True))
    if changed := [text for text in own if text not in said]:
        sentences.append(f"With the rows by SGD in their methods' place: {'; '.join(changed)}.")
    return [" ".join(sentences)]


def _pairs(table: pd.DataFrame) -> list[str]:
    return [
        f"Table {row['table']}: {row['in printed order']} of {row['pairs']} pairs"
        + (f" (but {row['reversed']})" if row["reversed"] else "")
        for row in table.to_dict("records")
        if row["pairs"]
    ]


def _significance(records: Sequence[Record]) -> list[str]:
    """The claim "p < 0.05" over all methods, answered a patient at a time and adjusted."""
    tests = compare(records, metrics=("dice",))
    said = []
    for dataset, rows in tests[tests["method"] != "full"].groupby("dataset", sort=False):
        if dataset not in ("acdc", "mscmr"):
            continue
        by = {verdict: part["method"].tolist() for verdict, part in rows.groupby("verdict")}
        words = {
            "worse": "SCN is better than",
            "better": "SCN is worse than",
            "not significant": "no significant difference from",
            "no difference": "no difference at all from",
        }
        parts = [f"{words[v]} {_titles(by[v])}" for v in words if v in by]
        said.append(f"{NAMES[str(dataset)]}: {'; '.join(parts)}")
    if not said:
        return []
    claim = "**Significance.** The paper claims p < 0.05 and names no test. By patient, Dice, "
    return [f"{claim}two-sided Wilcoxon, Holm's adjustment: {'. '.join(said)}."]


def _ablation(records: Sequence[Record], profile: str) -> list[str]:
    """What each part of the method adds, beside the printed gains of Table 3."""
    table = side_by_side(3, records, profile)
    if "Dice paper" not in table.columns.get_level_values(0):
        return []
    ours = group(table, "Dice ours")["Mean"].to_numpy(float)
    paper = group(table, "Dice paper")["Mean"].to_numpy(float)
    names = [row_title(3, method) for method in ROWS[3]]
    gains = [
        f"from {names[i]} to {names[i + 1]} {ours[i + 1] - ours[i]:+.2f} points "
        f"({paper[i + 1] - paper[i]:+.2f} printed)"
        for i in range(2)
        if np.isfinite(ours[i : i + 2]).all()
    ]
    return [f"**Ablation.** Mean Dice on ACDC: {', '.join(gains)}."] if gains else []


def _bound(records: Sequence[Record]) -> list[str]:
    """How far SCN stays below full supervision, which the paper does not print."""
    means = _means(records, "acdc")
    if not {"full", "scn"} <= set(means):
        return []
    full, gap = 100 * means["full"], 100 * (means["full"] - means["scn"])
    return [
        f"**Upper bound.** Full supervision of the same network has {full:.2f}% mean Dice on ACDC, "
        f"{gap:+.2f} points against SCN; the paper has no such row."
    ]


def _baseline(records: Sequence[Record]) -> list[str]:
    """Whether PCE does as badly as printed."""
    tested = _means(records, "acdc").get("pce")
    if tested is None:
        return []
    printed = paper_table(1).loc["PCE"]["Dice", "Mean"]
    return [f"**PCE.** {100 * tested:.2f}% mean Dice on ACDC, {printed:.2f}% printed."]


def _below(records: Sequence[Record]) -> list[str]:
    """Methods that add a loss to PCE and gain nothing by it."""
    said = []
    for dataset in ("acdc", "mscmr"):
        means = _means(records, dataset)
        pce = means.pop("pce", np.inf)
        below = {method: dice for method, dice in means.items() if dice <= pce < np.inf}
        names = [f"{row_title(1, method)} ({100 * dice:.2f}%)" for method, dice in below.items()]
        if names:
            said.append(f"{NAMES[dataset]}: {', '.join(names)} against {100 * pce:.2f}%")
    return [f"**Not above PCE.** Mean Dice on {'; '.join(said)}."] if said else []


def _recipes(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """What a method has on validation subjects when trained as its public code trains it."""
    tried = [r for r in variants if r.run.variant.startswith("sgd")]
    tried += [r for r in records if r.run.method in RECIPES]
    parts = []
    for record in tried:
        run, method = record.run, without_recipe(record.run.method)
        same = (run.dataset, method, run.seed)
        shared = [r for r in records if (r.run.dataset, r.run.method, r.run.seed) == same]
        if shared and all(r.validation["best"] for r in (record, shared[0])):
            best, ours = (100 * r.validation["best"]["dice"] for r in (record, shared[0]))
            parts.append(
                f"{row_title(1, method)} on {_name(run.dataset)} {best:.2f}% "
                f"(SGD at {run.profile.lr:g}) instead of {ours:.2f}%"
            )
    if not parts:
        return []
    return [
        "**Other recipes.** Trained as the benchmark's public code does, best Dice on validation "
        f"subjects, with the same seed: {'; '.join(parts)}.{_between_seeds(records, 'pce')}"
    ]


def _choices(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """How much of SCN hangs on what the paper leaves open, on validation subjects."""
    changed = [r for r in variants if r.run.method == "scn"]
    table = findings.variants_table(records, changed) if changed else pd.DataFrame()
    parts = [
        f"{row['changed']} on {_name(row['data set'])} {row['validation Dice (%)']:.2f}% "
        f"({row['difference']:+.2f} points)"
        for row in table.dropna().to_dict("records")
    ]
    if not parts:
        return []
    return [
        "**Open choices.** SCN's best Dice on validation subjects with one of them changed, beside "
        f"the default with the same seed: {'; '.join(parts)}.{_between_seeds(records, 'scn')}"
    ]


def _between_seeds(records: Sequence[Record], method: str) -> str:
    """By how much chance alone moves such a number, where several seeds tell."""
    table = findings.seed_spread([record for record in records if record.run.method == method])
    found = [
        f"{row['validation Dice (points)']:.2f} points on {_name(row['data set'])}"
        for row in table.dropna().to_dict("records")
    ]
    return f" Seeds of {title(method)} lie {', '.join(found)} apart." if found else ""


def _print() -> str:
    count = len(printed_inconsistencies())
    return (
        f"**The print.** {count} entries of the printed tables contradict others, or are better "
        "than the model that is called the best; notebook 04 lists them."
    )


def _means(records: Sequence[Record], dataset: str) -> dict[str, float]:
    """Each tested method's mean Dice (0..1) on a data set's test subjects, over seeds."""
    values: dict[str, list[float]] = {}
    for record in records:
        if record.run.dataset == dataset and record.summary:
            values.setdefault(record.run.method, []).append(record.summary["dice"]["mean"])
    return {method: float(np.mean(found)) for method, found in values.items()}


def _name(dataset: str) -> str:
    return NAMES.get(dataset, dataset)


def _titles(methods: Sequence[str]) -> str:
    return ", ".join(row_title(1, method) for method in methods)
