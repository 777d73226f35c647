"""The drawings of notebooks 02 and 02b: each function returns a Figure, which `display.show` shows.

Structures have the study's colours, maps are in cividis. A cell is one place of the correlation
map's grid, numbered row by row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor
from torch.nn.functional import interpolate

from scnlib.propagation import shape_masks
from study.lessons.walkthrough import Maps, Slice, added
from study.report import display
from study.report.glance import truth_border

# What a vote added; no class of the heart has these.
ADDED_RIGHT, ADDED_WRONG = "#009E73", "#D0008F"
COLOURS = ("#FFFFFF", *display.COLOURS, "#000000")  # background, classes, a mask


def panels(rows: int, columns: int, size: float = 2.4) -> tuple[Figure, list[list[Axes]]]:
    """A figure of square panels without ticks, and its axes by row and column."""
    high = size + 0.35  # inches, with a title
    figure = Figure(figsize=(size * columns, high * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure, axes.tolist()


def near(figure: Figure, box: tuple[slice, slice]) -> Figure:
    """The same figure, of whose slices only the rows and columns of `box` are shown."""
    rows, columns = box
    for axis in (axis for axis in figure.axes if axis.images):
        axis.set(xlim=(columns.start - 0.5, columns.stop - 0.5))
        axis.set(ylim=(rows.stop - 0.5, rows.start - 0.5))
    return figure


def draw_matrices(
    matrices: dict[str, Tensor], rows: Sequence[str] = (), columns: Sequence[str] = ()
) -> Figure:
    """Small matrices (n, m) of numbers in 0..1, which are written in, with names on both sides."""
    figure, axes = panels(1, len(matrices))
    for axis, (title, matrix) in zip(axes[0], matrices.items(), strict=True):
        axis.imshow(matrix.numpy(), cmap="cividis", vmin=0, vmax=1)
        axis.set_title(title, fontsize=10)
        axis.set_xticks(range(len(columns)), columns)
        axis.set_yticks(range(len(rows)), rows)
        for (i, j), value in np.ndenumerate(matrix.numpy()):
            ink = "white" if value < 0.5 else "black"
            axis.text(j, i, f"{value:.2f}", ha="center", va="center", color=ink)
    return figure


def paint(axis: Axes, labels: Tensor, known: Tensor, image: Tensor | None = None) -> None:
    """Labels (H, W) in the structures' colours where `known`; elsewhere grey, or the image.

    Without an image, on a small grid, the labels stand in their cells as numbers too.
    """
    if image is None:
        axis.imshow(np.full(labels.shape, 0.5), cmap="gray", vmin=0, vmax=1)
        h, w = labels.shape  # lines between the cells: yellow is pale beside white
        axis.hlines(np.arange(h - 1) + 0.5, -0.5, w - 0.5, color="black", linewidth=0.8)
        axis.vlines(np.arange(w - 1) + 0.5, -0.5, h - 0.5, color="black", linewidth=0.8)
        for y, x in (known & (labels < len(COLOURS) - 1)).nonzero().tolist():  # the last: a mask
            axis.text(x, y, str(int(labels[y, x])), ha="center", va="center", fontsize=11)
    else:
        axis.imshow(image.numpy(), cmap="gray")
    shown = np.ma.masked_where(~known.numpy(), labels.numpy())
    colours = ListedColormap(COLOURS)
    # Background fainter, so that the image stays visible where all of it is known.
    alpha = 0.9 if image is None else np.where(labels.numpy() > 0, 0.75, 0.45)
    axis.imshow(shown, cmap=colours, vmin=-0.5, vmax=7.5, alpha=alpha, interpolation="nearest")


def draw_labels(
    panels_: dict[str, tuple[Tensor, Tensor]],
    image: Tensor | None = None,
    truth: Tensor | None = None,
    classes: Sequence[str] = (),
) -> Figure:
    """Panels of (labels, where they are known), (H, W) each; the truth's border on them.

    With a key to the colours under them, if the `classes` are named.
    """
    figure, axes = panels(1, len(panels_))
    for axis, (title, (labels, known)) in zip(axes[0], panels_.items(), strict=True):
        paint(axis, labels, known, image)
        axis.set_title(title, fontsize=10)
        if truth is not None:
            truth_border(axis, truth.numpy())
    if classes:
        pale = any((known & (labels == 0)).any() for labels, known in panels_.values())
        display.key(figure, classes, border=truth is not None, more=[_pale("background")] * pale)
    return figure


def _pale(name: str) -> Patch:
    """The key of what `paint` draws of the background over an image."""
    return Patch(facecolor="#D3D3D3", edgecolor="black", linewidth=0.6, label=name)


def draw_added(both: Sequence[Maps], chosen: Slice, box: tuple[slice, slice]) -> Figure:
    """A row for each network: M before the vote, and what it added (`ADDED_RIGHT`, `ADDED_WRONG`).

    All panels are cropped to `box`, made wider where something was added outside it.
    """
    figure, axes = panels(len(both), 2, size=3.4)
    for maps, line in zip(both, axes, strict=True):
        line[0].set_ylabel(f"{maps.title}, τ = {maps.tau:.3f}")
        paint(line[0], maps.before.labels[0], maps.before.confident[0], chosen.image[0, 0])
        line[0].set_title("M before the vote (no colour: outside)", fontsize=10)
        truth_border(line[0], chosen.label[0].numpy())
        _paint_added(line[1], maps, chosen)
    look: Any = {"edgecolor": "black", "linewidth": 0.6}
    more = [_pale("M: background"), Patch(facecolor=ADDED_RIGHT, **look, label="added, right")]
    more += [Patch(facecolor=ADDED_WRONG, **look, label="added, wrong (x)")]
    display.key(figure, chosen.classes, more=more)
    return near(figure, _wider(box, np.any([added(maps).numpy() for maps in both], axis=0)))


def _paint_added(axis: Axes, maps: Maps, chosen: Slice) -> None:
    """The slice, and on it the pixels that the vote added, with a white border."""
    new, right = added(maps).numpy(), (maps.after.labels == chosen.label)[0].numpy()
    axis.imshow(chosen.image[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
    for where, colour in ((new & right, ADDED_RIGHT), (new & ~right, ADDED_WRONG)):
        if where.any():
            axis.imshow(np.ma.masked_where(~where, where), cmap=ListedColormap([colour]), alpha=0.9)
    y, x = np.nonzero(new & ~right)  # in grey print the two colours are alike
    axis.plot(x, y, "x", color="white", ms=2.5, mew=0.6)
    if new.any():
        axis.contour(new.astype(float), [0.5], colors="white", linewidths=1.2)
    axis.set_title(f"added: {new.sum()} pixels, {(new & right).sum()} right", fontsize=10)
    truth_border(axis, chosen.label[0].numpy(), style="dotted")  # what was added has the solid line


def _wider(box: tuple[slice, slice], pixels: np.ndarray, margin: int = 3) -> tuple[slice, slice]:
    """The box, large enough to hold all of `pixels` (H, W) with a margin."""
    found = []
    for part, places, size in zip(box, np.nonzero(pixels), pixels.shape, strict=True):
        low = min([part.start, *(places - margin)])
        high = max([part.stop, *(places + margin + 1)])
        found.append(slice(max(low, 0), min(high, size)))
    return found[0], found[1]


def draw_affinity(chosen: Slice, both: Sequence[Maps], cells: dict[str, int]) -> Figure:
    """A row of panels for each network: each structure's cell and its row of C over the image.

    One scale, from 0 to 1, for all panels, its colours by the square root: a peak and what is left
    beside it can be compared from panel to panel.
    """
    figure, axes = panels(len(both), len(cells))
    H, W = chosen.image.shape[-2:]
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    for maps, line in zip(both, axes, strict=True):
        h, w = maps.f.shape[-2:]
        line[0].set_ylabel(maps.title)
        for axis, (name, cell) in zip(line, cells.items(), strict=True):
            axis.imshow(chosen.image[0, 0].numpy(), cmap="gray")
            row, box = maps.C[cell].reshape(h, w).numpy(), (-0.5, W - 0.5, H - 0.5, -0.5)
            axis.imshow(row, cmap="cividis", alpha=0.65, extent=box, norm=norm)
            look: Any = {"color": COLOURS[chosen.classes.index(name)], "markeredgecolor": "black"}
            axis.plot(*_middle(cell, (h, w), (H, W)), "o", markersize=5, **look)
            axis.set_title(f"{display.plain(name)}: largest value {row.max():.2f}", fontsize=10)
    heat = ScalarMappable(norm, "cividis")
    figure.colorbar(heat, ax=[axis for line in axes for axis in line], shrink=0.7, label="C")
    return figure


def draw_masks(chosen: Slice, maps: Maps, cells: dict[str, int], threshold: float) -> Figure:
    """For each cell, by name: its row min-max scaled, and the mask, with the truth's borders.

    A dot marks the cell; the mask's title counts its cells.
    """
    figure, axes = panels(2, len(cells))
    H, W = chosen.image.shape[-2:]
    h, w = maps.f.shape[-2:]
    for i, (name, cell) in enumerate(cells.items()):
        row = maps.C[None, cell : cell + 1]
        low, high = row.aminmax()
        mask = shape_masks(row, threshold)
        fine = [
            interpolate(m.float().reshape(1, 1, h, w), (H, W))[0, 0]
            for m in ((row - low) / (high - low), mask)
        ]
        titles = (f"{display.plain(name)}: scaled", f"mask of {_cells(int(mask.sum()))}")
        for line, values, title in zip(axes, fine, titles, strict=True):
            line[i].imshow(values.numpy(), cmap="cividis", vmin=0, vmax=1)
            truth_border(line[i], chosen.label[0].numpy())
            dot: Any = {"mfc": "white", "mec": "black", "markersize": 5}
            line[i].plot(*_middle(cell, (h, w), (H, W)), "o", **dot)
            line[i].set_title(title, fontsize=10)
    return figure


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"


def _middle(cell: int, grid: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """x and y of a cell's middle, in pixels of an image of `size`."""
    (h, w), (H, W) = grid, size
    return ((cell % w + 0.5) * W / w - 0.5, (cell // w + 0.5) * H / h - 0.5)


def draw_points(stages: dict[str, tuple[Tensor, Tensor, Tensor]], known: Tensor) -> Figure:
    """Panels of (points (n, 2), their class (n,), means (K, 2)); `known` (n,) are scribbled."""
    figure, axes = panels(1, len(stages), size=3.2)
    for axis, (title, (points, classes, means)) in zip(axes[0], stages.items(), strict=True):
        for k in range(len(means)):
            colour = COLOURS[k + 1]
            for chosen, fill in ((known, colour), (~known, "white")):
                at = points[(classes == k) & chosen].T.numpy()
                dots = axis.scatter(*at, c=fill, edgecolors=colour, s=36, linewidths=1.5)
                dots.set_path_effects(display.dark_edge(1.5))
            arrow = {
                "color": colour,
                "width": 2,
                "headwidth": 8,
                "path_effects": display.dark_edge(1),
            }
            axis.annotate("", tuple(means[k].tolist()), (0, 0), arrowprops=arrow)
        axis.set(title=title, xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    return figure


def draw_curves(
    curves: dict[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str = ""
) -> Figure:
    """Lines (x, y) by name in one panel, y from 0 to 1."""
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    axis = figure.subplots()
    for (name, (x, y)), colour, dash in zip(
        curves.items(), ("#000000", "#009E73"), ("-", "--"), strict=False
    ):
        axis.plot(x, y, dash, color=colour, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.02))
    axis.legend()
    return figure
