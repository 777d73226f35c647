"""What stands where in this study, beside `scnlib.paths`, and so how no data set may be called."""

import re
from glob import glob
from pathlib import Path

from scnlib.data.folders import ACDC
from scnlib.paths import REPOSITORY

README = REPOSITORY / "README.md"
COMMITTED = "cpu"  # the profile whose records are shown where someone has none of their own,
FINE = "night"  # and that whose runs at the printed resolution stand beside them
FOLDS = ACDC[1:]  # data sets that are other ways to split one
# What else stands beside data sets in a profile's results.
TAKEN = ("variants", "sensitivity", "folds", "tables", "figures", "notebooks", "growth")


def is_name(text: str) -> bool:
    """Whether a data set may have this name, which is a folder's and a part of paths."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text)) and text.lower() not in TAKEN


def files_under(folder: Path, name: str) -> list[Path]:
    """What has this name, or fits this pattern, in a folder and at any depth below it, sorted.

    Links are followed, as a folder may lie on another disk; hidden ones are looked into as well.
    """
    found = glob(f"**/{name}", root_dir=folder, recursive=True, include_hidden=True)
    return sorted(folder / path for path in found)
