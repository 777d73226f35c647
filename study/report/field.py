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
    "Published means of five folds: Luo et al., MICCAI 2022; of fold 1: as compared with PCLMix "
    "(Lei et al., arXiv:2405.06288)."
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
    """What ours lack of the published means, and where SCN stands; "" without a run on fold 1."""
    printed, found, said = printed_by_others("fold 1"), on_fold(records), []
    for profile in dict.fromkeys(own.profile for own in found):
        dice = {own.method: own.dice["mean"] for own in found if own.profile == profile}
        lack = [f"{title(m)} {printed[m] - dice[m]:.1f}" for m in dice if m in printed]
        parts = [f"points below what is published for the same: {', '.join(lack)}"] if lack else []
        if "scn" in dice:
            others = {name: value for name, value in printed.items() if name != "full"}
            best = max(others, key=lambda name: others[name])
            parts.append(
                f"SCN, for which no other figure of this split is known, has {dice['scn']:.1f}%, "
                f"{others[best] - dice['scn']:.1f} points less than the best that is published for "
                f"scribbles ({title(best)})"
            )
        said.append(f"Profile `{profile}`: {'; '.join(parts) or 'no published figure'}.")
    return " ".join(said)
