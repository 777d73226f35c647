"""Short runs: each is compared with the chain it departs from, seed by seed."""

from types import SimpleNamespace
from typing import Any

import pytest

from study.experiments import PRINTED_GRID, VARIANTS
from study.report.full_report import report_text
from study.report.sensitivity import (
    MEANING,
    OF_OTHERS,
    chance,
    choices_table,
    effects,
    effects_table,
    fills,
    finest,
    open_choices,
    other_choices,
    told_of_choices,
    told_of_corners,
    told_of_left_out,
    whole_fills,
    why_unlabelled,
)
from study.report.sensitivity_figures import choices_picture, corners_picture


def short(method: str, variant: str, *dices: float, dataset: str = "acdc") -> list[Any]:
    profile = SimpleNamespace(size=64, iterations=600)
    return [
        SimpleNamespace(
            run=SimpleNamespace(
                dataset=dataset, method=method, variant=variant, seed=seed, profile=profile
            ),
            validation={"best": {"dice": dice}},
        )
        for seed, dice in enumerate(dices)
    ]


RUNS = [
    *short("pce", "short", 0.20, 0.40),
    *short("pce", "short+background", 0.50, 0.60, 0.90),
    *short("scn", "short+stride4", 0.70, 0.74),
    *short("scn", "short+stride4+background", 0.72, 0.72),
    *short("scn", "short+stride4+nopap", 0.71, 0.76),
    *short("scn", "short+stride4+norsr", 0.60),
    *short("s2l", "short", 0.30),
    *short("s2l", "short+background", 0.80, dataset="mscmr"),
]


def test_a_run_is_compared_with_the_chain_without_its_last_link() -> None:
    found = {(one.method, one.choice): one for one in effects(RUNS)}
    assert list(found) == [
        ("pce", "background"),
        ("scn", "background"),
        ("scn", "nopap"),
        ("scn", "norsr"),
    ]
    pce = found["pce", "background"]
    assert pce.seeds == [0, 1], "seed 2 has no run to be compared with"
    assert pce.changes == pytest.approx([30, 20]) and pce.means == pytest.approx((30, 55))
    assert found["scn", "nopap"].changes == pytest.approx([1, 2])


def test_of_two_chains_of_a_choice_the_one_at_stride_4_is_told() -> None:
    both = [*RUNS, *short("scn", "short", 0.5), *short("scn", "short+nopap", 0.9)]
    mine = [one for one in effects(both) if (one.method, one.choice) == ("scn", "nopap")]
    assert [one.base for one in mine] == ["short+stride4"]
    assert ("scn", "stride4") in {(one.method, one.choice) for one in effects(both)}


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
    assert text.endswith("Beyond it: `norsr` -12.0 (1 seed).")


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
    assert "of 128 px, 32 x 32 cells**: the default has 61.0% over 2 seeds" in text
    assert "of 64 px, 16 x 16 cells**: the default has 72.0% over 2 seeds" in text
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


def test_each_choice_of_a_compared_method_is_named_in_words() -> None:
    theirs = {name for name, change in VARIANTS.items() if "compared" in change}
    assert {*OF_OTHERS} == theirs | {"background", "sgd", "sgd001"}


def test_each_choice_of_scn_is_named_in_words() -> None:
    ours = {name for name, change in VARIANTS.items() if "scn" in change}
    ours -= {"stride4", PRINTED_GRID}
    assert {*MEANING} == ours | {"nearest"}


def test_the_table_has_a_row_an_effect_with_each_seed() -> None:
    text = effects_table(effects(RUNS))
    assert (
        "| PCE | `background` | corners are background | 30.0 | 55.0 | +25.0 | +30.0, +20.0 |"
        in text
    )
    assert effects_table([]) == ""


def test_the_lead_over_pce_is_of_the_seeds_that_all_four_have() -> None:
    text = told_of_corners(RUNS)
    assert "64 pixels, 600 iterations" in text
    assert "PCE 30.0 to 55.0 (by seed +30.0, +20.0); SCN 72.0 to 72.0 (by seed +2.0, -2.0)." in text
    assert text.endswith(
        "SCN's lead over PCE is 42.0 points without and 17.0 with them (seeds 0, 1)."
    )
    alone = [run for run in RUNS if run.run.method == "pce"]
    assert "lead" not in told_of_corners(alone) and told_of_corners([]) == ""


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
