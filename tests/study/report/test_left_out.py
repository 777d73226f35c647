"""What leaving a part out costs: by hand, with a seed or several, and when nothing costs."""

from types import SimpleNamespace
from typing import Any

import pytest

from study.report.left_out import in_short, other_costs, part_costs, told
from tests.study.report.test_tables import record


def validated(dice: float, method: str = "scn", variant: str = "", seed: int = 0) -> Any:
    run = SimpleNamespace(dataset="acdc", method=method, variant=variant, seed=seed)
    return SimpleNamespace(run=run, validation={"best": {"dice": dice}}, summary={})


PROTOCOL = [validated(0.80), validated(0.82, seed=1)]


@pytest.fixture(autouse=True)
def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.report.left_out._tested", lambda records: "")


def test_a_cost_is_of_the_same_seeds_and_its_range_is_of_all_pairs() -> None:
    cale = [validated(0.83, "cale"), validated(0.81, "cale", seed=1)]
    (cost,) = part_costs([*PROTOCOL, *cale], [], "acdc")
    assert cost.name == "CACL's term" and cost.seeds == [0, 1]
    # Seed by seed +3 and -1; all pairs from 81 - 82 to 83 - 80.
    assert [cost.points, cost.low, cost.high] == pytest.approx([1.0, -1.0, 3.0])
    lone = [validated(0.5, seed=2), validated(0.99, "cale", seed=3)]
    assert part_costs([*PROTOCOL, *cale, *lone], [], "acdc") == [cost], "of the seeds of both alone"


def both(dice: float, variant: str = "", method: str = "scn") -> list[Any]:
    """Two seeds that are as good."""
    return [validated(dice, method, variant, seed) for seed in (0, 1)]


def test_the_dearest_part_and_the_free_ones_are_named() -> None:
    text = told(PROTOCOL, [*both(0.70, "norsr"), *both(0.81, "nopap")])
    assert "the dearest is **RSR's term -11.00 [-12.00, -10.00] (2 seeds)**; no cost" in text
    assert "above): PAP's term +0.00 [-1.00, +1.00] (2 seeds)." in text


def test_parts_that_cost_less_than_the_dearest_are_listed_by_their_cost() -> None:
    cale = both(0.78, method="cale")
    text = told([*PROTOCOL, *cale], [*both(0.75, "nopap"), *both(0.70, "norsr")])
    assert text.index("RSR's") < text.index("less dear: PAP's") < text.index("CACL's")
    assert "no cost" not in text


def test_in_short_every_part_stands_with_its_seeds_the_dearest_first() -> None:
    text = in_short(PROTOCOL, [*both(0.70, "norsr"), validated(0.81, variant="nopap")])
    assert text == (
        "**Which parts of SCN count** (points of Dice without one, ACDC, validation, range over "
        "pairs of seeds): RSR's term -11.00 [-12.00, -10.00] (2 seeds), PAP's term +1.00 "
        "(seed 0)."
    )
    assert in_short(PROTOCOL, []) == ""


@pytest.mark.parametrize(
    "term, shapes, said",
    [
        (0.70, 0.81, "keeps 11.0 of its 11.0 points."),
        (0.70, 0.84, "keeps 11.0 of its 11.0 points."),  # what shapes cost is not the term's
        (0.70, 0.79, "keeps 9.0 of its 11.0 points."),
        (0.70, 0.75, ""),  # less than half
        (0.81, 0.81, ""),  # a term that is worth nothing
    ],
)
def test_what_a_term_keeps_without_its_shapes_is_training_on_confident_labels(
    term: float, shapes: float, said: str
) -> None:
    text = in_short(PROTOCOL, [*both(term, "norsr"), *both(shapes, "noshape")])
    assert text.endswith(said) and ("confident pseudo-labels" in text) == bool(said)
    once = in_short(PROTOCOL, [*both(term, "norsr"), validated(shapes, variant="noshape")])
    assert "confident pseudo-labels" not in once, "one run ranks nothing"


def test_shapes_that_vote_by_pixels_stand_beside_none_over_the_seeds_of_both() -> None:
    runs = [*both(0.70, "norsr"), *both(0.80, "noshape")]
    by_pixels = [validated(dice, "scn", "pixelmasks", n) for n, dice in enumerate((0.81, 0.83, 1))]
    text = in_short(PROTOCOL, [*runs, *by_pixels])
    # SCN's two seeds have 80 and 82.
    said = " To a run without shapes those of cells add +1.0, those of pixels +2.0 (2 seeds)."
    assert text.endswith(said)
    assert "of pixels" not in in_short(PROTOCOL, [*runs, by_pixels[0]]), "one run is chance"


def test_where_no_part_costs_it_is_said() -> None:
    text = told(PROTOCOL, both(0.83, "nopap"))
    assert "none has a cost in several seeds; no cost (the range reaches zero or" in text


def test_one_run_ranks_no_part() -> None:
    text = told(PROTOCOL, [validated(0.70, variant="norsr"), *both(0.83, "nopap")])
    assert "none has a cost in several seeds; no cost" in text and "**" not in text
    assert "; in one run each, which may be chance: RSR's term -10.00 (seed 0)." in text


def test_other_choices_are_told_from_the_dearest() -> None:
    variants = [validated(0.81, variant="softpap"), validated(0.79, variant="stride4")]
    assert [cost.name for cost in other_costs(variants, PROTOCOL, "acdc")] == [
        "`stride4`",
        "`softpap`",
    ]
    assert "from the dearest: `stride4` -1.00" in told(
        PROTOCOL, [*variants, validated(0.7, variant="norsr")]
    )


@pytest.mark.parametrize("lone", ["protocol", "variant", "seed"])
def test_without_a_pair_of_one_seed_nothing_is_said(lone: str) -> None:
    variant = validated(0.7, variant="norsr", seed=5 * (lone == "seed"))
    records = [] if lone == "variant" else PROTOCOL
    assert told(records, [] if lone == "protocol" else [variant]).startswith("No run without")


def test_a_part_with_a_tested_row_has_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    tested = [record("scn", 0.7), record("cale", 0.6)]
    for made, dice in zip(tested, (0.8, 0.7), strict=True):
        made.validation = {"best": {"dice": dice}}
    assert "without CACL's term has -10.00 [-10.00, -10.00] points" in told(tested, [])
