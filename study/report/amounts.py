"""How much must be scribbled, and how well: short runs with less of the strokes, or worse ones."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from scnlib.data import scribble_amount
from scnlib.paths import SHORT
from study.experiments import changes_of
from study.report import markdown
from study.report.display import legend_below
from study.report.means import seeds_text
from study.report.titles import title
from study.report.worth import AMOUNTS, Effect

# Percent of each stroke that is kept, and what is wrong with the strokes, by the variant's name.
PERCENT = {name: round(100 * share) for name, share in scribble_amount.KEPT.items()}
FAULTS = {
    "unmarked": "half of the structures unmarked",
    **{name: f"{share:.0%} of the strokes wrong" for name, share in scribble_amount.WRONG.items()},
    "thin": "strokes drawn thin",
}
_SIDE = " at {size}x{size}".format(**changes_of(SHORT)["profile"])
LOOKS = (("black", "o"), ("#0072B2", "s"), ("#D55E00", "D"), ("#009E73", "^"), ("#CC79A7", "v"))


def by_method(found: Sequence[Effect]) -> dict[str, dict[str, Effect]]:
    """The effects of drawing less or worse: method, then choice; those of other choices are out.

    A method whose choices have no seed in common is left out: nothing of it can stand side by side.
    """
    grouped: dict[str, dict[str, Effect]] = {}
    for effect in found:
        if effect.choice in AMOUNTS:
            grouped.setdefault(effect.method, {})[effect.choice] = effect
    return {method: effects for method, effects in grouped.items() if _common(effects)}


def seeds_of(found: Sequence[Effect]) -> str:
    """Of which seeds what is told of less or worse strokes is, each way once."""
    grouped = by_method(found).values()
    return " or ".join(sorted({seeds_text(_common(effects)) for effects in grouped}))


def amounts_table(found: Sequence[Effect]) -> str:
    """Mean validation Dice (percent) of each method by what was drawn, as Markdown; "" for none."""
    grouped = by_method(found)
    choices = [c for c in (*PERCENT, *FAULTS) if any(c in effects for effects in grouped.values())]
    names = [f"{PERCENT[c]}% of each stroke" if c in PERCENT else FAULTS[c] for c in choices]
    rows = []
    for method, effects in grouped.items():
        seeds = _common(effects)
        cells = [_mean(effects[c].after, seeds) if c in effects else np.nan for c in choices]
        values = [_mean(_whole(effects), seeds), *cells]
        rows.append((title(method), *("" if np.isnan(v) else f"{v:.1f}" for v in values)))
    return markdown.table(("method", "all", *names), rows, numbers=True) if rows else ""


def amounts_told(found: Sequence[Effect], where: str, full: bool = True) -> str:
    """In a sentence, what each method loses with a tenth of each stroke; "" if none was so run.

    `where` names the data set of these effects; where `full`, what chance does is told too.
    """
    ways = [effects for effects in by_method(found).values() if "tenth" in effects]
    parts = [_from_to(effects["tenth"], _common(effects)) for effects in ways]
    if not parts:
        return ""
    there = [effects["tenth"] for effects in ways]
    seeds = seeds_of([one for effects in ways for one in effects.values()])
    several = [one for one in there if len(one.before) > 1]
    chance = [
        f"{title(one.method)} {max(one.before.values()) - min(one.before.values()):.1f}"
        for one in several
    ]
    noise = f" Seeds with all strokes lie apart by {', '.join(chance)} points." if several else ""
    return (
        f"**With a tenth of each stroke** ({where}, short runs{_SIDE}, validation, {seeds}) Dice "
        f"changes: {', '.join(parts)}.{(_of_faults(found) + noise) * full}"
    )


def _of_faults(found: Sequence[Effect]) -> str:
    """Points that worse strokes cost each method, a sentence a fault."""
    grouped = by_method(found).values()
    told = []
    for choice, words in FAULTS.items():
        ways = [(effects[choice], _common(effects)) for effects in grouped if choice in effects]
        each = [f"{title(one.method)} {_points(one, seeds):+.1f}" for one, seeds in ways]
        told += [f" With {words}: {', '.join(each)} points."] if each else []
    return "".join(told)


def amounts_picture(found: Sequence[Effect], heading: str) -> Figure:
    """Left, Dice by the share of each stroke that is kept; right, points lost by worse strokes."""
    figure, (share, fault) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    grouped = by_method(found)
    faults = [c for c in FAULTS if any(c in effects for effects in grouped.values())]
    for number, (method, effects) in enumerate(grouped.items()):
        colour, mark = LOOKS[number % len(LOOKS)]
        look: Any = {"color": colour, "marker": mark, "mec": "black"}
        seeds = _common(effects)
        kept = [(100, _mean(_whole(effects), seeds))]
        kept += [(PERCENT[c], _mean(effects[c].after, seeds)) for c in PERCENT if c in effects]
        share.plot(*zip(*kept, strict=True), label=title(method), **look)
        lost = [(c, effects[c]) for c in faults if c in effects]
        points = [_points(one, seeds) for _, one in lost]
        apart = 0.16 * (number - (len(grouped) - 1) / 2)  # or one mark hides another
        fault.plot(points, [faults.index(c) + apart for c, _ in lost], ls="", ms=8, **look)
    share.set_xscale("log")
    share.set_xticks([10, 25, 50, 100], ["10", "25", "50", "100"])
    share.minorticks_off()
    share.invert_xaxis()
    share.set(
        xlabel="percent of each stroke that is kept (logarithmic)",
        ylabel="mean validation Dice (%)",
    )
    fault.set_yticks(range(len(faults)), [FAULTS[c] for c in faults])
    fault.set(
        ylim=(max(len(faults), 1) - 0.5, -0.5),
        xlabel="points of mean validation Dice, to the run on all strokes\n(no mark: not run)",
    )
    fault.axvline(0, color="black", lw=0.8)
    for axes in (share, fault):
        axes.grid(alpha=0.3)
    figure.suptitle(f"{heading}, {seeds_of(found)}", fontsize=11)
    legend_below(figure, 6, fontsize=9, frameon=False)
    plt.close(figure)
    return figure


def _common(effects: dict[str, Effect]) -> list[int]:
    """The seeds of all of a method's ways to draw: numbers side by side are of the same runs."""
    return sorted(set.intersection(*(set(one.seeds) for one in effects.values())))


def _whole(effects: dict[str, Effect]) -> dict[int, float]:
    """Dice with all strokes, by seed."""
    return {seed: dice for one in effects.values() for seed, dice in one.before.items()}


def _from_to(one: Effect, seeds: Sequence[int]) -> str:
    before, after = (_mean(dice, seeds) for dice in (one.before, one.after))
    return f"{title(one.method)} {before:.1f} to {after:.1f}"


def _points(one: Effect, seeds: Sequence[int]) -> float:
    """What the choice adds to the mean of these seeds."""
    return _mean(one.after, seeds) - _mean(one.before, seeds)


def _mean(dice: dict[int, float], seeds: Sequence[int]) -> float:
    return float(np.mean([dice[seed] for seed in seeds]))
