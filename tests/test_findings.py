"""What is counted over the records, from runs with known numbers."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_tables import record

from scnlib import findings


def flooded(method: str, structure: str, dice: float) -> Any:
    """A run with 0.8 in all structures but one."""
    made = record(method, 0.8)
    made.summary["dice"] |= {"RV": 0.8, "MYO": 0.8, "LV": 0.8, structure: dice}
    return made


def test_runs_that_flood_one_structure_are_named_the_worst_first():
    runs = [flooded("pce", "RV", 0.55), flooded("scn", "MYO", 0.61), flooded("full", "LV", 0.2)]
    untested: Any = SimpleNamespace(summary={})
    table = findings.uneven([*runs, untested])
    assert table[["method", "lowest"]].to_numpy().tolist() == [
        ["Full supervision", "LV"],
        ["PCE", "RV"],
    ]
    assert table["its Dice (%)"].tolist() == pytest.approx([20, 55])
    assert table["its 95HD (voxels)"].tolist() == pytest.approx([2, 4])  # 20 (1 - Dice) of `record`
    assert findings.uneven([]).empty


def test_seeds_of_one_method_lie_apart_by_their_range():
    runs = [record("scn", dice, seed) for seed, dice in enumerate((0.6, 0.7, 0.65))]
    runs += [record("pce", 0.3), record("pce", 0.3, dataset="mscmr")]  # alone on their sets
    for run, best in zip(runs, (0.5, 0.58, 0.55, 0.3, 0.3), strict=True):
        run.validation = {"best": {"dice": best}}
    table = findings.seed_spread(runs)
    assert table[["data set", "method", "seeds"]].to_numpy().tolist() == [["acdc", "SCN", 3]]
    assert table["validation Dice (points)"].tolist() == pytest.approx([8])
    assert table["test Dice (points)"].tolist() == pytest.approx([10])
    runs[0].validation = {"best": None}
    assert np.isnan(findings.seed_spread(runs)["validation Dice (points)"]).all()
    assert findings.seed_spread([]).empty
