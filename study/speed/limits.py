"""How near a step is to what the processor can do, and how it grows with the image.

Convolutions are most of a U-Net's arithmetic. So two numbers tell where a step's time goes: the
share that convolutions have of it, and how fast they run beside the fastest thing that the same
processor does, a product of large matrices in the same type.
"""

import json
import sys
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from scnlib import provenance
from study.speed.steps import Action, by_kernel, method_step, timed

CPU_BATCH = 12  # slices a step, as of the profile cpu
SIDE = 2048  # of the matrices
CONVOLUTION = ("conv", "cudnn", "dgrad", "wgrad", "fprop")  # in the name of an operator or kernel


def matrix_rate(device: torch.device, seconds: float = 2.0) -> float:
    """Billions of operations a second of a product of two matrices, the best of its repeats.

    In bfloat16 where `scnlib.provenance.bf16_supported`, in float32 elsewhere.
    """
    dtype = torch.bfloat16 if provenance.bf16_supported(device) else torch.float32
    a, b = (torch.rand(SIDE, SIDE, device=device).to(dtype) for _ in range(2))
    end, best = time.perf_counter() + seconds, float("inf")
    while time.perf_counter() < end:
        best = min(best, timed(lambda: a @ b, device, repeats=3, warm=1)["least_ms"])
    return 2 * SIDE**3 / best / 1e6


def convolutions(step: Action, device: torch.device) -> dict[str, float]:
    """What a step's convolutions are: share of its time, and billions a second.

    The time is that without the profiler, which slows the other operators down.

    Returns "share" in 0..1, "gflop" of a step, and "gflop_s", the rate at which they run.
    """
    whole = timed(step, device, repeats=5, warm=3)["least_ms"]
    with FlopCounterMode(display=False) as counter:
        step()
    counts: Any = counter.get_flop_counts()["Global"]
    gflop = sum(count for name, count in counts.items() if "convolution" in str(name)) / 1e9
    rows = by_kernel(step, device, steps=3)
    spent = sum(row["ms"] for row in rows if any(word in row["name"] for word in CONVOLUTION))
    share = min(spent / whole, 1.0)
    rate = gflop / spent * 1000 if spent else float("nan")
    return {"share": round(share, 3), "gflop": round(gflop, 1), "gflop_s": round(rate, 1)}


def grown(size: int, stride: int, repeats: int = 3) -> dict[str, float]:
    """Seconds of a step of SCN at size x size with a map of that stride, and MB at the peak.

    On a CPU the peak is of the whole process, so each pair wants one of its own:
    `python -m study.speed.limits SIZE STRIDE`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    step = method_step("scn", size, CPU_BATCH, device, "eager", stride=stride)
    seconds = timed(step, device, repeats=repeats, warm=1)["least_ms"] / 1000
    peak = provenance.peak_memory_mb(device)
    return {"step_s": round(seconds, 4), "peak_memory_mb": round(peak, 1)}


if __name__ == "__main__":
    print(json.dumps(grown(int(sys.argv[1]), int(sys.argv[2]))))
