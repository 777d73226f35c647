"""Published means of a shared split beside ours, from records with known numbers."""

from pathlib import Path

import pytest

from study.report.field import FOLD, PUBLISHED, field_table, field_told, on_fold, printed_by_others
from study.report.reproducibility import reproducibility_text
from study.report.titles import TITLES
from tests.study.report.test_tables import record

# `record` adds 0.1 to LV: the mean is a thirtieth more than the number given, 95HD in mm is 30
# times what Dice lacks of 1.
OURS = [
    record("scn", 0.80, dataset=FOLD),
    record("scn", 0.82, seed=1, dataset=FOLD),
    record("mloss", 0.80, dataset=FOLD),
    record("scn", 0.50),  # of another split
]
FINE = [record("full", 0.88, dataset=FOLD, profile="night")]


def test_only_runs_on_the_fold_count_and_seeds_are_averaged() -> None:
    mloss, scn = on_fold(OURS)
    assert (mloss.method, scn.method, scn.seeds) == ("mloss", "scn", [0, 1])
    assert scn.dice == pytest.approx({"RV": 81, "MYO": 81, "LV": 91, "mean": 81 + 10 / 3})
    assert scn.hd95_mm == pytest.approx(30 * (1 - 0.81 - 0.1 / 3))


def test_a_row_has_the_published_means_and_each_profile_of_ours() -> None:
    lines = field_table([*OURS, *FINE]).splitlines()
    assert "| MLoss | 87.4 | 83.9 | `cpu`, seed 0 | 83.3 | 80.0, 80.0, 90.0 | 5.0 |" in lines
    assert "| SCN |  |  | `cpu`, seeds 0, 1 | 84.3 | 81.0, 81.0, 91.0 | 4.7 |" in lines
    assert (
        "| Full supervision | 91.5 | 89.8 | `night`, seed 0 | 91.3 | 88.0, 88.0, 98.0 | 2.6 |"
        in (lines)
    )
    assert "| PCLMix | 89.7 |  |  |  |  |  |" in lines  # not ours: the published mean alone
    both = [*OURS, record("scn", 0.85, dataset=FOLD, profile="night")]
    assert sum(line.startswith("| SCN |") for line in field_table(both).splitlines()) == 2


def test_the_line_says_how_far_ours_are_from_both_splits() -> None:
    above = record("dmpls_sgd", 0.9, dataset=FOLD)
    text = field_told([*OURS, above, *FINE])
    assert text.endswith(
        "in points: MLoss (`cpu`) -4.1 and -0.6, DMPLS (`cpu`) +4.9 and +6.1, "
        "Full supervision (`night`) -0.2 and +1.5."
    )


def test_without_a_run_on_the_fold_nothing_is_said(tmp_path: Path) -> None:
    runs = [record("scn", 0.8), record("scn", 0.8, dataset=FOLD)]
    assert field_table(runs[:1]) == field_told(runs) == ""  # nobody else has printed SCN there
    for one in runs:
        one.peak_memory_mb = 1000.0
        one.hardware, one.seconds_training, one.seconds_evaluation = "a processor", 60.0, 6.0
    heading, known = "## Beside the field", "but 4 of its test patients are validation patients"
    page = reproducibility_text(runs[:1], [], runs[1:], [], [], tmp_path, [])
    assert heading in page and known in " ".join(page.split())
    assert heading not in reproducibility_text(runs[:1], [], [], [], [], tmp_path, [])


def test_published_means_are_of_methods_that_the_tables_know_by_name() -> None:
    assert set(PUBLISHED["method"]) - set(TITLES) == {"PCLMix"}
    assert set(PUBLISHED["split"]) == {"fold 1", "five folds"}
    assert not PUBLISHED.duplicated(["method", "split"]).any()
    assert printed_by_others("five folds")["full"] == 89.8
