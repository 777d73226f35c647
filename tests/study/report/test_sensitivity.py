"""SCN's open choices in short runs: ranked, beside chance, at two grids."""

from typing import Any

import pytest

from study.report.fill import fills
from study.report.full_report import report_text
from study.report.sensitivity import (
    chance,
    choices_table,
    finest,
    open_choices,
    told_of_choices,
    told_of_left_out,
)
from study.report.sensitivity_figures import choices_picture, corners_picture
from study.report.worth import effects, other_choices
from tests.study.report.test_worth import RUNS, short


def test_choices_are_sorted_and_fills_stand_apart() -> None:
    found = effects(RUNS)
    assert [one.choice for one in open_choices(found)] == ["norsr", "nopap"]
    assert [one.method for one in fills(found)] == ["pce", "scn"]


def test_a_choice_stands_beside_the_mean_of_all_the_defaults_seeds() -> None:
    """Seed 0 of the default, 70, is 2 below its mean: beside it alone, a choice gains these 2."""
    found = {one.choice: one for one in effects(RUNS)}
    assert found["norsr"].apart == pytest.approx([-12]) and found["norsr"].changes[0] < -9.9
    assert found["nopap"].apart == pytest.approx([-1, 4])
    assert choices_table(effects(RUNS)).splitlines()[2:] == [
        "| `nopap` | without PAP's term | +1.5 (-1.0, +4.0) |",
        "| `norsr` | without RSR's term | -12.0 |",
    ]
    assert choices_table([]) == told_of_choices([]) == told_of_left_out([]) == ""
    assert told_of_left_out(effects(RUNS)).endswith(
        "(section 10): at 64 px, 16 x 16 cells without RSR's term -12.0 (1 seed), without PAP's "
        "term +1.5 (2 seeds)."
    )


def test_what_chance_may_do_is_a_prediction_interval() -> None:
    """Of 70, 72 and 74: s = 2, t of 2 degrees 4.303; with 2 seeds sqrt(1/2 + 1/3)."""
    assert chance([70, 72, 74], 2) == pytest.approx(4.303 * 2 * (5 / 6) ** 0.5, rel=1e-3)
    assert chance([70], 1) == float("inf")
    runs = [*short("scn", "short+stride4", 0.70, 0.72, 0.74), *short("scn", "short+stride4+nopap")]
    runs += [*short("scn", "short+stride4+norsr", 0.6), *short("scn", "short+stride4+warm", 0.65)]
    text = told_of_choices(effects(runs))
    assert "the default has 72.0% over 3 seeds" in text and "9.9 (1 seed) points" in text
    assert text.endswith("Beyond it: `norsr` (without RSR's term) -12.0 (1 seed).")


PRINTED = [
    *short("scn", "short128", 0.60, 0.62),
    *short("scn", "short128+norsr", 0.65),
    *short("scn", "short128+warm", 0.64),
    *short("scn", "short128+nopap", 0.61),
]


def test_two_grids_stand_beside_each_other_the_printed_one_first() -> None:
    """To 61 at the printed grid, to 72 at the other, where warm has +3: ranks 3 2 1 and 1 3 2."""
    found = effects([*RUNS, *PRINTED, *short("scn", "short+stride4+warm", 0.75)])
    assert [one.choice for one in open_choices(found)] == ["nopap", "warm", "norsr"]
    assert [one.choice for one in open_choices(found, "short+stride4")][-1] == "warm"
    head, _, *rows = choices_table(found).splitlines()
    assert head.endswith("| 128 px, 32 x 32 cells | 64 px, 16 x 16 cells |")
    assert rows == [
        "| `norsr` | without RSR's term | +4.0 | -12.0 |",
        "| `warm` | CACL: T = 0.5 | +3.0 | +3.0 |",
        "| `nopap` | without PAP's term | +0.0 | +1.5 (-1.0, +4.0) |",
    ]
    text = told_of_choices(found)
    assert (
        "of 128 px, 32 x 32 cells** (ACDC, validation): the default has 61.0% over 2 seeds" in text
    )
    assert (
        "of 64 px, 16 x 16 cells** (ACDC, validation): the default has 72.0% over 2 seeds" in text
    )
    assert "Of the 3 choices tried at both grids" in text and "of -0.50 (Spearman" in text
    warm = short("scn", "short+stride4+warm", 0.75)
    page = report_text([], [], "cpu", short=[*RUNS, *PRINTED, *warm])
    assert head in page and "(Spearman" in page
    few = effects([*RUNS, *PRINTED])
    said = told_of_left_out(few)
    assert "at 128 px, 32 x 32 cells without PAP's term +0.0" in said and "; at 64 px, " in said
    assert "Spearman" not in told_of_choices(few)
    (axes,) = choices_picture(found, "choices").axes
    assert len(axes.get_yticklabels()) == 3
    assert axes.get_xlabel().endswith("(128 px, 32 x 32 cells)")
    bases = [(one.choice, one.base) for one in finest(few) if one.method == "scn"]
    assert ("norsr", "short128") in bases and ("norsr", "short+stride4") not in bases
    assert ("background", "short+stride4") in bases


def test_choices_of_scn_stand_apart_from_those_of_others() -> None:
    amount = short("pce", "short+tenth", 0.1)
    found = effects([*RUNS, *PRINTED, *amount, *short("scn", "short", 0.5)])
    told = {(one.method, one.choice) for one in other_choices(found)}
    assert told == {("pce", "background"), ("scn", "background"), ("scn", "stride4")}


def test_the_pictures_have_a_row_a_method_and_a_row_a_choice() -> None:
    (left,) = corners_picture(effects(RUNS), "corners").axes
    (right,) = choices_picture(effects(RUNS), "choices").axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["PCE", "SCN"]
    words = ["without RSR's term", "without PAP's term"]
    assert [text.get_text() for text in right.get_yticklabels()] == words
    assert [text.get_text() for text in right.texts] == ["-12.0"], "norsr, beyond the edge"
    assert right.get_xlim()[0] > -10
    band: Any = right.patches[0]
    assert band.get_x() == pytest.approx(-chance([70, 74], 1))
    for draw in (corners_picture, choices_picture):
        assert draw([], "nothing").axes[0].get_yticklabels() == []
