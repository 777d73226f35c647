"""One seed twice gives the same bytes; other threads or instructions give others, measured here.

Every run is a process of its own, as a reader's would be.
"""

from pathlib import Path
from typing import Any

import numpy as np

from scnlib import records
from scnlib.config import Run
from scnlib.files import sha256
from scnlib.provenance import bf16_supported
from scnlib.weights import load_weights
from tests.campaign.kills import finish
from tests.tiny_runs import CPU, cases, tiny

TYPES = {"float32": False, "bfloat16": True}
# What torch and oneDNN compute with on a processor that has no AVX.
WITHOUT_AVX = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
FILES = ("weights.safetensors", "predictions.h5", "metrics.csv")


def contents(folder: Path) -> tuple[Any, ...]:
    """All that a run leaves, but for times and what tells of the machine."""
    record = records.read(folder)
    curve = record.curve.drop(columns="seconds").to_csv()
    sums = [sha256(folder / name) for name in FILES]
    return sums, curve, str(record.summary), str(record.validation)


def apart(one: Path, other: Path) -> dict[str, float]:
    """How far two runs are from each other.

    weights          the largest difference, as a share of the largest weight
    voxels           the share of the test subjects' voxels that are labelled otherwise
    dice_points      the difference of mean test Dice, in points (percent)
    """
    (_, _, first), (_, _, second) = (load_weights(p / "weights.safetensors") for p in (one, other))
    largest = max(float(weight.abs().max()) for weight in first.values())
    difference = max(float((first[name] - second[name]).abs().max()) for name in first)
    runs = [records.read(folder) for folder in (one, other)]
    unlike = [
        np.mean(runs[0].prediction(case.volume) != runs[1].prediction(case.volume))
        for case in cases("test")
    ]
    dice = [100 * run.summary["dice"]["mean"] for run in runs]
    values = {
        "weights": difference / largest,
        "voxels": float(np.mean(unlike)),
        "dice_points": abs(dice[0] - dice[1]),
    }
    return {name: float(f"{value:.2g}") for name, value in values.items()}


def compared(run: Run, folder: Path) -> dict[str, Any]:
    """Train the run twice on one thread, twice on two and once without AVX: how far apart."""
    for name, threads in (("a1", 1), ("b1", 1), ("a2", 2), ("b2", 2)):
        finish(run, folder / name, threads)
    finish(run, folder / "old", 1, WITHOUT_AVX)
    found = {name: contents(folder / name) for name in ("a1", "b1", "a2", "b2")}
    return {
        "one_thread_twice_is_equal": found["a1"] == found["b1"],
        "two_threads_twice_are_equal": found["a2"] == found["b2"],
        "two_threads_from_one": apart(folder / "a1", folder / "a2"),
        "without_avx_from_with": apart(folder / "a1", folder / "old"),
    }


def campaign(folder: Path, steps: int, size: int = 64) -> dict[str, Any]:
    """The same for the types that the processor has; `differing` counts what should be equal."""
    found = {}
    for dtype, bf16 in TYPES.items():
        if bf16 and not bf16_supported(CPU):
            continue  # it would be float32 again
        run = tiny("scn", iterations=steps, validations=2, size=size, bf16=bf16)
        found[dtype] = compared(run, folder / dtype)
    unequal = [value is False for part in found.values() for value in part.values()]
    what = f"SCN on the phantom, {steps} steps of 4 slices of {size}x{size}"
    return {"run": what, **found, "differing": sum(unequal)}
