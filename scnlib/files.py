"""Files that are whole or not there, the sums that tell of a change, and a lock on a folder."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file; in a text (csv, json) every line ends with a mere newline."""
    if path.suffix in (".csv", ".json"):
        return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` make a file so that a reader sees the old or the new one, never a part.

    It is given the place beside `path` to write to. Raises `ValueError` naming `path` if it can't
    (a full disk, no permission): the old file stays, and no part is left.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        if not isinstance(error, OSError):  # interrupted by the user, say
            raise
        raise ValueError(
            f"{path}: can't be written ({error.strerror}): make room, or choose a place that can "
            "be written to; the same command then goes on from what is there"
        ) from error


def replace_bytes(path: Path, content: bytes) -> None:
    """`replace_file` with these bytes; raises as it does."""
    replace_file(path, lambda beside: beside.write_bytes(content))


def replace_text(path: Path, text: str) -> None:
    """The same for a text."""
    replace_bytes(path, text.encode())


def remove_parts(folder: Path) -> None:
    """Remove what a kill in the middle of `replace_file` has left: `.checkpoint.pt.PID`, say."""
    for path in folder.glob(".*.*"):
        if path.suffix[1:].isdecimal():
            path.unlink(missing_ok=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from training in this folder: two would mix their checkpoints.

    The lock is on the folder itself, or, where no folder can be locked (NFS), on a file in it; it
    ends with the process. Raises `ValueError` if another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = [os.open(folder, os.O_RDONLY)]
    try:
        if not _locked(places[0], folder):
            places.append(os.open(folder / ".run.lock", os.O_RDWR | os.O_CREAT, 0o666))
            _locked(places[1], folder)  # or nothing keeps two apart: there are no locks at all
        yield
    finally:
        for place in places:
            os.close(place)


def _locked(place: int, folder: Path) -> bool:
    """Lock what is open, without waiting; False where its kind can't be locked."""
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        why = "another process trains this run: wait for it, or stop it first"
        raise ValueError(f"{folder}: {why}") from None
    except OSError:
        return False
    return True
