"""Beside the field: what others published for the same test patients, and what ours have there.

WSL4MIS splits ACDC's patients into five folds; papers print fold 1 or the mean of all five. Here a
fold has nobody to validate on, and the last weights are tested.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report import markdown
from study.report.means import seeds_text
from study.report.titles import STRUCTURES, in_order, title

FOLD = "acdc_fold1"
PUBLISHED = pd.read_csv(Path(__file__).with_name("field.csv"))  # method, split, Dice in percent
PRINTED_IN = (
    "The means of five folds are from Luo et al. (DMPLS, MICCAI 2022). The figures of fold 1 were "
    "handed to this study as a list, and are not checked against their papers (PCLMix's public "
    "code, for one, averages five folds at 224 x 224)."
)


class OnFold(NamedTuple):
    """A method's means on the test patients of fold 1, of one profile, over its seeds."""

    profile: str
    method: str
    seeds: list[int]
    dice: dict[str, float]  # percent, by structure and "mean"
    hd95_mm: float


def printed_by_others(split: str) -> dict[str, float]:
    """Method, or the name of one that this study has not: its published mean Dice in percent."""
    rows = PUBLISHED[PUBLISHED["split"] == split]
    return dict(zip(rows["method"], rows["dice"].astype(float), strict=True))


def on_fold(records: Sequence[Record]) -> list[OnFold]:
    """The methods that were tested on fold 1, in the tables' order, a profile after the other."""
    runs: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.run.dataset == FOLD and record.summary:
            runs.setdefault((record.run.profile.name, record.run.method), []).append(record)
    profiles = dict.fromkeys(profile for profile, _ in runs)
    methods = in_order({method for _, method in runs})
    places = [(profile, method) for profile in profiles for method in methods]
    return [_mean(runs[place]) for place in places if place in runs]


def _mean(records: Sequence[Record]) -> OnFold:
    run, names = records[0].run, (*STRUCTURES[:3], "mean")
    dice = {n: 100 * float(np.mean([r.summary["dice"][n] for r in records])) for n in names}
    hd95 = float(np.mean([r.summary["hd95_mm"]["mean"] for r in records]))
    return OnFold(run.profile.name, run.method, sorted(r.run.seed for r in records), dice, hd95)


def field_table(records: Sequence[Record]) -> str:
    """Published means and ours as a table in Markdown; "" without a run on fold 1."""
    found = on_fold(records)
    splits = [printed_by_others("fold 1"), printed_by_others("five folds")]
    rows = []
    for method in in_order({*splits[0], *splits[1], *(own.method for own in found)}):
        printed = [f"{split[method]:.1f}" if method in split else "" for split in splits]
        ours = [_cells(own) for own in found if own.method == method] or [("",) * 4]
        rows += [(title(method), *printed, *cells) for cells in ours]
    head = ("method", "fold 1, published", "five folds, published", "ours on fold 1", "Dice")
    return markdown.table((*head, "RV, MYO, LV", "95HD (mm)"), rows) if found else ""


def _cells(own: OnFold) -> tuple[str, ...]:
    parts = ", ".join(f"{own.dice[name]:.1f}" for name in STRUCTURES[:3])
    run = f"`{own.profile}`, {seeds_text(own.seeds)}"
    return run, f"{own.dice['mean']:.1f}", parts, f"{own.hd95_mm:.1f}"


def field_told(records: Sequence[Record]) -> str:
    """Ours minus the published means, where both splits have one; "" without a run on fold 1."""
    one, five = printed_by_others("fold 1"), printed_by_others("five folds")
    each = [
        f"{title(own.method)} (`{own.profile}`) {own.dice['mean'] - one[own.method]:+.1f} and "
        f"{own.dice['mean'] - five[own.method]:+.1f}"
        for own in on_fold(records)
        if own.method in one and own.method in five
    ]
    text = "Ours minus what is published for fold 1 and for five folds, in points: "
    return f"{text}{', '.join(each)}." if each else ""
