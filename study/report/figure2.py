"""Fig. 2: which slices it shows, chosen by a rule, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scnlib.data.cases import HEART
from scnlib.data.folders import ACDC
from scnlib.records import Record
from study.report.display import key, plain
from study.report.figures import make_grid
from study.report.glance import colour_in, slice_dice, truth_border, whole_slice
from study.report.statistics import patient_values
from study.report.titles import title

_FROM_BASE, _FROM_APEX = ("base", "middle", "apex"), ("apex", "middle", "base")
_ENDS = dict.fromkeys((*ACDC, "phantom"), _FROM_BASE) | {"mscmr": _FROM_APEX}


@dataclass(frozen=True, eq=False)
class Row:
    """A row of Fig. 2: one slice. `image`, `truth` are (H, W), None without data."""

    title: str
    image: np.ndarray | None
    truth: np.ndarray | None
    predictions: Mapping[str, np.ndarray]  # method name: label map (H, W) uint8


def choose_slices(record: Record, truths: Mapping[str, np.ndarray] | None = None) -> list[tuple]:
    """The slices of Fig. 2 as (volume, slice number from 0, why).

    Base, middle and apex (first, middle and last slice whose label map, the truth's where it is
    given, has a structure; MSCMR's volumes begin at the apex, and of an own set it is not known) of
    the first frame of SCN's median patient: the one in the middle by mean Dice, the lower of two.
    Then, where truths are given, SCN's worst slice by mean Dice over the structures that are in the
    truth.
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
    names = _ENDS.get(record.run.dataset, ("first", "middle", "last"))
    chosen: list[tuple] = [(volume, int(z), name) for z, name in zip(thirds, names, strict=True)]
    if truths is not None:
        chosen.append((*_worst(record, truths), "worst"))
    return chosen


def _worst(record: Record, truths: Mapping[str, np.ndarray]) -> tuple[str, int]:
    scores = {}
    for volume, truth in truths.items():
        predicted = record.prediction(volume)
        for z in np.flatnonzero((truth > 0).any(axis=(1, 2))).tolist():
            scores[volume, z] = slice_dice(predicted[z], truth[z])
    return min(scores, key=lambda key: scores[key])


def figure2(
    rows: Sequence[Row],
    methods: Sequence[str],
    classes: Sequence[str] = HEART,
    side: float = 2.2,
    columns: int = 15,
) -> Figure:
    """Fig. 2: whole slices, the predictions filled, the truth's border on each of them.

    Args:
        rows: the slices.
        methods: by name; beside the image and the truth a panel for each.
        classes: the names of the label maps' values, background first.
        side: a panel's height in inches.
        columns: panels in a line at most; a slice with more of them takes several lines.

    Without images the predictions stand on a dark ground.
    """
    names = ["image", "truth", *methods]
    lines = -(-len(names) // columns)
    columns = -(-len(names) // lines)
    shapes = [next(iter(row.predictions.values())).shape for row in rows if row.predictions]
    wide = max((width / height for height, width in shapes), default=1.0)
    figure, grid = make_grid(len(rows) * lines, columns, side, wide=wide)
    for number, row in enumerate(rows):
        panels = grid[number * lines : (number + 1) * lines].flatten()
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(panels, names, strict=False):
            _panel(axes, row, name, 9 if side > 2 else 7)
        name = plain(row.title).replace("_", "\n", 1)  # subject, then frame
        panels[0].set_ylabel(name, fontsize=8)
    key(figure, classes)
    return figure


def _panel(axes: Axes, row: Row, name: str, size: float) -> None:
    """A slice with a method's prediction, the truth, or alone; `size` is the title's, in points."""
    labels = row.truth if name == "truth" else row.predictions.get(name)
    shape = next(iter(row.predictions.values())).shape if row.predictions else (1, 1)
    whole_slice(axes, row.image, shape)
    if labels is not None:
        colour_in(axes, labels)
    if name not in ("image", "truth") and row.truth is not None:  # thin walls would vanish under it
        truth_border(axes, row.truth)
    said = title(name)
    if name in row.predictions and row.truth is not None:
        said += f", {slice_dice(row.predictions[name], row.truth):.0f}%"
    axes.set_title(said, fontsize=size)
