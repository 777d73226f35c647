"""A run is killed again and again, and must end as if nothing had happened.

Half of the kills are at random instants, the others in the middle of writing a checkpoint or one of
the files of a record. Each process is forked from one that has imported all, and trains as
`scnlib.training.train` does; it is tiny, and goes through training, validation, test and record.
"""

import itertools
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scnlib import records, training
from scnlib.config import Run
from tests.scnlib.test_resume import start
from tests.tiny_runs import cases, tiny

RUN = tiny("scn", iterations=12, validations=3, size=32)
MOST_SECONDS = 1800
CHECKPOINT = "checkpoint.pt"
RECORD = ("weights.safetensors", *records.FILES, "record.json")
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Saving:
    """Where a process kills itself: at the `count`-th writing of this file, of which a share is
    written (1: all of it, but it has not taken its place yet)."""

    name: str
    count: int
    share: float


def finish(
    run: Run, folder: Path, threads: int, environment: Mapping[str, str] | None = None
) -> None:
    """Train to the end in a Python of its own, with this many threads and these variables."""
    with start(run, folder, threads, environment) as process:
        process.communicate(timeout=MOST_SECONDS)
    if process.returncode:
        raise RuntimeError(f"{folder}: ended with code {process.returncode}")


def work(run: Run, folder: Path, reached: Any, saving: Saving | None) -> None:
    """What a process does: train or go on, telling the iteration; or die in a saving."""
    torch.set_num_threads(1)
    training.CHECKPOINT_SECONDS = 0
    training.LOG_EVERY = 2
    training.load_split = lambda dataset, root, split: cases(split)  # type: ignore[assignment]
    if saving:
        _die_in(saving)

    def report(state: Any, run: Run) -> None:
        reached.value = state.iteration

    training.train(run, folder, report=report, device="cpu")


def _die_in(saving: Saving) -> None:
    replace, count = os.replace, itertools.count(1)

    def half(source: Any, target: Any) -> None:
        if Path(source).name.startswith(f".{saving.name}.") and next(count) == saving.count:
            os.truncate(source, int(saving.share * os.path.getsize(source)))
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = half


def process(
    run: Run, folder: Path, saving: Saving | None = None, seconds: float = MOST_SECONDS
) -> tuple[ForkServerProcess, int]:
    """A process that trains or goes on, and was killed if it took longer; the iteration reached."""
    reached = FORKED.Value("i", 0)
    child = FORKED.Process(target=work, args=(run, folder, reached, saving))
    child.start()
    child.join(seconds)
    child.kill()  # without effect on one that has ended
    child.join()
    return child, reached.value


def whole(run: Run, folder: Path) -> float:
    """Train or go on to the end; the seconds it took."""
    began = time.monotonic()
    child, _ = process(run, folder)
    if child.exitcode:
        raise RuntimeError(f"{folder}: ended with code {child.exitcode}")
    return time.monotonic() - began


def result(folder: Path) -> tuple[Any, ...]:
    """All of a record that must not depend on kills (times do)."""
    record = records.read(folder)
    curve = record.curve.drop(columns="seconds").to_csv()
    kept = {name: value for name, value in record.files.items() if name != "curve.csv"}
    return record.summary, record.validation, curve, kept


def drawn(rng: np.random.Generator, seconds: float) -> tuple[Saving | None, float]:
    """How the next process is killed: in a saving, or after some of the seconds of a whole run."""
    if rng.random() < 0.5:
        return None, seconds * rng.random()
    share = float(rng.choice([0.0, rng.random(), 1.0]))
    if rng.random() < 0.6:
        return Saving(CHECKPOINT, int(rng.integers(1, 4)), share), MOST_SECONDS
    return Saving(str(rng.choice(RECORD)), 1, share), MOST_SECONDS


def campaign(folder: Path, kills: int, seed: int, done: int = 0) -> dict[str, Any]:
    """Runs are killed `kills` times in all, and finished after up to five of them.

    `done` kills of earlier calls let this one draw other instants.

    Counts the kills; those that left a part of a checkpoint or of a record's file, by chance or on
    purpose; the iterations lost; the runs that were finished, and those whose results differ.
    """
    rng = np.random.default_rng([seed, done])
    seconds = whole(RUN, folder / "whole")
    expected = str(result(folder / "whole"))
    names = ("kills", "in_a_checkpoint", "in_a_record", "lost_iterations", "runs", "differing")
    counts: dict[str, Any] = dict.fromkeys(names, 0)
    broken = folder / "broken"
    while counts["kills"] < kills:
        shutil.rmtree(broken, ignore_errors=True)
        for _ in range(min(5, kills - counts["kills"])):
            child, reached = process(RUN, broken, *drawn(rng, seconds))
            if child.exitcode != -signal.SIGKILL:
                break
            counts["kills"] += 1
            counts["in_a_checkpoint"] += any(broken.glob(f".{CHECKPOINT}.*"))
            counts["in_a_record"] += any(any(broken.glob(f".{name}.*")) for name in RECORD)
            # One killed before it reported anything has done nothing that could be lost.
            counts["lost_iterations"] += max(0, reached - begun_at(broken, reached))
        whole(RUN, broken)
        counts["runs"] += 1
        counts["differing"] += str(result(broken)) != expected
    return counts


def begun_at(folder: Path, reached: int) -> int:
    """The iteration at which the next process will go on."""
    if (folder / "record.json").exists():
        return reached
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    return int(torch.load(path, weights_only=True)["state"]["iteration"])
