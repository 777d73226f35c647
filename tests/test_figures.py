"""The figures: colours, the rule that chooses Fig. 2's slices, and what the functions return."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from scnlib import figures


def record_of(dices: dict[str, float], predictions: dict[str, np.ndarray]) -> Any:
    rows = [
        {"volume": f"{s}_a", "subject": s, "structure": "LV", "dice": d} for s, d in dices.items()
    ]
    return cast(
        Any, SimpleNamespace(metrics=pd.DataFrame(rows), prediction=predictions.__getitem__)
    )


def test_colours_are_the_published_ones():
    assert figures.PALETTE == {"RV": "#0072B2", "MYO": "#F0E442", "LV": "#D55E00"}


def test_slices_are_those_of_the_median_patient_and_the_worst():
    truth = np.zeros((5, 8, 8), np.uint8)
    truth[1:4, 2:6, 2:6] = 3
    missed = truth.copy()
    missed[2] = 0
    truths = {f"{s}_a": truth for s in "pqr"}
    record = record_of({"p": 0.9, "q": 0.2, "r": 0.8}, {"p_a": truth, "q_a": missed, "r_a": truth})
    expected = [("r_a", 1, "base"), ("r_a", 2, "middle"), ("r_a", 3, "apex"), ("q_a", 2, "worst")]
    assert figures.choose_slices(record, truths) == expected
    assert figures.choose_slices(record) == expected[:3]


def test_figure2_is_a_figure_with_and_without_images():
    labels = np.zeros((16, 16), np.uint8)
    labels[4:9, 4:9] = 1
    for image, truth in ((labels / 4.0, labels), (None, None)):
        row = figures.Row("one", image, truth, {"scn": labels})
        assert isinstance(figures.figure2([row], ["scn", "full"]), Figure)


def test_box_holds_all_classes():
    labels = np.zeros((2, 60, 60), np.uint8)
    labels[0, 20, 30], labels[1, 40, 35] = 1, 2
    assert (labels[(slice(None), *figures.heart_box(labels, 2))] > 0).sum() == 2
