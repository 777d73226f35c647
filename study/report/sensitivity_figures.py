"""Short runs in pictures: what fills a rotation's corners, and SCN with one choice changed.

A small mark is a seed, a large one the mean, hollow where it is of one seed.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from study.report.display import legend_below
from study.report.fill import fills
from study.report.sensitivity import chance, default_dice, open_choices
from study.report.titles import title
from study.report.worth import GRIDS, MEANING, Effect

EDGE = 8.0  # points; a choice that does more is marked at the axis's end, with its number
OPEN, LABELLED = "#0072B2", "#D55E00"


def corners_picture(found: Sequence[Effect], heading: str) -> Figure:
    """Each method with a rotation's corners unlabelled and labelled as background."""
    handles = [
        _mark("o", OPEN, "corners unlabelled"),
        _mark("s", LABELLED, "labelled as background"),
        _mark("o", "white", "hollow: of one seed"),
        _mark(".", "black", "a seed"),
    ]
    rows = sorted(fills(found), key=lambda one: one.means[1])
    figure, axes = plt.subplots(figsize=(8, 1.6 + 0.36 * max(len(rows), 3)), layout="constrained")
    _fills(axes, rows)
    return _finished(figure, handles, heading)


def choices_picture(found: Sequence[Effect], heading: str) -> Figure:
    """SCN with one of its open choices changed, sorted, to its default's mean, at the finest grid.

    The grey bands are where the mean of three seeds (dark) and a single one (pale) may lie by
    `chance`.
    """
    handles = [
        _mark("D", "black", "mean"),
        _mark("D", "white", "hollow: of one seed"),
        _mark(".", "black", "a seed"),
        Patch(color="#d0d0d0", label="chance, 3 seeds"),
        Patch(color="#eeeeee", label="chance, 1 seed"),
    ]
    rows = open_choices(found)
    figure, axes = plt.subplots(figsize=(8, 1.8 + 0.3 * max(len(rows), 3)), layout="constrained")
    _choices(axes, rows)
    return _finished(figure, handles, heading)


def _mark(marker: str, fill: str, label: str) -> Line2D:
    """What a legend shows of a mark."""
    look: Any = {"ls": "none", "color": "black", "mfc": fill, "ms": 6 if marker == "." else 8}
    return Line2D([], [], marker=marker, label=label, **look)


def _finished(figure: Figure, handles: list[Any], heading: str) -> Figure:
    figure.suptitle(heading, fontsize=11)
    legend_below(figure, 5, handles=handles, fontsize=9, frameon=False)
    plt.close(figure)
    return figure


def _fills(axes: Axes, found: Sequence[Effect]) -> None:
    for y, effect in enumerate(found):
        axes.plot(effect.means, [y + 0.14, y - 0.14], color="#999999", lw=1.5, zorder=1)
        for mark, colour, dice, mean, up in zip(
            *("os", (OPEN, LABELLED), (effect.before, effect.after), effect.means, (0.14, -0.14)),
            strict=True,
        ):
            fill, edge = (colour, "black") if len(effect.seeds) > 1 else ("white", colour)
            axes.plot(mean, y + up, mark, ms=9, mfc=fill, mec=edge, zorder=2)
            each = [dice[seed] for seed in effect.seeds]
            axes.plot(each, [y + up] * len(each), ".", color="black", ms=4, zorder=3)
    axes.set_yticks(range(len(found)), [title(effect.method) for effect in found])
    axes.set(xlabel="mean validation Dice (%)")
    axes.set_ylim(-0.5, max(len(found), 1) - 0.5)
    axes.grid(axis="x", alpha=0.3)


def _choices(axes: Axes, found: Sequence[Effect]) -> None:
    axes.axvline(0, color="black", lw=0.8)
    for seeds, grey in ((1, "#eeeeee"), (3, "#d0d0d0")):
        if found and np.isfinite(width := chance(default_dice(found), seeds)):
            axes.axvspan(-width, width, color=grey, zorder=0)
    for y, effect in enumerate(found):
        axes.plot(effect.apart, [y] * len(effect.apart), ".", color="black", ms=4)
        mean = effect.beside
        if abs(mean) <= EDGE:
            inside = "black" if len(effect.apart) > 1 else "white"
            axes.plot(mean, y, "D", ms=8, mfc=inside, mec="black")
            continue
        sign = float(np.sign(mean))
        axes.plot(sign * EDGE, y, "<" if sign < 0 else ">", ms=9, color="black")
        side = "left" if sign < 0 else "right"
        axes.text(sign * (EDGE - 0.4), y, f"{mean:+.1f}", ha=side, va="center")
    axes.set_yticks(range(len(found)), [MEANING.get(one.choice, one.choice) for one in found])
    grid = "".join(f"\n({GRIDS[one.base]})" for one in found[:1])
    axes.set(xlabel=f"points of mean validation Dice, to the mean of the default{grid}")
    axes.set_xlim(-EDGE - 0.5, EDGE + 0.5)
    axes.set_ylim(-0.5, max(len(found), 1) - 0.5)
    axes.grid(axis="x", alpha=0.3)
