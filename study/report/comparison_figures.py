"""Figures that compare the methods: the forest plot of the tests, and the failure cases."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from scnlib.data.cases import Case
from scnlib.records import Record
from study.report.failures import what_went_wrong, worst_slice, worst_volumes
from study.report.figures import heart_box, make_grid, note_outside, outline
from study.report.statistics import ALPHA
from study.report.titles import in_order, title

# Label, factor to the unit shown, and how far the axis goes: a collapsed method must not squeeze
# the others into a few pixels.
_AXES = {
    "dice": ("mean Dice (points)", 100.0, 30.0),
    "hd95_voxel": ("95HD (voxels)", 1.0, 30.0),
}


def forest(tests: pd.DataFrame, heading: str = "") -> Figure:
    """Each method's difference to SCN with its 95% interval, Dice and 95HD beside each other.

    tests: rows of `statistics.compare` for one data set. A filled mark is a difference that is
    significant after Holm's adjustment, a hollow one is not. A difference of more than 30 points of
    Dice or 30 voxels is an arrow at the edge with its value. Without rows the axes stay empty.
    """
    methods = in_order(set(tests["method"]))
    size = (7.6, 1.2 + 0.32 * max(len(methods), 1))
    figure, grid = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    for axes, (metric, (label, factor, furthest)) in zip(grid, _AXES.items(), strict=True):
        axes.axvline(0, color="black", lw=0.8)
        axes.grid(alpha=0.3)
        rows = tests[tests["metric"] == metric].set_index("method")
        for y, method in enumerate(methods):
            row: Any = rows.loc[method]
            mean, low, high = (factor * float(row[n]) for n in ("mean_difference", "low", "high"))
            fill = "black" if row["p_holm"] < ALPHA else "white"
            if abs(mean) > furthest:
                mark, side = (">", "right") if mean > 0 else ("<", "left")
                edge = np.copysign(furthest, mean)
                axes.plot(edge, y, mark, color="black", mfc=fill)
                axes.text(0.94 * edge, y, f"{mean:.0f}", ha=side, va="center", fontsize=9)
                continue
            axes.plot([low, high], [y, y], color="black", lw=1.2)
            axes.plot(mean, y, "o", color="black", mfc=fill)
        axes.set(xlabel=f"{label}, method minus SCN", ylim=(len(methods) - 0.5, -0.5))
    grid[0].set_yticks(range(len(methods)), [title(m) for m in methods])
    figure.suptitle(heading, fontsize=11)
    plt.close(figure)
    return figure


def failures(
    runs: Mapping[str, Record], cases: Mapping[str, Case], count: int = 3
) -> tuple[Figure, pd.DataFrame]:
    """Each method's worst test volumes: a picture of each, and in words what went wrong.

    runs by method name, with predictions; cases by volume, with labels. A picture is the slice with
    most wrong pixels of the volume's worst structure, cropped to the heart; it says how much of the
    prediction lies outside. The table has method, volume, Dice (%), slice (from 1) and what went
    wrong.
    """
    # Small: an executed notebook has to stay below a megabyte with two such figures, too.
    figure, grid = make_grid(len(runs), count, 1.0)
    rows = []
    for line, (method, record) in zip(grid, runs.items(), strict=True):
        line[0].set_ylabel(title(method).replace(" ", "\n"), fontsize=9)
        for axes, found in zip(line, worst_volumes(record, count).to_dict("records"), strict=False):
            case, volume = cases[found["volume"]], str(found["volume"])
            predicted, truth = record.prediction(volume), _label(case)
            k = case.classes.index(str(found["structure"]))
            z = worst_slice(predicted, truth, k)
            box = heart_box(truth, margin=10)
            axes.imshow(case.image[z][box], cmap="gray", vmin=0, vmax=1)
            outline(axes, truth[z][box], style="dashed", width=0.9)
            outline(axes, predicted[z][box], width=0.9)
            note_outside(axes, predicted[z], box)
            axes.set_title(f"{volume}\nslice {z + 1}: {100 * found['dice']:.0f}%", fontsize=6)
            words = what_went_wrong(predicted, truth, k, dict(enumerate(case.classes)))
            rows.append((title(method), volume, 100 * found["dice"], z + 1, words))
    columns = ["method", "volume", "Dice (%)", "slice", "what went wrong"]
    return figure, pd.DataFrame(rows, columns=columns)


def _label(case: Case) -> np.ndarray:
    if case.label is None:
        raise ValueError(f"{case.source}: no mask; failures can't be judged without the truth")
    return case.label


def with_predictions(records: Sequence[Record], dataset: str) -> dict[str, Record]:
    """The runs of seed 0 on a data set that have predictions, by method, in the tables' order."""
    first = {
        r.run.method: r
        for r in records
        if (r.run.dataset, r.run.seed) == (dataset, 0) and "predictions.h5" in r.files
    }
    return {method: first[method] for method in in_order(first)}
