"""Faults by kind and by hand, and that their costs add up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scnlib.data.cases import Case
from scnlib.evaluation import dice
from scnlib.paths import RESULTS
from study.experiments import make_run
from study.report import lost_points
from study.report.drawn_sizes import sizes
from study.report.lost_points import (
    MENDINGS,
    PRIORS,
    far_from,
    keep_largest,
    largest_part,
    losses,
    mended,
    near_border,
)
from study.report.lost_points_figure import END, bars
from tests import sample_record
from tests.committed_runs import committed_runs


def volume(*slices: str) -> np.ndarray:
    """Slices as rows of digits, "012 000"."""
    return np.array([[list(map(int, row)) for row in one.split()] for one in slices], np.uint8)


# Priors


def test_the_largest_part_is_connected_over_faces() -> None:
    mask = volume("1100 0010 0011", "0000 0000 0011") > 0
    # Two voxels in the corner touch the part of five by an edge alone.
    assert largest_part(mask).sum() == 5 and not largest_part(mask)[0, 0].any()


def test_an_empty_mask_has_an_empty_largest_part() -> None:
    assert not largest_part(np.zeros((2, 3, 3), dtype=bool)).any()


def test_priors_by_hand() -> None:
    labels = volume("1120 0000 2001", "1120 0000 2000")
    assert np.array_equal(keep_largest(labels, "heart"), volume("1120 0000 0000", "1120 0000 0000"))
    # Each structure by itself: 2 has two parts of two voxels, and the first of them stays.
    assert np.array_equal(keep_largest(labels, "parts"), volume("1120 0000 0000", "1120 0000 0000"))
    apart = volume("1102 0002 0000", "0002 0002 0000")
    assert np.array_equal(keep_largest(apart, "parts"), apart)
    assert set(np.unique(keep_largest(apart, "heart"))) == {0, 2}


def test_an_unknown_prior_is_refused() -> None:
    with pytest.raises(ValueError, match="heart, parts"):
        keep_largest(np.zeros((1, 2, 2), np.uint8), "largest")


# Faults


def test_far_is_measured_in_the_slice_and_in_mm() -> None:
    truth = volume("10000", "00000")
    assert far_from(truth, (10.0, 1.0, 2.0), limit=4.0).tolist() == [
        [[False, False, False, True, True]],
        [[False] * 5],  # no structure to be far from
    ]
    assert not far_from(truth, (np.nan, np.nan, np.nan), limit=4.0).any()


def test_the_border_is_a_pixel_on_both_sides() -> None:
    assert near_border(volume("00112 00112"))[0].tolist() == [[False, True, True, True, True]] * 2


def test_each_step_mends_its_own_fault() -> None:
    truth = volume(
        "0000000 0111110 0111110 0111110 0000000", "0000000 0022200 0022200 0000000 0000000"
    )
    found = volume(
        "1000000 0111000 0101110 0111110 0000000", "0000000 0110000 0110000 0000000 0000000"
    )
    far = np.zeros(truth.shape, dtype=bool)
    far[0, 0, 0] = True
    steps = list(mended(found, truth, far))
    assert len(steps) == len(MENDINGS)
    assert steps[0][0, 0, 0] == 0 and steps[0][1].any()  # far
    assert not (steps[1][1] == 1).any()  # structure 1 is absent from the second slice
    assert np.array_equal(steps[2][1], truth[1])  # 2 was missed there
    border = near_border(truth)
    assert np.array_equal(steps[3][border], truth[border])
    assert steps[3][0, 2, 2] == 0  # a hole inside, away from the border, is the rest
    assert np.array_equal(steps[4], truth)


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_only_wrong_pixels_change_and_no_step_lowers_the_agreement(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, found = (rng.integers(0, 4, (3, 6, 6)).astype(np.uint8) for _ in range(2))
    truth[rng.integers(3)] = 0
    before = found
    for after in mended(found, truth, far_from(truth, (1.0, 1.0, 1.0), limit=1.0)):
        changed = before != after
        # A wrong label may become background first and right later, a right one never changes.
        assert not (changed & (before == truth)).any()
        before = after
    assert np.array_equal(before, truth)


# Rows and their means


def case(truth: np.ndarray) -> Case:
    image = np.zeros(truth.shape, np.float32)
    return Case("p1", "ED", image, None, truth, (5.0, 1.0, 1.0), "p1")


def test_costs_add_up_to_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    record = next(r for r in committed_runs() if "predictions.h5" in r.files)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (4, 30, 30)).astype(np.uint8)
    found = np.where(rng.random(truth.shape) < 0.3, rng.integers(0, 4, truth.shape), truth)
    monkeypatch.setattr(type(record), "prediction", lambda self, name: found.astype(np.uint8))
    rows = lost_points.points_lost(record, [case(truth)])
    for k, row in enumerate(rows.to_dict("records"), start=1):
        assert row["dice"] == dice(found == k, truth == k)
    table = losses(rows, record.run.dataset)
    assert float(table[["Dice", *MENDINGS]].sum(axis=1).iloc[0]) == pytest.approx(100)
    assert np.all(table["near the heart"] >= table["Dice"])
    assert {f"with {prior}" for prior in PRIORS} <= set(table.columns)


def test_far_is_in_millimetres_and_a_flood_may_be_the_largest_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = next(r for r in committed_runs() if "predictions.h5" in r.files)
    truth = np.zeros((1, 1, 50), np.uint8)
    truth[..., :4] = 1
    found = truth.copy()
    found[..., 16:22] = 1  # six pixels, from 26 mm on at 2 mm each: at 1 mm they would be near
    monkeypatch.setattr(type(record), "prediction", lambda self, name: found)
    wide = replace(case(truth), spacing=(5.0, 1.0, 2.0))
    row = lost_points.points_lost(record, [wide]).iloc[0]
    assert [row["dice"], row["far"], row["heart"]] == pytest.approx([8 / 14, 1, 0])
    assert [row["voxels"], row["true_voxels"]] == [4, 4]  # the flood is not a thick structure


def test_masks_are_asked_for() -> None:
    record = next(r for r in committed_runs() if "predictions.h5" in r.files)
    with pytest.raises(ValueError, match="p1: no masks"):
        lost_points.points_lost(record, [replace(case(np.zeros((1, 4, 4), np.uint8)), label=None)])


@pytest.mark.parametrize("profile", ["cpu", "night"])
def test_the_kept_rows_are_of_the_records(profile: str) -> None:
    """The committed file has every run with predictions, with the Dice of its own metrics."""
    kept: Any = lost_points.read_rows(RESULTS / profile)
    lost_points.check_rows(kept, committed_runs(profile), RESULTS / profile)


def test_rows_that_are_not_of_the_records_are_refused(tmp_path: Path) -> None:
    runs = [make_run("acdc", method, profile="cpu") for method in ("pce", "scn")]
    records = [sample_record.write(tmp_path / run.method, run) for run in runs]
    rows = pd.concat(r.metrics.assign(dataset="acdc", method=r.run.method, seed=0) for r in records)
    lost_points.check_rows(rows.iloc[::-1], records, tmp_path)
    lost_points.check_rows(rows.iloc[:0], [], tmp_path)
    changed = rows.assign(dice=[0.5, 0.75, 0.5, 0.750003])
    for wrong in (rows.iloc[:-1], rows.iloc[:-2], rows.iloc[:0], changed):
        with pytest.raises(ValueError, match=rf"{lost_points.FILE}: its .* of .*acdc/scn/seed0: "):
            lost_points.check_rows(wrong, records, tmp_path)
    with pytest.raises(ValueError, match=r"not those of acdc/scn/seed0: delete it and run"):
        lost_points.check_rows(rows, records[:1], tmp_path)


def test_a_diamond_beyond_the_axis_is_an_arrow_with_its_value() -> None:
    """Two methods by hand: the prior ends within the axis for one, and beyond for the other."""
    table = pd.DataFrame({step: [6.0, 12.0] for step in MENDINGS}, index=["near", "ruined"])
    table = table.assign(**{"Dice": [70.0, 40.0], "with heart": [80.0, 7.4], "seeds": [3.0, 1.0]})
    axes = bars(table, "").axes[0]
    marks: dict[Any, Any] = {
        line.get_marker(): line for line in axes.lines if line.get_marker() in ("D", ">")
    }
    diamonds = marks["D"].get_xdata()
    assert diamonds[0] == 20.0 and np.isnan(diamonds[1])
    assert [*marks[">"].get_xdata()] == [END] and [*marks[">"].get_ydata()] == [1]
    assert [text.get_text() for text in axes.texts] == ["93", "60 in all"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["near (3)", "ruined (1)"]


def test_the_axis_ends_where_the_longest_bar_does() -> None:
    table = pd.DataFrame({step: [2.0] for step in MENDINGS}, index=["good"])
    table = table.assign(**{"Dice": [90.0], "with heart": [91.0], "seeds": [1.0]})
    assert bars(table, "").axes[0].get_xlim() == (0, 20)
    assert bars(table.assign(**{"with heart": [69.0]}), "").axes[0].get_xlim() == (0, 40)


def test_what_scn_lacks_to_full_supervision_is_of_the_seeds_of_both() -> None:
    steps = ("dice", "far", "absent", "missed", "border")
    values = {
        ("scn", 0): (0.1, 0.1, 0.1, 0.1, 0.1),  # full supervision has no such seed
        ("scn", 1): (0.8, 0.85, 0.86, 0.88, 0.95),
        ("full", 1): (0.9, 0.92, 0.95, 0.95, 0.99),
        ("pce", 1): (0.5, 0.6, 0.7, 0.8, 0.9),
    }
    rows = pd.DataFrame(
        {"dataset": "acdc", "method": method, "seed": seed, "structure": "RV", "subject": "p1"}
        | {"frame": "ED", "volume": "p1_ED", "heart": 0.9, "parts": 0.9}
        | dict(zip(steps, found, strict=True))
        for (method, seed), found in values.items()
    )
    assert lost_points.sentences(rows, "acdc")[-1] == (
        "Full supervision has +10.0 points to SCN (seed 1); so much more does SCN lose by each "
        "fault: far +3.0, absent -2.0, missed +2.0, border +3.0, rest +4.0."
    )
    without: Any = rows[rows["method"] != "full"]
    assert "Full supervision" not in " ".join(lost_points.sentences(without, "acdc"))


def test_names_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = pd.DataFrame(lost_points.read_rows(RESULTS / "cpu").head(2))
    rows["dataset"], rows["subject"], rows["volume"] = "clinic", ["001", "NA"], ["001", "NA"]
    rows["structure"], rows["dice"] = ["NA", "RV"], [0.5, np.nan]
    rows.to_csv(tmp_path / lost_points.FILE, index=False)
    pd.testing.assert_frame_equal(lost_points.read_rows(tmp_path), rows, check_dtype=False)


def test_rows_of_another_data_set_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = lost_points.read_rows(RESULTS / "cpu")
    other = kept[kept["dataset"] == "mscmr"]
    other.to_csv(tmp_path / lost_points.FILE, index=False)
    monkeypatch.setattr(lost_points, "score_all", lambda records, cases: kept.head(2))
    lost_points.keep([], {"acdc": []}, tmp_path)
    again = lost_points.read_rows(tmp_path)
    assert len(again) == len(other) + 2


def test_rows_that_were_kept_without_sizes_leave_the_others_whole_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = lost_points.read_rows(RESULTS / "cpu")
    old: Any = kept[kept["dataset"] == "mscmr"].drop(columns=[*lost_points.VOXELS])
    old.to_csv(tmp_path / lost_points.FILE, index=False)
    monkeypatch.setattr(lost_points, "score_all", lambda records, cases: kept.head(2))
    lost_points.keep([], {"acdc": []}, tmp_path)
    text = (tmp_path / lost_points.FILE).read_text()
    assert text.splitlines()[-1].endswith(
        f",{','.join(map(str, kept.loc[1, [*lost_points.VOXELS]]))}"
    )
    again = lost_points.read_rows(tmp_path)
    assert sizes(again, "mscmr").empty and not sizes(again, "acdc").isna().any(axis=None)
