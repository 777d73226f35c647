"""What runs and commands cost, read from records and a benchmark's file."""

import json
from types import SimpleNamespace
from typing import Any

from study.report.costs import costs_told


def used(profile: str, megabytes: float) -> Any:
    run = SimpleNamespace(profile=SimpleNamespace(name=profile))
    return SimpleNamespace(run=run, peak_memory_mb=megabytes)


def test_memory_steps_and_times_are_told_as_measured(tmp_path):
    def row(name: str, seconds: float, **more: Any) -> dict[str, Any]:
        return {"name": name, "least_s": seconds, **more}

    rows = [
        row("step[pce-128]", 0.1, method="pce", size=128),
        row("step[pce-256]", 0.5, method="pce", size=256),
        row("step[ustm-128]", 0.9, method="ustm", size=128),
        row("step[ustm-256]", 2.0, method="ustm", size=256),
        row("import[scnlib]", 0.0123),
        row("asking_what_is_left_to_do", 2.83),
    ]
    (tmp_path / "box.json").write_text(json.dumps({"machine": "A box", "benchmarks": rows}))
    text = costs_told(tmp_path, [used("cpu", 1280), used("cpu", 1024), used("night", 2560)])
    assert text.splitlines() == [
        "- Peak memory of the tables' runs of profile `cpu`: 1.00 to 1.25 GiB (runs: 2).",
        "- Peak memory of the tables' runs of profile `night`: 2.50 to 2.50 GiB (runs: 1).",
        "- A box: a step of USTM costs 4.0 of PCE's at 256 pixels: beside the student's own, its "
        "teacher predicts 9 times a step.",
        "- A box: `import scnlib` 0.012 s, planning of `--profile cpu --dry-run` with nothing to "
        "train 2.8 s.",
        "- A box: [every method's step](benchmarks/box.png); [time and memory by size and stride]"
        "(benchmarks/box-growth.png).",
    ]
    assert costs_told(tmp_path / "none", []) == ""
