"""Freed memory is kept for the next step."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from scnlib.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def step():
    for _ in range(10):
        torch.ones(2**24)  # 64 MB
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Pages that the kernel had to map during ten allocations of 64 MB that came before, too."""
    command = [sys.executable, "-c", FAULTS, way]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_step_s_memory_is_mapped_once() -> None:
    pages = 10 * 2**26 // 4096
    assert faults("usual") > pages / 2**10  # also where the kernel gives pages of 2 MB
    assert faults("kept") < pages / 2**10
