"""The reproducibility report: verdicts from records of known numbers, and files that exist."""

import pytest

from scnlib.config import SCNOptions
from scnlib.paths import REPOSITORY
from study.report import reproducibility
from study.report.reproducibility import CHECKLIST, choices, claims, claims_told, hours
from tests.study.report.test_tables import record


def verdicts(records: list) -> dict[str, bool | None]:
    return {claim.claim: claim.holds for claim in claims(records)}


def test_a_level_holds_within_a_point_of_the_print():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    printed = 88.51
    for off, holds in ((-2.0, False), (-0.9, True), (0.9, True), (2.0, False)):
        found = verdicts([record("scn", (printed + off) / 100 - 0.1 / 3)])
        assert found == {f"SCN has {printed:.2f}% mean Dice on ACDC": holds}


@pytest.mark.parametrize(("scn", "holds"), [(0.71, True), (0.69, False), (0.70, None)])
def test_a_gain_is_decided_by_its_sign_where_its_interval_is_on_one_side(scn: float, holds):
    found = claims([record("pce", 0.4), record("cale", 0.7), record("scn", scn)])
    gains = {c.claim: c for c in found if "is above" in c.claim}
    cale = gains["PCE+CALE is above PCE on ACDC (+20.33 points)"]
    over = "over patients +30.00 points [+30.00, +30.00]"
    assert cale.holds and cale.here == f"+30.00 points (seed 0); {over}"
    both = gains["PCE+CALE+CACL is above PCE+CALE on ACDC (+0.16 points)"]
    assert both.holds is holds
    assert all(c.cause for c in found if not c.holds)


def test_a_gains_seeds_are_told_where_there_are_several() -> None:
    runs = [record("pce", dice, seed) for seed, dice in enumerate((0.4, 0.1))]
    found = claims([*runs, *(record("cale", 0.7, seed) for seed in (0, 1))])
    (gain,) = (c for c in found if "above PCE on" in c.claim)
    assert "(seeds 0, 1: +30.00, +60.00)" in gain.here and "256" not in gain.here


def test_a_gain_is_told_at_the_printed_size_too_where_it_was_run() -> None:
    fine = [record("cale", 0.8, profile="night"), record("scn", 0.81, profile="night")]
    found = claims([record("cale", 0.7), record("scn", 0.7)], fine)
    (gain,) = (c for c in found if "above PCE+CALE on" in c.claim)
    assert gain.here.endswith("; at 256 x 256 (profile `night`) +1.00 points (seed 0)")


def test_significance_is_counted_in_dice_as_the_paper_claims_it() -> None:
    runs = [record("scn", 0.8), record("pce", 0.3), record("mloss", 0.9), record("cale", 0.7)]
    (lead,) = (c for c in claims([*runs, record("full", 0.95)]) if "significant" in c.claim)
    assert "in 0 of 2 comparisons of Dice (0 of 6 with 95HD and PCE+CALE)" in lead.here
    assert lead.holds is False and "SCN has no lead in 2;" in lead.cause


def test_a_significant_lead_is_among_those_that_scn_has_not() -> None:
    (lead,) = (
        c for c in claims([record("scn", 0.8), record("mloss", 0.9)]) if "significant" in c.claim
    )
    assert "in 0 of 1 comparisons of Dice (0 of 2 with" in lead.here  # p 0.031 for MLoss
    assert "of the 2 others SCN has no lead in 2;" in lead.cause


@pytest.mark.parametrize(
    ("acdc", "mscmr", "holds"),
    [((0.5,), (0.4,), False), ((0.7, 0.3), (0.4,), None), ((0.7, 0.3), (0.4, 0.41), False)],
)
def test_one_seed_of_a_method_whose_seeds_lie_far_apart_decides_nothing(
    acdc: tuple[float, ...], mscmr: tuple[float, ...], holds: bool | None
) -> None:
    runs = [record("pce", dice, seed) for seed, dice in enumerate(acdc)]
    runs += [record("pce", dice, seed, dataset="mscmr") for seed, dice in enumerate(mscmr)]
    (there,) = (c for c in claims(runs) if "on MSCMR" in c.claim)
    assert there.holds is holds and ("chance" in there.cause) == (holds is None)


