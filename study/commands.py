"""What the study's commands share: failures in one line, and how a data set may be called."""

import re
import sys
from collections.abc import Callable

from scnlib.paths import TAKEN


def exit_code(action: Callable[[], object]) -> int:
    """Do it; 0, or 1 after one line for a ValueError or OSError, which is what can't be done."""
    try:
        action()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def is_name(text: str) -> bool:
    """Whether a data set may have this name, which is a folder's and a part of paths."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text)) and text.lower() not in TAKEN
