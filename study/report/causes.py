"""Likely causes of what differs from the print, in words, for `study.report.claims_judged`."""

from collections.abc import Sequence

import numpy as np

from study.report import resolution
from study.report.means import seeds_text
from study.report.paper import repeated_rows
from study.report.titles import paper_row, title
from study.report.worth import FILL, PUBLIC, Effect

FLOODS = "far from every stroke nothing is labelled, and a network floods there"


def why_scn(pair: resolution.BothSizes | None, printed: float, dataset: str) -> str:
    """Why SCN's level may be another one: what the size explains, and what was tried besides."""
    won = _won(pair, printed)
    unknown = "" if _wins_most(pair, printed) else "not known; "
    tried = "; a finer map, or no term of PAP, changed less than a point (notebook 05)"
    text = f"{unknown}a quarter of the pixels and a twentieth of the training{won}"
    return text + tried * (dataset == "acdc")


def why_pce(far_apart: bool, lone: bool) -> str:
    """Why PCE's level may be another one."""
    if far_apart:
        return f"chance: {FLOODS} or does not; seeds lie far apart (notebook 04b; REPORT, Chance)"
    if lone:
        return f"chance, as on the other data set: {FLOODS} or does not"
    return f"{FLOODS} (notebooks 04b and 08)"


def labelled_corners(moved: Sequence[Effect], methods: Sequence[str]) -> str:
    """Which of these methods labelled corners lift, and how far; "" for none."""
    said = [
        f"{title(one.method)} {_from_to(one)}"
        for one in moved
        if one.choice == FILL and one.gain > 0 and one.method in methods
    ]
    where = "; a rotation's corners, which some public code labels as background (validation: "
    return f"{where}{', '.join(said)})" if said else ""


def public_ways(moved: Sequence[Effect], methods: Sequence[str]) -> str:
    """What another way of public code does to some of these methods; "" for none."""
    said = [
        f"{title(one.method)} {_from_to(one)} if {PUBLIC[one.choice]}"
        for one in moved
        if one.choice in PUBLIC and one.method in methods
    ]
    return f"; departures of this study (validation): {', and '.join(said)}" if said else ""


def printed_in_doubt(number: int, methods: Sequence[str]) -> str:
    """Which of the methods' printed rows are a doubtful measure, and why; "" for none."""
    rows = [paper_row(number, method) for method in methods]
    said = [f"{row} (the same in Tables 1 and 2)" for row in repeated_rows() if row in rows]
    if number == 1 and "DMPLS" in rows:
        said.append("DMPLS (its own paper's mean of five folds)")
    return f"; printed rows in doubt: {', '.join(said)}" if said else ""


def _from_to(choice: Effect) -> str:
    """From which mean to which, over which seeds."""
    before, after = choice.means
    return f"{before:.1f} to {after:.1f}% ({seeds_text(choice.seeds)})"


def _wins_most(pair: resolution.BothSizes | None, printed: float) -> bool:
    """Whether the printed size wins over half of the way to the print."""
    if pair is None or np.isnan(pair.dice[1]):
        return False
    fine, coarse = pair.dice
    return printed > coarse and fine - coarse > (printed - coarse) / 2


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
