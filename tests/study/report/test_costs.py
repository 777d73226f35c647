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
    text = costs_told(tmp_path, [used("cpu", 1200), used("cpu", 1025), used("night", 2700)])
    assert text.splitlines() == [
        "- Peak memory of a run of profile `cpu`: 1.02 to 1.20 GB, 2 runs.",
        "- Peak memory of a run of profile `night`: 2.70 to 2.70 GB, 1 runs.",
        "- A step of USTM costs 4.0 of PCE's: beside the student's own, its teacher predicts 9 "
        "times a step.",
        "- `import scnlib` 0.012 s, `./run_all.sh --dry-run` with nothing left to train 2.8 s.",
        "- Pictures (A box): [every method's step](benchmarks/box.png); [time and memory by image "
        "size and stride](benchmarks/box-growth.png).",
    ]
    assert costs_told(tmp_path / "none", []) == ""
