"""THE training loop: every method of the study runs through it.

Steps, validation, checkpoint and resume. Data order, augmentation and the methods' own draws come
from one generator on the CPU, whose state is in the checkpoint: a run that was killed goes on as
if nothing had happened, equal bit for bit on a CPU with as many threads.
"""

import json
import logging
import os
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from scnlib import hardware, records
from scnlib.augment import inside_frame, random_affine, warp_image, warp_labels
from scnlib.config import Profile, Run
from scnlib.data.cases import (
    Case,
    fingerprint,
    load_split,
    require_labels,
    require_scribbles,
    stack,
)
from scnlib.evaluation import evaluate, summary
from scnlib.methods import Batch, Method, Now, get_method
from scnlib.unet import bf16_supported

LOG_EVERY = 10  # iterations that a row of the curve averages
CHECKPOINT_SECONDS = 30.0

log = logging.getLogger(__name__)


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


Report = Callable[[State, Run], None]


def train(
    run: Run,
    folder: Path,
    root: Path | None = None,
    report: Report | None = None,
    device: str | None = None,
) -> records.Record:
    """Train a run, or go on with it, test its best checkpoint once, and write its record.

    Args:
        run: what to train. A run with a `variant` is validated and never tested.
        folder: where the record goes. A finished record of the same run is returned as it is.
        root: the data's folder (None for the phantom).
        report: called every ten iterations and after every validation.
        device: "cpu" or "cuda"; the GPU if there is one.

    Raises:
        ValueError: for bad data, a method that needs masks where there are none, a checkpoint or a
            record of another configuration, or a loss that is not finite. Nothing that was
            computed is lost: the checkpoint stays.
    """
    done = finished(run, folder)
    if done is not None:
        return done
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    training = Training(run, folder, root, where)
    training.resume()
    while training.state.iteration < run.profile.iterations:
        training.advance()
        if report is not None and training.at_row:
            report(training.state, run)
    return training.finish()


def finished(run: Run, folder: Path) -> records.Record | None:
    """The record in `folder` if it is of this very run; None if there is none.

    Raises `ValueError` if it is of another configuration.
    """
    if not (folder / "record.json").exists():
        return None
    record = records.read(folder)
    if record.run != run:
        raise ValueError(
            f"{folder / 'record.json'}: of another configuration; train into another folder"
        )
    return record


