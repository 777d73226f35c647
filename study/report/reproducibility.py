"""The reproducibility report: what was claimed, what came out, what was found, and what was open.

`results/REPRODUCIBILITY.md`, written by `python -m study.report.readme`. Verdicts and numbers are
computed from the records; the causes and the checklist are prose, each with a file to look into.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import numpy as np
import pandas as pd

from scnlib.data.acdc import patients
from scnlib.paths import REPOSITORY
from scnlib.records import Record
from study.experiments import RECIPES, without_recipe
from study.report import field, markdown, resolution
from study.report.costs import costs_told
from study.report.findings import AblationStep, ablation_steps
from study.report.forecast import forecast, steps_told
from study.report.left_undone import left_undone
from study.report.means import mean_dice, per_seed, seeds_text
from study.report.paper import printed_mean
from study.report.scores import SPREAD, number_text, seeds_mark
from study.report.stated import stated_table
from study.report.statistics import compare
from study.report.titles import ROWS, data_title, in_order, plain_title, row_title, title
from study.report.uneven import odd_means
from study.report.verdicts import ahead_of_scn, interval, proven_leads, tests_against_scn

_PAGE = """# Reproducibility report

Written from the records by `python -m study.report.readme`.

## What reproduced, and what did not

{told} Verdicts are of profile `cpu`: 128 x 128 pixels, batch 12, 3,000 steps, where the paper has
256 x 256, 24 and 30,000; other sizes are named where they stand. The README explains the
[abbreviations](../README.md#findings). What holds:

- a mean within {close} of the print, and of a row of several methods each of them;
- a gain, whatever its size, with the printed sign and an interval over patients without zero;
- a comparison that is significant (signed-rank test over patients, Holm's adjustment over the
  paper's rows).

Undecided: a gain whose interval has zero; a comparison in which others lead, none of them
significantly; a mean whose seeds lie over {spread} apart with the print between them, and a lone
seed of a method whose seeds lie so far apart on the other data set.

{claims}

[The full report](cpu/REPORT.md) has every number with its interval.

{findings}{field}## What was stated, and what was kept

{stated}

The rows {recipes} are trained otherwise: by SGD at 0.01, with polynomial
decay and weight decay (`RECIPES` in `study/experiments.py`).

## What was open, and what was chosen

{choices}

What the choices cost on validation subjects: notebook `05_open_choices`. Splits, seeds and the rest
of the protocol: `study/experiments.py`; what each compared method does otherwise than its public
code: the head of its file in `scnlib/methods`, and `ComparedOptions` in `scnlib/config.py`.

## What was aimed at, and left out

{undone}

## Hours

{hours}

All of Tables 1-3, both data sets, three seeds: hours reckoned, not measured, from the measured cost
of a step (`python -m study.speed`), one training at a time on each machine. Only machines that
were timed have rows.

{forecast}

A step of 12 slices, all of it: SCN's beside the field's plain U-Net step (float32, SGD, data in
memory) and PCE's. Here steps are of bfloat16 where the processor has it, so that plain/SCN is a
ratio of code and number formats, not of methods. Then the share of SCN's that is convolutions, and
how fast these run, in percent of a product of large matrices in the same type.

{steps}

{costs}

## How the machinery was tried

By the commands of `tests/campaign`; counts, code and versions are in
[`reliability.json`](reliability.json).

{reliability}

## Checklist

After the machine learning reproducibility checklist (Pineau et al. 2021, version 2.0).

{checklist}
"""

_FINDINGS = """## Findings

{}

"""
_FIELD = """## Beside the field

Mean Dice (percent) on fold 1 of WSL4MIS's five folds of ACDC (patients 1 to 20, all of one of
ACDC's five disease groups, are tested, the other 80 train), beside what others printed: context, no
ranking, and on five folds of other patients, too. {sources} Published runs are
longer (256 x 256 pixels, most of them 60,000 steps), and WSL4MIS's public code keeps the weights
that are best on the patients that are tested. Here the last weights are tested, as a fold has
nobody to validate on; but {known} of its test patients are validation patients of this study's own
split, on which its choices were made.

{table}

{told}

"""
CLOSE = 1.0  # points of Dice
VERDICTS = {True: "holds", False: "does not hold", None: "undecided"}


class Claim(NamedTuple):
    """A claim of the paper, what came out, the verdict, and the likely cause where it fails."""

    claim: str
    here: str
    holds: bool | None  # None: undecided
    cause: str


CHECKLIST = pd.read_csv(Path(__file__).with_name("checklist.csv"))  # item, answer, path


def reproducibility_text(
    records: Sequence[Record],
    variants: Sequence[Record],
    folds: Sequence[Record],
    fine: Sequence[Record],
    reliability: Sequence[str],
    benchmarks: Path,
    findings: Sequence[str],
) -> str:
    """The page, from the runs of profile `cpu`, their departures, those on folds of ACDC (of any
    profile), those at the printed resolution, `reliability_lines`, the folder that `study.speed`
    writes to, and `headlines`."""
    return _PAGE.format(
        told=claims_told(found := claims(records, fine)),
        claims=_claims_table(found),
        findings=_FINDINGS.format(markdown.numbered(findings)) if findings else "",
        field=_beside_the_field(folds),
        close=f"{CLOSE:g} point of Dice",
        spread=f"{SPREAD:g} points",
        stated=stated_table(),
        recipes=", ".join(map(title, RECIPES)),
        choices=choices(),
        undone=left_undone(records, variants, fine, folds),
        hours=hours([*records, *variants, *folds, *fine]),
        forecast=forecast(benchmarks),
        steps=steps_told(benchmarks) or "Not measured yet.",
        costs=costs_told(benchmarks, [*records, *fine]),
        reliability="\n".join(reliability),
        checklist=markdown.table(
            ("item", "answer", "where"),
            [
                (item, answer, f"[`{path}`](../{path})")
                for item, answer, path in CHECKLIST.to_numpy()
            ],
        ),
    )


def claims(records: Sequence[Record], fine: Sequence[Record] = ()) -> list[Claim]:
    """The paper's claims that the runs at hand can answer, `fine` those at the printed size."""
    found = [*_levels(records, fine), *_rivals(records, fine)]
    return [*found, *_gains(records, fine), *_comparisons(records)]


def claims_told(found: Sequence[Claim]) -> str:
    """How many claims hold, in a sentence; "" without one."""
    counts = [[claim.holds for claim in found].count(holds) for holds in VERDICTS]
    verbs = (("holds", "hold"), ("does not", "do not"), ("is undecided", "are undecided"))
    said = [f"{n} {verb[n != 1]}" for n, verb in zip(counts, verbs, strict=True)]
    return f"Of {len(found)} claims of the paper, at this size, {', '.join(said)}." if found else ""


def _levels(records: Sequence[Record], fine: Sequence[Record]) -> list[Claim]:
    """Printed mean Dice of SCN and of its baseline."""
    far = "far from every stroke nothing is labelled, and a network floods there or does not"
    several = f"chance: {far}; seeds lie far apart (notebook 04b; REPORT, Chance)"
    protocol = "not known; a quarter of the pixels and a twentieth of the training"
    measured = (
        "; a finer map, or no term of PAP, changed less than a point (one run each; notebook 05, "
        "sections 6 and 7)"
    )
    sized = {(pair.dataset, pair.method): pair for pair in resolution.pairs(records, fine)}
    found = []
    for number, dataset in ((1, "acdc"), (2, "mscmr")):
        ours = mean_dice(records, dataset)
        for method in ("scn", "pce"):
            if method in ours:
                printed = printed_mean(number, method)
                value = 100 * ours[method]
                seeds = [100 * dice for dice in per_seed(records, dataset)[method].values()]
                far_apart = max(seeds) - min(seeds) > SPREAD
                among = far_apart and min(seeds) <= printed <= max(seeds)
                lone = len(seeds) < 2 and _widest(records, method) > SPREAD
                pair = sized.get((dataset, method))
                here = protocol + _won(pair, printed) + measured * (dataset == "acdc")
                once = f"chance, as on the other data set: {far}" if lone else "not known"
                cause = here if method == "scn" else several if far_apart else once
                found.append(
                    Claim(
                        f"{title(method)} has {printed:.2f}% mean Dice on {data_title(dataset)}",
                        f"{value:.2f}%, {value - printed:+.2f}"
                        + (f"; by seed {min(seeds):.1f} to {max(seeds):.1f}" if among else "")
                        + _at_printed_size(pair),
                        None if among or lone else bool(abs(value - printed) <= CLOSE),
                        cause,
                    )
                )
    return found


def _widest(records: Sequence[Record], method: str) -> float:
    """Points of mean Dice between a method's seeds, on the data set where that is most."""
    seeds = [per_seed(records, dataset).get(method, {}).values() for dataset in ("acdc", "mscmr")]
    return max(100 * (max(dice) - min(dice)) for dice in seeds if dice)


def _at_printed_size(pair: resolution.BothSizes | None) -> str:
    """What the same seeds have at the printed size, and at the smaller one, if they were run."""
    if pair is None:
        return ""
    fine, coarse = map(number_text, pair.dice)
    text = f"; at 256 x 256 (profile `{resolution.FINE}`) {fine}%, {seeds_text(pair.seeds)}"
    return f"{text} (the same at 128 x 128: {coarse}%)" if coarse else text


def _won(pair: resolution.BothSizes | None, printed: float) -> str:
    """How much of the way to the print the printed size wins; "" where that was not run."""
    if pair is None or np.isnan(pair.dice[1]):
        return ""
    fine, coarse = pair.dice
    if printed <= coarse:
        return ""
    added = f"add {fine - coarse:.2f} of the {printed - coarse:.2f} points that lack"
    if fine <= coarse:
        added = f"add nothing ({fine - coarse:+.2f})"
    elif fine >= printed:
        added = "make up for it"
    return f"; all pixels and a tenth of the training {added} ({seeds_text(pair.seeds)})"


def _rivals(records: Sequence[Record], fine: Sequence[Record]) -> list[Claim]:
    """The printed mean Dice of the compared methods but PCE, a data set a row."""
    found = []
    for number, dataset in ((1, "acdc"), (2, "mscmr")):
        odd = odd_means(records, dataset)
        apart, by_adam = _to_the_print(records, number, dataset)
        if not apart:
            continue
        each = ", ".join(f"{title(method)} {points:+.2f}" for method, points in apart.items())
        more = {
            "by Adam, as the paper has it": by_adam,
            f"at 256 x 256 (profile `{resolution.FINE}`)": _to_the_print(fine, number, dataset)[0],
        }
        for where, values in more.items():
            said = ", ".join(f"{plain_title(m)} {points:+.2f}" for m, points in values.items())
            each += f"; {where}: {said}" if said else ""
        above = [title(method) for method, points in apart.items() if points > CLOSE]
        why = [f"{title(m)} {kind} {values}" for (m, kind), values in odd.items() if m in apart]
        found.append(
            Claim(
                f"the other rows of Table {number} on {data_title(dataset)}",
                f"to the print: {each}",
                all(abs(points) <= CLOSE for points in apart.values()),
                "not known; smaller images and a shorter training, as with SCN"
                + (f"; far above the print, unexplained: {', '.join(above)}" if above else "")
                + (f"; means of unlike parts: {'; '.join(why)}" if why else ""),
            )
        )
    return found


def _to_the_print(
    records: Sequence[Record], number: int, dataset: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Points of mean Dice from the print of each rival but PCE: of the rows that are the paper's,
    and of those under the shared recipe where the row has its own."""
    ours = mean_dice(records, dataset)
    apart, by_adam = {}, {}
    for row in ROWS[number]:
        if row in ("pce", "scn", "full"):
            continue
        printed = printed_mean(number, row)
        if row in ours:
            apart[row] = 100 * ours[row] - printed
        if row in RECIPES and (adam := without_recipe(row)) in ours:
            by_adam[adam] = 100 * ours[adam] - printed
    return apart, by_adam


def _gains(records: Sequence[Record], fine: Sequence[Record]) -> list[Claim]:
    """What Table 3 says that the parts add."""
    sized = {(step.one, step.two): step for step in ablation_steps(fine)}
    methods = {row_title(3, method): method for method in ROWS[3]}
    dice = per_seed(records, "acdc")
    found = []
    for step in ablation_steps(records):
        one, two = methods[step.one], methods[step.two]
        both = [r for r in records if r.run.dataset == "acdc" and r.run.method in (one, two)]
        both = [r for r in both if r.run.seed in step.seeds]
        (row,) = compare(both, one, metrics=["dice"]).to_dict("records")
        decided = row["low"] * row["high"] > 0
        each = ", ".join(f"{100 * (dice[two][s] - dice[one][s]):+.2f}" for s in step.seeds)
        which = seeds_text(step.seeds) + (f": {each}" if len(step.seeds) > 1 else "")
        found.append(
            Claim(
                f"{step.two} is {'above' if step.printed > 0 else 'below'} {step.one} on ACDC "
                f"({step.printed:+.2f} points)",
                f"{step.gain:+.2f} points ({which}); over patients {interval(row, 100, 'points')}"
                + _step_at_printed_size(sized.get((step.one, step.two))),
                bool(step.gain * step.printed > 0) if decided else None,
                "the printed gain is smaller than what seeds differ by here"
                if abs(step.printed) < CLOSE
                else "",
            )
        )
    return found


def _step_at_printed_size(step: AblationStep | None) -> str:
    """What the step is worth at the printed size, if it was run."""
    if step is None:
        return ""
    where = f"at 256 x 256 (profile `{resolution.FINE}`)"
    return f"; {where} {step.gain:+.2f} points ({seeds_text(step.seeds)})"


def _comparisons(records: Sequence[Record]) -> list[Claim]:
    """SCN before all others, in Dice and 95HD, and significantly so."""
    tests = tests_against_scn(records)
    if not len(tests):
        return []
    ahead = ahead_of_scn(tests)
    names = in_order(list(dict.fromkeys(ahead["method"].tolist())))
    claimed: Any = tests[(tests["metric"] == "dice") & (tests["method"] != "cale")]
    proven, of = _counted(claimed)
    more, of_more = _counted(tests)
    better, ranks = proven_leads(ahead)
    lost = len(ahead) - ahead["verdict"].tolist().count("worse")
    won = [row for row in claimed.to_dict("records") if row["verdict"] == "worse"]
    once, apart = sum(row["seeds"] < 2 for row in won), sum(map(bool, map(seeds_mark, won)))
    single = [
        f"{row_title(1, row['method'])} on {data_title(row['dataset'])}"
        for row in ahead.drop_duplicates(["dataset", "method"]).to_dict("records")
        if row["seeds"] < 2
    ]
    return [
        Claim(
            "SCN has the best mean Dice and 95HD on both sets",
            f"ahead of it, in Dice or 95HD: {', '.join(row_title(1, n) for n in names) or 'none'}",
            None if names and not better else not names,
            f"significant leads: {better or 'none'}"
            + (f"; SCN has the better ranks in {ranks} of {len(ahead)}" if ranks else "")
            + (f"; of one seed {', '.join(single)}" if single else ""),
        ),
        Claim(
            "SCN's lead is significant (p < 0.05, test not named)",
            f"in {proven} of {of} comparisons of Dice ({more} of {of_more} with 95HD and PCE+CALE)",
            proven == of,
            f"of the {of_more - more} others SCN has no lead in {lost}; twenty and "
            "fifteen test patients tell few small differences apart; of those in Dice that are "
            f"significant, {once} are of one seed of the rival, and {apart} of seeds over "
            f"{SPREAD:g} points apart",
        ),
    ]


def _counted(tests: pd.DataFrame) -> tuple[int, int]:
    """In how many of the comparisons SCN is significantly better, and how many there are."""
    return tests["verdict"].tolist().count("worse"), len(tests)


def _beside_the_field(records: Sequence[Record]) -> str:
    """The section on published means of a split that others share; "" without a run on it."""
    table = field.field_table(records)
    told = field.field_told(records)
    known = len(patients(field.FOLD, "test") & patients("acdc", "val"))
    text = {"sources": field.PRINTED_IN, "known": known, "table": table, "told": told}
    return _FIELD.format(**text) if table else ""


def _claims_table(found: Sequence[Claim]) -> str:
    rows = [(c.claim, VERDICTS[c.holds], c.here, "" if c.holds else c.cause) for c in found]
    return markdown.table(("the paper", "verdict", "here", "likely cause"), rows)


def choices() -> str:
    """The list of open choices, as notebook 05 has it.

    Raises `ValueError` if the notebook has none.
    """
    path = REPOSITORY / "notebooks" / "05_open_choices.ipynb"
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and "| Eq. 1 |" in cell.source:
            return "\n".join(line for line in cell.source.splitlines() if line.startswith("|"))
    raise ValueError(f"{path}: no table of the open choices; it begins with | Where |")


def hours(records: Sequence[Record]) -> str:
    """Runs and hours by kind of processor and number format, as a table with a sum."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for record in records:
        row = sums[record.hardware, record.dtype]
        row[0] += 1
        row[1] += record.seconds_training / 3600
        row[2] += record.seconds_evaluation / 3600
    rows = [(*key, f"{int(n)}", f"{a:.1f}", f"{b:.1f}") for key, (n, a, b) in sorted(sums.items())]
    total = [sum(column) for column in zip(*sums.values(), strict=True)] or [0, 0.0, 0.0]
    rows.append(("all", "", f"{int(total[0])}", f"{total[1]:.1f}", f"{total[2]:.1f}"))
    return markdown.table(
        ("processor", "numbers", "runs", "hours of training", "of evaluation"), rows
    )
