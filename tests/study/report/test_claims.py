"""The answers to the paper's claims: sentences made from records whose numbers are known."""

from types import SimpleNamespace
from typing import Any

import pandas as pd

from study.experiments import make_run
from study.report.claims import answers
from study.report.headlines import headlines
from tests.study.report.test_tables import record


def validated(method: str, best: float, variant: str, dice: float = 0.0) -> Any:
    made = record(method, dice) if dice else SimpleNamespace(run=None, summary={})
    run = SimpleNamespace(dataset="acdc", method=method, seed=0, variant=variant)
    profile = SimpleNamespace(name="cpu", iterations=3000, lr=0.03)
    made.run = SimpleNamespace(**vars(run), profile=profile)
    if variant:
        made.run = make_run("acdc", method, 0, "cpu", variant)
    made.validation = {"best": {"dice": best}}
    made.dtype = "float32" if variant else "bfloat16"
    return made


def said(records: list, variants: list | None = None, profile: str = "cpu") -> dict[str, str]:
    """The sentences by their first words."""
    found = answers(records, variants or [], profile)
    return {text.split(".**")[0].removeprefix("**"): text for text in found}


def test_without_runs_only_the_print_is_judged():
    assert list(said([])) == ["The print"]


def test_gains_bound_and_baseline_are_differences_of_means():
    # `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
    runs = [validated("pce", 0.41, "", 0.4), record("cale", 0.7), record("scn", 0.6)]
    runs.append(record("full", 0.8))
    sentences = said(runs, [validated("pce", 0.56, "sgd")])
    assert "from PCE to PCE+CALE +30.00 points (+20.33 printed; seed 0)" in sentences["Ablation"]
    assert (
        "from PCE+CALE to PCE+CALE+CACL -10.00 points (+0.16 printed; seed 0)"
        in sentences["Ablation"]
    )
    assert (
        "83.33% mean Dice on ACDC, +20.00 points against SCN (seed 0)" in sentences["Upper bound"]
    )
    assert "43.33% mean Dice on ACDC, 68.02% printed" in sentences["PCE"]
    other = sentences["Other recipes"]
    assert "PCE on ACDC 56.00% (SGD at 0.03) instead of 41.00%" in other


def test_labelled_corners_are_compared_with_the_same_seed_and_move_the_lead():
    runs = [validated(m, best, "", 0.5) for m, best in (("pce", 0.7), ("scn", 0.85), ("s2l", 0.8))]
    variants = [validated("pce", 0.78, "background"), validated("scn", 0.86, "background")]
    text = said(runs, variants)["Labels that nobody drew"]
    assert (
        "On ACDC PCE 70.0 to 78.0; SCN 85.0 to 86.0. SCN's lead over PCE is 15.0 points without "
        "and 8.0 with them (seed 0)."
    ) in text
    assert text.endswith(
        "Of another number format than the default's: PCE on ACDC, seed 0 (float32 against "
        "bfloat16); SCN on ACDC, seed 0 (float32 against bfloat16)."
    )
    # One of the two says nothing of the lead; a variant without its default says nothing at all.
    assert "lead" not in said(runs, variants[1:])["Labels that nobody drew"]
    assert "Labels that nobody drew" not in said(runs[:1], variants[1:])


def test_a_row_with_a_recipe_of_its_own_is_compared_with_the_shared_protocol():
    runs = [validated("dmpls", 0.2, "", 0.1), validated("dmpls_sgd", 0.8, "", 0.7)]
    assert "DMPLS on ACDC 80.00% (SGD at 0.03) instead of 20.00%" in said(runs)["Other recipes"]
    assert "Other recipes" not in said(runs[1:])  # with nothing to compare it with
    # The print has one DMPLS, above PCE: SGD's is it here, and Adam's, below PCE, is not asked.
    order = said([*runs, validated("pce", 0.5, "", 0.4)])["Order"]
    held = "Table 1: 1 of 1 pairs"
    assert order.endswith(f"order of mean Dice: {held}."), "DMPLS's 95HD is printed in mm"
    assert "Order" not in said([runs[0], validated("pce", 0.5, "", 0.4)])
    below = said([validated("dmpls_sgd", 0.8, "", 0.3), validated("pce", 0.5, "", 0.4)])["Order"]
    assert "Table 1: 0 of 1 pairs (but PCE above DMPLS)." in below


