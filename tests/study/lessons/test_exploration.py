"""What notebooks 01 and 05 count, on volumes small enough to count by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scnlib.data import Case
from study.lessons.exploration import (
    class_table,
    grid_limit,
    lost_classes,
    shared_subjects,
    splits_table,
    three_slices,
)


def case(label: list[list[int]] | None) -> Case:
    image = np.zeros((1, 4, 4), dtype=np.float32)
    mask = None if label is None else np.array([label], dtype=np.uint8)
    return Case(
        image=image,
        scribble=np.full((1, 4, 4), 4, dtype=np.uint8),
        label=mask,
        spacing=(1.0, 1.0, 1.0),
        subject="a",
        frame="1",
        source="a",
    )


def test_a_class_table_by_hand():
    drawn = np.full((1, 4, 4), 4, dtype=np.uint8)
    drawn[0, 0, :2] = 3  # one pixel on the LV's four, one beside
    table = class_table([replace(case([[3, 0, 0, 0]] * 4), scribble=drawn)])
    assert table.loc["LV", ["scribbled %", "mask %", "coverage %"]].tolist() == [12.5, 25, 25]
    assert table.loc["LV", ["scribbled pixels a slice", "mask pixels a slice"]].tolist() == [2, 4]
    assert table.loc["RV", "slices without %"] == 100 and table.loc["LV", "slices without %"] == 0


def test_splits_say_what_they_hold_and_an_empty_one_holds_nothing():
    one = case([[1] * 4] * 4)
    table = splits_table({"train": [one, replace(one, label=None)], "val": []})
    assert table.loc["train"].tolist() == [1, 2, 2, True, False]
    assert table.loc["val"].tolist() == [0, 0, 0, False, False]
    assert shared_subjects({"train": [one], "val": [replace(one, subject="b")]}) == set()
    assert shared_subjects({"train": [one], "test": [one]}) == {"a"}


def test_a_lone_pixel_is_kept_by_one_rule_and_lost_by_the_other():
    drawn = np.full((1, 4, 4), 4, dtype=np.uint8)
    drawn[0, 0, 0] = 3  # nearest takes another pixel of its 2 x 2 block
    drawn[0, 2:, 2:] = 1
    table = lost_classes([replace(case(None), scribble=drawn)], 2)
    assert table["classes in slices"].tolist() == [2, 2]
    assert table["lost"].to_dict() == {"keep": 0, "nearest": 1}
    assert table.loc["keep", "labelled before %"] == pytest.approx(100 * 5 / 16)
    assert table.loc["keep", "labelled after %"] == 50


def test_a_mask_of_whole_cells_survives_the_grid():
    halves = case([[1, 1, 3, 3]] * 4)
    limit = grid_limit([halves], size=4, stride=2)
    assert limit["RV"] == limit["LV"] == limit["mean"] == 100
    assert math.isnan(limit["MYO"])  # absent: no value, and left out of the mean


def test_a_structure_thinner_than_half_a_cell_vanishes():
    # Every cell holds one pixel of MYO and three of background.
    thin = case([[2, 0, 2, 0], [0, 0, 0, 0], [2, 0, 2, 0], [0, 0, 0, 0]])
    assert grid_limit([thin], size=4, stride=2)["MYO"] == 0
    assert grid_limit([thin], size=4, stride=1)["MYO"] == 100


def test_a_border_moves_to_the_nearest_cell():
    # Three of four columns are LV: the cells hold 1 and 1/2, at the columns 1, 7/8, 5/8, 1/2 of
    # LV. The tie in the last column goes to the lower class: 12 of 12 pixels are right.
    wide = case([[3, 3, 3, 0]] * 4)
    assert grid_limit([wide], size=4, stride=2)["LV"] == 100
    # One column is LV: 1/2, 3/8, 1/8, 0, and the tie goes to the background: nothing is left.
    slim = case([[3, 0, 0, 0]] * 4)
    assert grid_limit([slim], size=4, stride=2)["LV"] == 0
    assert grid_limit([wide, slim], size=4, stride=2)["LV"] == pytest.approx(50)


def test_volumes_without_a_mask_are_left_out():
    halves = case([[1, 1, 3, 3]] * 4)
    limits = [grid_limit(cases, size=4, stride=2) for cases in ([halves], [halves, case(None)])]
    assert limits[0]["mean"] == limits[1]["mean"] == 100
    assert math.isnan(grid_limit([case(None)], size=4, stride=2)["mean"])


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([0, 1, 1, 1, 1, 1, 0], [2, 3, 4]),
        ([1, 1, 1], [1]),
        ([0, 1, 1, 0], [1, 2]),
        ([0, 0, 1], [2]),
        ([0, 0, 0, 0, 0], [1, 2, 3]),
        ([0], [0]),
    ],
)
def test_three_slices_of_those_that_show_a_structure(shown, expected):
    heart = np.zeros((len(shown), 4, 4), dtype=np.uint8)
    heart[:, 1, 2] = shown
    assert three_slices(heart) == expected
