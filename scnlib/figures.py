"""The study's figures: fixed sizes, one palette, prediction solid and truth dashed.

Every function returns a matplotlib `Figure` and closes it, so that a notebook shows it once, with
`show` and its alternative text. Class k of a data set has the colour `COLOURS[k - 1]`.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scnlib.data.cases import Case
from scnlib.evaluation import dice
from scnlib.paper import TITLES
from scnlib.records import Record
from scnlib.statistics import patient_values

# Told apart in the three kinds of colour blindness.
PALETTE = {"RV": "#0072B2", "MYO": "#F0E442", "LV": "#D55E00"}
COLOURS = (*PALETTE.values(), "#CC79A7", "#009E73", "#56B4E9")
BACKGROUND = "#A8A8A8"  # the background's scribble
CURVES = (*sns.color_palette("colorblind", 10), (0.0, 0.0, 0.0))  # one a method, in TITLES' order


@dataclass(frozen=True, eq=False)
class Row:
    """A row of Fig. 2: one slice. `image`, `truth` are (H, W), None without data."""

    title: str
    image: np.ndarray | None
    truth: np.ndarray | None
    predictions: Mapping[str, np.ndarray]  # method name: label map (H, W) uint8


def show(figure: Figure, alt: str) -> Any:
    """Display a figure as a PNG with alternative text; returns the handle, to update it."""
    return display(_bundle(figure, alt), raw=True, metadata=_alt(alt), display_id=True)


def update(handle: Any, figure: Figure, alt: str) -> None:
    """Put another figure in the place of one that `show` has displayed."""
    handle.update(_bundle(figure, alt), raw=True, metadata=_alt(alt))


def _bundle(figure: Figure, alt: str) -> dict[str, str]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": alt}


def _alt(alt: str) -> dict[str, dict[str, str]]:
    return {"image/png": {"alt": alt}}


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
    rows, columns = (slice(max(c - half, 0), c + half) for c in centres)
    return rows, columns


def outline(axes: Axes, labels: np.ndarray, classes: int = 4, style: str = "solid") -> None:
    """Draw the border of each class of a label map (H, W) on axes that show the image."""
    for k in range(1, classes):
        if (labels == k).any():
            mask = np.asarray(labels == k, dtype=float)
            line = 1.4 if style == "solid" else 1.1
            axes.contour(mask, [0.5], colors=[COLOURS[k - 1]], linewidths=line, linestyles=style)


def slices(case: Case, numbers: Sequence[int], box: tuple[slice, slice]) -> Figure:
    """Image, scribble and mask of slices of a case beside each other, one slice a row."""
    columns = ["image"] + ["scribble"] * (case.scribble is not None)
    columns += ["mask"] * (case.label is not None)
    figure, grid = _grid(len(numbers), len(columns), 2.2)
    colours = [BACKGROUND, *COLOURS[: len(case.classes) - 1]]
    for row, z in zip(grid, numbers, strict=True):
        for axes, name in zip(row, columns, strict=True):
            axes.imshow(case.image[z][box], cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"slice {z + 1}: {name}", fontsize=8)
            labels = {"scribble": case.scribble, "mask": case.label}.get(name)
            if labels is not None:
                hide = (labels[z] == len(case.classes)) | ((labels[z] == 0) & (name == "mask"))
                cut = np.ma.masked_array(labels[z], hide)[box]
                alpha = 1.0 if name == "scribble" else 0.55
                top = len(colours) - 0.5
                axes.imshow(
                    cut,
                    ListedColormap(colours),
                    vmin=-0.5,
                    vmax=top,
                    alpha=alpha,
                    interpolation="nearest",
                )
    legend = [Line2D([], [], color=c, lw=4) for c in colours]
    figure.legend(legend, case.classes, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def histograms(cases: Sequence[Case], title: str) -> Figure:
    """Distribution of the intensity (0..1) of each class: scribbled pixels, and the mask's."""
    figure, grid = _grid(1, 2, 3.2, image=False, wide=1.4)
    for axes, name in zip(grid[0], ("scribble", "mask"), strict=True):
        for k, structure in enumerate(cases[0].classes):
            pixels = [
                case.image[labels == k]
                for case in cases
                if (labels := case.scribble if name == "scribble" else case.label) is not None
            ]
            if pixels:
                colour = (BACKGROUND, *COLOURS)[k]
                counts, edges = np.histogram(np.concatenate(pixels), 50, (0, 1), density=True)
                axes.stairs(counts, edges, color=colour, label=structure, lw=1.8)
        axes.set(title=f"{title}: {name}", xlabel="intensity (0 to 1)", ylabel="density")
        if axes.has_data():
            axes.legend(fontsize=8)
        else:
            axes.text(0.5, 0.5, f"no {name}s in this split", ha="center", transform=axes.transAxes)
    return figure


