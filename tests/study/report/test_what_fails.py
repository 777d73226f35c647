"""What went wrong in the worst volumes: rules checked on label maps drawn by hand."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from scnlib.data.cases import Case
from study.report.comparison_figures import failures
from study.report.what_fails import what_went_wrong, worst_slice, worst_volumes

CLASSES = {0: "background", 1: "RV", 2: "MYO"}


def volume(*rows: list[int]) -> np.ndarray:
    """A label map of one slice a row, each slice 1 x W."""
    return np.array(rows, np.uint8)[:, None]


@pytest.mark.parametrize(
    ("prediction", "truth", "words"),
    [
        ([[1, 1, 0, 0]], [[0, 0, 0, 0]], "RV invented (2 voxels, none in the truth)"),
        ([[0, 0, 2, 0]], [[1, 1, 1, 1]], "RV not found at all"),
        ([[1, 1, 1, 1]], [[1, 0, 2, 2]], "RV 4.0 times too large, 67% of the surplus is MYO"),
        ([[1, 2, 2, 2]], [[1, 1, 1, 1]], "75% of RV missed, 100% of that taken for MYO"),
        (
            [[1, 1, 1, 0]],
            [[1, 1, 1, 1]],
            "RV 0.8 times the right size, 25% missed; 100% of that taken for background",
        ),
        (  # one voxel too many beside two that are missed
            [[1, 1, 2, 0, 1]],
            [[1, 1, 1, 1, 0]],
            "RV 0.8 times the right size, 50% missed; 50% of that taken for background",
        ),
        ([[1, 1, 2, 2]], [[1, 1, 0, 0]], "RV is right"),
        (
            [[0, 1, 1, 0]],
            [[1, 1, 0, 0]],
            "RV 1.0 times the right size, 50% of it not RV; 100% of the surplus is background",
        ),
    ],
)
def test_the_words_follow_size_and_place(prediction: list, truth: list, words: str):
    assert what_went_wrong(volume(*prediction), volume(*truth), 1, CLASSES) == words


def test_a_surplus_beyond_the_base_is_told_apart():
    prediction, truth = volume([1, 1, 0], [1, 1, 1]), volume([1, 1, 0], [0, 0, 0])
    words = what_went_wrong(prediction, truth, 1, CLASSES)
    assert words == "RV 2.5 times too large, 100% of the surplus in slices without it"


def test_the_worst_slice_has_most_wrong_pixels_of_that_class_alone():
    prediction, truth = (
        volume([1, 0, 2], [0, 0, 0], [2, 2, 2]),
        volume([1, 1, 2], [1, 1, 0], [0] * 3),
    )
    assert worst_slice(prediction, truth, 1) == 1
    assert worst_slice(prediction, truth, 2) == 2


def record(rows: list[tuple]) -> Any:
    frame = pd.DataFrame(rows, columns=["volume", "structure", "dice"])
    return cast(Any, SimpleNamespace(metrics=frame))


def test_worst_volumes_come_by_mean_dice_and_undefined_structures_do_not_count():
    found = worst_volumes(
        record(
            [
                ("a", "RV", 0.9),
                ("a", "MYO", 0.5),
                ("b", "RV", float("nan")),
                ("b", "MYO", 0.6),
                ("c", "RV", 0.8),
                ("c", "MYO", 0.9),
            ]
        ),
        count=2,
    )
    assert found["volume"].tolist() == ["b", "a"]
    assert found["dice"].tolist() == pytest.approx([0.6, 0.7])
    assert found["structure"].tolist() == ["MYO", "MYO"]


def test_the_figure_names_its_data_set_and_the_volumes() -> None:
    truth = volume([1, 1, 2, 2], [0, 1, 2, 0]).repeat(3, axis=1)
    case = Case("p1", "ED", np.zeros(truth.shape, np.float32), None, truth, (1, 1, 1), "drawn")
    rows = [
        {"volume": "p1_ED", "subject": "p1", "structure": name, "dice": dice}
        for name, dice in (("RV", 0.5), ("MYO", 0.9), ("LV", 0.9))
    ]
    facts = {"metrics": pd.DataFrame(rows), "prediction": lambda name: np.flip(truth, -1)}
    record = cast(Any, SimpleNamespace(run=SimpleNamespace(dataset="mscmr"), **facts))
    figure, table = failures({"pce": record}, {"p1_ED": case}, count=1)
    assert figure.get_suptitle().startswith("MSCMR: ")
    assert figure.axes[0].get_title() == "p1\nED, slice 1\nDice 77%"
    assert list(table["volume"]) == ["p1_ED"]


@pytest.mark.parametrize(("flooded", "size"), [(5, 29), (6, 100), (40, 100)])
def test_a_slice_is_whole_where_much_of_the_prediction_is_beyond(flooded: int, size: int) -> None:
    truth = np.zeros((1, 100, 100), np.uint8)
    truth[0, 50, 50] = 1
    found = truth.copy()
    found[0, 0, :flooded] = 1
    found[0, 49:52, 45:55] = 1
    case = Case("p1", "ED", np.zeros(truth.shape, np.float32), None, truth, (1, 1, 1), "drawn")
    rows = [{"volume": "p1_ED", "subject": "p1", "structure": "RV", "dice": 0.1}]
    facts = {"metrics": pd.DataFrame(rows), "prediction": lambda name: found}
    record = cast(Any, SimpleNamespace(run=SimpleNamespace(dataset="acdc"), **facts))
    figure, _ = failures({"pce": record}, {"p1_ED": case}, count=1)
    assert figure.axes[0].images[0].get_size() == (size + size % 2, size + size % 2)
    beyond = [text.get_text() for text in figure.axes[0].texts]
    assert beyond == (["14% beyond"] if flooded == 5 else [])


def test_titles_of_neighbours_stand_apart() -> None:
    truth = volume([1, 1, 2, 2], [0, 1, 2, 0]).repeat(4, axis=1)
    cases, rows = {}, []
    for name in ("patient101_frame11", "patient102_frame12", "patient103_frame13"):
        image = np.zeros(truth.shape, np.float32)
        subject, frame = name.split("_")
        cases[name] = Case(subject, frame, image, None, truth, (1, 1, 1), "drawn")
        rows.append({"volume": name, "subject": name, "structure": "RV", "dice": 0.5})
    facts = {"metrics": pd.DataFrame(rows), "prediction": lambda name: np.flip(truth, -1)}
    record = cast(Any, SimpleNamespace(run=SimpleNamespace(dataset="acdc"), **facts))
    figure, _ = failures({"pce": record, "scn": record}, cases)
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert len(boxes) == 6
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