def test_own_data_without_validation_is_no_obstacle():
    runs = [validated("dmpls", 0.2, "", 0.1), validated("dmpls_sgd", 0.8, "", 0.7)]
    for run in runs:
        run.run.dataset = "clinic"
    assert "DMPLS on clinic 80.00%" in said(runs)["Other recipes"]
    runs[0].validation["best"] = None
    assert "Other recipes" not in said(runs)


def test_chance_stands_beside_what_is_compared_with_one_seed():
    seeds = [validated("scn", best, "", 0.7) for best in (0.8, 0.82)]
    seeds[1].run.seed = 1
    changed = validated("scn", 0.85, "stride4")
    for run in (*seeds, changed):
        run.run = make_run("acdc", "scn", run.run.seed, "cpu", run.run.variant)
    sentence = said(seeds, [changed])["Open choices"]
    assert sentence.endswith("(+5.00 points, seed 0). Seeds of SCN lie 2.00 points apart on ACDC.")
    assert "apart" not in said(seeds[:1], [changed])["Open choices"]


def test_an_open_choice_of_scn_stands_beside_the_default_with_its_difference():
    default, changed = validated("scn", 0.8, "", 0.7), validated("scn", 0.85, "stride4")
    default.run = make_run("acdc", "scn", profile="cpu")
    changed.run = make_run("acdc", "scn", profile="cpu", variant="stride4")
    sentence = said([default], [changed])["Open choices"]
    assert sentence.endswith("stride=4 on ACDC 85.00% (+5.00 points, seed 0).")
    again = [validated("scn", 0.7, "", 0.7), validated("scn", 0.74, "stride4")]
    for one in again:
        one.run = make_run("acdc", "scn", 1, "cpu", one.run.variant)
    sentence = said([default, again[0]], [changed, again[1]])["Open choices"]
    assert "stride=4 on ACDC 79.50% (+4.50 points, seeds 0, 1: +5.00, +4.00)." in sentence
    assert "Open choices" not in said([], [changed])  # with nothing to compare it with
    assert "Open choices" not in said([default])


def test_ranges_over_seeds_are_said_the_widest_first():
    runs = [validated("scn", 0.8, "", 0.7), validated("pce", 0.5, "", 0.4)]
    assert "Chance" not in said(runs)
    runs += [validated("scn", 0.8, "", 0.71), validated("pce", 0.5, "", 0.6)]
    for run in runs[2:]:
        run.run.seed = 1
    text = "the best and the worst of 2 seeds on ACDC: PCE 20.00, SCN 1.00."
    assert said(runs)["Chance"].endswith(text)


def test_methods_that_gain_nothing_over_pce_are_named():
    runs = [record("pce", 0.4), record("dmpls", 0.2), record("mloss", 0.5)]
    below = "Dice against PCE's on ACDC: DMPLS (Adam) -20.00 points (seed 0)."
    assert said(runs)["Not above PCE"].endswith(below)
    assert "Not above PCE" not in said(runs[1:])
    # Of the seeds that both have: a bad one of PCE alone makes nobody better, or worse.
    assert said([*runs, record("pce", 0.1, seed=1)])["Not above PCE"].endswith(below)


