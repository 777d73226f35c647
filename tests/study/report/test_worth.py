"""What a choice is worth: each run beside the chain it departs from, seed by seed."""

from types import SimpleNamespace
from typing import Any

import pytest
from pytest import approx

from study.experiments import PRINTED_GRID, VARIANTS
from study.report.both_lengths import both_lengths
from study.report.fill import fills
from study.report.worth import MEANING, OF_OTHERS, effects, effects_table


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


def test_each_choice_of_a_compared_method_is_named_in_words() -> None:
    theirs = {name for name, change in VARIANTS.items() if "compared" in change}
    assert {*OF_OTHERS} == theirs | {"background", "sgd", "sgd001"}


def test_each_choice_of_scn_is_named_in_words() -> None:
    ours = {name for name, change in VARIANTS.items() if "scn" in change}
    ours -= {"stride4", "stride16", PRINTED_GRID}
    assert {*MEANING} == ours | {"nearest"}


def test_the_table_has_a_row_an_effect_with_each_seed() -> None:
    text = effects_table(effects(RUNS))
    assert (
        "| PCE | `background` | corners are background | 30.0 | 55.0 | +25.0 | +30.0, +20.0 |"
        in text
    )
    assert effects_table([]) == ""


def test_a_choice_beside_another_one_is_named_with_it_and_is_none_alone() -> None:
    """S2L's corners beside `late` are not its corners, in short runs and where lengths meet."""
    chain = [*short("s2l", "short+late", 0.50), *short("s2l", "short+late+background", 0.90)]
    runs = [*RUNS, *chain, *short("s2l", "short+background", 0.40)]
    told = {one.named: one.changes[0] for one in effects(runs) if one.method == "s2l"}
    assert told == {"background": approx(10), "late": approx(20), "late+background": approx(40)}
    assert [one.changes for one in fills(effects(runs)) if one.method == "s2l"] == [[approx(10)]]
    assert "| S2L | `late+background` | corners are background | 50.0 |" in effects_table(
        effects(runs)
    )
    whole = [*short("s2l", "", 0.5), *short("s2l", "background", 0.6)]
    (both,) = both_lengths(runs, whole[:1], whole[1:])
    assert both.short.named == "background" and both.points == (approx(10), approx(10))
