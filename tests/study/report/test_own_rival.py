"""The study's own rival and SCN with its prior, beside SCN, from records with known numbers."""

import pandas as pd
import pytest

from study.report.claims import answers
from study.report.headlines import headlines
from study.report.own_rival import rival_in_brief, rival_told, told_in_full, with_one_part
from tests.study.report.test_headlines import NO_ROWS
from tests.study.report.test_tables import record


def test_the_own_rival_stands_beside_scn_with_its_interval():
    # All patients differ by as much, so that the interval has no width.
    runs = [record("scn", 0.7), record("box", 0.72), record("scn", 0.6, dataset="mscmr")]
    line = headlines(runs, NO_ROWS)[1]
    assert "has 75.33% on ACDC, +2.00 points [+2.00, +2.00] to SCN (better" in line
    assert line.startswith("**PCE with a box in place of SCN**") and "(better, 1 seed each)" in line
    assert rival_in_brief(runs, NO_ROWS).endswith(
        "(PCE+box) has, in points to SCN, +2.00 [+2.00, +2.00] on ACDC (p 0.031: better)."
    )
    assert rival_in_brief(runs[:1], NO_ROWS) == ""
    apart = "+2.00 points [+2.00, +2.00] to SCN (p 0.031: better, 1 seed each)."
    assert any(apart in full for full in answers(runs, [], "cpu"))


def test_the_own_rival_in_full_has_validation_and_number_formats():
    ours, theirs = record("box", 0.7), record("scn", 0.7)
    ours.validation, theirs.validation = {"best": {"dice": 0.6}}, {"best": {"dice": 0.75}}
    ours.dtype, theirs.dtype = "float32", "bfloat16"
    text = told_in_full([ours, theirs])
    assert "Best validation Dice, ACDC, seed 0: 60.00%, SCN 75.00%." in text
    assert text.endswith(
        "Number formats, PCE+box against SCN: float32 against bfloat16 (ACDC seed 0)."
    )
    assert told_in_full([theirs]) == ""


def test_on_validation_both_sizes_are_told():
    runs = [record("box", 0.7), record("scn", 0.7)]
    fine = [record(name, 0.7, profile="night") for name in ("box", "scn")]
    for run, dice in zip([*runs, *fine], (0.6, 0.7, 0.75, 0.7), strict=True):
        run.validation = {"best": {"dice": dice}}
    said = " On validation -10.0 on ACDC (+5.0 at 256x256)."
    assert said in rival_told(runs, NO_ROWS, fine) and said in rival_in_brief(runs, NO_ROWS, fine)
    assert "-10.0 on ACDC." in rival_in_brief(runs, NO_ROWS)


def test_a_rival_that_no_test_tells_apart_is_said_not_to_be():
    close = rival_told([record("scn", 0.7), record("box", 0.7)], NO_ROWS)
    assert "(no difference" in close
    runs = [record("scn", 0.7), record("box", 0.7)]
    frame = pd.DataFrame(
        [
            {"dataset": "acdc", "metric": "dice", "method": "box", "verdict": "not significant"}
            | {"seeds": 1, "reference_seeds": 1, "mean_difference": 0.0, "low": -0.1, "high": 0.1}
        ]
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("study.report.own_rival.compare", lambda _: frame)
        assert rival_told(runs, NO_ROWS).startswith(
            "**PCE with a box isn't told apart from SCN by test Dice**"
        )


def test_the_own_rival_is_told_with_one_part_kept_on_each_data_set():
    rows = [
        {"dataset": dataset, "method": method, "seed": 0, "structure": "RV", "frame": "ED"}
        | {"subject": f"p{n}", "volume": f"p{n}_ED", "dice": 0.8, "heart": dice}
        for dataset, box in (("acdc", 0.6), ("mscmr", 0.8))
        for method, dice in (("scn", 0.8), ("box", box))
        for n in range(10)
    ]
    line = headlines([record("scn", 0.7), record("box", 0.7)], pd.DataFrame(rows))[1]
    kept = line.split(" With one part kept in both: ")[1]
    assert kept == (
        "-20.00 [-20.00, -20.00] on ACDC (p 0.002: worse, 1 each), +0.00 [+0.00, +0.00] on MSCMR "
        "(p 1.000: no difference, 1 each)."
    )
    others = pd.DataFrame([row | {"seed": 2 * (row["method"] == "scn")} for row in rows])
    assert "(p 0.002: worse, seeds 0 against 2)" in with_one_part(others, full=False)
    told_of = with_one_part(pd.DataFrame(rows))
    assert "-20.00 points [-20.00, -20.00] on ACDC (p 0.002: worse, 1 seed each); " in told_of


def test_the_printed_size_is_told_too_where_both_were_run():
    runs = [record("scn", 0.7), record("box", 0.7)]
    fine = [record("scn", 0.7, profile="night"), record("box", 0.8, profile="night")]
    line = rival_told(runs, NO_ROWS, fine)
    assert " At 256x256: +10.00 [+10.00, +10.00] on ACDC (p " in line and "1 each)." in line
    assert "256" not in rival_told(runs, NO_ROWS, fine[:1])


def test_a_distance_that_tests_tell_apart_at_the_printed_size_is_told() -> None:
    runs = [record("scn", 0.7), record("box", 0.7)]
    fine = [record("scn", 0.7, profile="night"), record("box", 0.8, profile="night")]
    said = " Its 95HD at 256x256 is better on ACDC (p 0.031, 1 seed each)."
    assert rival_told(runs, NO_ROWS, fine).endswith(said)
    in_brief = " Its 95HD at 256x256 is better on ACDC (p 0.031)."
    assert rival_in_brief(runs, NO_ROWS, fine).endswith(in_brief)
    same = [fine[0], record("box", 0.7, profile="night")]
    assert "Its 95HD" not in rival_told(runs, NO_ROWS, same) + rival_in_brief(runs, NO_ROWS, same)
    assert "(p 0.031: better)." in told_in_full(fine).split(" In 95HD it is ")[1]


def test_scn_with_the_prior_stands_beside_scn_where_it_was_run():
    runs = [record("scn", 0.7), record("box", 0.7), record("scn_box", 0.75)]
    assert "has 73.33% on ACDC" in (line := rival_told(runs, NO_ROWS)), "as it was"
    assert "SCN+box" not in line and rival_told([runs[0], runs[2]], NO_ROWS) == ""
    assert "SCN with the same box (SCN+box): 78.33% on ACDC, +5.00 points" in told_in_full(runs)
    alone = "(p 0.031: better, 1 seed each)."  # two patterns of 2**6; of no other row's tests
    assert told_in_full(runs).endswith(alone)
