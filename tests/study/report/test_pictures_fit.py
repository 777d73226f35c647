"""What a picture of the committed records says is within it, and not cut off at its edge."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from scnlib.paths import RESULTS
from study.collected import collect
from study.report import amounts, comparison_figures, figures, lost_points, sensitivity
from study.report.lost_points_figure import bars
from study.report.statistics import compare
from study.report.titles import SHARED


def curves() -> Figure:
    runs = [r for r in collect(RESULTS, "cpu") if r.run.method not in SHARED]
    return figures.curve_panels(figures.by_data_set(runs)["acdc"])


def forest() -> Figure:
    tests: Any = compare(collect(RESULTS, "cpu"))
    return comparison_figures.forest(tests[tests["dataset"] == "acdc"], "ACDC")


def short_runs(draw: Callable[..., Figure]) -> Figure:
    return draw(sensitivity.effects(collect(RESULTS, "cpu", "sensitivity")), "Short runs")


def lost() -> Figure:
    rows = lost_points.read_rows(RESULTS / "cpu")
    return bars(lost_points.losses(rows, "acdc"), "ACDC, test subjects")


PICTURES = {
    "curves": curves,
    "forest": forest,
    "lost": lost,
    "choices": lambda: short_runs(sensitivity.picture),
    "amounts": lambda: short_runs(amounts.amounts_picture),
}


def texts(figure: Figure) -> Iterator[Text]:
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        if axes.axison:
            yield from axes.get_yticklabels()
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
