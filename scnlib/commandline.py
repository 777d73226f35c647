"""The commands' options and output: what is wrong with them is said in one line."""

import argparse
import io
import signal
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


def end_in_silence() -> None:
    """Let Ctrl-C and a closed pipe (`| head`) end the program at once, without a traceback.

    Ctrl-C for the seconds in which its libraries load (then `hear_ctrl_c`), a pipe to the end.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "SIGPIPE"):  # not on Windows
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def hear_ctrl_c() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, also in a script's `&`, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def print_any_name() -> None:
    """Let the output escape what it can't encode: a file's name may be any bytes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
