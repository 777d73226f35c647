"""What the study's commands share: help from the docstring, a failure in one line."""

import sys
from collections.abc import Callable

from scnlib.commandline import Parser


def described(prog: str, doc: str | None) -> Parser:
    """A parser whose help has a docstring's first line above the options, and the rest below."""
    first, _, rest = (doc or "").partition("\n")
    return Parser(prog, first, rest.strip("\n"))


def exit_code(action: Callable[[], object]) -> int:
    """Do it; 0, or after one line 1 for a ValueError or OSError, which is what can't be done, and
    130 for Ctrl-C."""
    try:
        action()
    except (ValueError, OSError) as error:
        from scnlib.schema import why  # pydantic's errors have several lines

        print(f"error: {why(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0
