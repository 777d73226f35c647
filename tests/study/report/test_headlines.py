"""The findings, in full and in brief, from records with known numbers."""

import pandas as pd

from scnlib.paths import RESULTS
from study.report import lost_points
from study.report.gain import headline
from study.report.headlines import corners, headlines
from study.report.in_brief import in_brief, level
from tests.study.report.test_tables import record
from tests.study.report.test_worth import RUNS, short

NO_ROWS = pd.DataFrame()


def test_without_runs_there_is_no_finding():
    assert headlines([], NO_ROWS) == []


def test_each_finding_is_one_line_with_the_records_numbers():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [record("pce", 0.4), record("cale", 0.8), record("scn", 0.7), record("full", 0.8)]
    runs += [record("dmpls", 0.1), record("dmpls_sgd", 0.6), record("pce", 0.6, seed=1)]
    level, ahead = headlines(runs, NO_ROWS)
    assert "73.33% on ACDC (88.51% printed; -10.00 against full" in level
    assert "MSCMR" not in level
    assert "points: CALE +40.00 (+20.33 printed), CACL -10.00 (+0.16 printed)." in level
    assert (
        "SCN here**: in Dice PCE+CALE (ACDC); in 95HD PCE+CALE (ACDC); 2 of 6 comparisons" in ahead
    )
    assert not any("\n" in line for line in headlines(runs, NO_ROWS))


def test_nobody_ahead_is_said():
    lines = headlines([record("scn", 0.8), record("pce", 0.3)], NO_ROWS)
    assert any("SCN here**: none; 0 of 2 comparisons, none significant" in line for line in lines)


def test_how_good_scn_is_comes_first_and_where_points_are_lost_second():
    lost = lost_points.read_rows(RESULTS / "cpu")
    first, second = headlines([record("scn", 0.8)], lost)[:2]
    assert first.startswith("**SCN's mean Dice** is 83.33% on ACDC (88.51% printed).")
    assert second.startswith(headline(lost)) and "far from the" in second


def test_what_labelled_corners_do_is_told_of_each_method():
    runs = [*RUNS, *short("s2l", "short+background", 0.75), *short("rloss_sgd", "short", 0.5)]
    runs += short("rloss_sgd", "short+background", 0.4)
    runs += [*short("mloss", "short", 0.5), *short("mloss", "short+background", 0.51)]
    said = headlines([], NO_ROWS, runs)[0].split("validation Dice: ")[1]
    assert said == (
        "short runs on ACDC: S2L 30.0 to 75.0, PCE 30.0 to 55.0 (by seed +30.0, +20.0), "
        "SCN 72.0 to 72.0 (by seed +2.0, -2.0), RLoss 50.0 to 40.0, MLoss by less than 2."
    )


def test_where_whole_runs_have_labelled_corners_short_ones_are_not_told():
    whole = [*short("s2l", "", 0.5, 0.8), *short("scn", "", 0.8), *short("mloss", "", 0.5)]
    labelled = [*short("s2l", "background", 0.7, 0.81), *short("scn", "background", 0.79)]
    brief = [*RUNS, *short("s2l", "short+background", 0.75)]
    whole += short("meloss_sgd", "", 0.6, dataset="mscmr")
    labelled += short("meloss_sgd", "background", 0.87, dataset="mscmr")
    assert corners(brief, whole, labelled, full=True).split("validation Dice: ")[1] == (
        "ACDC, S2L 50.0 to 70.0 (seed 0), 1 other run by less than 2, SCN -1.0 by seed; "
        "MSCMR, MELoss 60.0 to 87.0 (seed 0)."
    )
    still = [*labelled, *short("mloss", "background", 0.51)]
    assert corners(brief, whole, still).split("validation Dice: ")[1] == (
        "ACDC, S2L 65.0 to 75.5 (2 seeds), 1 other by under 2 (1 seed), SCN -1.0 (1 seed); "
        "MSCMR, MELoss 60.0 to 87.0 (1 seed)."
    )
    adam = [*labelled, *short("rloss", "background", 0.8)]
    assert corners(brief, whole, adam, full=True).endswith(" (Adam) are in the full report.")
    labelled = [*short("s2l", "background", 0.95), *short("scn", "background", 0.79)]
    assert corners(brief, whole, labelled).endswith(
        ". SCN is then behind S2L on ACDC (95.0 to SCN's 79.0, seed 0)."
    )
    little = [*short("s2l", "background", 0.805), *short("scn", "background", 0.79)]
    assert "is then behind" not in corners(brief, whole, little), "less than seeds do"
    ahead = [*short("s2l", "", 0.9), *short("scn", "", 0.8), *short("cale", "", 0.7)]
    labelled += short("cale", "background", 0.95)
    assert "is then behind" not in corners(brief, ahead, labelled), (
        "it was above; CALE is a part of SCN"
    )
    chained = [*short("scn", "softpap", 0.8), *short("scn", "softpap+background", 0.7)]
    corners(brief, whole, [*labelled, *chained])  # two effects of corners on SCN


