"""What stands where in this study, beside `scnlib.paths`, and so how no data set may be called."""

import re

from scnlib.data.folders import ACDC
from scnlib.paths import REPOSITORY

README = REPOSITORY / "README.md"
FOLDS = ACDC[1:]  # data sets that are other ways to split one
# What else stands beside data sets in a profile's results.
TAKEN = ("variants", "sensitivity", "folds", "tables", "figures", "notebooks", "growth")


def is_name(text: str) -> bool:
    """Whether a data set may have this name, which is a folder's and a part of paths."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text)) and text.lower() not in TAKEN
