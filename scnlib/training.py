"""THE training loop: every method of the study runs through it.

Steps, validation, and the one test at the end. Data order, augmentation and the methods' own draws
come from one generator on the CPU, whose state is in the checkpoint (`scnlib.checkpoint`): a run
that was killed goes on as if nothing had happened, equal bit for bit on a CPU with as many threads.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from scnlib import checkpoint, provenance, records
from scnlib.checkpoint import State, write_progress
from scnlib.config import Run
from scnlib.data import Case, fingerprint, load_split
from scnlib.data.batches import TrainingSet
from scnlib.evaluation import evaluate, summary
from scnlib.files import held, remove_parts
from scnlib.methods import Method, Now, get_method
from scnlib.optimiser import make_optimiser
from scnlib.paths import WEIGHTS
from scnlib.records import finished
from scnlib.step import make_step
from scnlib.weights import save_weights

LOG_EVERY = 10  # iterations that a row of the curve averages
CHECKPOINT_SECONDS = 30.0

log = logging.getLogger(__name__)

Report = Callable[[State, Run], None]
Given = tuple[list[Case], list[Case]] | None  # to train on and to validate on, not read from files


def train(
    run: Run,
    folder: Path,
    root: Path | None = None,
    report: Report | None = None,
    device: str | None = None,
    step: str = "auto",
) -> records.Record:
    """Train a run, or go on with it, test its best checkpoint once, and write its record.

    Args:
        run: what to train. A run with a `variant` is validated and never tested.
        folder: where the record goes. A finished record of the same run is returned as it is.
        root: the data's folder (None for the phantom).
        report: called every ten iterations and after every validation.
        device: "cpu" or "cuda" (of several the process's current one); a GPU if there is one.
        step: how a step runs, of `scnlib.step.STEPS` (`scnlib.step.make_step` says what "auto"
            is). The run is the same but for rounding and dropout's bits.

    Raises:
        ValueError: for bad data, a method that needs masks where there are none, a checkpoint or a
            record of another configuration, a loss that is not finite, another GPU, or another
            process that trains this run. Nothing that was computed is lost: the checkpoint stays.
    """
    if (done := finished(run, folder)) is not None:
        return done
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if where.type == "cuda" and where.index not in (None, torch.cuda.current_device()):
        raise ValueError(f"{where}: choose a GPU by CUDA_VISIBLE_DEVICES, and give cuda")
    # What it refuses leaves no folder behind.
    training = Training(run, folder, root, where, step=step)
    with held(folder):
        if (done := finished(run, folder)) is not None:  # by another process, while data were read
            return done
        training.resume()
        while training.state.iteration < run.profile.iterations:
            training.advance()
            if report is not None and training.at_row:
                report(training.state, run)
        return training.finish()


class Training:
    """A run in progress: data in memory, networks, optimiser, and the state that is saved."""

    def __init__(
        self,
        run: Run,
        folder: Path,
        root: Path | None,
        device: torch.device,
        cases: Given = None,
        step: str = "auto",
    ) -> None:
        self.run, self.folder, self.root, self.device = run, folder, root, device
        # Data and code as they are now and not at the end: they may have changed by then.
        begun_with = {} if cases else fingerprint(run.dataset, root)
        self.saved, self.stepped = time.monotonic(), False
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)  # or a former run's would be this one's
        self.names: list[str] = []  # of the loss and its parts,
        self.sums = torch.zeros(0)  # summed over the steps since the curve's last row
        self.counted, self.rate = 0, run.profile.lr
        kind, read = get_method(run.method), partial(load_split, run.dataset, root)
        # The largest of what is read is let go before the rest comes.
        train = cases[0] if cases else read("train")
        self.data = TrainingSet(run, train, device, kind.needs)
        del train
        self.val_cases = cases[1] if cases else read("val")

        torch.manual_seed(run.seed)
        self.generator = torch.Generator().manual_seed(run.seed)
        bf16 = run.profile.bf16 and provenance.bf16_supported(device)
        self.method: Method = kind(run, self.data.classes, bf16).to(device)
        self.optimiser, self.schedule = make_optimiser(self.method, run.profile)
        self.step = make_step(step, self.method, self.data, self.optimiser)
        self.parts = {"method": self.method, "optimiser": self.optimiser, "schedule": self.schedule}
        process = provenance.this_process(device, bf16)
        self.state = State(data=begun_with, processes=[process])

    # --- a killed run goes on ---------------------------------------------------------------

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one; `ValueError` if it is of another run."""
        remove_parts(self.folder)
        state = checkpoint.load(self.folder, self.run, self.parts, self.generator, self.state.data)
        if state is None:
            return
        state.processes.append(self.state.processes[0] | {"before": state.iteration})
        self.state = state
        if state.iteration:
            self.method.prepare(self.data.images, self.data.scribbles)
        log.info("%s: going on at iteration %d", self.folder, state.iteration)

    def save(self) -> None:
        """Write the checkpoint, atomically."""
        self._note_step()
        checkpoint.save(self.folder, self.run, self.state, self.parts, self.generator)
        self.saved = time.monotonic()

    def tell(self) -> None:
        """Write how far the run is, for whoever watches."""
        write_progress(self.folder, self.state, self.run.profile.iterations)

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
        due = profile.validates_after(state.iteration)
        if due or state.iteration % LOG_EVERY == 0:
            self._close_row(began)
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
            self.method.prepare(self.data.images, self.data.scribbles)
        self.method.every(now, self.data.images)
        self.rate = self.optimiser.param_groups[0]["lr"]
        (self.names, values), self.state.order = self.step(self.state.order, now)
        self.schedule.step()
        self.method.after_step(now)
        # A graph's next replay writes over the values of this one.
        self.sums = values.clone() if self.counted == 0 else self.sums + values
        self.counted, self.stepped = self.counted + 1, True

    def _note_step(self) -> None:
        """Remember how steps ran here, if any did: the test may be on another machine."""
        if not self.stepped:
            return
        steps = self.state.steps
        if not steps or steps[-1] != self.step.kind:
            steps.append(self.step.kind)
        self.state.memory = provenance.peak_memory_mb(self.device)

    def _close_row(self, began: float) -> None:
        """A row of the curve, after the step that `began` at that time."""
        # Read from the device once for all.
        row = dict(zip(self.names, (self.sums / self.counted).tolist(), strict=True))
        if not np.isfinite(row["loss"]):
            raise ValueError(
                f"{self.folder}: the loss is {row['loss']} at iteration {self.state.iteration}; "
                "lower its learning rate in study.experiments, delete this folder and train again"
            )
        begin = {"iteration": self.state.iteration, "lr": self.rate}
        seconds = self.state.seconds + time.monotonic() - began
        self.state.curve.append({**begin, **row, "seconds": round(seconds, 3)})
        self.counted = 0
        self.tell()

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
        # The first of several that are as good; a mean that is not a number is never the best.
        if np.isfinite(mean) and not (state.best and state.best["dice"] >= mean):
            kept = self.method.kept()
            state.best = {"iteration": state.iteration, "dice": mean, "weights": kept}
        self.tell()

    # --- the end ----------------------------------------------------------------------------

    def finish(self) -> records.Record:
        """Test the best weights (a variant is not tested) and write the record."""
        state, run, profile = self.state, self.run, self.run.profile
        notes: list[str] = []
        if state.best:
            self.method.restore(state.best["weights"])
        else:
            why = "no validation gave a Dice" if state.validation else "no masks to validate on"
            notes.append(f"{why}: the last weights were taken")
        self._note_step()
        began = time.monotonic()
        metrics, predictions, result = None, {}, {}
        if test_cases := [] if run.variant else self._test_cases(notes):
            metrics, predictions = evaluate(self.predict, test_cases, profile.size, profile.batch)
            result = summary(metrics)
        if state.data and state.data != (now := fingerprint(run.dataset, self.root)):
            raise checkpoint.changed_data(self.folder / "record.json", run, state.data, now)
        notes += provenance.changes(state.processes)
        if run.method == "scn" and run.seed == 0 and not run.variant:
            path = self.folder / WEIGHTS
            save_weights(path, self.method, run, self.data.names)
        record = records.write(
            self.folder,
            curve=pd.DataFrame(state.curve),
            metrics=metrics,
            predictions=predictions,
            seconds_evaluation=round(time.monotonic() - began, 1),
            summary=result,
            notes=notes,
            **self.facts(),
        )
        (self.folder / checkpoint.CHECKPOINT).unlink(missing_ok=True)
        return record

    def _test_cases(self, notes: list[str]) -> list[Case]:
        cases = load_split(self.run.dataset, self.root, "test")
        if not cases or any(case.label is None for case in cases):
            notes.append("no masks to test on")
            return []
        return cases

    def facts(self) -> dict[str, Any]:
        """What the record says of the training itself."""
        state, profile = self.state, self.run.profile
        return {
            "run": self.run,
            **provenance.of_processes(state.processes, profile.iterations),
            "data": state.data,
            "step": " then ".join(state.steps) or "eager",
            "parameters": sum(p.numel() for p in self.method.parameters() if p.requires_grad),
            "seconds_training": round(state.seconds, 1),
            "seconds_per_step": round(state.seconds / profile.iterations, 4),
            "images_per_second": round(profile.iterations * profile.batch / state.seconds, 1),
            "peak_memory_mb": state.memory or provenance.peak_memory_mb(self.device),
            "validation": state.validated,
        }
