"""Tests on patients: the unit, zero differences, undefined pairs, Holm, the bootstrap."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.report import statistics
from study.report.statistics import (
    bootstrap_mean,
    by_ranks,
    compare,
    holm,
    judge,
    long_frame,
    patient_values,
    signed_rank,
)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test reckons anew: else a fault planted after an earlier one would go unnoticed."""
    monkeypatch.setattr(statistics, "_KNOWN", {})


def record(
    method: str,
    values: dict[str, float],
    seed: int = 0,
    dataset: str = "acdc",
    profile: str = "cpu",
) -> Any:
    """A run with one frame and one structure a patient; 95HD is 10 (1 - Dice)."""
    metrics = pd.DataFrame(
        {"subject": subject, "frame": "f1", "structure": "RV", "dice": value}
        for subject, value in values.items()
    )
    metrics["hd95_voxel"] = 10 * (1 - metrics["dice"])
    run = SimpleNamespace(
        dataset=dataset, method=method, seed=seed, profile=SimpleNamespace(name=profile)
    )
    return SimpleNamespace(run=run, metrics=metrics)


def patients(values: list[float]) -> dict[str, float]:
    return {f"p{number:02}": value for number, value in enumerate(values)}


def test_identical_pairs_are_no_difference() -> None:
    same = patients([0.8] * 20)
    table: Any = compare([record("scn", same), record("pce", same)])
    assert list(table["p"]) == [1.0, 1.0] and list(table["p_holm"]) == [1.0, 1.0]
    assert list(table["verdict"]) == ["no difference"] * 2
    assert signed_rank([0.0] * 20) == 1.0


def test_zeros_are_split_between_the_signs() -> None:
    # Dropping the zeros would leave one pair and give 0.3173.
    assert signed_rank([0.0] * 19 + [0.5]) == pytest.approx(0.6767, abs=5e-5)


def test_signed_rank_is_exact_for_few_patients() -> None:
    assert signed_rank([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 64)
    assert signed_rank([-1, 2, 3, 4, 5, 6]) == pytest.approx(4 / 64)
    assert math.isnan(signed_rank([]))


def test_differences_that_only_rounding_tells_apart_are_ties() -> None:
    theirs = patients([0.5] * 8)
    even: Any = compare([record("scn", theirs), record("pce", patients([0.5, *[0.6] * 7]))])
    noisy = patients([0.5 + 1e-16, *(0.6 + k * 2e-16 for k in range(-3, 4))])
    other: Any = compare([record("scn", theirs), record("pce", noisy)])
    assert len({*noisy.values()}) > 2  # the noise is there
    assert other["p"].tolist() == even["p"].tolist()


def test_a_patients_value_is_its_mean_over_frames_then_structures_then_seeds() -> None:
    rows = pd.DataFrame(
        [
            (0, "p1", "ED", "RV", 0.6),
            (0, "p1", "ES", "RV", 0.8),
            (0, "p1", "ED", "LV", 0.9),
            (1, "p1", "ED", "RV", 0.4),
            (1, "p1", "ED", "LV", 0.4),
            (0, "p2", "ED", "RV", 0.5),
            (0, "p2", "ED", "LV", math.nan),
        ],
        columns=["seed", "subject", "frame", "structure", "dice"],
    )
    values: Any = patient_values(rows, "dice")
    assert values["p1"] == pytest.approx(((0.7 + 0.9) / 2 + 0.4) / 2)  # pooled it would be 0.62
    assert math.isnan(values["p2"])


def test_undefined_and_missing_pairs_are_dropped_and_counted() -> None:
    ours = patients([0.9, 0.8, 0.9, math.nan])
    theirs = patients([0.5, math.nan, 0.7])
    row: Any = compare([record("scn", ours), record("pce", theirs)], metrics=["dice"]).iloc[0]
    assert (row["patients"], row["dropped"]) == (2, 2)
    assert row["mean_difference"] == pytest.approx((-0.4 - 0.2) / 2)
    nothing = record("pce", patients([math.nan] * 4))
    row = compare([record("scn", ours), nothing], metrics=["dice"]).iloc[0]
    assert row["verdict"] == "no pairs" and math.isnan(row["p_holm"]) and row["patients"] == 0


def test_frames_are_not_counted_as_patients() -> None:
    one = record("scn", patients([0.9, 0.8]))
    two = record("pce", patients([0.5, 0.6]))
    for run in (one, two):
        run.metrics = pd.concat([run.metrics, run.metrics.assign(frame="f2")])
    assert compare([one, two])["patients"].tolist() == [2, 2]


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04 -> 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.0, 1.0]) == pytest.approx([0.0, 1.0])  # both ends are p values
    assert holm([]).size == 0
    with_nan = holm([0.02, math.nan, 0.01])
    assert with_nan[[0, 2]] == pytest.approx([0.02, 0.02]) and math.isnan(with_nan[1])
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        holm([0.5, 1.2])


