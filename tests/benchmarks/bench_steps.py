"""What a step of each method costs, at 128 and 256 pixels, batch 12.

Not part of the tests: `python -m study.speed` runs these (the README says where results go).
"""

import pytest
import torch

from scnlib.methods import METHODS
from study.experiments import RECIPES
from study.speed.steps import Action, method_step

BATCH = 12
HERE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ROWS = [name for name in METHODS if name not in RECIPES]  # SGD's rows cost the same


def measure(step: Action, method: str, size: int, benchmark, rounds: int) -> None:
    """Time a step of `BATCH` slices, waiting for the device each time."""

    def waited() -> None:
        step()
        if HERE.type == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(method=method, size=size, batch=BATCH, device=HERE.type)
    benchmark.pedantic(waited, rounds=rounds, warmup_rounds=5 if HERE.type == "cuda" else 1)


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("method", ROWS)
def bench_step(method: str, size: int, benchmark, rounds: int) -> None:
    way = "graph" if HERE.type == "cuda" else "eager"
    measure(method_step(method, size, BATCH, HERE, way), method, size, benchmark, rounds)
