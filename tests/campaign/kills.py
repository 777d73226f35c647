"""A run is killed at random instants, again and again, and must end as if nothing had happened."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from scnlib import records
from scnlib.config import Run
from tests.scnlib.test_resume import start
from tests.tiny_runs import tiny

RUN = tiny("scn", iterations=12, validations=3, size=32)
MOST_SECONDS = 1800


def finish(run: Run, folder: Path, threads: int = 1) -> float:
    """Train to the end in a process of its own; the seconds it took."""
    began = time.monotonic()
    with start(run, folder, threads) as process:
        process.communicate(timeout=MOST_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{folder}: ended with code {process.returncode}")
    return time.monotonic() - began


def kill(run: Run, folder: Path, seconds: float) -> int | None:
    """Start or go on with the run and SIGKILL it after some seconds; the iteration it had reported
    by then, None if it ended before."""
    with start(run, folder) as process:
        time.sleep(seconds)
        if process.poll() is not None:
            return None
        process.kill()
        text, _ = process.communicate(timeout=MOST_SECONDS)
    return max([0, *map(int, text.split())])


def result(folder: Path) -> tuple[Any, ...]:
    """All of a record that must not depend on kills (times do)."""
    record = records.read(folder)
    curve = record.curve.drop(columns="seconds").to_csv()
    kept = {name: value for name, value in record.files.items() if name != "curve.csv"}
    return record.summary, record.validation, curve, kept


def campaign(folder: Path, kills: int, seed: int, done: int = 0) -> dict[str, Any]:
    """Runs are killed `kills` times in all, at instants drawn from the time a whole one takes.

    `done` kills of earlier calls let this one draw other instants.

    Counts the kills, those during a saving (a part of a file was left), the iterations lost, the
    runs that were finished, and those of them whose results differ.
    """
    rng = np.random.default_rng([seed, done])
    seconds = finish(RUN, folder / "whole")
    whole = result(folder / "whole")
    counts = {"kills": 0, "in_a_saving": 0, "lost_iterations": 0, "runs": 0, "differing": 0}
    broken = folder / "broken"
    while counts["kills"] < kills:
        shutil.rmtree(broken, ignore_errors=True)
        for _ in range(min(5, kills - counts["kills"])):
            reached = kill(RUN, broken, seconds * rng.random())
            if reached is None:
                break
            counts["kills"] += 1
            counts["in_a_saving"] += any(broken.glob(".*.*"))
            # One killed before it reported anything has done nothing that could be lost.
            counts["lost_iterations"] += max(0, reached - begun_at(broken, reached))
        finish(RUN, broken)
        counts["runs"] += 1
        counts["differing"] += str(result(broken)) != str(whole)
    return counts


def begun_at(folder: Path, reached: int) -> int:
    """The iteration at which the next process will go on."""
    if (folder / "record.json").exists():
        return reached
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    import torch

    return int(torch.load(path, weights_only=True)["state"]["iteration"])
