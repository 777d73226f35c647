"""The findings, each with its ranges, seeds and p-values: the reproducibility report's list, and
notebook 04's.

`in_brief` tells them in the README, in the same order.

Every number and every name is read from the records.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from scnlib.records import Record
from study.report import fill, left_out, own_rival, resolution, sensitivity, worth
from study.report.amounts import amounts_told
from study.report.drawn_sizes import structures_told
from study.report.findings import AblationStep, ablation_steps
from study.report.gain import floods
from study.report.means import difference, mean_dice, seeds_count, seeds_text
from study.report.paper import printed_mean
from study.report.titles import NAMES, OF_RIVALS, SHARED, data_title, in_order, row_title, title
from study.report.verdicts import UNITS, ahead_of_scn, proven_leads, tests_against_scn
from study.report.worth import LITTLE


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
        _in_short(records),
        floods(records, lost),
        structures_told(lost),
        own_rival.rival_told(records, lost, fine),
        left_out.in_short(records, variants),
        corners(short, records, variants, full=True),
        _open_choices(short),
        amounts_told(worth.effects(short), data_title("acdc")),
        rows_ahead(records),
        resolution.sizes_told(records, fine),
    ]
    return [text for text in found if text]


def _in_short(records: Sequence[Record]) -> str:
    """How good SCN is, beside the print and its upper bound, and what its parts add."""
    parts = []
    for number, dataset in OF_RIVALS:
        ours = mean_dice(records, dataset).get("scn")
        if ours is None:
            continue
        printed = printed_mean(number, "scn")
        text = f"{100 * ours:.2f}% on {data_title(dataset)} ({printed:.2f}% printed"
        points, seeds = difference(records, dataset, "full", "scn")
        text += f"; {points:+.2f} against full supervision" if seeds else ""
        parts.append(f"{text})")
    said = [f"**SCN's mean Dice** is {' and '.join(parts)}."] if parts else []
    if gains := gains_by_part(ablation_steps(records), digits=2):
        said.append(f"On ACDC the parts add, in points: {gains}.")
    return " ".join(said)


def _open_choices(short: Sequence[Record]) -> str:
    """Whether another choice of what the paper leaves open is better, at the finest grid tried."""
    found = worth.effects(short)
    grids = sensitivity.grids_of(found)
    if not grids or len(sensitivity.default_dice(sensitivity.open_choices(found, grids[0]))) < 2:
        return ""
    return sensitivity.beyond_chance(found, grids[0])


def rows_ahead(records: Sequence[Record], full: bool = True) -> str:
    """Who has the better mean: without that there is no 'best'. Where `full`, by ranks too."""
    tests = tests_against_scn(records)
    if not len(tests):
        return ""
    ahead = ahead_of_scn(tests)
    named = []
    for metric, (quantity, _, _) in UNITS.items():
        found: Any = ahead[ahead["metric"] == metric]
        by: dict[str, list[str]] = {}  # the sets that rows are ahead on, and these rows
        for method in in_order(found["method"].tolist()):
            where = found.loc[found["method"] == method, "dataset"]
            by.setdefault(", ".join(map(data_title, where)), []).append(row_title(1, method))
        each = ", ".join(f"{', '.join(rows)} ({where})" for where, rows in by.items())
        named += [f"in {quantity} {each}"] if each else []
    proven, ranks = proven_leads(ahead)
    led = f"; by patients' ranks SCN is ahead in {ranks}" if ranks and full else ""
    return (
        f"**The paper's methods with a better mean than SCN here**: {'; '.join(named) or 'none'}; "
        f"{len(ahead)} of {len(tests)} comparisons, {proven or 'none'} significant{led}."
    )


def gains_by_part(steps: Sequence[AblationStep], digits: int) -> str:
    """Each step's part with its gain and the printed one, in points."""
    return ", ".join(
        f"{two.removeprefix(f'{one}+')} {gain:+.{digits}f} ({printed:+.{digits}f} printed)"
        for one, two, gain, _, printed in steps
    )


