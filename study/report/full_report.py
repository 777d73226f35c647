"""What the README leaves out: every table, finding and run of a profile, for its REPORT.md."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scnlib.records import Record
from study.places import FINE
from study.report import (
    amounts,
    both_lengths,
    drawn_sizes,
    fill,
    lost_points,
    markdown,
    own_rival,
    resolution,
    sensitivity,
    worth,
)
from study.report.claims import answers
from study.report.findings import departures
from study.report.gain import floods
from study.report.means import typical_step
from study.report.tables import short_tables
from study.report.titles import NAMES, data_title, title
from study.report.uneven import odd_means

_PAGE = """# Profile {profile}: every table, finding and run

Written from the records by `python -m study.report.readme`; no number is typed by hand.

## Tables

{tables}

## Findings

Significant is what is so by one rule: the signed-rank test over patients, with Holm's adjustment
over the paper's rows, and over full supervision and the rows (Adam) apart; a row with a box is a
question of its own.

{findings}

{phantom}{fine}{lost}{whole}{odd}{short}{amounts}## Runs

Seconds a step depend on the machine, which `record.json` and notebook 04 name for each run.

{runs}
"""
_DEMO = """## The demo

On drawn hearts: a demonstration, no evidence.

{lines}

"""
_FINE = """## At the printed resolution

Mean Dice and 95HD on test subjects of the same methods and seeds, trained at 256x256 (profile
`{profile}`, [in full](../{profile}/REPORT.md)) and at 128x128 (the tables above), {length}:
what more pixels and what more steps are worth is not told apart.

{table}

"""
_LOST = """## Where points are lost

Of mean test Dice, of the runs that kept their predictions; notebook 08 says what the columns are.
With "heart" the largest connected part of all structures is kept, with "parts" that of each.

{tables}

"""
_WHOLE = """## Corners labelled background, in whole runs

What fills the corners that a rotation brings in, on validation subjects: unlabelled, as in all
tables above, or background. {why}

{tables}

"""
_ODD = """## Rows of unlike parts

Where seeds, or structures, of a row lie far apart (mean test Dice, percent){experiment}.
Notebook 04b, section 3, shows those that kept their predictions.

{table}

"""
_EXPERIMENT = """, and an experiment: the
same run with the corners that a rotation brings in labelled as background, which says background
where nobody drew. Its Dice is of validation subjects"""
_SHORT = """## Short runs

On validation subjects of ACDC. What fills a rotation's corners
([picture](figures/short_corners.png)), and where a compared method differs from its public code,
seed by seed (64 pixels):

{fills}

{told}

SCN with one choice changed: points to the mean of all seeds of its default, at the printed grid
and at a coarser one ([picture](figures/short_choices.png)).

{choices}

{judged}

