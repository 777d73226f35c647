"""Figures that compare the methods: the forest plot of the tests, and the failure cases."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scnlib.data.cases import Case
from scnlib.records import Record
from study.report.display import key, legend_below, plain
from study.report.figures import heart_box, make_grid, note_outside, share_outside
from study.report.glance import colour_in, truth_border, whole_slice
from study.report.scores import SPREAD, seeds_mark
from study.report.statistics import ALPHA
from study.report.titles import data_title, in_order, title
from study.report.what_fails import what_went_wrong, worst_slice, worst_volumes

# Label and factor to the unit shown, for each metric.
_AXES = {"dice": ("mean Dice (points)", 100.0), "hd95_voxel": ("95HD (voxels)", 1.0)}
# How far the axes go: a collapsed method must not squeeze the others into a few pixels, and those
# that are close need an axis of their own.
FURTHEST, ZOOM, EDGE = 30.0, 5.0, 1.07
BEYOND = 0.15  # of a prediction; where more lies outside the crop, the slice is shown whole


def forest(tests: pd.DataFrame, heading: str = "") -> Figure:
    """Each method's difference to SCN with its interval, in Dice and 95HD, whole and near 0.

    tests: rows of `statistics.compare` for one data set. A filled mark is a difference that is
    significant by the tables' test, a hollow one is not. A difference beyond the axis is an
    arrow at its edge, with its value at the edge of the wide one, where ‡ also stands beside what
    seeds move far (`scores.seeds_mark`). Without rows the axes stay empty.
    """
    methods = in_order(set(tests["method"]))
    size = (11.5, 1.7 + 0.32 * max(len(methods), 1))
    figure, grid = plt.subplots(1, 4, figsize=size, sharey=True, layout="constrained")
    marks = {(row["metric"], row["method"]): seeds_mark(row) for row in tests.to_dict("records")}
    panels = [(metric, furthest) for metric in _AXES for furthest in (FURTHEST, ZOOM)]
    for axes, (metric, furthest) in zip(grid, panels, strict=True):
        rows: Any = tests[tests["metric"] == metric].set_index("method")
        _panel(axes, rows.loc[methods], metric, furthest)
        for y, method in enumerate(methods):
            if furthest == FURTHEST and marks[metric, method]:
                _dagger(axes, y, rows.loc[method, "mean_difference"] < 0)
    seeds = tests.drop_duplicates("method").set_index("method")
    names = [f"{title(m)} ({seeds.loc[m, 'seeds']})" for m in methods]
    grid[0].set_yticks(range(len(methods)), names)
    said = _said(seeds, any(marks.values()))
    figure.suptitle(f"{heading}: {said}" if heading else said, fontsize=11)
    _forest_key(figure)
    plt.close(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, metric: str, furthest: float) -> None:
    """The methods' differences in one metric (rows by method), to `furthest` on either side."""
    label, factor = _AXES[metric]
    axes.axvline(0, color="black", lw=0.8)
    axes.grid(alpha=0.3)
    for y, (_, row) in enumerate(rows.iterrows()):
        _difference(axes, y, row, factor, furthest)
    near = f", ±{furthest:.0f}" if furthest == ZOOM else ""
    axes.set(xlabel=f"{label}{near}", ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlim(-EDGE * furthest, EDGE * furthest)
    if furthest == ZOOM:
        axes.set_facecolor("#e4e4e4")  # a paler grey is lost among the 256 colours of a PNG


def _dagger(axes: Axes, y: int, right: bool) -> None:
    """‡ at the edge of a method's line where its difference isn't."""
    side, x = ("right", 0.99) if right else ("left", 0.01)
    axes.text(x, y, "‡", transform=axes.get_yaxis_transform(), va="center", ha=side)


def _said(seeds: pd.DataFrame, apart: bool) -> str:
    """What the forest shows, of which seeds and how many patients (rows of `compare`)."""
    said = "method minus SCN (in brackets: its seeds"
    if len(seeds):
        first = seeds.iloc[0]
        said += f"; SCN {first['reference_seeds']}; {first['patients']} patients"
    return said + f"; ‡ single seeds differ by over {SPREAD:g}" * apart + ")"


def _difference(axes: Axes, y: int, row: Any, factor: float, furthest: float) -> None:
    """One method's mark and interval, or its arrow."""
    mean, low, high = (factor * float(row[n]) for n in ("mean_difference", "low", "high"))
    fill_colour = "black" if row["p_holm"] < ALPHA else "white"
    if abs(mean) > furthest:
        mark, side = (">", "right") if mean > 0 else ("<", "left")
        edge = np.copysign(furthest, mean)
        axes.plot(edge, y, mark, color="black", mfc=fill_colour)
        if furthest == FURTHEST:
            axes.text(0.9 * edge, y, f"{mean:.0f}", ha=side, va="center", fontsize=9)
        return
    axes.plot([low, high], [y, y], color="black", lw=1.2)
    for end, mark in ((low, "<"), (high, ">")):
        if abs(end) > EDGE * furthest:  # it goes on beyond the axis
            axes.plot(
                np.copysign(EDGE * furthest, end), y, mark, color="black", ms=4, clip_on=False
            )
    axes.plot(mean, y, "o", color="black", mfc=fill_colour)


def _forest_key(figure: Figure) -> None:
    look: Any = {"color": "black", "marker": "o", "lw": 1.2}
    handles = [
        Line2D([], [], **look, label="significant (see the tables), with 95% interval"),
        Line2D([], [], **look, mfc="white", label="not significant"),
        Line2D([], [], color="black", marker=">", ls="none", label="beyond the axis"),
    ]
    legend_below(figure, 3, handles=handles, fontsize=9)


def failures(
    runs: Mapping[str, Record],
    cases: Mapping[str, Case],
    count: int = 3,
    what: str = "each method's worst test volumes (seed 0; Dice: of the volume)",
) -> tuple[Figure, pd.DataFrame]:
    """Each method's worst test volumes: a picture of each, and in words what went wrong.

    runs by method, or by any other name, with predictions; cases by volume, with labels; `what`
    stands above. A picture is the slice with
    most wrong pixels of the volume's worst structure, cropped to the heart; it says how much of the
    prediction lies beyond; where that is over `BEYOND`, the slice is whole. Two methods stand in a
    line. The table has method, volume, Dice (%), slice (from 1) and what went wrong.
    """
    abreast = min(2, len(runs))
    figure, grid = make_grid(-(-len(runs) // abreast), abreast * count, 1.65)
    figure.set_figheight(len(grid) * 2.15 + 0.9)  # three lines of title above each panel
    rows = []
    for axes in grid.flat[len(runs) * count :]:
        axes.set_axis_off()
    for line, (method, record) in zip(grid.reshape(-1, count), runs.items(), strict=False):
        line[0].set_ylabel(title(method).replace(" ", "\n"), fontsize=10)
        for axes, found in zip(line, worst_volumes(record, count).to_dict("records"), strict=False):
            row = _worst(axes, record, cases[found["volume"]], found)
            rows.append((title(method), *row))
    layout: Any = figure.get_layout_engine()
    layout.set(h_pad=0.08, wspace=0.03)
    first = next(iter(cases.values()))
    dataset = next(iter(runs.values())).run.dataset
    figure.suptitle(
        f"{data_title(dataset)}: {what}",
        fontsize=11,
    )
    key(figure, first.classes)
    columns = ["method", "volume", "Dice (%)", "slice", "what went wrong"]
    return figure, pd.DataFrame(rows, columns=columns)


def _worst(axes: Axes, record: Record, case: Case, found: dict[str, Any]) -> tuple[Any, ...]:
    """Draw the worst slice of a volume; its volume, Dice, slice and what went wrong."""
    volume, score = str(found["volume"]), 100 * found["dice"]
    predicted, truth = record.prediction(volume), _label(case)
    k = case.classes.index(str(found["structure"]))
    z = worst_slice(predicted, truth, k)
    box = heart_box(truth, margin=14)
    if share_outside(predicted[z], box) > BEYOND:
        box = (slice(None), slice(None))
    _failure(axes, case.image[z], predicted[z], truth[z], box)
    name = plain(volume).replace("_", "\n", 1)
    axes.set_title(f"{name}, slice {z + 1}\nDice {score:.0f}%", fontsize=8)
    words = what_went_wrong(predicted, truth, k, dict(enumerate(case.classes)))
    return volume, score, z + 1, words


def _failure(
    axes: Axes,
    image: np.ndarray,
    predicted: np.ndarray,
    truth: np.ndarray,
    box: tuple[slice, slice],
) -> None:
    """A slice cropped to the heart, the prediction filled, the truth's border on it."""
    whole_slice(axes, image[box], truth[box].shape)
    colour_in(axes, predicted[box], alpha=0.5)
    truth_border(axes, truth[box])
    note_outside(axes, predicted, box)


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
