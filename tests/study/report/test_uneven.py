"""Rows whose mean is of seeds, or of structures, that have little in common."""

from study.report.full_report import odd_rows
from study.report.uneven import REASONS, odd_runs, uneven_told
from tests.study.report.test_claims import validated
from tests.study.report.test_tables import record


def test_seeds_far_apart_are_listed_and_even_rows_are_not():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [record("s2l", 0.5), record("s2l", 0.8, seed=1), record("scn", 0.7)]
    assert uneven_told(runs) == "By seed: S2L on ACDC 53.3, 83.3."
    assert uneven_told([record("scn", 0.7), record("dmpls", 0.1)]) == ""


def test_a_structure_that_failed_alone_is_seen():
    failed = record("meloss_sgd", 0.8, dataset="mscmr")
    failed.summary["dice"]["RV"] = 0.1
    text = uneven_told([failed, record("s2l", 0.5), record("s2l", 0.8, seed=1)])
    assert uneven_told([failed], REASONS[:1]) == ""
    assert text.endswith(
        "S2L on ACDC 53.3, 83.3. By structure (RV, MYO, LV): MELoss on MSCMR 10.0, 80.0, 90.0."
    )


def test_the_runs_behind_an_odd_mean_are_those_with_predictions():
    runs = [record("s2l", 0.5), record("s2l", 0.8, seed=2), record("s2l", 0.7, seed=1)]
    runs += [record("meloss", 0.8, seed=1), record("meloss", 0.8), record("scn", 0.7)]
    for run in runs:
        run.files = {"predictions.h5": ""}
    runs[2].files = {}
    for run in runs[3:5]:
        run.summary["dice"]["RV"] = 0.1
    assert odd_runs(runs, "acdc") == {
        "S2L, seed\N{NO-BREAK SPACE}0": runs[0],
        "S2L, seed\N{NO-BREAK SPACE}2": runs[1],
        "MELoss (Adam), seed\N{NO-BREAK SPACE}0": runs[4],
    }
    assert odd_runs(runs, "mscmr") == {}


def test_the_experiment_stands_beside_the_row():
    runs = [
        record("s2l", 0.5),
        record("s2l", 0.8, seed=1),
        record("meloss_sgd", 0.8, dataset="mscmr"),
    ]
    for run, best in zip(runs, (0.52, 0.84, 0.6), strict=True):
        run.validation = {"best": {"dice": best}}
    runs[2].summary["dice"]["RV"] = 0.1
    page = odd_rows(runs, [validated("s2l", 0.78, "background")])
    assert "| S2L on ACDC | by seed: 53.3, 83.3 | 52.0 to 78.0 (seed 0) |" in page
    assert "| MELoss on MSCMR | by structure (RV, MYO, LV): 10.0, 80.0, 90.0 | not tried |" in page
    assert odd_rows([record("scn", 0.8)], []) == ""


def test_the_report_has_the_rows_by_adam_too_and_the_readme_has_not():
    by_adam = record("meloss", 0.8, dataset="mscmr")
    by_adam.summary["dice"]["RV"] = 0.1
    assert "| MELoss (Adam) on MSCMR | by structure" in odd_rows([by_adam], [])
    assert uneven_told([by_adam]) == ""
