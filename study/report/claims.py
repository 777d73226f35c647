"""The paper's claims, answered in sentences: every number in them is computed from the records."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report import fill, findings, own_rival, recipes, worth
from study.report.means import difference, mean_dice, per_seed, seeds_text
from study.report.paper import printed_inconsistencies, printed_mean
from study.report.titles import (
    NAMES,
    data_title,
    in_order,
    row_title,
    title,
)
from study.report.verdicts import best, significance


def answers(records: Sequence[Record], variants: Sequence[Record], profile: str) -> list[str]:
    """One sentence or two on each claim that the runs at hand can answer, in Markdown."""
    return [
        *_numbers(records, profile),
        *_order(records, profile),
        *best(records),
        *significance(records),
        *_ablation(records),
        *_bound(records),
        *_baseline(records),
        *_chance(records),
        *_below(records),
        *_recipes(records, variants),
        *_corners(records, variants),
        *_choices(records, variants),
        *filter(None, [own_rival.told_in_full(records)]),
        _print(),
    ]


def _numbers(records: Sequence[Record], profile: str) -> list[str]:
    """How many printed numbers came out again, and which of them closely."""
    table: Any = findings.reproduced(records, profile)
    if not len(table):
        return []
    sentences = []
    for quantity, unit in (("Dice", "points"), ("95HD", "voxels")):
        parts = [
            f"Table {row['table']}: {row['within 1']}, {row['within 3']} and {row['within 5']} of "
            f"{row['compared']}"
            for row in table[table["quantity"] == quantity].to_dict("records")
        ]
        if parts:
            sentences.append(
                f"Printed {quantity} values met within 1, 3 and 5 {unit}: {'; '.join(parts)}."
            )
    found: Any = findings.ours_minus_printed(records, profile)
    found = found[(found["quantity"] == "Dice") & (found["difference"].abs() <= 1)]
    close = []
    for number, cells in found.groupby("table", sort=False):
        names = [f"{m} {', '.join(c['structure'])}" for m, c in cells.groupby("method", sort=False)]
        close.append(f"Table {number}: {'; '.join(names)}")
    sentences += [f"Dice within 1 point: {'. '.join(close)}."] if close else []
    return [f"**Numbers.** {' '.join(sentences)}"]


def _order(records: Sequence[Record], profile: str) -> list[str]:
    """Which pairs of methods stand the other way round than printed."""
    pairs = _pairs(findings.order_holds(records, profile))
    if not pairs:
        return []
    distances = findings.order_holds(records, profile, quantity="95HD")
    distances = _pairs(distances.drop(columns="reversed"))
    said = f"**Order.** Methods in the printed order of mean Dice: {'; '.join(pairs)}."
    return [said + (f" Of mean 95HD: {'; '.join(distances)}." if distances else "")]


def _pairs(table: pd.DataFrame) -> list[str]:
    return [
        f"Table {row['table']}: {row['in printed order']} of {row['pairs']} pairs"
        + (f" (but {row['reversed']})" if row.get("reversed") else "")
        for row in table.to_dict("records")
        if row["pairs"]
    ]


def _ablation(records: Sequence[Record]) -> list[str]:
    """What each part of the method adds, beside the printed gains of Table 3."""
    gains = [
        f"from {one} to {two} {gain:+.2f} points ({printed:+.2f} printed; {seeds_text(seeds)})"
        for one, two, gain, seeds, printed in findings.ablation_steps(records)
    ]
    return [f"**Ablation.** Mean Dice on ACDC: {', '.join(gains)}."] if gains else []


def _bound(records: Sequence[Record]) -> list[str]:
    """How far SCN stays below full supervision, which the paper does not print."""
    gap, seeds = difference(records, "acdc", "scn", "full")
    if not seeds:
        return []
    full = 100 * mean_dice(records, "acdc")["full"]
    return [
        f"**Upper bound.** Full supervision of the same network has {full:.2f}% mean Dice on ACDC, "
        f"{gap:+.2f} points against SCN ({seeds_text(seeds)}); the paper has no such row."
    ]


def _baseline(records: Sequence[Record]) -> list[str]:
    """Whether PCE does as badly as printed."""
    by_seed = per_seed(records, "acdc").get("pce")
    if not by_seed:
        return []
    text = f"{100 * np.mean(list(by_seed.values())):.2f}% mean Dice on ACDC"
    if len(by_seed) > 1:
        each = ", ".join(f"{100 * dice:.2f}%" for _, dice in sorted(by_seed.items()))
        text += f" over {len(by_seed)} seeds ({each})"
    return [f"**PCE.** {text}, {printed_mean(1, 'pce'):.2f}% printed."]


def _chance(records: Sequence[Record]) -> list[str]:
    """How far the seeds of one method lie apart, the widest range first."""
    points = "test Dice (points)"
    table: Any = findings.seed_spread([record for record in records if record.summary])
    parts = []
    for (dataset, count), rows in table.groupby(["data set", "seeds"], sort=False):
        ranked = rows.sort_values(points, ascending=False, kind="stable")
        pairs = zip(ranked["method"], ranked[points], strict=True)
        spreads = ", ".join(f"{method} {spread:.2f}" for method, spread in pairs)
        parts.append(f"of {count} seeds on {data_title(dataset)}: {spreads}")
    if not parts:
        return []
    return [f"**Chance.** Points of test Dice between the best and the worst {'; '.join(parts)}."]


def _below(records: Sequence[Record]) -> list[str]:
    """Methods that add a loss to PCE and gain nothing by it."""
    said = []
    for dataset in NAMES:
        others = [method for method in per_seed(records, dataset) if method != "pce"]
        gains = {method: difference(records, dataset, "pce", method) for method in in_order(others)}
        below = [
            f"{row_title(1, method)} {gain:+.2f} points ({seeds_text(seeds)})"
            for method, (gain, seeds) in gains.items()
            if seeds and gain <= 0
        ]
        if below:
            said.append(f"{data_title(dataset)}: {', '.join(below)}")
    if not said:
        return []
    return [f"**Not above PCE.** Mean Dice against PCE's on {'; '.join(said)}."]


def _recipes(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """What a method has on validation subjects when trained as its public code trains it."""
    text = recipes.sgd_told(recipes.sgd_pairs(records, variants))
    if not text:
        return []
    return [
        "**Other recipes.** With the optimiser and schedule of their public code, best Dice on "
        f"validation subjects: {text}.{_between_seeds(records, 'pce')}"
    ]


def _corners(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """What it is worth to label the corners that a rotation brings in, on validation subjects."""
    found = {name: fill.whole_fills(records, variants, name) for name in NAMES}
    said = []
    for name, effects in found.items():
        if effects:
            text = f"On {data_title(name)} {'; '.join(map(fill.filled, effects))}."
            lead = fill.lead_over_pce({one.method: one for one in effects})
            said.append(f"{text} {lead}".strip())
    if not said:
        return []
    compared = {
        (name, one.method, seed)
        for name, effects in found.items()
        for one in effects
        for seed in one.seeds
    }
    labelled = [r for r in variants if r.run.variant == worth.FILL]
    return [
        "**Labels that nobody drew.** With the corners that a rotation brings in labelled as "
        "background, as in S2L's public code, mean best Dice on validation subjects, in percent, "
        f"goes from the first number to the second. {' '.join(said)}"
        f"{_other_formats(records, labelled, compared)}"
    ]


def _other_formats(
    records: Sequence[Record], labelled: Sequence[Record], compared: Collection[Any]
) -> str:
    """Which runs with labelled corners have another number format than the default's."""
    usual = {findings.run_key(r): r.dtype for r in records}
    mixed = [
        f"{row_title(1, r.run.method)} on {data_title(r.run.dataset)}, seed {r.run.seed} "
        f"({r.dtype} against {usual[key]})"
        for r in labelled
        if (key := findings.run_key(r)) in compared and r.dtype != usual[key]
    ]
    return f" Of another number format than the default's: {'; '.join(mixed)}." if mixed else ""


