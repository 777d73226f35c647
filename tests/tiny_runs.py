"""Runs of a few steps on a few phantom subjects, for the tests of the training loop."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from scnlib import training
from scnlib.config import Run
from scnlib.data.cases import Case
from scnlib.data.phantom import draw_subject
from scnlib.kernels import ElementDropout
from scnlib.methods.base import Losses, Method
from scnlib.training import Training
from study.experiments import make_run

CPU = torch.device("cpu")
SUBJECTS = {"train": (1, 2, 3, 4), "val": (25, 26), "test": (33, 34)}


@cache
def cases(split: str) -> list[Case]:
    return [draw_subject(number)[0] for number in SUBJECTS[split]]


def serve(monkeypatch: pytest.MonkeyPatch, **splits: list[Case]) -> list[str]:
    """Let the loop read these splits (a few phantom subjects for others); the splits it asked."""
    asked: list[str] = []

    def load_split(dataset: str, root: Path | None, split: str) -> list[Case]:
        asked.append(split)
        return splits[split] if split in splits else cases(split)

    monkeypatch.setattr(training, "load_split", load_split)
    return asked


def without(split: str, **missing: None) -> list[Case]:
    return [replace(case, **missing) for case in cases(split)]


def tiny(method: str = "pce", **protocol: Any) -> Run:
    given = {"iterations": 4, "batch": 4, "validations": 2, "size": 16, "bf16": False} | protocol
    return make_run("phantom", method, **given)


def begin(run: Run, folder: Path) -> Training:
    """The run as `train` begins it: new, or gone on with."""
    begun = Training(run, folder, None, CPU)
    begun.resume()
    return begun


def without_dropout(method: Method) -> Method:
    """The method itself, of which nothing is dropped any more."""
    for layer in method.modules():
        if isinstance(layer, ElementDropout):
            layer.p = 0.0
    return method


def advance(begun: Training, steps: int) -> Training:
    for _ in range(steps):
        begun.advance()
    return begun


def whole_and_broken(
    run: Run, folder: Path, stop: int, steps: int
) -> tuple[Training, Training, Training]:
    """A run after `steps`; the same, saved after `stop` of them; and that one gone on with."""
    whole = advance(begin(run, folder / "whole"), steps)
    stopped = advance(begin(run, folder / "broken"), stop)
    stopped.save()
    torch.rand(7)  # whatever else drew numbers in between
    resumed = begin(run, folder / "broken")
    assert resumed.state.iteration == stop
    return whole, stopped, advance(resumed, steps - stop)


def spy_on_batches(begun: Training) -> list[list[int]]:
    """Fills, as the run goes on, with the slices of its batches."""
    seen: list[list[int]] = []
    loss = begun.method.loss

    def watched(batch: Any, now: Any) -> tuple[Tensor, Losses]:
        seen.append(batch.index.tolist())
        assert len(batch.image) == len(batch.scribble) == len(batch.index)
        return loss(batch, now)

    begun.method.loss = watched  # type: ignore[method-assign]
    return seen


def same(a: Any, b: Any) -> bool:
    """Equality bit for bit of nested dicts and lists of tensors and numbers."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return torch.equal(a, b) if isinstance(a, Tensor) else a == b
