"""The study's figures: slices, histograms and curves, in fixed sizes (Fig. 2: `figure2`).

Every function returns a matplotlib `Figure` and closes it, so that a notebook shows it once, with
`study.report.display.show` and its alternative text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scnlib.data.cases import Case
from scnlib.records import Record
from study.report.display import dark_edge, key, legend_below, plain, scribble_colours
from study.report.titles import data_title, in_order, title

# Of the losses' curves: of the colour-blind palette what is not like a class's colour.
_, _, _GREEN, _, _PURPLE, _BROWN, _PINK, _GREY, _, _SKY = sns.color_palette("colorblind", 10)
LOSSES = ((0, 0, 0), _GREEN, _PURPLE, _BROWN, _SKY, _PINK, _GREY)
STYLES = ("solid", "dashed", "dashdot", "dotted", (0, (5, 1, 1, 1, 1, 1)))


def heart_box(labels: np.ndarray, margin: int = 12) -> tuple[slice, slice]:
    """A square around all classes of label maps (..., H, W), `margin` pixels wider; all if empty.

    The square is cut where the image ends.
    """
    flat: Any = (labels > 0).reshape(-1, *labels.shape[-2:]).any(axis=0)
    if not flat.any():
        return slice(0, flat.shape[0]), slice(0, flat.shape[1])
    spans = [np.flatnonzero(flat.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    half = max(int(last - first) for first, last in spans) // 2 + margin + 1
    centres = [int(first + last) // 2 for first, last in spans]
    rows, columns = (
        slice(max(c - half, 0), min(c + half, n)) for c, n in zip(centres, flat.shape, strict=True)
    )
    return rows, columns


def share_outside(labels: np.ndarray, box: tuple[slice, slice]) -> float:
    """How much of a label map (H, W) lies outside a box, from 0 to 1; 0 if it is empty."""
    total = int((labels > 0).sum())
    return 1 - int((labels[box] > 0).sum()) / total if total else 0.0


def note_outside(axes: Axes, labels: np.ndarray, box: tuple[slice, slice]) -> None:
    """Say on a cropped picture how much of a label map (H, W) lies beyond it, from 5% on."""
    outside = share_outside(labels, box)
    if outside >= 0.05:
        ground = {"facecolor": "white", "linewidth": 0, "pad": 1}
        text = f"{outside:.0%} beyond"
        axes.text(0.02, 0.03, text, transform=axes.transAxes, fontsize=7, bbox=ground)


def slices(case: Case, numbers: Sequence[int], box: tuple[slice, slice], dataset: str) -> Figure:
    """Image, scribble and mask of slices of a case beside each other, one slice a row.

    The data set and the volume stand above, below the classes that are seen.
    """
    maps = {"image": None, "scribble": case.scribble, "mask": case.label}
    maps = {name: labels for name, labels in maps.items() if name == "image" or labels is not None}
    figure, grid = make_grid(len(numbers), len(maps), 2.2)
    colours, seen = scribble_colours(len(case.classes)), set()
    for row, z in zip(grid, numbers, strict=True):
        for axes, (name, labels) in zip(row, maps.items(), strict=True):
            axes.imshow(case.image[z][box], cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"slice {z + 1}: {name}", fontsize=8)
            if labels is None:
                continue
            hide = (labels[z] == len(case.classes)) | ((labels[z] == 0) & (name == "mask"))
            cut = np.ma.masked_array(labels[z], hide)[box]
            seen |= set(cut.compressed().tolist())
            look: Any = {"cmap": ListedColormap(colours), "interpolation": "nearest"}
            look |= {"vmin": -0.5, "vmax": len(colours) - 0.5}
            axes.imshow(cut, **look, alpha=1.0 if name == "scribble" else 0.55)
    figure.suptitle(f"{data_title(dataset)}: {plain(case.volume)}", fontsize=10)
    key(figure, case.classes, border=False, shown=seen)
    return figure


def histograms(cases: Sequence[Case], title: str) -> Figure:
    """Distribution of the intensity (0..1) of each class: scribbled pixels, and the mask's.

    Two panels with the same axes, or one where the cases have only scribbles or only masks.
    """
    maps = {"scribble": [c.scribble for c in cases], "mask": [c.label for c in cases]}
    maps = {name: found for name, found in maps.items() if any(m is not None for m in found)}
    classes, seen = cases[0].classes, set()
    look: Any = {"lw": 1.8, "path_effects": dark_edge(1.8)}
    looks = [  # in grey print two colours are alike, and the line tells them apart
        look | {"color": colour, "ls": STYLES[k % len(STYLES)]}
        for k, colour in enumerate(scribble_colours(len(classes)))
    ]
    figure, grid = make_grid(1, len(maps), 3.2, image=False, wide=1.4)
    for axes, (name, found) in zip(grid[0], maps.items(), strict=True):
        if axes is not grid[0, 0]:
            axes.sharey(grid[0, 0])
        for k in range(len(classes)):
            given = zip(cases, found, strict=True)
            pixels = [case.image[labels == k] for case, labels in given if labels is not None]
            if (pixels := np.concatenate(pixels)).size:
                counts, edges = np.histogram(pixels, 50, (0, 1), density=True)
                axes.stairs(counts, edges, **looks[k])
                seen.add(k)
        axes.set(title=f"{title}: {name}", xlabel="intensity (0 to 1)", xlim=(0, 1.02))
    grid[0, 0].set_ylabel("density")
    lines = [Line2D([], [], label=plain(classes[k]), **looks[k]) for k in sorted(seen)]
    legend_below(figure, 4, handles=lines, fontsize=10, handlelength=3)
    return figure


def training_curves(curve: pd.DataFrame, validation: Sequence[Mapping[str, float]]) -> Figure:
    """A run so far: losses, learning rate, validation Dice with its best marked, tau and M."""
    figure, grid = make_grid(2, 2, 2.6, image=False, wide=1.6)
    losses, rate, scores, region = grid.flat
    for i, (label, values) in enumerate(_losses(curve).items()):
        look: Any = {"ls": STYLES[i % len(STYLES)], "color": LOSSES[i % len(LOSSES)]}
        losses.plot(curve["iteration"], values, label=label, lw=1.2, **look)
    losses.set(ylabel="loss", yscale="log")
    rate.step(curve["iteration"], curve["lr"], where="post", color="black")
    rate.set(ylabel="learning rate", yscale="log")
    _validation(scores, validation, "mean Dice")
    for name, label, style in (("tau", "tau", "solid"), ("share_M", "share of M", "dashed")):
        if name in curve:
            region.plot(curve["iteration"], curve[name], label=label, ls=style, color="black")
    region.set(ylabel="tau, share of M", ylim=(0, 1.02))
    if "tau" not in curve:
        region.set_axis_off()
        region.text(0.5, 0.5, "this method has no tau", ha="center", transform=region.transAxes)
    for axes in (axes for axes in grid.flat if axes.get_legend_handles_labels()[0]):
        axes.legend(fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("iteration")
    return figure


def _losses(curve: pd.DataFrame) -> dict[str, Any]:
    """The total loss and its parts by name; a part that is all of it shares its line."""
    known = ("iteration", "lr", "seconds", "tau", "share_M", "loss")
    parts = {str(name): curve[name] for name in curve.columns if name not in known}
    if len(parts) == 1:
        (name, values), total = next(iter(parts.items())), curve["loss"]
        if np.allclose(values, total, equal_nan=True):
            return {f"loss = {name}": total}
    return {"loss": curve["loss"], **parts}


def by_data_set(records: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """Data set, then title of the method (with the variant), to its run of the lowest seed."""
    records = list(records)
    methods = in_order([record.run.method for record in records])
    order = sorted(
        records,
        key=lambda r: (r.run.dataset, methods.index(r.run.method), r.run.variant, r.run.seed),
    )
    found: dict[str, dict[str, Record]] = {}
    for record in order:
        name = title(record.run.method)
        name += f" ({record.run.variant})" if record.run.variant else ""
        found.setdefault(record.run.dataset, {}).setdefault(name, record)
    return found


def curve_panels(
    runs: Mapping[str, Record],
    behind: Mapping[str, Record] | None = None,
    grey: str = "",
    columns: int = 5,
) -> Figure:
    """Validation Dice of several runs on one data set, a panel for each (see `by_data_set`).

    `behind` has another run for panels by the same names: its curve stands in grey behind the
    panel's, and `grey` says what it is. An open mark is the best of a run.
    """
    behind = behind or {}
    lines = -(-len(runs) // columns)
    figure, grid = make_grid(lines, min(columns, len(runs)), 1.9, image=False, wide=1.15)
    for axes in grid.flat[len(runs) :]:
        axes.set_axis_off()
    for axes, (name, record) in zip(grid.flat, runs.items(), strict=False):
        points = behind[name].validation["curve"] if name in behind else []
        axes.plot(
            [p["iteration"] for p in points], [100 * p["dice"] for p in points], color="#9a9a9a"
        )
        _validation(axes, record.validation["curve"], name)
        axes.set_title(name, fontsize=9)
        axes.set(ylabel="")
    for axes in grid[:, 0]:
        axes.set_ylabel("Dice (%)", fontsize=9)
    figure.supxlabel(f"iteration (grey: {grey})" if behind else "iteration", size=9)
    return figure


def _validation(axes: Axes, points: Sequence[Mapping[str, float]], label: str) -> None:
    axes.set(ylabel="validation Dice (%)", ylim=(0, 100))
    if points:
        steps, values = [p["iteration"] for p in points], [100 * p["dice"] for p in points]
        axes.plot(steps, values, label=label, lw=1.5, color="black")
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            axes.plot(steps[best], values[best], "o", ms=10, mfc="none", color="black")


def make_grid(
    rows: int, columns: int, side: float, image: bool = True, wide: float = 1.0
) -> tuple[Figure, np.ndarray]:
    """A figure of panels `side` inches high, and its axes by row and column; closed already."""
    size = (columns * side * wide, rows * side + 0.5)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat:
        if image:
            axes.set(xticks=[], yticks=[])
        else:
            axes.grid(alpha=0.3)
    plt.close(figure)
    return figure, grid
