"""What labelled corners do, in short runs and in whole ones."""

from study.report.fill import told_of_corners, whole_fills, why_unlabelled
from study.report.worth import effects
from tests.study.report.test_worth import RUNS, short


def test_the_lead_over_pce_is_of_the_seeds_that_all_four_have() -> None:
    text = told_of_corners(RUNS)
    assert "64 pixels, 600 iterations" in text
    assert "PCE 30.0 to 55.0 (by seed +30.0, +20.0); SCN 72.0 to 72.0 (by seed +2.0, -2.0)." in text
    assert text.endswith(
        "SCN's lead over PCE is 42.0 points without and 17.0 with them (seeds 0, 1)."
    )
    alone = [run for run in RUNS if run.run.method == "pce"]
    assert "lead" not in told_of_corners(alone) and told_of_corners([]) == ""


def test_why_the_corners_stay_unlabelled_is_read_from_whole_runs() -> None:
    runs = [
        *short("scn", "", 0.80, 0.82),
        *short("scn", "background", 0.79, 0.81),
        *short("pce", "", 0.40),
        *short("pce", "background", 0.60),
        *short("mloss", "", 0.70),
        *short("mloss", "background", 0.71),
    ]
    text = why_unlabelled(effects(runs))
    assert "On ACDC labelled corners change SCN -1.0 (2 seeds). Lifted" in text
    assert text.endswith("by 2 points or more are PCE +20.0 (1 seed).")
    found = whole_fills(runs, RUNS)
    assert {one.base for one in found} == {""} and len(found) == 3, "no short ones"
    gained = [*short("scn", "", 0.80), *short("scn", "background", 0.81)]
    assert why_unlabelled(effects(gained)) == why_unlabelled([]) == ""
