"""The paper's claims, answered in sentences: every number in them is computed from the records."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from scnlib import findings
from scnlib.config import RECIPES, without_recipe
from scnlib.paper import (
    ROWS,
    data_title,
    group,
    paper_row,
    paper_table,
    printed_inconsistencies,
    row_title,
    title,
)
from scnlib.records import Record
from scnlib.statistics import compare


def answers(records: Sequence[Record], variants: Sequence[Record], profile: str) -> list[str]:
    """One sentence or two on each claim that the runs at hand can answer, in Markdown."""
    found = [
        *(_numbers(records, profile)),
        *(_order(records, profile)),
        *(_significance(records)),
        *(_ablation(records)),
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
        said.append(f"{data_title(str(dataset))}: {'; '.join(parts)}")
    if not said:
        return []
    claim = "**Significance.** The paper claims p < 0.05 and names no test. By patient, Dice, "
    return [f"{claim}two-sided Wilcoxon, Holm's adjustment: {'. '.join(said)}."]


def _ablation(records: Sequence[Record]) -> list[str]:
    """What each part of the method adds, beside the printed gains of Table 3."""
    printed = group(paper_table(3), "Dice")["Mean"]
    gains = []
    for one, two in pairwise(ROWS[3]):
        gain, seeds = _gain(records, "acdc", one, two)
        if seeds:
            names = [row_title(3, method) for method in (one, two)]
            paper = printed[paper_row(3, two)] - printed[paper_row(3, one)]
            text = f"from {names[0]} to {names[1]} {gain:+.2f} points"
            gains.append(f"{text} ({paper:+.2f} printed; {_seeds(seeds)})")
    return [f"**Ablation.** Mean Dice on ACDC: {', '.join(gains)}."] if gains else []


def _bound(records: Sequence[Record]) -> list[str]:
    """How far SCN stays below full supervision, which the paper does not print."""
    gap, seeds = _gain(records, "acdc", "scn", "full")
    if not seeds:
        return []
    full = 100 * _means(records, "acdc")["full"]
    return [
        f"**Upper bound.** Full supervision of the same network has {full:.2f}% mean Dice on ACDC, "
        f"{gap:+.2f} points against SCN ({_seeds(seeds)}); the paper has no such row."
    ]


def _baseline(records: Sequence[Record]) -> list[str]:
    """Whether PCE does as badly as printed."""
    by_seed = _by_seed(records, "acdc").get("pce")
    if not by_seed:
        return []
    printed = paper_table(1).loc["PCE"]["Dice", "Mean"]
    text = f"{100 * np.mean(list(by_seed.values())):.2f}% mean Dice on ACDC"
    if len(by_seed) > 1:
        each = ", ".join(f"{100 * dice:.2f}%" for _, dice in sorted(by_seed.items()))
        text += f" over {len(by_seed)} seeds ({each})"
    return [f"**PCE.** {text}, {printed:.2f}% printed."]


def _below(records: Sequence[Record]) -> list[str]:
    """Methods that add a loss to PCE and gain nothing by it."""
    said = []
    for dataset in ("acdc", "mscmr"):
        means = _means(records, dataset)
        pce = means.pop("pce", np.inf)
        below = {method: dice for method, dice in means.items() if dice <= pce < np.inf}
        names = [f"{row_title(1, method)} ({100 * dice:.2f}%)" for method, dice in below.items()]
        if names:
            said.append(f"{data_title(dataset)}: {', '.join(names)} against {100 * pce:.2f}%")
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
                f"{row_title(1, method)} on {data_title(run.dataset)} {best:.2f}% "
                f"(SGD at {run.profile.lr:g}) instead of {ours:.2f}%"
            )
    if not parts:
        return []
    return [
        "**Other recipes.** With the optimiser and schedule of their public code, best Dice on "
        "validation subjects, with the same seed: "
        f"{'; '.join(parts)}.{_between_seeds(records, 'pce')}"
    ]


def _choices(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """How much of SCN hangs on what the paper leaves open, on validation subjects."""
    changed = [r for r in variants if r.run.method == "scn"]
    table = findings.variants_table(records, changed) if changed else pd.DataFrame()
    parts = [
        f"{row['changed']} on {data_title(row['data set'])} {row['validation Dice (%)']:.2f}% "
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
        f"{row['validation Dice (points)']:.2f} points apart on {data_title(row['data set'])}"
        for row in table.dropna().to_dict("records")
    ]
    return f" Seeds of {title(method)} lie {', '.join(found)}." if found else ""


def _print() -> str:
    count = len(printed_inconsistencies())
    return (
        f"**The print.** {count} entries of the printed tables contradict others, or are better "
        "than the model that is called the best; notebook 04 lists them."
    )


def _means(records: Sequence[Record], dataset: str) -> dict[str, float]:
    """Each tested method's mean Dice (0..1) on a data set's test subjects, over seeds."""
    found = _by_seed(records, dataset)
    return {method: float(np.mean(list(seeds.values()))) for method, seeds in found.items()}


def _by_seed(records: Sequence[Record], dataset: str) -> dict[str, dict[int, float]]:
    """The same of each seed."""
    found: dict[str, dict[int, float]] = {}
    for record in records:
        if record.run.dataset == dataset and record.summary:
            seeds = found.setdefault(record.run.method, {})
            seeds[record.run.seed] = record.summary["dice"]["mean"]
    return found


def _gain(records: Sequence[Record], dataset: str, one: str, two: str) -> tuple[float, list[int]]:
    """Points of mean Dice from one method to another, and the seeds that both have."""
    found = _by_seed(records, dataset)
    first, second = found.get(one, {}), found.get(two, {})
    seeds = sorted(first.keys() & second.keys())
    return 100 * sum(second[s] - first[s] for s in seeds) / max(len(seeds), 1), seeds


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _titles(methods: Sequence[str]) -> str:
    return ", ".join(row_title(1, method) for method in methods)