class Training:
    """A run in progress: data in memory, networks, optimiser, and the state that is saved."""

    def __init__(self, run: Run, folder: Path, root: Path | None, device: torch.device) -> None:
        self.run, self.folder, self.root, self.device = run, folder, root, device
        # Now and not at the end: the repository may have moved on by then.
        self.state = State(code=[records.code_version()])
        self.saved = time.monotonic()
        self.sums: dict[str, Tensor | float] = {}
        self.counted = 0

        kind = get_method(run.method)
        train_cases = load_split(run.dataset, root, "train")
        if kind.needs == "label":
            require_labels(train_cases, f"method {run.method}")
        else:
            require_scribbles(train_cases)
        self.val_cases = load_split(run.dataset, root, "val")
        classes = len(train_cases[0].classes)
        self.images, self.scribbles, self.labels = self._tensors(train_cases)
        if len(self.images) < run.profile.batch:
            raise ValueError(
                f"{run.dataset}: {len(self.images)} training slices do not fill a batch of "
                f"{run.profile.batch}; add data or take a smaller batch"
            )

        torch.manual_seed(run.seed)
        self.generator = torch.Generator().manual_seed(run.seed)
        bf16 = run.profile.bf16 and bf16_supported(device)
        self.method: Method = kind(run, classes, bf16).to(device)
        self.optimiser, self.schedule = make_optimiser(self.method, run.profile)

    def _tensors(self, cases: list[Case]) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The training set on the device: loaded, resized and moved once."""
        profile = self.run.profile
        data = stack(cases, profile.size, profile.scribble_rule)

        def move(array: np.ndarray | None) -> Tensor | None:
            return None if array is None else torch.from_numpy(array).to(self.device)

        return torch.from_numpy(data.image).to(self.device), move(data.scribble), move(data.label)

    # --- one step ---------------------------------------------------------------------------

    @property
    def at_row(self) -> bool:
        """Whether the last step closed a row of the curve."""
        return self.counted == 0

    def advance(self) -> None:
        """One iteration, with whatever is due after it: a row, a validation, a checkpoint."""
        state, profile = self.state, self.run.profile
        began = time.monotonic()
        self._step()
        state.iteration += 1
        last = state.iteration == profile.iterations
        due = last or state.iteration % max(1, profile.iterations // profile.validations) == 0
        if due or state.iteration % LOG_EVERY == 0:
            self._close_row()
        state.seconds += time.monotonic() - began
        if due:
            self._validate()
        late = time.monotonic() - self.saved > CHECKPOINT_SECONDS
        if due or (late and self.at_row):
            self.save()

    def _step(self) -> None:
        now = Now(self.state.iteration, self.run.profile.iterations, self.generator)
        self.method.train()
        if now.iteration == 0:
            self._prepare()
        self.method.every(now, self.images)
        loss, parts = self.method.loss(self._batch(), now)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.method.after_step(now)
        for name, value in {"loss": loss.detach(), **parts}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.counted += 1

    def _prepare(self) -> None:
        if self.scribbles is not None:
            self.method.prepare(self.images, self.scribbles)

    def _batch(self) -> Batch:
        """The next full batch of the epoch, augmented; a rest that fills no batch is dropped."""
        size = self.run.profile.batch
        if len(self.state.order) < size:
            order = torch.randperm(len(self.images), generator=self.generator)
            self.state.order = order.tolist()
        picked, self.state.order = self.state.order[:size], self.state.order[size:]
        index = torch.tensor(picked, device=self.device)
        theta = random_affine(size, self.generator).to(self.device)
        fill = self.method.classes

        def warp(maps: Tensor | None) -> Tensor | None:
            return None if maps is None else warp_labels(maps[index].long(), theta, fill)

        return Batch(
            image=warp_image(self.images[index][:, None], theta),
            scribble=warp(self.scribbles),
            label=warp(self.labels) if self.method.needs == "label" else None,
            valid=inside_frame(theta, *self.images.shape[1:]),
            index=index,
            affine=theta,
        )

    def _close_row(self) -> None:
        row = {name: float(value) / self.counted for name, value in self.sums.items()}
        if not np.isfinite(row["loss"]):
            raise ValueError(
                f"{self.folder}: the loss is {row['loss']} at iteration {self.state.iteration}; "
                "lower the learning rate, or start again from the last checkpoint"
            )
        rate = self.optimiser.param_groups[0]["lr"]
        begin = {"iteration": self.state.iteration, "lr": rate}
        self.state.curve.append({**begin, **row, "seconds": round(self.state.seconds, 3)})
        self.sums, self.counted = {}, 0
        self._progress()

    # --- validation -------------------------------------------------------------------------

    def predict(self, images: Tensor) -> Tensor:
        """Logits of the method in evaluation mode, (b, 1, H, W) to (b, K, H, W)."""
        return self.method.eval().predict(images.to(self.device))

    def _validate(self) -> None:
        """Mean Dice of the validation volumes; keeps the weights if it is the best so far."""
        state, profile = self.state, self.run.profile
        if not self.val_cases or any(case.label is None for case in self.val_cases):
            return
        rows, _ = evaluate(self.predict, self.val_cases, profile.size, profile.batch, hd=False)
        mean = summary(rows)["dice"]["mean"]
        state.validation.append({"iteration": state.iteration, "dice": mean})
        if not state.best or mean > state.best["dice"]:
            weights = {k: v.detach().cpu().clone() for k, v in self.method.state_dict().items()}
            state.best = {"iteration": state.iteration, "dice": mean, "weights": weights}
        self._progress()

    # --- checkpoint and record --------------------------------------------------------------

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint, atomically; only tensors and plain Python values are in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "run": self.run.to_json(),
            "state": _plain(vars(self.state)),
            "method": self.method.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        beside = self.checkpoint.with_name(f".checkpoint.{os.getpid()}")
        torch.save(content, beside)
        os.replace(beside, self.checkpoint)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one; `ValueError` if it is of another run."""
        if not self.checkpoint.exists():
            return
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else "it ends early"
            raise ValueError(
                f"{self.checkpoint}: not a readable checkpoint ({first}); delete it"
            ) from error
        if Run.from_json(content["run"]) != self.run:
            raise ValueError(
                f"{self.checkpoint}: of another configuration; delete it or train elsewhere"
            )
        code = self.state.code
        self.state = State(**content["state"])
        self.state.code += [version for version in code if version not in self.state.code]
        self.method.load_state_dict(content["method"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.schedule.load_state_dict(content["schedule"])
        self.generator.set_state(content["generator"])
        torch.set_rng_state(content["torch_rng"])
        if content["cuda_rng"]:
            torch.cuda.set_rng_state_all(content["cuda_rng"])
        if self.state.iteration:
            self._prepare()
        log.info("%s: going on at iteration %d", self.folder, self.state.iteration)

    def finish(self) -> records.Record:
        """Test the best weights (a variant is not tested) and write the record."""
        state, run, profile = self.state, self.run, self.run.profile
        notes = []
        if state.best:
            self.method.load_state_dict(state.best["weights"])
        else:
            notes.append("no masks to validate on: the last weights were taken")
        began = time.monotonic()
        metrics, predictions, result = None, {}, {}
        test_cases = [] if run.variant else self._test_cases(notes)
        if test_cases:
            metrics, predictions = evaluate(self.predict, test_cases, profile.size, profile.batch)
            result = summary(metrics)
        if run.method == "scn" and run.seed == 0 and not run.variant:
            hardware.save_weights(self.folder / "weights.safetensors", self.method, run)
        record = records.write(
            self.folder,
            run=run,
            curve=pd.DataFrame(state.curve),
            metrics=metrics,
            predictions=predictions if run.seed == 0 else {},
            code_version=" then ".join(state.code),
            data=fingerprint(run.dataset, self.root),
            versions=records.versions(),
            hardware=hardware.describe(self.device),
            dtype="bfloat16" if self.method.bf16 else "float32",
            threads=torch.get_num_threads(),
            parameters=sum(p.numel() for p in self.method.parameters()),
            seconds_training=round(state.seconds, 1),
            seconds_evaluation=round(time.monotonic() - began, 1),
            seconds_per_step=round(state.seconds / profile.iterations, 4),
            images_per_second=round(profile.iterations * profile.batch / state.seconds, 1),
            peak_memory_mb=hardware.peak_memory_mb(self.device),
            validation={
                "curve": state.validation,
                "best": {k: state.best[k] for k in ("iteration", "dice")} if state.best else None,
                "last": state.validation[-1] if state.validation else None,
            },
            summary=result,
            notes=notes,
        )
        self.checkpoint.unlink(missing_ok=True)
        return record

    def _test_cases(self, notes: list[str]) -> list[Case]:
        cases = load_split(self.run.dataset, self.root, "test")
        if not cases or any(case.label is None for case in cases):
            notes.append("no masks to test on")
            return []
        return cases

    def _progress(self) -> None:
        """progress.json, for whoever watches the run from outside the notebook."""
        state, total = self.state, self.run.profile.iterations
        left = state.seconds / max(state.iteration, 1) * (total - state.iteration)
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "iteration": state.iteration,
            "iterations": total,
            "seconds": round(state.seconds, 1),
            "dice": state.validation[-1]["dice"] if state.validation else None,
            "eta_seconds": round(left, 1),
        }
        records.replace_text(self.folder / "progress.json", json.dumps(content))


def _plain(value: Any) -> Any:
    """The same without numpy's scalars, which a checkpoint could not be read back with."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.item() if isinstance(value, np.generic) else value


def make_optimiser(
    method: Method, profile: Profile
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The profile's optimiser and its schedule, stepped once an iteration.

    "step" is StepLR: times `lr_factor` every iterations / lr_steps. "poly" is lr (1 - t/T)^0.9,
    where step t, counted from 0, uses index t.
    """
    rate, decay, total = profile.lr, profile.weight_decay, profile.iterations
    if profile.optimiser == "adam":
        optimiser = torch.optim.Adam(method.parameters(), rate, weight_decay=decay)
    else:
        optimiser = torch.optim.SGD(method.parameters(), rate, momentum=0.9, weight_decay=decay)
    if profile.schedule == "step":
        step = max(1, total // profile.lr_steps)
        return optimiser, torch.optim.lr_scheduler.StepLR(optimiser, step, profile.lr_factor)
    return optimiser, torch.optim.lr_scheduler.PolynomialLR(optimiser, total, power=0.9)
