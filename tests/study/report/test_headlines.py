"""The findings, in full and in brief, from records with known numbers."""

from typing import Any

import pandas as pd

from scnlib.paths import RESULTS
from study.report import lost_points
from study.report.headlines import corners, floods, headlines, numbered
from study.report.in_brief import in_brief
from tests.study.report.test_sensitivity import RUNS, short
from tests.study.report.test_tables import record

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
    assert "SCN**: in Dice PCE+CALE (ACDC); in 95HD PCE+CALE (ACDC); 2 of 6 comparisons" in ahead
    assert not any("\n" in line for line in headlines(runs, NO_ROWS))


def test_the_first_finding_says_how_its_seed_ranks_and_what_the_rule_ruins():
    lost: Any = lost_points.read_rows(RESULTS / "cpu")
    runs = [record("pce", dice, seed=seed) for seed, dice in enumerate((0.5, 0.6, 0.4))]
    ruined, count = lost_points.ruined(lost)
    text = lost_points.headline(lost)
    adam = [name for name in ruined if "(Adam)" in name]
    assert adam == ruined != [], "else the README's own line is to be tested too"
    assert floods(runs, lost) == text
    named = f"{text} Keeping one part ruins {len(ruined)} of {count} runs, all in rows (Adam)"
    named += f": {', '.join(ruined)}."
    whole = floods(runs, lost, full=True)
    assert whole == f"{named} On ACDC that seed is PCE's 2. best of 3."
    other = lost.assign(method=lost["method"].replace("dmpls", "mloss"))
    said = " of them in rows (Adam)."
    assert floods(runs, other[other["method"].isin(["scn", "pce", "mloss"])]).endswith(said)
    assert "as they are, 1 over all seeds)" in floods([*runs, record("scn", 0.8)], lost)
    runs += [record("scn", 0.8, seed=seed) for seed in (0, 1)]
    assert "points on ACDC (over all seeds the gain is 25.0), " in floods(runs, lost)
    other = [record("pce", 0.5, seed=seed) for seed in (3, 4)]  # not of the seed that is told
    assert floods(other, lost, full=True) == named
    mscmr = lost[lost["dataset"] == "mscmr"]
    assert "On ACDC" not in floods(runs, mscmr, full=True)


def test_nobody_ahead_is_said():
    lines = headlines([record("scn", 0.8), record("pce", 0.3)], NO_ROWS)
    assert any("SCN**: none; 0 of 2 comparisons, none significant" in line for line in lines)


def test_how_good_scn_is_comes_first_and_where_points_are_lost_second():
    lost = lost_points.read_rows(RESULTS / "cpu")
    first, second = numbered([record("scn", 0.8)], lost).splitlines()[:2]
    assert first.startswith("1. **SCN's mean Dice** is 83.33% on ACDC (88.51% printed).")
    assert second.startswith(f"2. {lost_points.headline(lost)}") and "far from the" in second


def test_what_labelled_corners_do_is_told_of_each_method():
    runs = [*RUNS, *short("s2l", "short+background", 0.75), *short("rloss_sgd", "short", 0.5)]
    runs += short("rloss_sgd", "short+background", 0.4)
    runs += [*short("mloss", "short", 0.5), *short("mloss", "short+background", 0.51)]
    said = headlines([], NO_ROWS, runs)[0].split(", validation: ")[1]
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
    assert corners(brief, whole, labelled).split(", validation: ")[1] == (
        "ACDC, S2L seed 0 50.0 to 70.0, 1 other run by less than 2, SCN -1.0 by seed; "
        "MSCMR, MELoss seed 0 60.0 to 87.0."
    )
    labelled = [*short("s2l", "background", 0.95), *short("scn", "background", 0.79)]
    assert corners(brief, whole, labelled).endswith(
        ". Then above SCN: S2L on ACDC (95.0 to SCN's 79.0, seed 0)."
    )
    ahead = [*short("s2l", "", 0.9), *short("scn", "", 0.8), *short("cale", "", 0.7)]
    labelled += short("cale", "background", 0.95)
    assert "above SCN" not in corners(brief, ahead, labelled), "it was above; CALE is a part of SCN"
    chained = [*short("scn", "softpap", 0.8), *short("scn", "softpap+background", 0.7)]
    corners(brief, whole, [*labelled, *chained])  # two effects of corners on SCN


def test_in_brief_a_finding_keeps_its_first_numbers():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [record("pce", 0.4), record("cale", 0.8), record("scn", 0.7), record("full", 0.8)]
    runs += [record("scn", 0.6, dataset="mscmr")]
    fine = [record("scn", 0.75, profile="night"), record("pce", 0.5, profile="night")]
    level, parts, ahead = in_brief(runs, NO_ROWS, fine=fine).splitlines()
    assert level == (
        "1. **SCN has a mean Dice of 73.3% on ACDC (88.5% printed) and 63.3% on MSCMR (88.9% "
        "printed)**; full supervision 83.3% on ACDC. At 256x256: SCN on ACDC 78.3% (73.3% at "
        "128x128, seed 0)."
    )
    assert parts == (
        "2. **What SCN's parts add** on ACDC, in points: CALE +40.0 (+20.3 printed), CACL -10.0 "
        "(+0.2 printed)."
    )
    assert ahead.startswith("3. **The paper's rows with a better mean than SCN**: in Dice PCE+CALE")
    assert "256" not in in_brief(runs, NO_ROWS) and in_brief([], NO_ROWS) == ""


def test_in_brief_the_gain_is_divided_as_in_full():
    lost: Any = lost_points.read_rows(RESULTS / "cpu")
    brief, whole = in_brief([], lost), lost_points.headline(lost)
    found = lost_points.gains_of(lost)
    assert [gain.dataset for gain in found] == ["acdc", "mscmr"]
    for gain in found:
        assert 0 < gain.far < gain.points and gain.pce < gain.scn
        assert f"{gain.far:.1f} of {gain.points:.1f} " in brief
        assert f"{gain.far:.1f} of {gain.points:.1f} points" in whole
        assert f"{gain.pce:.1f}% ({gain.scn:.1f}%)" in brief and f"{gain.scn:.1f}%" in whole
    assert lost_points.gains_of(lost[lost["method"] != "scn"]) == []


def test_in_brief_a_part_left_out_in_one_run_is_said_to_be():
    protocol = [record("scn", 0.8), record("scn", 0.8, seed=1)]
    for one, best in zip(protocol, (0.8, 0.82), strict=True):
        one.validation = {"best": {"dice": best}}
    without = [*short("scn", "nopap", 0.83), *short("scn", "norsr", 0.5, 0.5)]
    text = in_brief(protocol, NO_ROWS, variants=without)
    assert "validation patients: RSR's term -31.0, PAP's term +3.0 (one seed)." in text
