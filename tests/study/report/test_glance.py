"""The slice at a glance: which baseline and which slice, by rules, and what is painted."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from study.report import committed, glance, pictures
from tests.study.report.test_tables import record


def run(method: str, best: float | None, seed: int = 0, dataset: str = "acdc") -> Any:
    which = SimpleNamespace(method=method, dataset=dataset, seed=seed, variant="")
    return cast(Any, SimpleNamespace(run=which, validation={"best": best and {"dice": best}}))


def test_the_best_baseline_is_the_one_of_the_best_validation_over_its_seeds():
    records = [run("pce", 0.9), run("scn", 0.95), run("cale", 0.96), run("full", 0.99)]
    assert glance.best_baseline(records, "acdc") is None
    records += [run("s2l", 0.7), run("mloss", 0.8), run("rloss", None), run("dmpls_sgd", 0.85)]
    assert glance.best_baseline(records, "acdc") == "mloss"
    records += [run("ustm", 0.9), run("ustm", 0.5, seed=1), run("fddseg", 0.9, dataset="mscmr")]
    assert glance.best_baseline(records, "acdc") == "mloss", "a good seed is not a good method"
    runs = {record.run.method: record for record in records}
    assert glance.few_methods(runs, records, "acdc") == ["pce", "mloss", "scn", "full"]
    assert glance.few_methods({"scn": run("scn", 0.9)}, records, "acdc") == ["scn"]


def test_the_telling_slice_is_at_the_lower_quartile_of_those_with_all_structures():
    truth = np.zeros((6, 4, 4), np.uint8)
    truth[:, 0], truth[:5, 1] = 1, 2  # the last slice lacks a class
    predicted = truth.copy()
    for z, missed in enumerate((0, 1, 2, 3, 4)):  # pixels of class 1: the more, the worse
        predicted[z, 0, :missed] = 0
    found = cast(Any, SimpleNamespace(prediction={"a": predicted}.__getitem__))
    # Worst first: slices 4, 3, 2, 1, 0; a quarter of the way from the worst is slice 3.
    assert glance.telling_slice(found, {"a": truth}) == ("a", 3)
    assert glance.telling_slice(found, {"a": truth[5:]}) == ("a", 0)  # there is one class alone
    assert glance.telling_slice(found, {}) is None


def test_the_glance_names_each_panel_and_its_dice():
    truth = np.zeros((8, 6), np.uint8)
    truth[2:4] = 1
    half = truth.copy()
    half[3] = 0  # Dice 2 * 6 / (12 + 6)
    axes = glance.glance(truth / 1.0, truth, {"pce": half, "scn": truth}).axes
    assert [a.get_title() for a in axes] == ["image", "PCE", "SCN", "truth"]
    assert [a.get_xlabel() for a in axes] == ["", "Dice 67%", "Dice 100%", ""]


def test_without_a_run_of_scn_there_are_no_pictures():
    assert pictures.slice_pictures({"pce": run("pce", 0.5)}, {}, [], "acdc") == {}
    assert pictures.dataset_of_figure2([]) == "acdc"
    assert pictures.dataset_of_figure2([record("scn", 0.5, dataset="phantom")]) == "phantom"


@pytest.mark.parametrize("dataset", ["phantom", "clinic"])
def test_who_has_no_runs_on_the_papers_sets_is_shown_the_committed_ones(dataset: str):
    own = [record("scn", 0.5, dataset=dataset)]
    for profile in ("demo", "cpu"):
        found, source, mine = committed.own_or_committed(own, profile)
        assert source == "cpu" and not mine
        assert {r.run.dataset for r in found} == {"acdc", "mscmr"}
        assert "committed records of profile cpu" in committed.note(profile, source, mine)
    mine = [record("scn", 0.5)]
    assert committed.own_or_committed(mine, "demo") == (mine, "demo", True)
    assert committed.note("demo", "demo", True) == ""


def test_own_runs_are_not_compared_with_committed_variants_or_the_other_way_round():
    runs, variants = [record("scn", 0.5)], [record("scn", 0.6)]
    both = committed.own_or_committed_choices(runs, variants, "paper")
    assert both == (runs, variants, "paper", True)
    for one, other in ((runs, []), ([], variants)):
        found, others, source, mine = committed.own_or_committed_choices(one, other, "paper")
        assert source == "cpu" and not mine
        assert all(r.run.profile.name == "cpu" for r in (*found, *others))
        assert len(found) > 1 and all(r.run.variant for r in others)
