"""SCN's open choices in short runs on validation subjects, a few minutes and seeds each.

After a whole run a difference can be another one: `study.report.both_lengths` has the choices that
were made in both.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from study.experiments import PRINTED_GRID
from study.report import markdown
from study.report.means import seeds_count
from study.report.worth import GRIDS, MEANING, Effect


def open_choices(found: Sequence[Effect], grid: str = "") -> list[Effect]:
    """What the paper leaves open, in SCN at a grid of `GRIDS`: from the worst choice to the best.

    Without one at the first of `grids_of`. Each beside the mean of all the default's seeds: beside
    one seed's run a choice would look as good as that seed is bad.
    """
    grid = grid or next(iter(grids_of(found)), "")
    ours = [one for one in _of_scn(found) if one.base == grid]
    return sorted(ours, key=lambda one: one.beside)


def grids_of(found: Sequence[Effect]) -> list[str]:
    """The grids that SCN's open choices were tried at, the printed one first."""
    bases = {one.base for one in _of_scn(found)}
    return [grid for grid in GRIDS if grid in bases]


def finest(found: Sequence[Effect]) -> list[Effect]:
    """Of an open choice that was tried at two grids, the one at the printed grid alone."""
    printed = {one.choice for one in _of_scn(found) if one.base == PRINTED_GRID}
    return [
        one
        for one in found
        if one.method != "scn" or one.choice not in printed or one.base == PRINTED_GRID
    ]


def _of_scn(found: Sequence[Effect]) -> list[Effect]:
    return [one for one in found if one.method == "scn" and one.choice in MEANING]


def choices_table(found: Sequence[Effect]) -> str:
    """SCN's open choices as Markdown, with what each says; "" for none.

    The best at the first of `grids_of` comes first. For each grid: points to the default, and by
    seed where there are several.
    """
    grids = grids_of(found)
    tried = [{one.choice: one for one in reversed(open_choices(found, grid))} for grid in grids]
    names = dict.fromkeys(name for choices in tried for name in choices)
    rows = [
        (f"`{name}`", MEANING[name], *(_points(choices.get(name)) for choices in tried))
        for name in names
    ]
    head = ("choice", "in words", *(GRIDS[grid] for grid in grids))
    return markdown.table(head, rows) if rows else ""


def _points(one: Effect | None) -> str:
    """Points to the mean of the default, and those of each seed where there are several."""
    if one is None:
        return ""
    each = ", ".join(f"{points:+.1f}" for points in one.apart)
    return f"{one.beside:+.1f}" + f" ({each})" * (len(one.apart) > 1)


def told_of_choices(found: Sequence[Effect]) -> str:
    """Which choices chance alone would hardly bring about, by grid; "" without any."""
    return "\n\n".join(
        [*(beyond_chance(found, grid) for grid in grids_of(found)), *_both_grids(found)]
    )


def beyond_chance(found: Sequence[Effect], grid: str) -> str:
    """Which choices at a grid of `grids_of` chance alone would hardly bring about."""
    ranked = open_choices(found, grid)
    usual = default_dice(ranked)
    beyond = [one for one in ranked if abs(one.beside) > chance(usual, len(one.apart))]
    said = [f"`{one.choice}` ({MEANING[one.choice]}) {_words(one)}" for one in reversed(beyond)]
    counts = sorted({len(one.apart) for one in ranked})
    widths = [f"{chance(usual, n):.1f} ({seeds_count(n)})" for n in counts]
    return (
        f"**SCN's open choices, in short runs of {GRIDS[grid]}** (ACDC, validation): the default "
        f"has {np.mean(usual):.1f}% over {len(usual)} seeds. By chance the mean of others of its "
        f"runs lies within {' or '.join(widths)} points of that: a 95% prediction interval, so "
        f"that about {0.05 * len(ranked):.1f} of {len(ranked)} choices lie beyond it by chance. "
        f"Beyond it: {', '.join(said) or 'none'}."
    )


def _both_grids(found: Sequence[Effect]) -> list[str]:
    """How alike the choices rank at two grids; empty where fewer than three were tried at both."""
    ours: list[dict[str, float]] = [
        {one.choice: one.beside for one in open_choices(found, grid)} for grid in grids_of(found)
    ]
    both = [name for name in ours[0] if name in ours[1]] if len(ours) == 2 else []
    if len(both) < 3:
        return []
    rank: Any = stats.spearmanr([[choices[name] for choices in ours] for name in both])
    return [
        f"Of the {len(both)} choices tried at both grids the ranks agree with a correlation of "
        f"{rank.statistic:+.2f} (Spearman; 1 is the same order, 0 none)."
    ]


def chance(usual: Sequence[float], seeds: int) -> float:
    """Half of the 95% prediction interval for the mean of `seeds` further runs like these.

    t * s * sqrt(1 / seeds + 1 / n), in the unit of `usual`; infinite for fewer than two runs.
    """
    n = len(usual)
    if n < 2:
        return float("inf")
    t = float(stats.t.ppf(0.975, n - 1))
    return t * float(np.std(usual, ddof=1)) * (1 / seeds + 1 / n) ** 0.5


def default_dice(found: Sequence[Effect]) -> list[float]:
    """Dice of the default's runs, of the choice that has most of them to stand beside."""
    return list(max((one.before for one in found), key=len).values())


def told_of_left_out(found: Sequence[Effect]) -> str:
    """What SCN has in short runs without one of CALE's and CACL's losses, or with one of them alone
    beside PCE; "" where none was so run."""
    names = ("nopap", "norsr", "nocacl", "onlypap", "onlyrsr", "onlycacl")
    parts = []
    for grid in grids_of(found):
        chosen = [one for one in open_choices(found, grid) if one.choice in names]
        each = ", ".join(f"{MEANING[one.choice]} {_words(one)}" for one in chosen)
        parts += [f"at {GRIDS[grid]} {each}"] if each else []
    if not parts:
        return ""
    return (
        "**In short runs**, points to the mean of the default's seeds (section 10): "
        f"{'; '.join(parts)}."
    )


def _words(one: Effect) -> str:
    return f"{one.beside:+.1f} ({seeds_count(len(one.apart))})"