def _choices(records: Sequence[Record], variants: Sequence[Record]) -> list[str]:
    """How much of SCN hangs on what the paper leaves open, on validation subjects."""
    changed = [r for r in variants if r.run.method == "scn" and r.run.variant != worth.FILL]
    table: Any = findings.variants_table(records, changed) if changed else pd.DataFrame()
    if not len(table := table.dropna()):
        return []
    parts = []
    for (choice, dataset), rows in table.groupby(["changed", "data set"], sort=False):
        each = rows["difference"]
        by_seed = f": {', '.join(f'{points:+.2f}' for points in each)}" if len(each) > 1 else ""
        parts.append(
            f"{choice} on {data_title(dataset)} {rows['validation Dice (%)'].mean():.2f}% "
            f"({each.mean():+.2f} points, {seeds_text(rows['seed'].tolist())}{by_seed})"
        )
    return [
        "**Open choices.** SCN's mean best Dice on validation subjects with one of them changed, "
        "or two where a comma joins them, beside "
        f"the default with the same seeds: {'; '.join(parts)}.{_between_seeds(records, 'scn')}"
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
    """Where the printed numbers can't all be right, one after the other."""
    found = printed_inconsistencies()
    entries = []
    for note, rows in found.groupby("note", sort=False):
        cells = []
        for row in rows.to_dict("records"):
            where = row["where"].replace("S2I", "S2I (here S2L)")
            same = row["printed"] == row["other"]
            values = "" if same else f" {row['printed']:.2f} ({row['other']:.2f})"
            cells.append(f"{where}, {row['quantity']}{values}")
        entries.append(f"{str(note)[:1].upper()}{str(note)[1:]}: {'; '.join(cells)}")
    return (
        f"**The print.** {len(found)} entries of the printed tables contradict others (in "
        f"brackets), or are better than the model that is called the best. {'. '.join(entries)}."
    )
