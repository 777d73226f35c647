"""Which runs are drawn with labelled corners and without."""

from study.report.fill_curves import fill_panels
from tests.study.report.test_worth import short


def test_all_seeds_of_what_corners_move_are_drawn_in_the_tables_order() -> None:
    """S2L's seed 1 moves by 30 points, MLoss's by 1: only S2L has panels, both of its seeds."""
    runs = [*short("s2l", "", 0.84, 0.5), *short("mloss", "", 0.8), *short("pce", "", 0.4)]
    filled = [
        *short("mloss", "background", 0.81),
        *short("s2l", "background", 0.84, 0.8, 0.8),
        *short("s2l", "nearest", 0.1),
        *short("pce", "background", 0.6),
    ]
    found = fill_panels(runs, filled)
    assert list(found) == ["acdc"]
    labelled, unlabelled = found["acdc"]
    assert list(labelled) == list(unlabelled) == ["PCE, seed 0", "S2L, seed 0", "S2L, seed 1"]
    assert labelled["S2L, seed 1"] is filled[2] and unlabelled["S2L, seed 1"] is runs[1]
    assert fill_panels([], filled) == {}
