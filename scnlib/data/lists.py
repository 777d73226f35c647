"""The lists that come with the code, in splits/: who is in which split, voxel sizes, known sums.

A changed digit in one would train on other patients, or measure other millimetres, and say nothing.
So each list is compared with its sum in splits/sums.csv.
"""

import csv
import io
from functools import cache
from pathlib import Path

from scnlib.files import sha256

PLACE = Path(__file__).parent / "splits"


@cache
def published_rows(name: str) -> list[dict[str, str]]:
    """The rows of a list, column -> text; ValueError naming the file if it was changed."""
    path = PLACE / name
    known = (PLACE / "sums.csv").read_text(encoding="utf-8", errors="replace").splitlines()
    if not path.exists() or f"{name},{sha256(path)}" not in known:
        raise ValueError(
            f"{path}: not there, or not as splits/sums.csv knows it: restore {PLACE} from version "
            "control"
        )
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
