"""The findings, a line each, as the README and notebook 04 list them.

Every number and every name is read from the records.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report import lost_points, resolution, sensitivity
from study.report.amounts import amounts_told
from study.report.findings import ablation_steps, run_key
from study.report.means import difference, mean_dice, per_seed, seeds_text
from study.report.paper import paper_table, printed_inconsistencies
from study.report.statistics import compare
from study.report.titles import SHARED, data_title, in_order, row_title, title
from study.report.verdicts import ahead_of_scn, interval, tests_against_scn

LITTLE = 2.0  # points of Dice; what moves a rival by less is not told by number


def headlines(
    records: Sequence[Record],
    lost: pd.DataFrame,
    short: Sequence[Record] = (),
    variants: Sequence[Record] = (),
    fine: Sequence[Record] = (),
) -> list[str]:
    """Findings in Markdown; one that no run at hand can tell is left out.

    `lost` are the rows of the same profile's lost points (`lost_points.read_rows`), or none;
    `short` its short runs; `variants` its whole ones that depart from the protocol; `fine` the runs
    at the printed resolution.
    """
    found = [
        floods(records, lost),
        corners(short, sensitivity.whole_fills(records, variants)),
        own_rival(records),
        amounts_told(sensitivity.effects(short)),
        _level(records),
        resolution.sizes_told(records, fine),
        _ahead(records),
        _parts(records),
        _print(),
    ]
    return [text for text in found if text]


def floods(records: Sequence[Record], lost: pd.DataFrame) -> str:
    """What SCN's gain consists of, and how far that goes beyond the one seed it is told of."""
    text = lost_points.headline(lost)
    seeds = per_seed(records, "acdc").get("pce", {})
    if not text or len(seeds) < 2:
        return text
    told = int(lost.loc[lost["method"] == "pce", "seed"].min())
    place = sorted(seeds.values(), reverse=True).index(seeds[told]) + 1
    rank = f"{place}. best" if place > 1 else "best"
    gain, shared = difference(records, "acdc", "pce", "scn")
    over = f" (gain over {seeds_text(shared)}: {gain:.1f})" if shared else ""
    rows: Any = lost[~lost["method"].isin(SHARED)]
    ruined, runs = lost_points.ruined(rows)
    return (
        f"{text} On ACDC seed {told} is PCE's {rank} of {len(seeds)}{over}. Keeping one part costs "
        f"{ruined} of {runs} runs over {lost_points.RUIN:g} points."
    )


def numbered(
    records: Sequence[Record],
    lost: pd.DataFrame,
    short: Sequence[Record] = (),
    variants: Sequence[Record] = (),
    fine: Sequence[Record] = (),
) -> str:
    """The findings as a numbered list in Markdown; arguments as `headlines` takes them."""
    found = headlines(records, lost, short, variants, fine)
    return "\n".join(f"{i}. {text}" for i, text in enumerate(found, 1))


def own_rival(records: Sequence[Record], full: bool = False) -> str:
    """What a prior that knows the strokes alone is worth beside SCN; 95HD too where `full`."""
    both = [record for record in records if record.run.method in ("box", "scn")]
    rows = compare(both).to_dict("records")
    parts = []
    for row in (row for row in rows if row["metric"] == "dice"):
        ours = 100 * mean_dice(records, row["dataset"])["box"]
        seeds = f"{row['seeds']} seed{'s' * (row['seeds'] > 1)} against {row['reference_seeds']}"
        verdict = f"{row['verdict']}, " if full or row["verdict"] != "not significant" else ""
        apart = f"{interval(row, 100, 'points')} to SCN ({verdict}{seeds})"
        parts.append(f"{ours:.2f}% on {data_title(row['dataset'])}, {apart}")
    if not parts:
        return ""
    told = {row["verdict"] for row in rows if row["metric"] == "dice"} <= {"not significant"}
    name = (
        "A prior of one line isn't told apart from SCN on test patients"
        if told
        else "A prior in place of SCN"
    )
    text = (
        f"**{name}**: PCE that also learns background outside a box around a slice's foreground "
        f"strokes (PCE+box) has {'; '.join(parts)}."
    )
    return text + (_rival_in_full(both, rows) if full else _on_validation(both))


def _on_validation(records: Sequence[Record]) -> str:
    """The rival's points to SCN on validation subjects, over pairs of seeds, for each data set."""
    apart: dict[str, list[float]] = {}
    for rival, scn in _beside_scn(records):
        best, other = rival.validation["best"], scn.validation["best"]
        if best and other:
            points = 100 * (best["dice"] - other["dice"])
            apart.setdefault(rival.run.dataset, []).append(points)
    said = [f"{np.mean(points):+.1f} on {data_title(name)}" for name, points in apart.items()]
    return f" On validation patients: {', '.join(said)}." if said else ""


