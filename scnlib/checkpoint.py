"""checkpoint.pt: all that the next step depends on, so that a killed run goes on bit for bit.

And progress.json: how far a run is, for whoever watches it from outside the notebook.
"""

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from scnlib.config import Run, differences
from scnlib.errors import first_line, one_line
from scnlib.files import replace_file, replace_text

CHECKPOINT = "checkpoint.pt"
PART = 2**20  # bytes that are read at a time


@dataclass
class State:
    """What a run remembers from step to step, beside the weights; the checkpoint holds it all."""

    iteration: int = 0
    order: list[int] = field(default_factory=list)  # what is left of the current epoch
    curve: list[dict[str, float]] = field(default_factory=list)
    validation: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)  # iteration, dice and the weights
    seconds: float = 0.0  # of training steps alone
    steps: list[str] = field(default_factory=list)  # the kinds of step (`scnlib.step`), in order
    memory: float = 0.0  # peak in MB of the process that took the last steps
    data: dict[str, Any] = field(default_factory=dict)  # the data's fingerprint at the start
    processes: list[dict[str, Any]] = field(default_factory=list)  # as in `Record.processes`

    @property
    def validated(self) -> dict[str, Any]:
        """What a record says of the validations: the curve, the best and the last of it."""
        best = {name: self.best[name] for name in ("iteration", "dice")} if self.best else None
        last = self.validation[-1] if self.validation else None
        return {"curve": self.validation, "best": best, "last": last}


def save(
    folder: Path, run: Run, state: State, parts: Mapping[str, Any], generator: torch.Generator
) -> None:
    """Write checkpoint.pt, atomically; only tensors and plain Python values are in it.

    `parts` change beside the state, by name: "method", "optimiser" and "schedule".
    Raises `ValueError` naming the file if it can't be written; the one before it stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = next(parts["method"].parameters()).device
    content = {
        "run": run.to_json(),
        "state": _plain(vars(state)),
        **{name: part.state_dict() for name, part in parts.items()},
        "generator": generator.get_state(),
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }
    replace_file(folder / CHECKPOINT, lambda beside: write_sealed(content, beside))


def write_sealed(content: dict[str, Any], path: Path) -> None:
    """Save to a file, with no copy in memory: a zip archive, a sha256 of itself as its comment.

    torch does not notice a changed byte inside a tensor. Raises `OSError` if the disk is full.
    """
    with open(path, "w+b") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of closing an archive after a full disk, or Ctrl-C
            raise (error.__context__ or error) from None
        file.seek(-2, os.SEEK_END)  # the comment's length, 0, comes last
        file.truncate()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
        file.write(len(digest).to_bytes(2, "little") + digest)


def check_seal(file: BinaryIO) -> None:
    """`OSError` unless all is as `write_sealed` left it; the file is then at its start again."""
    length = hashlib.sha256().digest_size
    left = max(0, file.seek(0, os.SEEK_END) - length - 2)
    file.seek(0)
    digest = hashlib.sha256()
    while left and (part := file.read(min(left, PART))):
        digest.update(part)
        left -= len(part)
    if file.read() != length.to_bytes(2, "little") + digest.digest():
        raise OSError("its own sum is another: it was changed")
    file.seek(0)


def contents(path: Path) -> tuple[Run, State, dict[str, Any]]:
    """A checkpoint's run, its state, and all that is in it by the names of `save`.

    Raises `ValueError` naming the file if it can't be read or is of another version of this code.
    """
    try:
        with open(path, "rb") as file:
            check_seal(file)
            content = torch.load(file, map_location="cpu", weights_only=True)
        return Run.from_json(content["run"]), State(**content["state"]), content
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        why = first_line(error)
        raise ValueError(f"{path}: not a readable checkpoint ({why}); delete it") from error
    except (ValueError, TypeError, KeyError) as error:
        raise _of_other_code(path, error) from error


def load(
    folder: Path,
    run: Run,
    parts: Mapping[str, Any],
    generator: torch.Generator,
    data: dict[str, Any] | None = None,
) -> State | None:
    """Set the `parts` and the generator as in checkpoint.pt; its state, or None without a file.

    Raises `ValueError` naming the file as `contents`, or if it is of another run, or begun with
    other `data` (a fingerprint) where these are given.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    other, state, content = contents(path)
    if what := differences(other, run):
        raise ValueError(f"{path}: of another configuration ({what}); delete it or train elsewhere")
    if data is not None and state.data != data:  # before its weights, which may not fit these
        raise changed_data(path, run, state.data, data)
    try:
        for name, part in parts.items():
            part.load_state_dict(content[name])
    except (ValueError, RuntimeError, KeyError) as error:
        raise _of_other_code(path, error) from error
    generator.set_state(content["generator"])
    torch.set_rng_state(content["torch_rng"])
    device = next(parts["method"].parameters()).device
    if content["cuda_rng"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(content["cuda_rng"], device)
    return state


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


def changed_data(path: Path, run: Run, then: dict[str, Any], now: dict[str, Any]) -> ValueError:
    """The error to raise where a run in the file's folder began with other data."""
    sums = " and is now ".join(str(data.get("sha256"))[:12] for data in (then, now))
    return ValueError(
        f"{path}: the data of {run.dataset} have changed since the run began (sha256 was {sums}): "
        f"bring those back and go on, or delete {path.parent}"
    )


def _of_other_code(path: Path, error: Exception) -> ValueError:
    why = one_line(error)
    return ValueError(
        f"{path}: of another version of this code ({why}); delete it, or go back to that one"
    )


def _plain(value: Any) -> Any:
    """The same without numpy's scalars, which a checkpoint could not be read back with."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value
