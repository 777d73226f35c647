"""The reproducibility report: what was claimed, what came out, what was found, and what was open.

`results/REPRODUCIBILITY.md`, written by `python -m study.report.readme`. Verdicts and numbers are
computed from the records; the causes and the checklist are prose, each with a file to look into.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from scnlib.data.acdc import patients
from scnlib.paths import REPOSITORY
from scnlib.records import Record
from study.experiments import RECIPES
from study.report import field, markdown
from study.report.claims_judged import CLOSE, VERDICTS, Claim, claims_told, judge_claims
from study.report.costs import costs_told
from study.report.forecast import forecast, parts_told, steps_told
from study.report.left_undone import left_undone
from study.report.scores import SPREAD
from study.report.stated import stated_table
from study.report.statistics import long_frame, patient_values
from study.report.titles import title

_PAGE = """# Reproducibility report

Written from the records by `python -m study.report.readme`.

## What reproduced, and what did not

{told} Verdicts are of profile `cpu`: 128 x 128 pixels, batch 12, 3,000 steps, where the paper has
256 x 256, 24 and 30,000; other sizes are named where they stand. The README explains the
[abbreviations](../README.md#findings). What holds:

- a mean within {close} of the print, and of a row of several methods each of them;
- a gain, whatever its size, over the seeds that both have, with the printed sign and significant
  (p < 0.05, signed-rank test over patients: one comparison, not adjusted), by mean and by ranks;
- the best mean, where no rival has a better one; a lead, where it is significant (the same test,
  with Holm's adjustment over the paper's rows).

Undecided: a gain that is not significant; a best mean where rivals lead, none of them
significantly; a mean whose seeds lie over {spread} apart with the print between them, and a lone
seed of a method whose seeds lie so far apart on the other data set. Chance between seeds is in no
p, and in those intervals alone that are "over patients and seeds" (both drawn with replacement; of
so few seeds rather too narrow).{patients}

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

All printed rows of Tables 1-3 and full supervision, three seeds each: hours reckoned, not measured,
from the measured cost of a step (`python -m study.speed`), one training at a time on each machine.
Only machines that were timed have rows.

{forecast}

A step of 12 slices, all of it: SCN's beside the field's plain U-Net step (float32, SGD, data in
memory) and PCE's. Here steps are of bfloat16 where the processor has it, so that plain/SCN is a
ratio of code and number formats, not of methods. Then the share of SCN's that is convolutions, and
how fast these run, in percent of a product of large matrices in the same type.

{steps}

How much longer SCN's step takes without a part of the fast one (`study.speed.parts`), in percent:

{parts}

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
        told=claims_told(found := judge_claims(records, fine, variants)),
        claims=_claims_table(found),
        findings=_FINDINGS.format(markdown.numbered(findings)) if findings else "",
        field=_beside_the_field(folds),
        close=f"{CLOSE:g} point of Dice",
        spread=f"{SPREAD:g} points",
        patients=_other_patients(records),
        stated=stated_table(),
        recipes=", ".join(map(title, RECIPES)),
        choices=choices(),
        undone=left_undone(records, variants, fine, folds),
        hours=hours([*records, *variants, *folds, *fine]),
        forecast=forecast(benchmarks),
        steps=steps_told(benchmarks) or "Not measured yet.",
        parts=parts_told(benchmarks) or "Not measured yet.",
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


def _other_patients(records: Sequence[Record]) -> str:
    """How far SCN's mean on ACDC would move with other test patients; "" without a run of it."""
    runs = [r for r in records if (r.run.dataset, r.run.method) == ("acdc", "scn") and r.summary]
    if not runs:
        return ""
    means: Any = patient_values(long_frame(runs), "dice").dropna()
    if len(means) < 2:
        return ""
    moved = 196 * float(means.std()) * (2 / len(means)) ** 0.5
    return (
        " The paper names no split: with other test patients than its own, as many and as much "
        f"alike, a mean on ACDC may lie {moved:.1f} points off by that alone (95%, as SCN's "
        f"{len(means)} here differ)."
    )


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