@pytest.mark.parametrize("added", ["box", "mine"])
def test_a_row_that_the_paper_has_not_changes_no_other_verdict(added: str) -> None:
    values = patients([0.1 * n for n in range(8)])
    papers = [record("scn", values), record("pce", values), record("s2l", patients([0.2] * 8))]
    own = record(added, patients([0.1 * n + 0.01 for n in range(8)]))
    more = record("scn_box", patients([0.1 * n + 0.02 for n in range(8)]))
    alone = compare(papers, metrics=["dice"])
    beside: Any = compare([*papers, own, more], metrics=["dice"])
    kept: Any = beside[~beside["method"].isin([added, "scn_box"])]
    pd.testing.assert_frame_equal(alone, kept.reset_index(drop=True))
    row: Any = beside[beside["method"] == added].iloc[0]
    assert row["p_holm"] == row["p"] == pytest.approx(2 * 0.5**8)  # of 8 equal signs


def test_the_balance_of_ranks_by_hand() -> None:
    # Ranks 1, 2, 3 of 0.1, 0.2 and -0.9: (1 + 2 - 3) / 6; of the other sign for a distance.
    assert by_ranks(np.array([0.1, 0.2, -0.9]), "dice") == 0
    assert by_ranks(np.array([0.1, 0.3, 0.2, -0.25]), "dice") == pytest.approx(0.4)
    assert by_ranks(np.array([0.1, 0.3, 0.2, -0.25]), "hd95_mm") == pytest.approx(-0.4)
    assert math.isnan(by_ranks(np.array([]), "dice"))


def test_holm_is_over_the_methods_of_one_data_set_and_metric() -> None:
    base = np.linspace(0.8, 0.9, 6)
    runs = [record("scn", patients(list(base)), dataset=name) for name in ("acdc", "mscmr")]
    worse = np.arange(1, 7) / 100
    runs += [record(name, patients(list(base - worse))) for name in ("pce", "cale")]
    runs.append(record("pce", patients(list(base - worse)), dataset="mscmr"))
    table: Any = compare(runs)
    assert table["p"].tolist() == pytest.approx([2 / 64] * 6)
    expected = {"acdc": 4 / 64, "mscmr": 2 / 64}
    for row in table.to_dict("records"):
        assert row["p_holm"] == pytest.approx(expected[str(row["dataset"])])
        assert row["verdict"] == ("worse" if row["dataset"] == "mscmr" else "not significant")


def test_verdict_knows_that_a_smaller_distance_is_better() -> None:
    base = np.linspace(0.5, 0.8, 8)
    runs = [record("scn", patients(list(base))), record("full", patients(list(base + 0.1)))]
    table: Any = compare(runs).set_index("metric")
    assert table.at["dice", "verdict"] == table.at["hd95_voxel", "verdict"] == "better"
    assert table.loc["dice", "mean_difference"] == pytest.approx(0.1)
    assert table.loc["hd95_voxel", "mean_difference"] == pytest.approx(-1.0)
    assert table.loc["dice", ["low", "high"]].tolist() == pytest.approx([0.1, 0.1])


def test_five_percent_is_not_below_five_percent() -> None:
    differences = np.full(8, -0.1)
    assert judge(differences, 0.05, "dice") == "not significant"
    assert judge(differences, 0.0499, "dice") == "worse"


def test_seeds_are_averaged_before_the_test() -> None:
    runs = [record("scn", patients([0.8, 0.8]))]
    runs += [record("pce", patients([0.6, 0.7]), seed=0), record("pce", patients([0.8, 0.5]), 1)]
    row: Any = compare(runs, metrics=["dice"]).iloc[0]
    assert (row["seeds"], row["reference_seeds"], row["patients"]) == (2, 1, 2)
    assert row["mean_difference"] == pytest.approx(((0.7 - 0.8) + (0.6 - 0.8)) / 2)


@pytest.mark.parametrize(
    ("mine", "theirs", "apart"),
    [
        ({0: 0.5}, {0: 0.8}, math.nan),
        ({0: 0.5, 1: 0.6}, {0: 0.8}, 0.1),
        ({5: 0.5}, {0: 0.8, 1: 0.75}, 0.05),  # a lone seed, against a reference of two
        ({0: 0.5, 1: 0.6}, {0: 0.8, 1: 0.9}, 0.2),  # each to each: their own pairs are alike
        ({2: 0.5, 3: 0.5}, {0: 0.8, 1: 0.8}, 0.0),
    ],
)
def test_seeds_apart_are_of_each_seed_to_each(
    mine: dict[int, float], theirs: dict[int, float], apart: float
) -> None:
    runs = [record("pce", {"a": dice, "b": dice}, seed) for seed, dice in mine.items()]
    runs += [record("scn", {"a": dice, "b": dice}, seed) for seed, dice in theirs.items()]
    found = compare(runs, metrics=["dice"])["seeds_apart"].item()
    assert found == pytest.approx(apart, nan_ok=True)


