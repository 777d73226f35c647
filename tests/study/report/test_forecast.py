"""Hours of the whole study: by hand for steps that cost the same, and for runs of two lengths."""

import json
from pathlib import Path
from typing import Any

import pytest

from scnlib.experiments import PROFILES, RECIPES
from scnlib.methods import METHODS
from study.report.forecast import forecast, hours_by_run, makespan


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
