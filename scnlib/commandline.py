"""The commands' options and output: what is wrong with them is said in one line."""

import argparse
import io
import sys


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which knows no shortened options."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(
            prog, description=description, epilog=epilog, formatter_class=form, allow_abbrev=False
        )

    def error(self, message: str):
        """Print the message and leave with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def print_any_name() -> None:
    """Let the output escape what it can't encode: a file's name may be any bytes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