def test_an_interval_over_patients_and_seeds_by_hand() -> None:
    """Patients that are alike: three drawn of seeds at -0.1, 0, 0.1 are all the lowest in 1/27."""
    runs = [record("pce", {"a": d, "b": d}, s) for s, d in enumerate((0.5, 0.6, 0.7))]
    runs += [record("scn", {"a": 0.6, "b": 0.6}, seed) for seed in range(3)]
    (row,) = compare(runs, metrics=["dice"]).to_dict("records")
    assert (row["low_seeds"], row["high_seeds"]) == pytest.approx((-0.1, 0.1))
    assert (row["low"], row["high"]) == pytest.approx((0, 0))
    for few in (runs[1:], runs[:-1]):  # two seeds on one side
        assert np.isnan(compare(few, metrics=["dice"])["low_seeds"].item())


def test_an_interval_over_patients_and_seeds_is_of_patients_where_seeds_are_alike() -> None:
    dice = {f"p{n}": 0.4 + 0.01 * n for n in range(20)}
    runs = [record("pce", dice, seed) for seed in range(3)]
    runs += [record("scn", dict.fromkeys(dice, 0.5), seed) for seed in range(4)]
    (row,) = compare(runs, metrics=["dice"]).to_dict("records")
    assert row["low_seeds"] == pytest.approx(row["low"], abs=0.002)
    assert row["high_seeds"] == pytest.approx(row["high"], abs=0.002)


def test_a_patient_without_a_value_is_left_out_of_it() -> None:
    runs = [record("pce", {"a": d, "b": np.nan}, s) for s, d in enumerate((0.5, 0.5, 0.5))]
    runs += [record("scn", {"a": 0.6, "b": 0.6}, seed) for seed in range(3)]
    (row,) = compare(runs, metrics=["dice"]).to_dict("records")
    assert (row["low_seeds"], row["high_seeds"]) == pytest.approx((-0.1, -0.1))


def test_without_the_reference_there_is_nothing_to_compare() -> None:
    for runs in ([], [record("pce", patients([0.5]))]):
        table: Any = compare(runs)
        assert table.empty and "p_holm" in table.columns


def test_rows_come_in_the_order_of_the_runs() -> None:
    runs = [record("pce", patients([0.5, 0.6]), dataset="bare")]  # no reference: no rows
    for dataset in ("mscmr", "acdc"):
        runs += [record(m, patients([0.5, 0.6]), dataset=dataset) for m in ("ustm", "scn", "cale")]
    table: Any = compare(runs, metrics=["dice"])
    found = list(zip(table["dataset"], table["method"], strict=True))
    assert found == [(d, m) for d in ("mscmr", "acdc") for m in ("ustm", "cale")]
    assert long_frame(runs).index.is_unique


def test_runs_that_must_not_be_averaged_are_refused() -> None:
    values = patients([0.5])
    with pytest.raises(ValueError, match="twice"):
        long_frame([record("pce", values), record("pce", values)])
    with pytest.raises(ValueError, match="different profiles"):
        long_frame([record("pce", values), record("scn", values, profile="demo")])


def test_a_long_frame_is_accepted_too() -> None:
    runs = [record("scn", patients([0.8, 0.7])), record("pce", patients([0.6, 0.6]))]
    pd.testing.assert_frame_equal(compare(long_frame(runs)), compare(runs))


def test_what_was_asked_before_is_not_reckoned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [record("scn", patients([0.8, 0.7])), record("pce", patients([0.6, 0.6]))]
    first = compare(runs)
    kept, asked = first.copy(), []
    monkeypatch.setattr(statistics, "_compared", lambda *given: asked.append(given) or kept)
    first["p"] = 0.0  # a caller may write into what it was given
    pd.testing.assert_frame_equal(compare(runs), kept)
    assert not asked
    compare(runs, "pce")
    compare(runs, metrics=["dice"])
    runs[1].metrics.loc[0, "dice"] = 0.5
    compare(runs)
    assert len(asked) == 3


def test_the_interval_is_of_percentiles() -> None:
    """All three draws are the one: 1 in 27, over 2.5%; a mirrored interval would go below 0."""
    assert bootstrap_mean([0.0, 0.0, 1.0]) == pytest.approx((1 / 3, 0.0, 1.0))


def test_full_supervision_and_the_footnotes_are_one_family() -> None:
    shifts = {"scn": 0.0, "full": 0.01, "dmpls": 0.02, "pce": 0.03}
    values = {m: patients([0.05 * n + shift for n in range(8)]) for m, shift in shifts.items()}
    found: Any = compare([record(m, v) for m, v in values.items()], metrics=["dice"])
    factors = (found["p_holm"] / found["p"]).round(6)
    assert dict(zip(found["method"], factors, strict=True)) == {"pce": 1, "full": 2, "dmpls": 2}


def test_bootstrap_interval() -> None:
    assert bootstrap_mean([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    assert bootstrap_mean([3.0, math.nan]) == (3.0, 3.0, 3.0)
    assert all(math.isnan(value) for value in bootstrap_mean([]))
    coin = [0.0, 1.0] * 50  # standard error 0.05
    mean, low, high = bootstrap_mean(coin)
    assert mean == 0.5
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.011)
    assert high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.011)
    uneven = np.random.default_rng(0).normal(size=30)  # no two resamples have one mean
    assert bootstrap_mean(uneven) == bootstrap_mean(uneven, n=10_000, seed=0)
    assert bootstrap_mean(coin, n=200, seed=1) != bootstrap_mean(coin, n=200, seed=2)
