"""Yellow and grey are too pale for a white ground: there they have a dark edge, in every figure."""

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from matplotlib.figure import Figure

from scnlib.data.cases import HEART, Case
from study.lessons import walkthrough_figures
from study.report import display, figures
from study.report.glance import glance


def luminance(colour: Any) -> float:
    """WCAG 2's relative luminance, 0..1, of a colour in any of matplotlib's forms."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast_with_white(colour: Any) -> float:
    """WCAG 2's contrast ratio, 1..21; graphics need 3."""
    return 1.05 / (luminance(colour) + 0.05)


PALE = {to_rgba(c) for c in display.scribble_colours(7) if contrast_with_white(c) < 3}


def artists(figure: Figure) -> list:
    """What is drawn on white: in panels without an image, and in legends."""
    bare = [axes for axes in figure.axes if not axes.images]
    found = [a for axes in bare for a in (*axes.lines, *axes.patches, *axes.collections)]
    arrows = (getattr(text, "arrow_patch", None) for axes in bare for text in axes.texts)
    found += [arrow for arrow in arrows if arrow]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    return found + [handle for legend in legends if legend for handle in legend.legend_handles]


def colours(artist) -> tuple[set, set]:
    """Its colours, and those of its edge, as RGBA."""

    def rgba(part: str) -> set:
        values = getattr(artist, f"get_{part}", tuple)()
        return {tuple(row) for row in to_rgba_array(values).tolist()}

    return rgba("color") | rgba("facecolor") | rgba("edgecolor"), rgba("edgecolor")


def too_pale(figure: Figure) -> list:
    return [
        artist
        for artist in artists(figure)
        if colours(artist)[0] & PALE
        and not artist.get_path_effects()
        and colours(artist)[1] != {to_rgba("black")}
    ]


def hearts() -> list[Case]:
    image = np.linspace(0, 1, 2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8)
    labels = np.arange(2 * 8 * 8).reshape(2, 8, 8) % 4
    return [Case("p1", "ED", image, labels.astype(np.uint8), None, (1, 1, 1), "drawn")]


def features() -> Figure:
    points, kind = torch.rand(6, 2), torch.arange(6) % 3
    stages = {"step 0": (points, kind, torch.eye(3, 2))}
    return walkthrough_figures.draw_points(stages, torch.arange(6) < 3)


def one_row() -> Figure:
    label = np.eye(4, dtype=np.uint8)
    return glance(np.zeros((4, 4)), label, {"scn": label})


WHOLE = (slice(None), slice(None))
DRAWN = {
    "slices": lambda: figures.slices(hearts()[0], [0], WHOLE, "acdc"),
    "histograms": lambda: figures.histograms(hearts(), "ACDC"),
    "features": features,
    "glance": one_row,
}


@pytest.mark.parametrize("name", DRAWN)
def test_pale_colours_have_a_dark_edge(name: str) -> None:
    figure = DRAWN[name]()
    assert any(colours(artist)[0] & PALE for artist in artists(figure))
    assert not too_pale(figure)


def test_a_pale_line_without_an_edge_is_found() -> None:
    figure = Figure()
    figure.subplots().plot([0, 1], color=display.PALETTE["MYO"])
    assert len(too_pale(figure)) == 1
    assert to_rgba(display.PALETTE["MYO"]) in PALE and to_rgba(display.PALETTE["RV"]) not in PALE


def test_cells_on_a_white_ground_are_divided_by_lines() -> None:
    grid = torch.full((3, 3), HEART.index("MYO")), torch.ones(3, 3, dtype=torch.bool)
    axes = walkthrough_figures.draw_labels({"M": grid}).axes[0]
    lines = [line for line in axes.collections if isinstance(line, LineCollection)]
    assert [len(line.get_segments()) for line in lines] == [2, 2]
