"""What each part of the fast step gives: SCN's step with and without it, one after the other."""

import time

import numpy as np
import pytest

from study.speed.parts import FAST_PARTS, left_out
from study.speed.steps import method_step
from tests.benchmarks.bench_steps import BATCH, HERE


@pytest.mark.skipif(HERE.type != "cpu", reason="the parts are those of a CPU's step")
@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("part", FAST_PARTS)
def bench_without(part: str, size: int, benchmark, rounds: int) -> None:
    """The median over pairs of neighbours: what else the machine does is in both of a pair."""
    whole = method_step("scn", size, BATCH, HERE, "eager")
    with left_out(part):
        without = method_step("scn", size, BATCH, HERE, "eager")
    ratios = []

    def pair() -> None:
        began = time.perf_counter()
        whole()
        between = time.perf_counter()
        with left_out(part):
            without()
        ratios.append((time.perf_counter() - between) / (between - began))

    pair()
    ratios.clear()  # the first step is slower
    benchmark.pedantic(pair, rounds=2 * rounds)
    found = {"part": part, "size": size, "ratio": round(float(np.median(ratios)), 3)}
    benchmark.extra_info.update(found)
