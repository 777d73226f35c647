"""What is measured on a borrowed GPU: a step's cost by method and way, and its kernels by time."""

import gc
import json
import logging
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from scnlib import provenance
from scnlib.files import replace_text
from study.speed.steps import PLAIN, WAYS, by_kernel, method_step, plain_step, timed

RESERVE = 15.0  # seconds kept for the last copy

log = logging.getLogger(__name__)


def report(
    path: Path,
    table: list[tuple[str, str]],
    measure: Callable[[str, str], dict[str, Any]],
    end: float,
) -> None:
    """Write what is measured of each method and way, or its trouble, as it comes."""
    content: dict[str, Any] = {"versions": provenance.versions(), "result": []}
    before = json.loads(path.read_text())["result"] if path.exists() else []
    measured = {(row["method"], row["asked"]): row for row in before if "trouble" not in row}
    for method, way in table:
        row: dict[str, Any] = {"method": method, "asked": way}
        if time.monotonic() > end - RESERVE:
            row = measured.get((method, way), row | {"trouble": "the time was over"})
        else:
            try:
                row |= measure(method, way)
            except Exception as error:  # the other rows have to be measured all the same
                row["trouble"] = f"{type(error).__name__}: {error}"
                log.exception("%s %s", method, way)
        content["result"].append(row)
        replace_text(path, json.dumps(content, indent=1) + "\n")
        log.info("%s: %s", path.name, {name: row[name] for name in row if name != "kernels"})


def profile_table(device: torch.device) -> list[tuple[str, str]]:
    """Methods and ways whose kernels are timed."""
    ways = ("compiled graph", "eager") if device.type == "cuda" else ("eager",)
    return [("scn", way) for way in ways]


def profile(options: Namespace, device: torch.device, method: str, way: str) -> dict[str, Any]:
    """A step's kernels by time."""
    step = method_step(method, options.size, options.batch, device, way)
    for _ in range(5):
        step()
    rows = by_kernel(step, device)
    total = round(sum(float(row["ms"]) for row in rows), 3)
    return {"machine": provenance.hardware(device), "ms": total, "kernels": rows[:60]}


def benchmark_table(device: torch.device) -> list[tuple[str, str]]:
    """Methods and ways of the table of steps."""
    if device.type != "cuda":
        return [(method, "eager") for method in (PLAIN, "pce", "scn")]
    rows = [(method, way) for method in ("scn", "pce") for way in WAYS[::-1]]
    return [(PLAIN, "eager"), *rows]


def benchmark(options: Namespace, device: torch.device, method: str, way: str) -> dict[str, Any]:
    """A step's milliseconds, with its memory and the way that it took."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    began = time.monotonic()
    if method == PLAIN:
        step = plain_step(options.size, options.batch, device)
    else:
        step = method_step(method, options.size, options.batch, device, way)
    took = step()
    for _ in range(4 if on_gpu else 0):
        took = step()
    row: dict[str, Any] = {"machine": provenance.hardware(device), "way": took or "eager"}
    row |= {"seconds_to_start": round(time.monotonic() - began, 1)}
    row |= timed(step, device, repeats=5, inner=20 if on_gpu else 1)
    tf32 = on_gpu and torch.backends.cudnn.allow_tf32  # what float32 convolutions are there
    return row | {"peak_memory_mb": provenance.peak_memory_mb(device), "tf32": tf32}
