"""The lock that keeps two runs from one results folder, and two trainings from one GPU."""

import fcntl
import sys
from typing import TextIO


def lock(file: TextIO) -> bool:
    """Take the file's lock without waiting; it lasts as long as a process keeps the file open.

    True with a note where the file system knows no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # the file system has no locks: nothing then keeps two runs apart
        print(f"{file.name}: no locks here ({error.strerror}): run one at a time", file=sys.stderr)
    return True
