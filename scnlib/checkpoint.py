"""What a run in progress keeps on disk, so that a killed one goes on bit for bit.

checkpoint.pt holds all that the next step depends on; progress.json says how far the run is, for
whoever watches it from outside the notebook.
"""

import fcntl
import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scnlib import records
from scnlib.config import Run
from scnlib.files import replace_text
from scnlib.methods import Method

CHECKPOINT = "checkpoint.pt"


@dataclass
class State:
    """What a run remembers from step to step, beside the weights; the checkpoint holds it all."""

    iteration: int = 0
    order: list[int] = field(default_factory=list)  # what is left of the current epoch
    curve: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)  # iteration, dice and the weights
    seconds: float = 0.0  # of training steps alone
    code: list[str] = field(default_factory=list)  # the versions that took part, in order

    @property
    def validated(self) -> dict[str, Any]:
        """What a record says of the validations: the curve, the best and the last of it."""
        best = {name: self.best[name] for name in ("iteration", "dice")} if self.best else None
        last = self.validation[-1] if self.validation else None
        return {"curve": self.validation, "best": best, "last": last}


@dataclass(frozen=True)
class Moving:
    """The parts of a run that change as it goes on, beside its `State`."""

    method: Method
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator


def save(folder: Path, run: Run, state: State, moving: Moving) -> None:
    """Write checkpoint.pt, atomically; only tensors and plain Python values are in it."""
    folder.mkdir(parents=True, exist_ok=True)
    device = next(moving.method.parameters()).device
    content = {
        "run": run.to_json(),
        "state": _plain(vars(state)),
        "method": moving.method.state_dict(),
        "optimiser": moving.optimiser.state_dict(),
        "schedule": moving.schedule.state_dict(),
        "generator": moving.generator.get_state(),
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    beside = folder / f".checkpoint.{os.getpid()}"
    torch.save(content, beside)
    os.replace(beside, folder / CHECKPOINT)


def load(folder: Path, run: Run, moving: Moving) -> State | None:
    """Set the moving parts as checkpoint.pt has them, and return its state; None without one.

    Raises `ValueError` naming the file if it can't be read or is of another run.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        other, state = Run.from_json(content["run"]), State(**content["state"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else "it ends early"
        raise ValueError(f"{path}: not a readable checkpoint ({first}); delete it") from error
    except (ValueError, TypeError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(
            f"{path}: of another version of this code ({first}); delete it, or go back to that one"
        ) from error
    if other != run:
        what = records.differences(other, run)
        raise ValueError(f"{path}: of another configuration ({what}); delete it or train elsewhere")
    moving.method.load_state_dict(content["method"])
    moving.optimiser.load_state_dict(content["optimiser"])
    moving.schedule.load_state_dict(content["schedule"])
    moving.generator.set_state(content["generator"])
    torch.set_rng_state(content["torch_rng"])
    device = next(moving.method.parameters()).device
    if content["cuda_rng"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(content["cuda_rng"], device)
    return state


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from training in this folder: two would mix their checkpoints.

    The lock is on the folder itself and ends with the process. Raises `ValueError` if another
    process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(place)
        why = "another process trains this run: wait for it, or stop it first"
        raise ValueError(f"{folder}: {why}") from None
    except OSError:
        pass  # some network file systems have no locks
    try:
        yield
    finally:
        os.close(place)


def remove_stale(folder: Path) -> None:
    """Remove what a kill in the middle of writing has left: `.checkpoint.PID` and its like."""
    for name in ("checkpoint", "progress.json", "record.json"):
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def write_progress(folder: Path, state: State, iterations: int) -> None:
    """Write progress.json: iterations done and in all, seconds, last validation Dice, time left."""
    folder.mkdir(parents=True, exist_ok=True)
    left = state.seconds / max(state.iteration, 1) * (iterations - state.iteration)
    content = {
        "iteration": state.iteration,
        "iterations": iterations,
        "seconds": round(state.seconds, 1),
        "dice": state.validation[-1]["dice"] if state.validation else None,
        "eta_seconds": round(left, 1),
    }
    replace_text(folder / "progress.json", json.dumps(content))


# --- the best weights -----------------------------------------------------------------------


def weights(method: Method) -> dict[str, Tensor]:
    """A copy on the CPU of what prediction needs: the state without the method's `memory`."""
    state = method.state_dict()
    memory = set(_memory(method, state))
    return {k: v.detach().cpu().clone() for k, v in state.items() if k not in memory}


def load_weights(method: Method, kept: dict[str, Tensor]) -> None:
    """Set a method to `weights`' copy; only its `memory` may be missing there (`RuntimeError`)."""
    state = method.state_dict()
    memory = {name: state[name] for name in _memory(method, state)}
    method.load_state_dict(memory | kept)


def _memory(method: Method, names: Any) -> Iterator[str]:
    """The names that are one of the method's `memory`, or lie inside one."""
    for name in names:
        if any(name == part or name.startswith(f"{part}.") for part in method.memory):
            yield name


def _plain(value: Any) -> Any:
    """The same without numpy's scalars, which a checkpoint could not be read back with."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
