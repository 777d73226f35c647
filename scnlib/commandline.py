"""The commands' options: what is wrong with them is said in one line."""

import argparse


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
