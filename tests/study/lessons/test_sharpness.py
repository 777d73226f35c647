"""What notebook 02b says of sharp rows: counted on maps made by hand."""

import dataclasses

import pytest
import torch

from scnlib.confidence import Pseudo
from study.lessons.sharpness import peaks, told_masks, told_rows
from study.lessons.walkthrough import Maps

UNTRAINED = [[0.25, 0.25, 0.25, 0.25], [0.1, 0.7, 0.1, 0.1], [0, 0, 0.5, 0.5], [0.4, 0.3, 0.3, 0]]
TRAINED = [[0.9, 0.1, 0, 0], [0.2, 0.4, 0.2, 0.2], [0, 0, 0.5, 0.5], [0, 0, 0, 1.0]]


def maps_of(rows: list[list[float]], title: str) -> Maps:
    nothing = torch.zeros(1, 2, 2)
    C = torch.tensor(rows)
    pseudo = Pseudo(nothing.long(), nothing.bool())
    return Maps(title, nothing, C, nothing, nothing, 0.5, pseudo, pseudo)


@pytest.fixture
def both() -> list[Maps]:
    return [maps_of(UNTRAINED, "untrained"), maps_of(TRAINED, "trained")]


def test_a_peak_is_a_rows_largest_value(both: list[Maps]) -> None:
    assert peaks(both[0]).tolist() == pytest.approx([0.25, 0.7, 0.5, 0.4])


def test_rows_that_sharpen_and_rows_that_do_not_are_both_named(both: list[Maps]) -> None:
    told = told_rows(both, {"RV": 0, "MYO": 1, "LV": 2})
    assert "from 0.46 to **0.70** on average (a uniform row has 0.2500)" in told
    assert "rises in 2 of 4 rows and falls in 1" in told
    assert "sharpens RV's (0.25 to 0.90), and does not sharpen MYO's (0.70 to 0.40), LV's" in told


def test_it_is_said_when_training_sharpens_none_or_all(both: list[Maps]) -> None:
    assert "sharpens none, and does not sharpen MYO's" in told_rows(both, {"MYO": 1})
    assert told_rows(both, {"RV": 0}).endswith("sharpens RV's (0.25 to 0.90).")


def test_a_peak_that_is_the_same_as_written_does_not_count_as_sharper(both: list[Maps]) -> None:
    both[1].C[1] = torch.tensor([0.1, 0.704, 0.1, 0.096])
    assert "does not sharpen MYO's (0.70 to 0.70)" in told_rows(both, {"MYO": 1})


def test_one_network_alone_is_not_compared(both: list[Maps]) -> None:
    told = told_rows(both[:1], {"RV": 0})
    assert told == "A row's largest value is **0.46** on average; a uniform row has 0.2500."


def test_masks_are_counted_for_each_network(both: list[Maps]) -> None:
    # Scaled by their row's range, above 0.5.
    flat = dataclasses.replace(both[0], C=torch.tensor(UNTRAINED)[1:])
    told = told_masks([flat, both[1]], 0.5)
    assert "untrained **2.0** of 3 cells, 1 masks of one cell alone" in told
    assert "trained **1.2** of 4 cells, 3 masks of one cell alone" in told
