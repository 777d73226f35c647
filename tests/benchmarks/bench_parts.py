"""What each part of the fast step gives: SCN's step without it."""

import pytest

from study.speed.parts import PARTS, left_out
from study.speed.steps import method_step
from tests.benchmarks.bench_steps import BATCH, HERE, measure


@pytest.mark.skipif(HERE.type != "cpu", reason="the parts are those of a CPU's step")
@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("part", PARTS)
def bench_without(part: str, size: int, benchmark, rounds: int) -> None:
    benchmark.extra_info.update(part=part)
    with left_out(part):
        measure(method_step("scn", size, BATCH, HERE, "eager"), "scn", size, benchmark, rounds)
