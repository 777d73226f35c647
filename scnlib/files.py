"""Files that are whole or not there, and the sums that tell whether they changed."""

import hashlib
import os
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