def training_curves(curve: pd.DataFrame, validation: Sequence[Mapping[str, float]]) -> Figure:
    """A run so far: losses, learning rate, validation Dice with its best marked, tau and M."""
    figure, grid = _grid(2, 2, 2.6, image=False, wide=1.6)
    losses, rate, scores, region = grid.flat
    known = ("iteration", "lr", "seconds", "tau", "share_M")
    for name in [name for name in curve.columns if name not in known]:
        losses.plot(curve["iteration"], curve[name], label=name, lw=1.2)
    losses.set(ylabel="loss", yscale="log")
    rate.step(curve["iteration"], curve["lr"], where="post", color="black")
    rate.set(ylabel="learning rate", yscale="log")
    _validation(scores, validation, "black", "mean Dice")
    for name, label, style in (("tau", "tau", "solid"), ("share_M", "share of M", "dashed")):
        if name in curve:
            region.plot(curve["iteration"], curve[name], label=label, ls=style, color="black")
    region.set(ylabel="tau, share of M", ylim=(0, 1.02))
    if "tau" not in curve:
        region.text(0.5, 0.5, "this method has no tau", ha="center", transform=region.transAxes)
    for axes in (axes for axes in grid.flat if axes.get_legend_handles_labels()[0]):
        axes.legend(fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("iteration")
    return figure


def validation_curves(curves: Mapping[str, Record]) -> Figure:
    """Validation Dice of several runs, by title; a circle marks the best of each."""
    figure, grid = _grid(1, 1, 3.6, image=False, wide=2.0)
    methods = list(TITLES)
    for title, record in curves.items():
        style = "dashed" if record.run.variant else "solid"
        colour = CURVES[methods.index(record.run.method)]
        _validation(grid[0, 0], record.validation["curve"], colour, title, style)
    grid[0, 0].set_xlabel("iteration")
    grid[0, 0].legend(fontsize=8, loc="lower right")
    return figure


def _validation(
    axes: Axes, points: Sequence[Mapping[str, float]], colour: Any, label: str, style: str = "solid"
) -> None:
    axes.set(ylabel="validation Dice (%)", ylim=(0, 100))
    if points:
        steps, values = [p["iteration"] for p in points], [100 * p["dice"] for p in points]
        best = int(np.argmax(values))
        axes.plot(steps, values, color=colour, label=label, ls=style, lw=1.5)
        axes.plot(steps[best], values[best], "o", color=colour, mfc="none")


def choose_slices(record: Record, truths: Mapping[str, np.ndarray] | None = None) -> list[tuple]:
    """The slices of Fig. 2 as (volume, slice number from 0, why).

    Base, middle and apex (first, middle and last slice whose label map, the truth's where it is
    given, has a structure) of the first frame of SCN's median patient: the one in the middle by
    mean Dice, the lower of two. Then, where truths are given, SCN's worst slice by mean Dice over
    the structures that are in the truth.
    """
    metrics = record.metrics
    ranked = patient_values(metrics.assign(seed=0), "dice").dropna()
    ranked = ranked.sort_values(kind="stable")
    if ranked.empty:
        return []
    subject = str(ranked.index[(len(ranked) - 1) // 2])
    volume = min(metrics.loc[metrics["subject"] == subject, "volume"])
    labels = record.prediction(volume) if truths is None else truths[volume]
    filled = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    if not filled.size:
        return []
    thirds = (filled[0], filled[len(filled) // 2], filled[-1])
    names = ("base", "middle", "apex")
    chosen: list[tuple] = [(volume, int(z), name) for z, name in zip(thirds, names, strict=True)]
    if truths is not None:
        chosen.append((*_worst(record, truths), "worst"))
    return chosen


def _worst(record: Record, truths: Mapping[str, np.ndarray]) -> tuple[str, int]:
    scores = {}
    for volume, truth in truths.items():
        predicted = record.prediction(volume)
        for z in range(len(truth)):
            present = [k for k in np.unique(truth[z]) if k > 0]
            pairs = [(predicted[z : z + 1] == k, truth[z : z + 1] == k) for k in present]
            if pairs:
                scores[volume, z] = np.mean([dice(a, b) for a, b in pairs])
    return min(scores, key=lambda key: scores[key])


def figure2(rows: Sequence[Row], methods: Sequence[str]) -> Figure:
    """Fig. 2: a slice a row; image, truth and the methods' outlines on it, cropped to the heart.

    The truth's outline is dashed, also beside a prediction; predictions are solid. Without images
    the outlines stand on a blank ground.
    """
    columns = ["image", "truth", *methods]
    figure, grid = _grid(len(rows), len(columns), 1.7)
    for line, row in zip(grid, rows, strict=True):
        known = [m for m in (row.truth, *row.predictions.values()) if m is not None]
        box = heart_box(np.stack([known[0]] if row.truth is not None else known))
        ground = np.ones(known[0].shape) if row.image is None else row.image
        for axes, name in zip(line, columns, strict=True):
            axes.imshow(ground[box], cmap="gray", vmin=0, vmax=1)
            if name != "image" and row.truth is not None:
                outline(axes, row.truth[box], style="dashed")
            if name in row.predictions:
                outline(axes, row.predictions[name][box])
        line[0].set_ylabel(row.title, fontsize=8)
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(TITLES[name][0] if name in TITLES else name, fontsize=9)
    legend = [Line2D([], [], color=colour) for colour in PALETTE.values()]
    legend += [Line2D([], [], color="grey", ls=ls) for ls in ("solid", "dashed")]
    names = [*PALETTE, "prediction", "truth"]
    figure.legend(legend, names, loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _grid(
    rows: int, columns: int, side: float, image: bool = True, wide: float = 1.0
) -> tuple[Figure, np.ndarray]:
    size = (columns * side * wide, rows * side + 0.5)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat:
        if image:
            axes.set(xticks=[], yticks=[])
        else:
            axes.grid(alpha=0.3)
    plt.close(figure)
    return figure, grid
