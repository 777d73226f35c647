"""Where SCN's gain over PCE lies, by hand and from the committed rows."""

from typing import Any

import pandas as pd
import pytest

from scnlib.paths import RESULTS
from study.report import lost_points
from study.report.gain import floods, gains_of, headline, ruined, wins
from study.report.in_brief import in_brief
from tests.study.report.test_tables import record


def test_a_run_is_ruined_that_loses_over_five_points() -> None:
    rows = [
        {"dataset": "acdc", "method": method, "seed": seed, "structure": name}
        | {"dice": 0.8, "heart": after}
        for method, seed, after in (("pce", 0, 0.76), ("pce", 1, 0.74), ("scn", 0, 0.9))
        for name in ("RV", "LV")
    ]
    assert ruined(pd.DataFrame(rows)) == (["PCE on ACDC (-6)"], 3)


def test_wins_are_counted_with_and_without_the_prior_among_the_papers_rows() -> None:
    """Of ten patients each: PCE is worse alone and as good with the prior, S2L worse in both."""
    dices = {"scn": (0.8, 0.8), "pce": (0.5, 0.8), "s2l": (0.5, 0.5), "box": (0.1, 0.1)}
    rows = [
        {"dataset": "acdc", "method": method, "seed": 0, "structure": "RV", "frame": "ED"}
        | {"subject": f"p{n}", "volume": f"p{n}_ED", "dice": dice, "heart": kept}
        for method, (dice, kept) in dices.items()
        for n in range(10)
    ]
    assert wins(pd.DataFrame(rows), "acdc") == (2, 1, 2)


def test_the_headline_names_its_numbers_and_needs_both_methods() -> None:
    kept: Any = lost_points.read_rows(RESULTS / "cpu")
    text = headline(kept)
    for dataset in ("acdc", "mscmr"):
        here = kept[kept["dataset"] == dataset]
        mine, theirs = (here[here["method"] == method] for method in ("scn", "pce"))
        shared = set(mine["seed"]) & set(theirs["seed"])
        for rows in (mine, theirs):
            means = rows[rows["seed"].isin(shared)].groupby(["seed", "structure"])["heart"].mean()
            assert f"{100 * means.groupby('seed').mean().mean():.1f}%" in text
    assert "on MSCMR" not in headline(kept[kept["dataset"] == "acdc"])
    assert headline(kept[kept["method"] != "scn"]) == ""
    assert headline(kept.iloc[:0]) == ""


def test_the_first_finding_says_how_its_seed_ranks_and_what_the_rule_ruins():
    lost: Any = lost_points.read_rows(RESULTS / "cpu")
    runs = [record("pce", dice, seed=seed) for seed, dice in enumerate((0.5, 0.6, 0.4))]
    taken, count = ruined(lost)
    text = headline(lost)
    adam = [name for name in taken if "(Adam)" in name]
    assert adam == taken != [], "else the README's own line is to be tested too"
    assert floods(runs, lost) == text
    named = f"{text} Keeping one part ruins {len(taken)} of {count} runs, all in rows (Adam)"
    named += f": {', '.join(taken)}."
    assert floods(runs, lost, full=True) == named
    other = lost.assign(method=lost["method"].replace("dmpls", "mloss"))
    said = " of them in rows (Adam)."
    assert floods(runs, other[other["method"].isin(["scn", "pce", "mloss"])]).endswith(said)
    assert "as they are, 1 over all seeds)" in floods([*runs, record("scn", 0.8)], lost)
    runs += [record("scn", 0.8, seed=seed) for seed in (0, 1)]
    all_seeds = "25.0 over all), "
    assert f"points on ACDC (seed 0, PCE's number 2 of 3; {all_seeds}" in floods(runs, lost)
    best = [run for run in runs if run.run.seed < 1 or run.run.method == "scn"]
    best.append(record("pce", 0.5, seed=1))
    assert "points on ACDC (seed 0, PCE's best of 2; " in floods(best, lost)


def lost_rows(pce: tuple[float, float, float], scn: tuple[float, float, float]) -> pd.DataFrame:
    """Rows of one structure: Dice, Dice without far floods, Dice with the largest part."""
    rows = []
    for method, values in (("pce", pce), ("scn", scn)):
        row: dict[str, Any] = {"dataset": "acdc", "method": method, "seed": 2, "structure": "RV"}
        row |= dict.fromkeys([*lost_points.MENDINGS[:-1], *lost_points.PRIORS], 1.0)
        row |= {"subject": "p1", "frame": "ED", "volume": "p1_ED"}
        rows.append(row | dict(zip(("dice", "far", "heart"), values, strict=True)))
    return pd.DataFrame(rows)


def test_the_gain_lies_where_most_of_it_lies():
    far = lost_rows((0.5, 0.7, 0.6), (0.8, 0.8, 0.9))
    (gain,) = gains_of(far)
    assert gain == ("acdc", *map(pytest.approx, (30, 20, 60, 90)), [2])
    other = lost_rows((0.2, 0.7, 0.2), (0.9, 0.9, 0.9)).assign(seed=3)
    (both,) = gains_of(pd.concat([far, other, other[1:].assign(seed=4)]))  # 4 is SCN's alone
    assert both == ("acdc", *map(pytest.approx, (50, 35, 40, 90)), [2, 3])
    assert "35.0 of 50.0 points on ACDC (2 seeds) are" in in_brief([], pd.concat([far, other]))[0]
    (text,) = in_brief([], far)
    assert text == (
        "**SCN's gain over PCE lies far from the heart**: 20.0 of 30.0 points on ACDC (seed 2) "
        "are floods over 20 mm away; with only the largest connected part kept, PCE then has "
        "60.0%, SCN 90.0%."
    )
    assert headline(far).startswith(text)
    near, none = ((0.5, 0.55, 0.6), (0.8, 0.8, 0.9)), ((0.8, 0.9, 0.9), (0.5, 0.5, 0.9))
    for rows in (lost_rows(*near), lost_rows(*none)):
        assert in_brief([], rows)[0].startswith("**Where SCN gains on PCE**: ")
    without: Any = far[far["method"] != "scn"]
    assert gains_of(without) == []
    runs = [record("pce", 0.3, seed=seed) for seed in (0, 1)]
    runs += [record("scn", 0.8, seed=seed) for seed in (0, 1)]
    assert (
        "20.0 of 30.0 points on ACDC (seed 2; 50.0 over all) are"  # none is seed 2
        in (in_brief(runs, far)[0])
    )
