"""The lost points as a picture: a bar a method, from its Dice to 100."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from study.report.lost_points import STEPS

LABELS = {
    "far": "far from the heart",
    "absent": "slices without the structure",
    "missed": "slices where it is missed",
    "border": "within a pixel of a border",
    "rest": "elsewhere",
}
COLOURS = ("#000000", "#0072B2", "#56B4E9", "#BBBBBB", "#E69F00")


def bars(table: pd.DataFrame, heading: str) -> Figure:
    """A bar of the points that each method lost, by kind of fault; a diamond where a prior ends.

    table: `lost_points.losses` of one data set. Methods from the fewest points lost to the most;
    the axis ends at 50 points, and a longer bar says how long it is.
    """
    table = table.sort_values("Dice", ascending=False)
    figure, axes = plt.subplots(figsize=(8, 1.4 + 0.36 * len(table)), layout="constrained")
    left = pd.Series(0.0, index=table.index)
    places = range(len(table))
    for step, colour in zip(STEPS, COLOURS, strict=True):
        axes.barh(places, table[step], left=left, color=colour, label=LABELS[step], height=0.7)
        left = left + table[step]
    kept = 100 - table["with heart"].astype(float)
    label = "lost if only the largest part is kept"
    axes.plot(kept, places, "D", ms=6, mfc="white", mec="#D55E00", mew=1.6, ls="", label=label)
    for y, lost in enumerate(left):
        if lost > 50:
            look = {"color": "white", "fontsize": 9}  # on black, whatever the bar's colour there
            look["bbox"] = {"facecolor": "black", "linewidth": 0, "pad": 1.5}
            axes.text(49.3, y, f"{lost:.0f}", ha="right", va="center", **look)
    axes.set_yticks(places, list(table.index))
    axes.set(xlim=(0, 50), ylim=(len(table) - 0.5, -0.5), xlabel="points of mean Dice lost")
    axes.grid(axis="x", alpha=0.3)
    figure.suptitle(heading, fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    plt.close(figure)
    return figure
