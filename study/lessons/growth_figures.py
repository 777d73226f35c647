"""How SCN's pseudo-labels grow: their curves, a film strip, and a moving picture (GIF)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from scnlib.files import replace_bytes
from study.lessons.growth import CALLED, SOURCES, Growth, shares
from study.lessons.walkthrough import Slice
from study.report.display import key, legend_below, plain
from study.report.figures import make_grid
from study.report.glance import colour_in, truth_border, whole_slice

LOOKS = {  # no class has these colours
    "prediction": ("black", "-"),
    "PAP": ("#0A9396", "--"),
    "M": ("#7B2CBF", "-."),
    "votes": ("#C9184A", ":"),
}
MOST_FRAMES, MOST_FILM_BYTES = 24, 500_000  # an executed notebook has to stay below a megabyte


def draw_shares(growth: Growth) -> Figure:
    """Precision above, recall below, a column a structure; a line for each source of labels."""
    table = shares(growth)
    names = growth.classes[1:]
    figure = Figure(figsize=(3.1 * len(names), 4.6), layout="constrained")
    grid: Any = figure.subplots(2, len(names), sharex=True, sharey=True, squeeze=False)
    for line, quantity in zip(grid, ("precision", "recall"), strict=True):
        for axes, name in zip(line, names, strict=True):
            for source in SOURCES:
                colour, style = LOOKS[source]
                one: Any = table[quantity].xs((source, name), level=("source", "structure"))
                look: Any = {"color": colour, "linestyle": style, "label": CALLED[source]}
                look |= {"marker": ".", "ms": 4}  # a point between two gaps has no line
                axes.plot(one.index, 100 * one, **look)
            axes.grid(alpha=0.3)
        line[0].set_ylabel(f"{quantity} (%)")
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(plain(name))
    grid[0][0].set_ylim(-3, 103)
    grid[1][len(names) // 2].set_xlabel("iteration")
    handles, labels = grid[0][0].get_legend_handles_labels()
    legend_below(figure, len(labels), handles=handles, labels=labels)
    return figure


def frames(growth: Growth, most: int) -> list[int]:
    """Which looks to show: at most so many of growth.iterations, denser where training begins."""
    T = len(growth.iterations)
    early = np.geomspace(1, T, min(most, T)).round().astype(int) - 1
    return sorted(set(early.tolist()) | {T - 1})


def draw_strip(growth: Growth, chosen: Slice, number: int, most: int = 6) -> Figure:
    """A film strip of one of the slices that were watched: a row a source, a column a moment.

    `chosen` is the slice, `number` its place among those that growth.labels holds.
    """
    moments, image = frames(growth, most), chosen.image[0, 0].numpy()
    figure, grid = make_grid(len(SOURCES), len(moments), 1.7)
    for line, source in zip(grid, SOURCES, strict=True):
        line[0].set_ylabel(CALLED[source], fontsize=10)
        for axes, t in zip(line, moments, strict=True):
            _paint(axes, image, growth.labels[source][t, number], chosen)
    for axes, t in zip(grid[0], moments, strict=True):
        axes.set_title(f"{growth.iterations[t]}", fontsize=10)
    figure.suptitle("iteration", fontsize=10)
    key(figure, chosen.classes)
    return figure


def _paint(axes: Axes, image: np.ndarray, labels: np.ndarray, chosen: Slice) -> None:
    whole_slice(axes, image, image.shape)
    K = len(chosen.classes)
    colour_in(axes, np.where(labels == K, 0, labels))
    truth_border(axes, chosen.label[0].numpy(), style="dotted")


def write_gif(growth: Growth, chosen: Slice, number: int, path: Path) -> Path:
    """The strip as a moving picture, half a second a frame; the last one stays for three.

    ValueError if it had more than `MOST_FILM_BYTES`, or can't be written.
    """
    moments = frames(growth, MOST_FRAMES)
    pictures = [_frame(growth, chosen, number, t) for t in moments]
    film = io.BytesIO()
    pictures[0].save(
        film,
        format="gif",
        save_all=True,
        append_images=pictures[1:],
        duration=[500] * (len(pictures) - 1) + [3000],
        loop=0,
        optimize=True,
    )
    if (size := film.tell()) > MOST_FILM_BYTES:
        raise ValueError(f"{path}: the film would have {size} bytes, more than {MOST_FILM_BYTES}")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, film.getvalue())
    return path


def _frame(growth: Growth, chosen: Slice, number: int, t: int) -> Image.Image:
    shown: Sequence[str] = ("PAP", "M", "prediction")
    figure, (line,) = make_grid(1, len(shown), 2.0)
    image = chosen.image[0, 0].numpy()
    for axes, source in zip(line, shown, strict=True):
        _paint(axes, image, growth.labels[source][t, number], chosen)
        axes.set_title(CALLED[source], fontsize=10)
    figure.suptitle(f"iteration {growth.iterations[t]}", fontsize=10)
    key(figure, chosen.classes)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    with Image.open(png) as picture:
        return picture.convert("RGB").quantize(64, method=Image.Quantize.FASTOCTREE)
