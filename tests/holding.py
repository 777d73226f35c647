"""Another process that has an HDF5 file open for writing, and so holds its lock."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Inside, another process has the file open."""
    program = f"import h5py; f = h5py.File({str(path)!r}, 'r+'); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        yield
        holder.communicate("\n")
