"""Less of the strokes, or worse ones: what short runs with known numbers come out as."""

import numpy as np

from study.experiments import VARIANTS
from study.report.amounts import FAULTS, PERCENT, amounts_picture, amounts_table, amounts_told
from study.report.sensitivity import open_choices
from study.report.worth import AMOUNTS, effects
from tests.study.report.test_worth import short

RUNS = [
    *short("pce", "short", 0.40, 0.50),
    *short("pce", "short+half", 0.30, 0.40),
    *short("pce", "short+wrong5", 0.20),
    *short("scn", "short+stride4", 0.70, 0.90),
    *short("scn", "short+stride4+tenth", 0.60),
    *short("scn", "short+stride4+nopap", 0.71),
]


def test_every_way_to_draw_less_is_a_variant_and_has_a_name():
    drawn = [name for name, change in VARIANTS.items() if "strokes" in change.get("profile", {})]
    assert set(drawn) == set(AMOUNTS) == {*PERCENT, *FAULTS}


def test_the_table_has_what_was_run_beside_all_strokes_of_the_same_seeds():
    head, _, pce, scn = amounts_table(effects(RUNS)).splitlines()
    assert [cell.strip() for cell in head.split("|")[1:-1]] == [
        "method",
        "all",
        "50% of each stroke",
        "10% of each stroke",
        "5% of the strokes wrong",
    ]
    assert pce == "| PCE | 40.0 | 30.0 |  | 20.0 |", "seed 1 has no wrong strokes"
    assert scn == "| SCN | 70.0 |  | 60.0 |  |"
    assert amounts_table(effects(RUNS[:2])) == ""


def test_a_method_whose_ways_to_draw_share_no_seed_is_left_out():
    apart = [*RUNS[:2], *short("pce", "short+half", 0.3), *short("pce", "short+tenth", 0.1, 0.2)]
    apart = [r for r in apart if (r.run.variant, r.run.seed) != ("short+tenth", 0)]
    assert amounts_table(effects(apart)) == amounts_told(effects(apart), "ACDC") == ""


def test_less_of_the_strokes_is_no_choice_of_scn_s():
    assert [one.choice for one in open_choices(effects(RUNS))] == ["nopap"]


def test_the_sentence_tells_of_those_with_a_tenth():
    text = amounts_told(effects(RUNS), "ACDC")
    assert "(ACDC, short runs at 64x64, validation, seed 0)" in text
    told = "changes: SCN 70.0 to 60.0."
    worse = " With 5% of the strokes wrong: PCE -20.0 points."
    assert text.endswith(f"{told}{worse} Seeds with all strokes lie apart by SCN 20.0 points.")
    assert amounts_told(effects(RUNS), "ACDC", full=False).endswith(told)
    assert amounts_told(effects(RUNS[:3]), "ACDC") == ""


def test_the_picture_has_a_line_a_method_and_its_faults():
    share, fault = amounts_picture(effects(RUNS), "short runs").axes
    lines = {str(line.get_label()): np.asarray(line.get_xdata()).tolist() for line in share.lines}
    assert lines == {"PCE": [100, 50], "SCN": [100, 10]}
    assert [np.asarray(line.get_xdata()).tolist() for line in fault.lines[:1]] == [[-20.0]]