"""
_BOTH = """Beside the same choices in whole runs: points of Dice over the seeds that both a
choice and its default have (in short runs SCN's default has stride 4, and 128 or 64 pixels):

{table}

{told}

"""
_AMOUNTS = """## How much must be scribbled, on {data}

Short runs on training scribbles with less in them, or with mistakes; mean Dice on validation
subjects, percent, {seeds}. Notebook 05, section 11, says how they were made{picture}.

{table}

{told}

"""
NOT_TRIED = "not tried"
_NO_BEST = ("none", "last", "none")  # of a run that was not validated


def report_text(
    records: Sequence[Record],
    variants: Sequence[Record],
    profile: str,
    phantom: Sequence[str] = (),
    short: Sequence[Record] = (),
    lost: pd.DataFrame | None = None,
    fine: Sequence[Record] = (),
    folds: Sequence[Record] = (),
) -> str:
    """The page REPORT.md of a profile.

    Args:
        records: the finished runs of the profile.
        variants: its departures from the protocol, validated only.
        phantom: lines on the demo (`phantom_line`).
        short: its short runs, compared with one another alone.
        lost: rows of its lost points (`lost_points.read_rows`).
        fine: runs at the printed resolution, to stand beside.
        folds: runs on folds of ACDC.
    """
    return _PAGE.format(
        profile=profile,
        tables=short_tables(records, profile),
        findings="\n".join(
            f"- {text}" for text in [*_floods(records, lost), *answers(records, variants, profile)]
        ),
        phantom=_DEMO.format(lines="\n".join(phantom)) if phantom else "",
        fine=_finer(records, fine),
        lost=_lost_points(lost),
        whole=_whole_fills(records, variants),
        odd=odd_rows(records, variants),
        short=_short_runs(short) + _both_lengths(short, records, variants),
        amounts="".join(_amounts(short, dataset) for dataset in NAMES),
        runs=runs_table([*records, *folds], variants),
    )


def _finer(records: Sequence[Record], fine: Sequence[Record]) -> str:
    """The section on the printed resolution, or nothing."""
    table = resolution.sizes_table(records, fine)
    length = resolution.length(records, fine) if table and records else "not run"
    return _FINE.format(profile=FINE, table=table, length=length) if table else ""


def _floods(records: Sequence[Record], lost: pd.DataFrame | None) -> list[str]:
    """Where SCN's gain lies, on each data set."""
    if lost is None or lost.empty:
        return []
    found = [floods(records, lost, full=True)]
    for dataset in NAMES:
        found += [f"{data_title(dataset)}: {text}" for text in lost_points.sentences(lost, dataset)]
    if kept := own_rival.with_one_part(lost):
        found.append(f"PCE+box with one part kept, to SCN with one part kept: {kept}.")
    return [text for text in found if text]


def _lost_points(lost: pd.DataFrame | None) -> str:
    """The section on where points are lost, or nothing."""
    if lost is None or lost.empty:
        return ""
    tables = []
    for dataset in (name for name in NAMES if name in set(lost["dataset"])):
        table = lost_points.losses(lost, dataset).astype({"seeds": int}).astype(object)
        tables.append(f"**{data_title(dataset)}**\n\n{table.to_markdown(floatfmt='.1f')}")
        sizes = drawn_sizes.sizes(lost, dataset)
        if len(sizes):
            head = (
                f"**{data_title(dataset)}**, voxels over the truth's (%; not the far, the absent)"
            )
            tables.append(f"{head}\n\n{sizes.to_markdown(floatfmt='+.1f')}")
    return _LOST.format(tables="\n\n".join(tables))


def _whole_fills(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """The section on the other fill in whole runs, or nothing."""
    found = {name: fill.whole_fills(records, variants, name) for name in NAMES}
    tables = [
        f"**{data_title(name)}**\n\n{worth.effects_table(effects)}"
        for name, effects in found.items()
        if effects
    ]
    why = fill.why_unlabelled(found["acdc"])
    return _WHOLE.format(tables="\n\n".join(tables), why=why) if tables else ""


def odd_rows(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """The section on rows whose mean is of unlike parts, or nothing."""
    rows = []
    for dataset in NAMES:
        tried = {one.method: one for one in fill.whole_fills(records, variants, dataset)}
        for (method, kind), values in odd_means(records, dataset, adam=True).items():
            said = NOT_TRIED
            if one := tried.get(method):
                pairs = [f"{one.before[s]:.1f} to {one.after[s]:.1f} (seed {s})" for s in one.seeds]
                said = ", ".join(pairs)
            rows.append((f"{title(method)} on {data_title(dataset)}", f"{kind}: {values}", said))
    head = ("row", "test Dice", "validation Dice with labelled corners")
    tried = any(row[2] != NOT_TRIED for row in rows)
    table = markdown.table(head, rows) if tried else markdown.table(head[:2], [r[:2] for r in rows])
    return _ODD.format(table=table, experiment=_EXPERIMENT * tried) if rows else ""


def _short_runs(short: Sequence[Record]) -> str:
    """The section on short runs, or nothing."""
    found = worth.effects(short)
    others = worth.other_choices(found)
    if not others and not sensitivity.open_choices(found):
        return ""
    return _SHORT.format(
        fills=worth.effects_table(others),
        told=fill.told_of_corners(short),
        choices=sensitivity.choices_table(found),
        judged=sensitivity.told_of_choices(found),
    )


def _both_lengths(
    short: Sequence[Record], records: Sequence[Record], variants: Sequence[Record]
) -> str:
    """What short runs say beside what whole ones do, or nothing."""
    found = both_lengths.both_lengths(short, records, variants)
    table, told = both_lengths.lengths_table(found), both_lengths.lengths_told(found)
    return _BOTH.format(table=table, told=told) if found else ""


def _amounts(short: Sequence[Record], dataset: str) -> str:
    """The section on less or worse strokes on a data set, or nothing."""
    found = worth.effects(short, dataset)
    if not (table := amounts.amounts_table(found)):
        return ""
    told = amounts.amounts_told(found, data_title(dataset))
    seeds = amounts.seeds_of(found)
    picture = " ([picture](figures/short_amounts.png))" if dataset == "acdc" else ""
    names = {"data": data_title(dataset), "seeds": seeds, "picture": picture}
    return _AMOUNTS.format(**names, table=table, told=told)


def runs_table(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """Each run, its validation and its test, as Markdown."""
    rows = []
    for record in [*records, *variants]:
        run, best = record.run, record.validation["best"]
        name = f"{run.dataset} {title(run.method)}, seed {run.seed}"
        name += f" ({run.variant}: {departures(record)})" if run.variant else ""
        test = f"{100 * record.summary['dice']['mean']:.2f}" if record.summary else "not tested"
        valid = _NO_BEST
        if best:
            last = record.validation["curve"][-1]["dice"]
            valid = (f"{100 * best['dice']:.2f}", f"{best['iteration']:.0f}", f"{100 * last:.2f}")
        rows.append((name, *valid, test, f"{typical_step(record):.3f}"))
    head = ("run", "best validation Dice", "at iteration", "in the end", "test Dice")
    return markdown.table((*head, "seconds a step"), rows)


def measured_times(path: Path) -> list[str]:
    """A line for each wall time in timings.json, a list of {"command", "seconds", "machine"}.

    The entries of notebooks (`study.run.notebook_times`) are the lesson's.
    """
    measured = json.loads(path.read_text()) if path.exists() else []
    return [
        f"- `{entry['command']}`: {entry['seconds'] / 60:.1f} minutes ({entry['machine']})."
        for entry in measured
        if "command" in entry
    ]


def training_time(records: Sequence[Record]) -> list[str]:
    """A line on how long the trainings of seed 0 take, from each one's typical step; or none."""
    runs = [record for record in records if record.run.seed == 0]
    hours = sum(r.run.profile.iterations * typical_step(r) for r in runs) / 3600
    line = f"- The {len(runs)} trainings of seed 0 behind the tables: {hours:.0f} hours."
    return [line] if runs else []


def phantom_line(path: Path) -> list[str]:
    """What the demo found on the phantom, and who is not above PCE there; none without a file."""
    if not path.exists():
        return []
    dice = json.loads(path.read_text())["dice"]
    values = ", ".join(f"{title(method)} {100 * value:.1f}" for method, value in dice.items())
    below = [title(method) for method in dice if method != "pce" and dice[method] <= dice["pce"]]
    return [
        f"- {len(dice)} methods by the demo's profile (`./run_all.sh` alone trains four), mean "
        f"test Dice (percent, seed 0): {values}. "
        f"Not above PCE: {', '.join(below) or 'none'}."
    ]
