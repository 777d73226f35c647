"""PCE and SCN trained in memory, in a minute or two, on strokes that somebody has just drawn.

The loop, losses, networks and augmentation are the study's own (`scnlib.training.Training`); only
the slices come from a drawing. Six slices and few steps: this shows how strokes act, no more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scnlib.config import Run
from scnlib.data.cases import Case
from scnlib.data.phantom import phantom_split
from scnlib.evaluation import evaluate
from scnlib.training import Training
from study.experiments import make_run
from study.lessons.strokes import Drawing, scribbled_cases
from study.report.display import key, scribble_colours
from study.report.figures import make_grid
from study.report.glance import colour_in, truth_border
from study.report.titles import title

BATCH = 6
ITERATIONS = 200
SEEDS = (0, 1, 2)
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Learnt:
    """What came of one drawing."""

    cases: list[Case]  # the slices with strokes, one slice each
    predictions: dict[str, dict[str, np.ndarray]]  # method, then volume: (1, H, W) uint8
    scores: pd.DataFrame  # mean Dice (fractions): a row for each method and set of slices
    seconds: float  # of training steps, all methods together


def learn(
    drawing: Drawing,
    methods: tuple[str, ...] = ("pce", "scn"),
    iterations: int = ITERATIONS,
    report: Say | None = None,
    seed: int = 0,
) -> Learnt:
    """Train each method on the drawing's strokes, and score it.

    Scored are the slices that were drawn on, and the validation subjects' slices, which nobody drew
    on. The last weights are taken: no mask has a part in the training.

    Args:
        drawing: the strokes; slices without any are left out.
        methods: names in `scnlib.methods.METHODS`.
        iterations: steps of each method.
        report: called with a line of text every ten steps.
        seed: of networks, augmentation and draws.

    Raises:
        ValueError: if there are no strokes of two classes.
    """
    sets = {"drawn on": scribbled_cases(drawing), "never seen": phantom_split("val")}
    protocol: dict[str, Any] = {"batch": BATCH, "iterations": iterations, "validations": 1}
    predictions, rows, seconds = {}, {}, 0.0
    for name in methods:
        run = make_run("phantom", name, seed, "demo", **protocol)
        with TemporaryDirectory() as folder:
            training = _train(run, sets["drawn on"], Path(folder), report)
        seconds += training.state.seconds
        for where, cases in sets.items():
            metrics, found = evaluate(training.predict, cases, run.profile.size, BATCH, hd=False)
            rows[title(name), where] = metrics.groupby("structure", sort=False)["dice"].mean()
            predictions.setdefault(title(name), found)  # of those drawn on, which come first
    scores = pd.DataFrame(rows).T.rename_axis(["method", "slices"])
    scores["mean"] = scores.mean(axis=1)
    return Learnt(sets["drawn on"], predictions, scores, seconds)


def learn_seeds(
    drawing: Drawing, seeds: Sequence[int] = SEEDS, iterations: int = ITERATIONS
) -> dict[int, Learnt]:
    """`learn` with each of several seeds, which shows how much of the result is chance."""
    return {seed: learn(drawing, iterations=iterations, seed=seed) for seed in seeds}


def seed_table(learnt: Mapping[int, Learnt], where: str = "drawn on") -> pd.DataFrame:
    """Mean Dice (fractions) of each method, a column a seed, on one set of slices of `learn`."""
    found = {f"seed {seed}": one.scores["mean"].xs(where, level=1) for seed, one in learnt.items()}
    return pd.DataFrame(found)


def painted_table(learnt: Mapping[int, Learnt]) -> pd.DataFrame:
    """How often each method paints the truth's number of heart pixels, on the slices drawn on.

    A row for each method and a column a seed: 1 is as many as the truth has, and far above it is a
    flood.
    """
    truth = {case.volume: case.label for case in next(iter(learnt.values())).cases}
    total = sum(int((label > 0).sum()) for label in truth.values() if label is not None)
    return pd.DataFrame(
        {
            f"seed {seed}": {
                name: sum(int((found[volume] > 0).sum()) for volume in truth) / total
                for name, found in one.predictions.items()
            }
            for seed, one in learnt.items()
        }
    )


def draw_seeds(learnt: Mapping[int, Learnt]) -> Figure:
    """A row for each slice: strokes, then each method's prediction of every seed, and the truth.

    Predictions are filled, with the truth's border on them.
    """
    first = next(iter(learnt.values()))
    found = {
        f"{name}\nseed {seed}": one.predictions[name]
        for name in first.predictions
        for seed, one in learnt.items()
    }
    return _draw(first.cases, found, 1.25)


def draw_learnt(learnt: Learnt) -> Figure:
    """`draw_seeds` of one seed, larger."""
    return _draw(learnt.cases, learnt.predictions, 1.6)


def _draw(
    cases: Sequence[Case], predictions: Mapping[str, Mapping[str, np.ndarray]], side: float
) -> Figure:
    figure, grid = make_grid(len(cases), 2 + len(predictions), side)
    for line, case in zip(grid, cases, strict=True):
        assert case.label is not None
        for axes in line:
            axes.imshow(case.image[0], cmap="gray", vmin=0, vmax=1)
        _draw_strokes(line[0], case)
        for axes, found in zip(line[1:], predictions.values(), strict=False):
            colour_in(axes, found[case.volume][0])
            truth_border(axes, case.label[0])
        colour_in(line[-1], case.label[0])
    for axes, name in zip(grid[0], ["strokes", *predictions, "truth"], strict=True):
        axes.set_title(name, fontsize=9)
    classes = cases[0].classes
    key(figure, classes, shown=range(len(classes)))  # the background has strokes
    return figure


def _train(run: Run, cases: list[Case], folder: Path, report: Say | None) -> Training:
    # Every batch is full, also if only one slice was drawn on: it comes several times then.
    repeated = cases * ceil(BATCH / len(cases))
    training = Training(run, folder, None, torch.device("cpu"), (repeated, []))
    while training.state.iteration < run.profile.iterations:
        training.advance()
        if report is not None and training.at_row:
            state = training.state
            report(
                f"{title(run.method)}: step {state.iteration} of {run.profile.iterations}, "
                f"loss {state.curve[-1]['loss']:.2f}"
            )
    return training


def _draw_strokes(axes: Axes, case: Case) -> None:
    """The scribbled pixels of a case of one slice, in their classes' colours."""
    assert case.scribble is not None
    for k, colour in enumerate(scribble_colours(len(case.classes))):
        y, x = np.nonzero(case.scribble[0] == k)
        axes.scatter(x, y, s=4, c=colour, marker="s", linewidths=0)