def _beside_scn(records: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The rival's runs, each with SCN's on the same data set with the same seed."""
    known = {run_key(record): record for record in records}
    return [
        (rival, known[dataset, "scn", seed])
        for (dataset, method, seed), rival in known.items()
        if method == "box" and (dataset, "scn", seed) in known
    ]


def _rival_in_full(records: Sequence[Record], rows: Sequence[Any]) -> str:
    """The rival's 95HD, what the two have on validation subjects, and how they were computed."""
    apart = [
        f"{interval(row, 1, 'voxels')} on {data_title(row['dataset'])} (p {row['p']:.3f})"
        for row in rows
        if row["metric"] == "hd95_voxel"
    ]
    text = f" In 95HD it is {'; '.join(apart)}. It is tested apart from the paper's rows."
    kinds = set()
    for rival, scn in _beside_scn(records):
        kinds.add(f"{rival.dtype} against {scn.dtype}")
        if rival.validation["best"] and scn.validation["best"]:
            dice = [f"{100 * r.validation['best']['dice']:.2f}%" for r in (rival, scn)]
            where = f"{data_title(rival.run.dataset)}, seed {rival.run.seed}"
            text += f" Best validation Dice, {where}: {dice[0]}, SCN {dice[1]}."
    return text + (f" Numbers were {' or '.join(sorted(kinds))}." if kinds else "")


def _level(records: Sequence[Record]) -> str:
    """How good SCN is, beside the print, its baseline and its upper bound."""
    parts = []
    for number, dataset in ((1, "acdc"), (2, "mscmr")):
        ours = mean_dice(records, dataset).get("scn")
        if ours is None:
            continue
        printed = paper_table(number).loc["ours"]["Dice", "Mean"]
        text = f"{100 * ours:.2f}% on {data_title(dataset)} ({printed:.2f}% printed"
        for method, name in (("pce", "PCE"), ("full", "full supervision")):
            points, seeds = difference(records, dataset, method, "scn")
            text += f"; {points:+.2f} against {name}" if seeds else ""
        parts.append(f"{text})")
    return f"**Mean Dice of SCN**: {', '.join(parts)}." if parts else ""


def _ahead(records: Sequence[Record]) -> str:
    """Who has the better mean: without that there is no 'best'."""
    tests = tests_against_scn(records)
    if not len(tests):
        return ""
    ahead = ahead_of_scn(tests)
    named = []
    for dataset, rows in ahead.groupby("dataset", sort=False):
        methods = ", ".join(row_title(1, m) for m in in_order(rows["method"].tolist()))
        named.append(f"{methods} on {data_title(str(dataset))}")
    proven = ahead["verdict"].tolist().count("better")
    return (
        "**Rivals of the paper ahead of SCN** in mean Dice or 95HD: "
        f"{'; '.join(named) or 'no row'}; {len(ahead)} of {len(tests)} comparisons, "
        f"{proven or 'none'} of them significant."
    )


def _parts(records: Sequence[Record]) -> str:
    """What each part adds beside the printed gain."""
    parts = [
        f"{one} to {two} {gain:+.2f} points ({printed:+.2f} printed)"
        for one, two, gain, _, printed in ablation_steps(records)
    ]
    return f"**What the parts add** on ACDC: {', '.join(parts)}." if parts else ""


def corners(short: Sequence[Record], whole: Sequence[sensitivity.Effect]) -> str:
    """What labels that nobody drew do: in whole runs, and in short ones of the other methods."""
    brief = sensitivity.fills(sensitivity.effects(short))
    there = {one.method for one in whole}
    rest = [one for one in brief if one.method not in there]
    parts = [
        f"{kind} runs: {_moved(found)}"
        for kind, found in (("whole", whole), ("short", rest))
        if found
    ]
    if not parts:
        return ""
    ahead = [
        f"{', '.join(title(one.method) for one in sensitivity.above_scn(found)) or 'none'} in "
        f"{kind} runs"
        for kind, found in (("whole", whole), ("short", brief))
        if any(one.method == "scn" for one in found)
    ]
    return (
        "**A rotation's corners labelled background** (as S2L's and early WSL4MIS loaders do; here "
        "they are unlabelled), ACDC, validation, seed 0 where none is told. In "
        f"{'; in '.join(parts)}." + (f" Then above SCN: {'; '.join(ahead)}." if ahead else "")
    )


def _moved(found: Sequence[sensitivity.Effect]) -> str:
    """Each method's means, the most lifted first and SCN last; those that hardly move by name."""
    ordered = sorted(found, key=lambda one: (one.method == "scn", -float(np.mean(one.changes))))
    moved, kept = [], []
    for one in ordered:
        little = abs(float(np.mean(one.changes))) < LITTLE and one.method not in ("pce", "scn")
        (kept if little else moved).append(one)
    said = [sensitivity.filled(one) for one in moved]
    if kept:
        said.append(f"{', '.join(title(one.method) for one in kept)} by less than {LITTLE:g}")
    return ", ".join(said)


def _print() -> str:
    found = printed_inconsistencies()
    first = found.iloc[0]
    return (
        f"**The printed tables** contradict themselves or the text in {len(found)} entries; "
        f"{first['where']}, for one: {first['quantity']} {first['note']}."
    )
