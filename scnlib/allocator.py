"""Memory that a step frees is kept for the next step."""

import ctypes
from functools import cache

# glibc's numbers for mallopt.
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to 2 GB; whether the C library obeys.

    By default glibc asks the kernel for every large tensor and hands it back when that is freed.
    Each page is then mapped and zeroed anew in every step: a tenth of one at 256 x 256. Numbers
    and the peak of memory stay as they are, but the process does not shrink after its peak. Other C
    libraries than glibc (macOS, Windows, musl) are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # TypeError: on Windows
        return False
    settings = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 2**26}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])
