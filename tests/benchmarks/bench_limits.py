"""Where a step's time goes, and how SCN's grows with the image and with the map's grid."""

import json
import sys

import pytest
import torch

from study.speed.limits import convolutions, grown, matrix_rate
from study.speed.steps import method_step
from tests.benchmarks.bench_study import started

BATCH = 12
HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("method", ["pce", "scn"])
def bench_convolutions(method: str, size: int, benchmark) -> None:
    """Share of a step, and rate beside the processor's matrix rate."""
    step = method_step(method, size, BATCH, HERE, "eager")
    found = convolutions(step, HERE) | {"matrix_gflop_s": round(matrix_rate(HERE), 1)}
    benchmark.extra_info.update(method=method, size=size, **found)
    benchmark.pedantic(step, rounds=1)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("size", [64, 96, 128, 192, 256, 384])
def bench_growth(size: int, stride: int, benchmark) -> None:
    """A process of its own for each, as the peak of memory is a process's."""
    told: list[str] = []
    command = (sys.executable, "-m", grown.__module__, str(size), str(stride))
    benchmark.pedantic(lambda: told.append(started(*command)), rounds=1)
    benchmark.extra_info.update(size=size, stride=stride, **json.loads(told[0]))
