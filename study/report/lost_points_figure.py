"""The lost points as a picture: a bar a method, from its Dice to 100."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.report.display import legend_below
from study.report.lost_points import MENDINGS

LABELS = {
    "far": "far: from the heart",
    "absent": "absent: slices without the structure",
    "missed": "missed: slices with none predicted",
    "border": "border: within a pixel of a border",
    "rest": "rest: elsewhere",
}
COLOURS = ("#000000", "#0072B2", "#56B4E9", "#BBBBBB", "#E69F00")
END = 50  # points; where the axis ends


def bars(table: pd.DataFrame, heading: str) -> Figure:
    """A bar of the points that each method lost, by kind of fault; a diamond where a prior ends.

    table: `lost_points.losses` of one data set. Methods from the fewest points lost to the most,
    with how many seeds they have; the axis ends at 50 points at the latest: a longer bar says how
    long it is, and a diamond beyond is an arrow at the edge, with its value.
    """
    table = table.sort_values("Dice", ascending=False)
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.36 * len(table)), layout="constrained")
    left = pd.Series(0.0, index=table.index)
    places = range(len(table))
    for step, colour in zip(MENDINGS, COLOURS, strict=True):
        look: Any = {"color": colour, "hatch": "//" * (step == "rest"), "edgecolor": "white"}
        axes.barh(places, table[step], left=left, label=LABELS[step], height=0.7, **look)
        left = left + table[step]
    kept = 100 - table["with heart"].astype(float)
    label = "lost if only the largest part is kept (arrow: beyond)"
    look: Any = {"ls": "", "mfc": "white", "mec": "#D55E00", "mew": 1.6}
    axes.plot(kept.where(kept <= END), places, "D", ms=6, label=label, **look)
    for y, value in enumerate(kept):
        if value > END:
            axes.plot(END, y, ">", ms=8, clip_on=False, zorder=3, **look)
            axes.text(END + 0.9, y, f"{value:.0f}", va="center", fontsize=9)
    _say_longer(axes, left)
    axes.set_yticks(places, [f"{name} ({seeds:.0f})" for name, seeds in table["seeds"].items()])
    longest = float(np.nan_to_num([left.max(), kept.max()]).max())
    end = min(END, 10 * int(longest // 10 + 1))
    axes.set(
        xlim=(0, end),
        ylim=(len(table) - 0.5, -0.5),
        xlabel="points of mean Dice lost (in brackets: seeds; no ranking where they differ)",
    )
    axes.grid(axis="x", alpha=0.3)
    figure.suptitle(heading, fontsize=11)
    legend_below(figure, 2, fontsize=9, frameon=False)
    plt.close(figure)
    return figure


def _say_longer(axes: Axes, lost: pd.Series) -> None:
    """How long a bar is that the axis cuts: black on white, whatever its colours are there."""
    ground: Any = {"facecolor": "white", "linewidth": 0, "pad": 1.5}
    place: Any = {"ha": "right", "va": "center", "fontsize": 9, "bbox": ground}
    for y, points in enumerate(lost):
        if points > END:
            axes.text(END - 1.2, y, f"{points:.0f} in all", **place)
