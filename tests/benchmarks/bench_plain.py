"""The field's plain step, before anything of the study's has set how memory is kept."""

import pytest

from scnlib.allocator import keep_freed_memory
from study.speed.steps import PLAIN, plain_step
from tests.benchmarks.bench_steps import BATCH, HERE, measure


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("method", [PLAIN])
def bench_step(method: str, size: int, benchmark, rounds: int) -> None:
    assert not keep_freed_memory.cache_info().currsize, "the plain steps have to come first"
    measure(plain_step(size, BATCH, HERE), method, size, benchmark, rounds)
