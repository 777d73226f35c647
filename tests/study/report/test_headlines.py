"""The findings of the README and of notebook 04, from records with known numbers."""

import pandas as pd

from scnlib.paths import RESULTS
from study.report import lost_points
from study.report.claims import answers
from study.report.headlines import headlines, numbered
from tests.study.report.test_claims import validated
from tests.study.report.test_tables import record

NO_ROWS = pd.DataFrame()


def test_without_runs_the_print_alone_is_judged():
    (line,) = headlines([], NO_ROWS)
    assert line.startswith("**The printed tables** contradict themselves or the text in 9 entries")


def test_each_finding_is_one_line_with_the_records_numbers():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [record("pce", 0.4), record("cale", 0.8), record("scn", 0.7), record("full", 0.8)]
    runs += [record("dmpls", 0.1), record("dmpls_sgd", 0.6), record("pce", 0.6, seed=1)]
    level, ahead, parts, recipe, _ = headlines(runs, NO_ROWS)
    assert "73.33% on ACDC (88.51% printed; +30.00 against PCE; -10.00 against full" in level
    assert "MSCMR" not in level
    assert "PCE+CALE on ACDC; 2 of 8 comparisons, none of them significant" in ahead
    assert "PCE+CALE to PCE+CALE+CACL -10.00 points (+0.16 printed)" in parts
    assert "DMPLS's 13.33% becomes 63.33% under its own optimiser" in recipe
    assert "PCE's seeds lie 20.00 points apart" in recipe
    assert not any("\n" in line for line in headlines(runs, NO_ROWS))


def test_the_own_rival_stands_beside_scn_with_its_interval():
    # All patients differ by as much, so that the interval has no width.
    runs = [record("scn", 0.7), record("box", 0.72), record("scn", 0.6, dataset="mscmr")]
    line = headlines(runs, NO_ROWS)[0]
    assert "has 75.33% on ACDC, +2.00 points [+2.00, +2.00] to SCN (better" in line
    assert "(better, 1 seed against 1)." in line and line in answers(runs, [], "cpu")


def test_nobody_ahead_is_said():
    lines = headlines([record("scn", 0.8), record("pce", 0.3)], NO_ROWS)
    assert any("no row; 0 of 2 comparisons, none of them" in line for line in lines)


def test_a_row_under_its_own_optimiser_needs_the_shared_one():
    lines = headlines([validated("dmpls_sgd", 0.8, "", 0.7)], NO_ROWS)
    assert not any("optimiser" in line for line in lines)


def test_where_points_are_lost_is_the_first_finding():
    lost = lost_points.read_rows(RESULTS / "cpu")
    first, second = numbered([record("scn", 0.8)], lost).splitlines()[:2]
    assert first == f"1. {lost_points.headline(lost)}" and "far from the heart" in first
    assert second.startswith("2. **Mean Dice of SCN**")
