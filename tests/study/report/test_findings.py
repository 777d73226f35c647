"""What is counted over the records, from runs with known numbers."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.experiments import make_run
from study.report import findings, uneven
from study.report.means import typical_step
from tests.sample_record import write
from tests.study.report.test_tables import record


def flooded(method: str, structure: str, dice: float) -> Any:
    """A run with 0.8 in all structures but one."""
    made = record(method, 0.8)
    made.summary["dice"] |= {"RV": 0.8, "MYO": 0.8, "LV": 0.8, structure: dice}
    return made


def test_runs_that_flood_one_structure_are_named_the_worst_first():
    runs = [flooded("pce", "RV", 0.55), flooded("scn", "MYO", 0.61), flooded("full", "LV", 0.2)]
    untested: Any = SimpleNamespace(summary={})
    table = uneven.uneven_runs([*runs, untested])
    assert table[["method", "lowest"]].to_numpy().tolist() == [
        ["Full supervision", "LV"],
        ["PCE", "RV"],
    ]
    assert table["its Dice (%)"].tolist() == pytest.approx([20, 55])
    assert table["its 95HD (voxels)"].tolist() == pytest.approx([2, 4])  # 20 (1 - Dice) of `record`
    assert uneven.uneven_runs([]).empty


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


def timed(tmp_path: Path, seconds: list[float], dice: list[float]) -> Any:
    """A run of 120 steps with 4 validations, whose curve has `seconds` for each ten steps."""
    run = make_run("acdc", "s2l", profile="cpu", iterations=120, validations=4, batch=6)
    written = write(tmp_path, run)
    curve = {"iteration": range(10, 130, 10), "seconds": np.cumsum(seconds)}
    pd.DataFrame(curve).to_csv(tmp_path / "curve.csv", index=False)
    steps = zip((30, 60, 90, 120), dice, strict=True)
    checks = [{"iteration": at, "dice": value} for at, value in steps]
    return replace(written, validation=written.validation | {"curve": checks})


def test_a_steps_time_has_what_a_method_does_now_and_then_but_not_a_pause(tmp_path: Path) -> None:
    # 2 s for ten steps; every third ten hold a pass of 3 s; and a pause of 100 s once.
    seconds = [2.0, 2, 5] * 4
    seconds[4] += 100
    run = timed(tmp_path, seconds, [0.5, 0.79, 0.8, 0.7])
    assert typical_step(run) == pytest.approx(9 / 30)
    row = findings.cost_table([run]).iloc[0]
    assert (row["seconds a step"], row["images/s"]) == (0.3, 20.0)
    assert row["training (min)"] == 0.6
    assert row["to 80% (min)"] == round(90 * 0.3 / 60, 1)  # the first validation that has it
    assert row["test Dice (%)"] == 62.5


def test_a_run_that_never_has_80_percent_has_no_time_to_it(tmp_path: Path) -> None:
    run = timed(tmp_path, [1.0] * 12, [0.1, 0.2, 0.3, 0.7])
    assert np.isnan(findings.cost_table([run])["to 80% (min)"].iloc[0])
    assert findings.first_reaching(run, 0.2) == 60
