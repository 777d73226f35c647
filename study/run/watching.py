"""What is seen on the terminal while a notebook runs: a bar, or a line a minute."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.beside import repeated


@contextmanager
def shown(output: Path, watch: Path | None, lines: bool) -> Iterator[None]:
    """Say that the notebook runs, how far it is, and how long it took."""
    bar = sys.stderr.isatty() and not lines
    started, stale = time.monotonic(), _stamp(watch)

    def say(text: str, end: str = "\n") -> None:
        text = f"{output.stem}: {text}"
        print(f"\r{text}\x1b[K" if bar else text, end=end, file=sys.stderr, flush=True)

    def follow() -> None:
        say(line(watch, stale, started), end="" if bar else "\n")

    say("started", end="" if bar else "\n")
    try:
        with repeated(follow, 1 if bar else 60):
            yield
    finally:
        say(f"ended after {_duration(time.monotonic() - started)}")


def line(watch: Path | None, stale: int | None, started: float) -> str:
    """One line on how far a training is; the time passed where no fresh progress file tells.

    `stale` is the file's time of writing before it started, and `started` that by `time.monotonic`:
    the clock may be set back.
    """
    try:
        if watch is None or _stamp(watch) == stale:
            raise FileNotFoundError
        state = json.loads(watch.read_text())
        share = state["iteration"] / state["iterations"]
    except (OSError, ValueError, KeyError, ZeroDivisionError):
        return f"running for {_duration(time.monotonic() - started)}"
    bar = f"{'#' * int(20 * share):<20}"
    text = f"[{bar}] {share:4.0%}  {state['iteration']}/{state['iterations']}"
    if state.get("dice") is not None:
        text += f"  validation Dice {100 * state['dice']:.1f}"
    if state.get("eta_seconds") is not None:
        text += f"  {_duration(state['eta_seconds'])} left"
    return text


def _stamp(path: Path | None) -> int | None:
    return path.stat().st_mtime_ns if path and path.exists() else None


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