def corners(
    short: Sequence[Record],
    records: Sequence[Record],
    variants: Sequence[Record],
    full: bool = False,
) -> str:
    """What labels that nobody drew do in whole runs: run by run where `full`, else by method.

    Without whole runs short ones are told. The footnotes' rows are left to the report, which is
    said where `full`.
    """
    rows = [r for r in variants if r.run.method not in SHARED]
    whole = {name: fill.whole_fills(records, rows, name) for name in NAMES}
    brief = fill.fills(worth.effects([r for r in short if r.run.method not in SHARED]))
    say = _run_by_run if full else _by_method
    told = [f"{data_title(name)}, {say(one)}{_lead(one)}" for name, one in whole.items() if one]
    if not told and not brief:
        return ""
    what = "; ".join(told) if told else f"short runs on ACDC: {_moved(brief)}"
    text = (
        "**To label a rotation's empty corners as background** (S2L's public code does, this study "
        f"doesn't) changes validation Dice: {what}."
    )
    left = any(r.run.method in SHARED and r.run.variant == worth.FILL for r in variants)
    text += " The rows (Adam) are in the full report." * (full and left and bool(told))
    above = [
        f"{title(method)} on {data_title(name)} ({values})"
        for name, found in whole.items()
        for method, values in fill.above_scn(found).items()
    ]
    return text + (f" SCN is then behind {', '.join(above)}." if above else "")


def _lead(found: Sequence[worth.Effect]) -> str:
    """What is left of SCN's lead over PCE, and of which seeds where SCN has others."""
    effects = {one.method: one for one in found}
    before, after, seeds = fill.leads_over_pce(effects)
    alike = seeds and effects["scn"].seeds == effects["pce"].seeds
    of_seeds = "" if alike else f" ({seeds_text(seeds)})"
    return f", its lead over PCE {before:.1f} to {after:.1f}{of_seeds}" if seeds else ""


def _by_method(found: Sequence[worth.Effect]) -> str:
    """Each method that moves, its mean over seeds, the most lifted first; SCN last."""
    ordered = sorted(found, key=lambda one: -one.gain)
    said, kept = [], []
    for one in [one for one in ordered if one.method != "scn"]:
        if abs(one.gain) < LITTLE:
            kept.append(len(one.seeds))
        else:
            before, after = one.means
            seeds = seeds_count(len(one.seeds))
            said.append(f"{title(one.method)} {before:.1f} to {after:.1f} ({seeds})")
    if kept:
        once = f" ({seeds_count(1)}{' each' * (len(kept) > 1)})" * (max(kept) == 1)
        said.append(f"{len(kept)} other{'s' * (len(kept) > 1)} by under {LITTLE:g}{once}")
    said += [worth.gain_told(one) for one in found if one.method == "scn"]
    return ", ".join(said)


def _run_by_run(found: Sequence[worth.Effect]) -> str:
    """Each run that moves, by its seed, the most lifted first; SCN last, with all its seeds."""
    runs = [
        (change, one, seed)
        for one in found
        if one.method != "scn"
        for change, seed in zip(one.changes, one.seeds, strict=True)
    ]
    runs.sort(key=lambda run: -run[0])
    said, kept = [], 0
    for change, one, seed in runs:
        if abs(change) < LITTLE:
            kept += 1
        else:
            values = f"{one.before[seed]:.1f} to {one.after[seed]:.1f}"
            said.append(f"{title(one.method)} {values} (seed {seed})")
    if kept:
        said.append(f"{kept} other run{'s' * (kept > 1)} by less than {LITTLE:g}")
    said += [
        f"SCN {', '.join(f'{change:+.1f}' for change in one.changes)} by seed"
        for one in found
        if one.method == "scn"
    ]
    return ", ".join(said)


def _moved(found: Sequence[worth.Effect]) -> str:
    """Each method's means, the most lifted first; those that hardly move by name."""
    ordered = sorted(found, key=lambda one: -one.gain)
    moved, kept = [], []
    for one in ordered:
        named = one.method in ("pce", "scn") or abs(one.gain) >= LITTLE
        (moved if named else kept).append(one)
    said = [fill.filled(one) for one in moved]
    if kept:
        said.append(f"{', '.join(title(one.method) for one in kept)} by less than {LITTLE:g}")
    return ", ".join(said)