def test_a_difference_is_of_the_seeds_that_both_have():
    runs = [record("scn", 0.6), record("scn", 0.7, seed=1), record("full", 0.8)]
    assert "+20.00 points against SCN (seed 0)" in said(runs)["Upper bound"]
    runs.append(record("full", 0.82, seed=1))
    assert "+16.00 points against SCN (seeds 0, 1)" in said(runs)["Upper bound"]
    assert "Upper bound" not in said([runs[0], runs[3]])
    runs += [record("pce", 0.7), record("pce", 0.4, seed=1), record("cale", 0.8)]
    ablation = said(runs)["Ablation"]
    assert "from PCE to PCE+CALE +10.00 points (+20.33 printed; seed 0)" in ablation
    assert "58.33% mean Dice on ACDC over 2 seeds (73.33%, 43.33%), 68.02%" in said(runs)["PCE"]


def test_order_and_numbers_say_what_is_reversed():
    runs = [record("mloss", 0.5), record("rloss_sgd", 0.4), record("scn", 0.85)]
    sentences = said(runs)
    # RLoss is printed above MLoss; both are printed below SCN.
    assert "Table 1: 2 of 3 pairs (but MLoss above RLoss)" in sentences["Order"]
    # SCN: RV 85 (87.81), MYO 85 (85.96), LV 95 (91.76), mean 88.33 (88.51); the others are far.
    numbers = sentences["Numbers"]
    assert "Table 1: 2, 3 and 4 of 12" in numbers
    assert (
        "Dice within 1 point: Table 1: SCN MYO, Mean. Table 3: PCE+CALE+CACL MYO, Mean." in numbers
    )
    # 95HD is 20 (1 - Dice): SCN 3, 3, 1, 2.33 (1.33, 3.53, 4.23, 3.03); MLoss 10, 10, 8, 9.33
    # (3.63, 1.33, 3.91, 2.96); RLoss 12, 12, 10, 11.33 (3.13, 2.46, 3.37, 2.99).
    assert "within 1, 3 and 5 voxels: Table 1: 2, 3 and 5 of 12" in numbers


def test_reversed_pairs_say_each_higher_method_once():
    runs = [record("s2l", 0.8), record("mloss", 0.5), record("rloss_sgd", 0.4)]
    # Printed the other way round: S2L below MLoss below RLoss.
    order = said(runs)["Order"]
    assert "0 of 3 pairs (but S2L above MLoss, RLoss; MLoss above RLoss)" in order


def test_every_row_with_a_better_mean_is_named_with_its_interval():
    runs = [record("scn", 0.8), record("mloss", 0.82), record("cale", 0.9), record("pce", 0.3)]
    best = said(runs)["The best"]
    # 95HD is 20 (1 - Dice); six patients alike have an interval without width, and p = 3 / 2**5.
    assert "MLoss on ACDC, Dice +2.00 points [+2.00, +2.00]" in best
    assert "PCE+CALE on ACDC, 95HD -2.00 voxels [-2.00, -2.00]" in best
    assert "PCE on" not in best and "significant" not in best
    # All seeds of SCN count, as in the tables; full supervision is a bound and no rival.
    runs += [record("scn", 0.84, seed=1), record("full", 0.9)]
    later = said(runs)["The best"]
    assert "MLoss" not in later and "PCE+CALE on ACDC, Dice +8.00 points" in later
    assert "Full" not in later
    last = said([record("scn", 0.8, dataset="mscmr"), record("pce", 0.3, dataset="mscmr")])
    assert last["The best"].endswith("interval): none.")


def test_a_significant_lead_says_so():
    best = said([record("scn", 0.8), record("mloss", 0.82)])["The best"]
    assert "MLoss on ACDC, Dice +2.00 points [+2.00, +2.00] (significant)" in best


def test_where_interval_and_test_part_both_are_said_and_why():
    """Alone p is 2 / 2**6, below the level; with two methods Holm doubles it."""
    text = said([record("scn", 0.8), record("pce", 0.3), record("mloss", 0.9)])["Significance"]
    assert "the test counts, for PCE on ACDC, Dice -50.00 points [-50.00, -50.00], p 0.031" in text
    assert "p 0.031, 0.062 after Holm" in text
    alone = said([record("scn", 0.8), record("pce", 0.3)])["Significance"]
    assert "test counts" not in alone


