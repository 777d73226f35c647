"""Short runs beside whole ones of the same choice."""

import pytest

from study.report.both_lengths import both_lengths, lengths_table, lengths_told
from tests.study.report.test_worth import short

SHORT = [
    *short("scn", "short+stride4", 0.70, 0.74),
    *short("scn", "short+stride4+norsr", 0.71, 0.75),
    *short("scn", "short+stride4+nocacl", 0.71),
    *short("scn", "short+stride4+warm", 0.60),
    *short("pce", "short", 0.40),
    *short("pce", "short+background", 0.50),
]
RECORDS = [*short("scn", "", 0.80, 0.84), *short("cale", "", 0.80), *short("pce", "", 0.6)]
VARIANTS = [*short("scn", "norsr", 0.70), *short("pce", "background", 0.60, dataset="mscmr")]


def test_a_choice_of_both_lengths_is_compared_over_the_seeds_of_each() -> None:
    """norsr: +1 in short runs, -10 in the whole one; CACL's term: cale beside scn, seed 0."""
    found = both_lengths(SHORT, RECORDS, VARIANTS)
    assert [(both.short.choice, *both.points) for both in found] == [
        ("norsr", pytest.approx(1), pytest.approx(-10)),
        ("nocacl", pytest.approx(1), pytest.approx(0)),
    ]
    table = lengths_table(found).splitlines()[2:]
    short_one = "+1.0 (64 px, 16 x 16 cells, seeds 0, 1)"
    assert table[0].endswith(f"| {short_one} | -10.0 (seed 0) |")
    assert lengths_told(found).endswith(
        "Of 2 choices that both were made with (ACDC, validation), 1 do the same within 2 points "
        "(none of these moves either by more); the others: SCN `norsr` +1.0 short and -10.0 whole."
    )
    by_sgd = [*short("meloss", "short", 0.50), *short("meloss", "short+sgd001", 0.60)]
    rows = [*short("meloss", "", 0.8, 0.9), *short("meloss_sgd", "", 0.75)]
    (one,) = both_lengths(by_sgd, rows, [])  # in whole runs a row of its own
    assert one.points == (pytest.approx(10), pytest.approx(-5))
    assert both_lengths(SHORT, [], []) == [] and lengths_table([]) == lengths_told([]) == ""
