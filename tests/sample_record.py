"""A small record with made-up numbers, for the tests of what is written and read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scnlib import provenance, records
from scnlib.config import Run
from study.experiments import make_run

LABELS = np.random.default_rng(0).integers(0, 4, (3, 10, 12), dtype=np.uint8)
CURVE = pd.DataFrame({"iteration": [10, 20], "lr": [1e-3, 5e-4], "loss": [1.5, 0.25]})
METRICS = pd.DataFrame({"volume": ["a_ED", "a_ED"], "structure": ["RV", "LV"], "dice": [0.5, 0.75]})
SUMMARY: dict[str, Any] = {name: {"mean": float("nan")} for name in ("hd95_mm", "hd95_voxel")} | {
    "volumes": 1,
    "empty_predictions": 0,
    "empty_truths": 0,
}


def write(
    folder: Path,
    run: Run | None = None,
    tested: bool = True,
    metrics: pd.DataFrame = METRICS,
    dice: float = 0.625,
    best: float | None = None,
    sha256: str = "00",
) -> records.Record:
    point = {"iteration": 20, "dice": best or 0.5}
    content: dict[str, Any] = {
        "code_version": "abc then def",
        "data": {"dataset": "phantom", "sha256": sha256, "published": False},
        "versions": provenance.versions(),
        "hardware": "a processor, 2 threads",
        "dtype": "float32",
        "threads": 2,
        "parameters": 12,
        "seconds_training": 1.5,
        "seconds_evaluation": 0.5,
        "seconds_per_step": 0.1,
        "images_per_second": 40.0,
        "peak_memory_mb": 100.0,
        "validation": {"curve": [point], "best": point if best else None, "last": None},
        "summary": SUMMARY | {"dice": {"mean": dice}} if tested else {},
        "notes": ["a note"],
        "processes": [{"before": 0, "code_version": "abc"}, {"before": 7, "code_version": "def"}],
    }
    return records.write(
        folder,
        curve=CURVE,
        metrics=metrics if tested else None,
        predictions={"a_ED": LABELS} if tested else {},
        run=run or make_run("phantom", "scn"),
        **content,
    )