def test_tests_of_one_seed_say_so():
    runs = [record(m, dice, seed) for m, dice in (("scn", 0.8), ("pce", 0.3)) for seed in (0, 1)]
    assert "one seed" not in said(runs)["Significance"]
    runs.append(record("mloss", 0.5))
    text = said(runs)["Significance"]
    assert "with one seed it compares two networks, not two methods." in text
    assert text.endswith("Of one seed are on ACDC MLoss.")


def test_seeds_that_tell_two_stories_stand_one_by_one():
    runs = [record("scn", 0.8, seed) for seed in (0, 1)]
    runs += [record("s2l", dice, seed) for seed, dice in enumerate((0.8, 0.5))]
    runs += [record("mloss", dice, seed) for seed, dice in enumerate((0.7, 0.72))]
    text = said(runs)["Significance"]
    assert text.endswith("points apart, mean Dice in percent: S2L on ACDC 83.33, 53.33.")
    uneven = [*runs[:1], record("scn", 0.6, 1), *runs[4:]]  # SCN alone, beside a steady rival
    assert said(uneven)["Significance"].endswith("in percent: SCN on ACDC 83.33, 63.33.")
    alone = said([record("scn", 0.8), record("pce", 0.3)])["Significance"]
    assert alone.endswith("Of one seed are on ACDC PCE.")
    assert "ACDC, Dice: " in text and "ACDC, 95HD: " in text


def test_a_lead_of_the_mean_alone_is_said_to_be_one():
    def runs(patients: int) -> list:
        """PCE's mean is above SCN's by one patient alone; SCN is better for all others."""
        theirs = [record("scn", 0.5), record("pce", 0.5)]
        for run, step in zip(theirs, (0.01, 0.0), strict=True):
            rows = [run.metrics.assign(subject=f"p{n}", dice=0.5 + step) for n in range(patients)]
            run.metrics = pd.concat(rows)
        far = theirs[1].metrics
        far.loc[far["subject"] == "p0", "dice"] = 0.99
        return theirs

    assert "PCE on ACDC, Dice +6.00 points" in (text := said(runs(7))["The best"])
    assert "] (SCN has the better ranks)." in text
    (led,) = (line for line in headlines(runs(7), pd.DataFrame()) if "better mean" in line)
    assert "none significant; by patients' ranks SCN is ahead in 1." in led
    many = said(runs(40))
    assert "SCN is better than PCE" in many["Significance"]
    assert many["The best"].endswith("] (SCN is significantly better by ranks).")


def test_faults_of_the_print_are_listed():
    text = said([])["The print"]
    assert text.startswith("**The print.** 8 entries")
    assert "Table 2, DMPLS, 95HD Mean 6.15 (2.64)" in text
    assert "The same on ACDC and on MSCMR: Tables 1 and 2, RLoss, all eight numbers." in text


def test_six_patients_that_all_agree_are_significant_only_alone():
    alone = said([record("scn", 0.8), record("pce", 0.3)])["Significance"]
    assert "ACDC, Dice: SCN is better than PCE" in alone  # p = 2 / 2**6
    two = said([record("scn", 0.8), record("pce", 0.3), record("mloss", 0.9)])["Significance"]
    assert "no significant difference from PCE, MLoss" in two  # p doubled


def test_the_phantom_answers_no_claim_but_shows_who_gains_nothing_over_pce():
    runs = [record("scn", 0.8, dataset="phantom"), record("pce", 0.3, dataset="phantom")]
    assert list(said(runs, profile="demo")) == ["The print"]
    sentences = said([*runs, record("dmpls", 0.2, dataset="phantom")], profile="demo")
    assert list(sentences) == ["Not above PCE", "The print"]
    assert "on the phantom: DMPLS (Adam) -10.00 points (seed 0)" in sentences["Not above PCE"]
