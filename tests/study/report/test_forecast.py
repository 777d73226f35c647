"""Hours of the whole study: by hand for steps that cost the same, and for runs of two lengths."""

import json
from pathlib import Path
from typing import Any

import pytest

from scnlib.methods import METHODS
from study.experiments import PROFILES, RECIPES
from study.report.forecast import forecast, hours_by_run, makespan, parts_told, steps_told


def measured(seconds: float, leave_out: str = "") -> dict[str, Any]:
    names = [name for name in METHODS if name not in RECIPES and name != leave_out]
    rows = [
        {"name": f"step[{name}-{size}]", "method": name, "size": size, "least_s": seconds * size}
        for name in names
        for size in (128, 256)
    ]
    return {"machine": "a processor", "bf16": False, "benchmarks": rows}


def test_hours_are_steps_times_seconds_and_a_batch_of_24_costs_twice_12() -> None:
    # ACDC: 10 rows and PCE+CALE; MSCMR: 9; three seeds.
    night, paper = (hours_by_run(measured(1 / 256), PROFILES[name]) for name in ("night", "paper"))
    assert len(night) == len(paper) == 3 * (11 + 9)
    assert night == pytest.approx([6_000 / 3600] * len(night))
    assert paper == pytest.approx([2 * 30_000 / 3600] * len(paper))


def test_a_step_is_told_beside_the_plain_one_and_pces(tmp_path: Path) -> None:
    assert steps_told(tmp_path) == ""
    seconds = {"plain": 6.0, "pce": 2.0, "scn": 3.0}
    rows: list[dict[str, Any]] = [
        {"name": f"step[{name}-128]", "method": name, "size": 128, "least_s": cost}
        for name, cost in seconds.items()
    ]
    content = {"machine": "a processor", "bf16": True, "benchmarks": rows}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert steps_told(tmp_path).splitlines()[2:] == [
        "| a processor | 128 | 3.00 | 2.00 | 1.50 |  |  |"
    ]
    rates = {"share": 0.5, "gflop": 1, "gflop_s": 20.0, "matrix_gflop_s": 80.0}
    rows.append({"name": "convolutions[scn-128]", **rates})
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert steps_told(tmp_path).endswith("| a processor | 128 | 3.00 | 2.00 | 1.50 | 50 | 25 |")


def test_a_part_is_told_by_what_a_step_costs_without_it(tmp_path: Path) -> None:
    assert parts_told(tmp_path) == ""
    whole = {"name": "step[scn-128]", "method": "scn", "size": 128, "least_s": 2.0}
    without = {"name": "without[dropout-128]", "part": "dropout", "size": 128, "ratio": 1.25}
    content = {"machine": "a processor", "benchmarks": [whole]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert parts_told(tmp_path) == ""
    content["benchmarks"].append(without)
    (tmp_path / "a.json").write_text(json.dumps(content))
    head, _, row = parts_told(tmp_path).splitlines()
    assert "| a processor, 128 px |" in head
    assert row.startswith("| dropout | nn.Dropout") and row.endswith("| +25 |")


def test_the_longest_run_is_taken_first() -> None:
    assert makespan([1, 1, 1, 3], 2) == 3
    assert makespan([1, 1, 1, 3], 1) == 6
    assert makespan([5, 1], 32) == 5


def test_a_machine_without_all_methods_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(measured(0.01, leave_out="ustm")))
    assert forecast(tmp_path) == "No machine has a benchmark of all methods yet."
    (tmp_path / "b.json").write_text(json.dumps(measured(1 / 128)))
    lines = forecast(tmp_path).splitlines()
    # cpu: 60 runs of 3,000 seconds: 50 hours on one, up to 8 runs each on 8 and up to 2 on 32.
    assert "| a processor | cpu | 60 | 0.8 | 50.0 | 6.7 | 1.7 |" in lines
    assert len(lines) == 2 + 3