def test_the_verdicts_are_counted():
    found = claims([record("pce", 0.4), record("cale", 0.7), record("scn", 0.7)])
    holding = [claim.holds for claim in found]
    assert [holding.count(holds) for holds in (True, False, None)] == [2, 3, 1]
    assert claims_told(found) == (
        "Of 6 claims of the paper, at this size, 2 hold, 3 do not, 1 is undecided."
    )


def test_without_records_nothing_is_claimed():
    assert claims([]) == [] and claims_told([]) == ""
    assert hours([]).splitlines()[-1] == "| all |  | 0 | 0.0 | 0.0 |"


def test_the_list_of_choices_is_the_notebooks():
    lines = choices().splitlines()
    assert lines[0].startswith("| Where |") and len(lines) > 15
    assert all(line.count("|") == 5 for line in lines)
    assert "`pap_target`" in choices() and SCNOptions().pap_target == "hard"


@pytest.mark.parametrize(("item", "path"), CHECKLIST[["item", "path"]].to_numpy().tolist())
def test_every_answer_of_the_checklist_leads_to_a_file(item: str, path: str):
    assert item.split(":")[0] in ("Models", "Theory", "Data", "Code", "Results")
    assert (REPOSITORY / path).is_file()


def test_a_lone_notebook_without_the_list_is_said(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    (tmp_path / "notebooks" / "05_open_choices.ipynb").write_text(text)
    monkeypatch.setattr(reproducibility, "REPOSITORY", tmp_path)
    with pytest.raises(ValueError, match=r"05_open_choices\.ipynb: no table of the open choices"):
        choices()


def test_a_level_is_told_at_the_printed_size_too_where_it_was_run():
    runs = [record("scn", 0.7), record("scn", 0.8, seed=1)]
    first = claims(runs, [record("scn", 0.75, profile="night")])[0]
    sizes = "at 256 x 256 (profile `night`) 78.33%, seed 0 (the same at 128 x 128: 73.33%)"
    assert first.here.endswith(sizes)
    won = "; all pixels and a tenth of the training add 5.00 of the 15.18 points that lack (seed 0)"
    assert won in first.cause
    worse, better = (claims(runs, [record("scn", d, profile="night")])[0] for d in (0.65, 0.9))
    assert "of the training add nothing (-5.00) (seed 0)" in worse.cause
    assert "of the training make up for it (seed 0)" in better.cause
    assert "256" not in claims(runs)[0].here


def test_a_gain_and_its_interval_are_of_the_same_seeds():
    runs = [
        record(name, dice, seed) for name, dice in (("cale", 0.8), ("scn", 0.79)) for seed in (0, 1)
    ]
    more = [*runs, record("scn", 0.95, seed=2)]  # which CALE has not
    told = [next(c for c in claims(some) if "PCE+CALE+CACL" in c.claim) for some in (runs, more)]
    assert told[0] == told[1] and "-1.00 points [-1.00, -1.00]" in told[0].here


def test_the_other_rows_stand_to_the_print_with_what_their_means_are_of():
    runs = [record("mloss", 0.83), record("s2l", 0.5), record("s2l", 0.8, seed=1)]
    (row,) = claims(runs)
    assert row.here == "to the print: S2L -13.74, MLoss -0.49" and row.holds is False
    assert row.cause.endswith("means of unlike parts: S2L by seed 53.3, 83.3")
    assert "above" not in row.cause
    (row,) = claims(runs[:1], [record("mloss", 0.84, profile="night")])
    assert row.holds and row.here.endswith("; at 256 x 256 (profile `night`): MLoss +0.51")
    (row,) = claims([record("rloss_sgd", 0.8), record("rloss", 0.83)])
    assert row.here == "to the print: RLoss -3.58; by Adam, as the paper has it: RLoss -0.58"
    (row,) = claims([record("ustm", 0.9)])
    assert "; far above the print, unexplained: USTM" in row.cause
