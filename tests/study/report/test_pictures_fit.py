"""What a picture says is within it, and not cut off at its edge."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from scnlib.data.cases import Case
from scnlib.paths import RESULTS
from study.report import (
    amounts,
    comparison_figures,
    figures,
    lost_points,
    sensitivity_figures,
    worth,
)
from study.report.lost_points_figure import bars
from study.report.statistics import compare
from study.report.titles import SHARED
from tests.committed_runs import committed_runs


def curves() -> Figure:
    runs = [r for r in committed_runs() if r.run.method not in SHARED]
    return figures.curve_panels(figures.by_data_set(runs)["acdc"])


def forest() -> Figure:
    tests: Any = compare(committed_runs())
    return comparison_figures.forest(tests[tests["dataset"] == "acdc"], "ACDC")


def short_runs(draw: Callable[..., Figure]) -> Figure:
    return draw(worth.effects(committed_runs("cpu", "sensitivity")), "Short runs")


def lost() -> Figure:
    rows = lost_points.read_rows(RESULTS / "cpu")
    return bars(lost_points.losses(rows, "acdc"), "ACDC, test subjects")


def own(*classes: str) -> Case:
    """A case of one small slice with strokes of all classes and without a mask."""
    scribble = np.arange(64, dtype=np.uint8).reshape(1, 8, 8) % len(classes)
    return Case("p1", "ED", np.zeros((1, 8, 8), np.float32), scribble, None, (1, 1, 1), "", classes)


LONG = ("background", "left ventricular myocardium", "right atrial appendage", "descending aorta")
WHOLE = (slice(None), slice(None))

PICTURES = {
    "one panel": lambda: figures.histograms([own("background", "RV", "MYO", "LV")], "MSCMR"),
    "long names, lines": lambda: figures.histograms([own(*LONG)], "own"),
    "long names, areas": lambda: figures.slices(own(*LONG), [0], WHOLE, "own"),
    "curves": curves,
    "forest": forest,
    "lost": lost,
    "choices": lambda: short_runs(sensitivity_figures.choices_picture),
    "corners": lambda: short_runs(sensitivity_figures.corners_picture),
    "amounts": lambda: short_runs(amounts.amounts_picture),
}


def texts(figure: Figure) -> Iterator[Text]:
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        if axes.axison:
            low, high = sorted(axes.get_ylim())
            labels = axes.get_yticklabels()  # those beyond the axis aren't drawn
            yield from (label for label in labels if low <= label.get_position()[1] <= high)
    for legend in figure.legends:
        yield from legend.get_texts()
    yield from figure.texts


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_off(name: str) -> None:
    figure = PICTURES[name]()
    figure.draw_without_rendering()
    edge = figure.bbox
    for text in texts(figure):
        box = text.get_window_extent()
        if text.get_text() and text.get_visible():
            assert edge.x0 - 1 <= box.x0 and box.x1 <= edge.x1 + 1, text.get_text()
            assert edge.y0 - 1 <= box.y0 and box.y1 <= edge.y1 + 1, text.get_text()
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert edge.x0 <= box.x0 and box.x1 <= edge.x1, "a legend is wider than its picture"
