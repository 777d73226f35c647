"""Runs that labelled corners change: their validation over training, beside that without."""

from collections.abc import Sequence

from scnlib.records import Record
from study.report.findings import run_key
from study.report.means import best_dice
from study.report.titles import in_order, title
from study.report.worth import FILL, LITTLE

Panels = dict[str, Record]


def fill_panels(
    records: Sequence[Record], variants: Sequence[Record]
) -> dict[str, tuple[Panels, Panels]]:
    """Data set to the runs with labelled corners and those without, each by its panel's name.

    Of the methods that in one seed at least change by `LITTLE` points of best validation Dice, all
    seeds that were run both ways.
    """
    usual = {run_key(r): r for r in records if r.validation["best"]}
    filled = {run_key(r): r for r in variants if r.run.variant == FILL and r.validation["best"]}
    both = sorted(usual.keys() & filled.keys())
    change = {key: best_dice(filled[key]) - best_dice(usual[key]) for key in both}
    moved = {key[:2] for key in both if abs(change[key]) > LITTLE}
    panels: dict[str, tuple[Panels, Panels]] = {}
    order = in_order({method for _, method, _ in both})
    for key in sorted(both, key=lambda key: (key[0], order.index(key[1]), key[2])):
        dataset, method, seed = key
        if (dataset, method) in moved:
            labelled, unlabelled = panels.setdefault(dataset, ({}, {}))
            name = f"{title(method)}, seed {seed}"
            labelled[name], unlabelled[name] = filled[key], usual[key]
    return panels
