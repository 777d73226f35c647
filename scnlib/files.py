"""Files that are whole or not there, the sums that tell of a change, and a lock on a folder."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file; in a text (csv, json) every line ends with a mere newline."""
    content = path.read_bytes()
    if path.suffix in (".csv", ".json"):
        content = content.replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new one, never a part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    os.replace(beside, path)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from training in this folder: two would mix their checkpoints.

    The lock is on the folder itself and ends with the process. Raises `ValueError` if another
    process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        why = "another process trains this run: wait for it, or stop it first"
        raise ValueError(f"{folder}: {why}") from None
    except OSError:
        pass  # some network file systems have no locks
    try:
        yield
    finally:
        os.close(place)
