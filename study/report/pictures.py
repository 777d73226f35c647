"""The pictures of slices that a study's records and images give, each with its alternative text."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from scnlib.data.cases import HEART, Case
from scnlib.records import Record
from study.report.figure2 import Row, choose_slices, figure2
from study.report.glance import few_methods, glance, telling_slice
from study.report.titles import data_title, title


def slice_rows(runs: Mapping[str, Record], cases: Mapping[str, Case]) -> list[Row]:
    """The rows of Fig. 2 (`choose_slices`) with every run's prediction.

    runs by method name, with predictions; cases by volume, {} without data. Empty without a run of
    SCN.
    """
    if "scn" not in runs:
        return []
    truths = {v: case.label for v, case in cases.items() if case.label is not None} or None
    rows = []
    for volume, z, why in choose_slices(runs["scn"], truths):
        predictions = {method: run.prediction(volume)[z] for method, run in runs.items()}
        case = cases.get(volume)
        image = case.image[z] if case else None
        truth = case.label[z] if case and case.label is not None else None
        rows.append(Row(f"{volume}\n{why}, slice {z + 1}", image, truth, predictions))
    return rows


def slice_pictures(
    runs: Mapping[str, Record], cases: Mapping[str, Case], records: Sequence[Record], dataset: str
) -> dict[str, tuple[Figure, str]]:
    """File name to figure and alternative text: one slice at a glance, Fig. 2, and all methods.

    runs, cases: as in `slice_rows`; records: every seed's, by which the best baseline is chosen.
    Without images the predictions stand on a dark ground, and there is no glance.
    """
    rows, few = slice_rows(runs, cases), few_methods(runs, records, dataset)
    if not rows:
        return {}
    classes = next(iter(cases.values())).classes if cases else HEART
    where = f"on whole slices of {data_title(dataset)}: the predictions filled, the truth's border"
    names = ", ".join(title(method) for method in few)
    found = {
        "figure2.png": (figure2(rows, few, classes), f"{names} {where}"),
        "figure2_all.png": (
            figure2(rows, list(runs), classes, side=1.5, columns=9),
            f"All methods {where}",
        ),
    }
    truths: dict[str, np.ndarray] = {v: c.label for v, c in cases.items() if c.label is not None}
    if "pce" in runs and (told := telling_slice(runs["pce"], truths)):
        volume, z = told
        shown = {method: runs[method].prediction(volume)[z] for method in few}
        figure = glance(cases[volume].image[z], truths[volume][z], shown, classes)
        found["glance.png"] = (figure, f"Image, {names} and the truth of one slice of {volume}")
    return found


def dataset_of_figure2(records: Sequence[Record]) -> str:
    """Whose slices Fig. 2 shows: ACDC's, as the paper's, or else the first data set's by name."""
    names = sorted({record.run.dataset for record in records})
    return "acdc" if "acdc" in names or not names else names[0]
