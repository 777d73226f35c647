"""Fig. 2: which slices it shows, chosen by a rule, and how; prediction solid, truth dashed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scnlib.data.cases import HEART
from scnlib.data.folders import ACDC
from scnlib.evaluation import dice
from scnlib.records import Record
from study.report.display import class_colours
from study.report.figures import heart_box, make_grid, note_outside, outline
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
        for z in range(len(truth)):
            present = [k for k in np.unique(truth[z]) if k > 0]
            pairs = [(predicted[z : z + 1] == k, truth[z : z + 1] == k) for k in present]
            if pairs:
                scores[volume, z] = np.mean([dice(a, b) for a, b in pairs])
    return min(scores, key=lambda key: scores[key])


def figure2(rows: Sequence[Row], methods: Sequence[str], classes: Sequence[str] = HEART) -> Figure:
    """Fig. 2: a slice a row; image, truth and the methods' outlines on it, cropped.

    The crop holds the truth and SCN's prediction, so that its errors are seen; of other predictions
    it may hold a part. `classes` are the names of the label maps' values, background first.

    The truth's outline is dashed, also beside a prediction; predictions are solid. Without images
    the outlines stand on a blank ground. A prediction that goes further says how much of it does.
    """
    columns = ["image", "truth", *methods]
    # As wide as a page allows: an executed notebook has to stay below a megabyte.
    figure, grid = make_grid(len(rows), len(columns), min(1.7, 12 / len(columns)))
    for line, row in zip(grid, rows, strict=True):
        framed = [m for m in (row.truth, row.predictions.get("scn")) if m is not None]
        framed = framed or list(row.predictions.values())
        box = heart_box(np.stack(framed))
        ground = np.ones(framed[0].shape) if row.image is None else row.image
        for axes, name in zip(line, columns, strict=True):
            axes.imshow(ground[box], cmap="gray", vmin=0, vmax=1)
            if name != "image" and row.truth is not None:
                outline(axes, row.truth[box], style="dashed")
            if name in row.predictions:
                outline(axes, row.predictions[name][box])
                note_outside(axes, row.predictions[name], box)
        line[0].set_ylabel(row.title.replace("_", "\n", 1), fontsize=6)  # subject, frame: low rows
    for axes, name in zip(grid[0], columns, strict=True):
        axes.set_title(title(name).replace(" ", "\n"), fontsize=9)  # narrow columns: a word a line
    legend = [Line2D([], [], color=colour) for colour in class_colours(len(classes))]
    legend += [Line2D([], [], color="grey", ls=ls) for ls in ("solid", "dashed")]
    names = [*classes[1:], "prediction", "truth"]
    figure.legend(legend, names, loc="outside lower center", ncols=5, fontsize=8)
    return figure