def test_in_brief_a_finding_keeps_its_first_numbers():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [record("pce", 0.4), record("cale", 0.8), record("scn", 0.7), record("full", 0.8)]
    runs += [record("scn", 0.6, dataset="mscmr")]
    fine = [record(name, 0.75, profile="night") for name in ("scn", "pce", "box")]
    fine[0].run.profile.iterations = 6000
    parts, ahead, sizes = in_brief(runs, NO_ROWS, fine=fine)
    assert level(runs) == (
        "SCN has a mean Dice (overlap with the truth) of 73.3% on ACDC (88.5% printed) and 63.3% "
        "on MSCMR (88.9% printed)."
    )
    assert (
        " on ACDC (88.5% printed; 78.3% at 256x256, one seed) and 63.3% on MSCMR (88.9% "
        in level(runs, fine)
    )
    assert sizes == (
        "**At 256x256** (in brackets at 128x128, 3,000 steps in place of 6,000; the same seeds) "
        "Dice is on ACDC PCE 78.3% (43.3%), SCN 78.3% (73.3%); 95HD on ACDC SCN 4.3 (5.3)."
    )
    assert parts == (
        "**What SCN's parts are worth** on ACDC, in points: they add CALE +40.0 (+20.3 printed), "
        "CACL -10.0 (+0.2 printed)."
    )
    assert ahead.startswith("**The paper's methods with a better mean than SCN here**: in Dice")
    assert len(in_brief(runs, NO_ROWS)) == 2 and in_brief([], NO_ROWS) == [] and level([]) == ""
    assert level(runs[-1:]).endswith(" of 63.3% on MSCMR (88.9% printed).")


def test_in_brief_a_part_left_out_in_one_run_is_said_to_be():
    protocol = [record("scn", 0.8), record("scn", 0.8, seed=1)]
    for one, best in zip(protocol, (0.8, 0.82), strict=True):
        one.validation = {"best": {"dice": best}}
    without = [*short("scn", "nopap", 0.83), *short("scn", "norsr", 0.5, 0.5)]
    parts = in_brief(protocol, NO_ROWS, variants=without)[0]
    assert parts == (
        "**What SCN's parts are worth** on ACDC, in points: left out one at a time (validation), "
        "RSR -31.0, PAP +3.0 (one seed)."
    )
    without += short("scn", "noshape", 0.8, 0.8)
    parts = in_brief(protocol, NO_ROWS, variants=without)[0]
    assert parts.endswith(
        "(validation), RSR -31.0, PAP +3.0 (one seed). RSR is mostly training on confident "
        "pseudo-labels: without its shapes it keeps 30.0 of its 31.0 points."
    )
    worse = [*without[:3], *short("scn", "noshape", 0.6, 0.6)]  # the shapes are most of it
    parts = in_brief(protocol, NO_ROWS, variants=worse)[0]
    assert parts.endswith("RSR -31.0, RSR's shapes -21.0, PAP +3.0 (one seed).")
