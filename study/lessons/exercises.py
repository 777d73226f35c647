"""The notebooks' exercises: `check` says whether an answer is right, and if not, what to look at.

Tasks and folded solutions stand in the notebooks. All numbers come from the small arrays here, so
that no exercise needs a data set or a record. Classes: 0 background, 1 RV, 2 MYO, 3 LV; the next
number is unlabelled.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from IPython.display import Markdown, display  # pyright: ignore[reportPrivateImportUsage]

from study.lessons import answers

NOT_ATTEMPTED = "not attempted"
NOT_YET = "not yet: "
RIGHT = "right"


def _grid(text: str) -> np.ndarray:
    """Rows of digits, separated by spaces, as an integer array."""
    return np.array([[int(digit) for digit in row] for row in text.split()])


# Notebook 01
SCRIBBLE = _grid("04444444 04444444 44414344 44424344 44444444")  # (5, 8)
# Full masks, (6 slices, 2, 4)
VOLUME = _grid("0000 0000 0220 0232 1122 1232 1123 1122 0110 0110 0000 0000").reshape(6, 2, 4)
STROKES = _grid("444444 004144 444144 424443 224443 444444")  # (6, 6)
# Notebook 02
LV_PROBABILITY = np.array(
    [[0.1, 0.2, 0.2, 0.1], [0.2, 0.9, 0.8, 0.3], [0.1, 0.5, 0.7, 0.6], [0.2, 0.1, 0.3, 0.2]]
)
LV_SCRIBBLE = _grid("2022 2122 2120 2222")  # 0 background, 1 LV, 2 unlabelled
VOTE_LABELS = _grid("0000 0233 0233 0223")
VOTE_TRUSTED = _grid("1111 1110 0101 1100") == 1  # M
VOTE_MASK = _grid("0000 0111 0111 0111") == 1
# Notebook 03: rows of iteration, training loss, validation Dice and test Dice (%)
RUN = np.array(
    [[500, 0.42, 61, 60], [1000, 0.21, 78, 74], [1500, 0.15, 76, 77], [2000, 0.12, 71, 70]]
)
SCHEDULE = {"iterations": 3000, "batch": 12, "slices": 900}
# Notebook 04
PREDICTION = _grid("00000 01110 01110 00000")
TRUTH = _grid("00000 00110 00010 00010")
PVALUES = {"K": 0.004, "L": 0.015, "M": 0.03, "N": 0.4}  # made up: four methods against SCN
# Notebook 05: validation Dice (%) of the protocol by seed, and of variants with seed 0
SEEDS = {0: 84.0, 1: 85.1, 2: 83.7}
VARIANTS = {1: 84.9, 2: 82.9, 3: 80.2, 4: 86.2, 5: 83.2}
LINE = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 2, 2, 0, 0, 0])  # a mask's row of pixels
CELL = 3
# Notebook 06, (8, 10) each: a mask, strokes in it, and what a network predicts
HEART_MASK = _grid(
    "0000000000 0000000000 0001220000 0011232000 0001220000 0000000000 0000000000 0000000000"
)
HEART_STROKES = _grid(
    "4444444444 4400000044 4441424444 4414434444 0444444444 4440000044 4444444444 4444444444"
)
FLOODED = _grid(
    "0000000000 0000000111 0001220111 0011232111 0001220111 0000000111 0011111111 0000000000"
)


@dataclass(frozen=True)
class Exercise:
    """An exercise: how an answer is read, what is right, and the hints for common wrong answers.

    `wrong` has a hint for each value, or for each test of a value; the first that fits is given.
    """

    read: Callable[[Any], Any]  # ValueError says what kind of answer is expected
    right: Any
    wrong: tuple[tuple[Any, str], ...]
    hint: str  # for every other wrong answer
    same: Callable[[Any, Any], bool] = operator.eq


def _shares() -> Exercise:
    n, labelled = SCRIBBLE.size, int((SCRIBBLE < 4).sum())
    heart = int(((SCRIBBLE > 0) & (SCRIBBLE < 4)).sum())
    wrong = (
        (labelled / n, "that is a fraction; the task asks for percent."),
        (labelled, "that is a count; divide it by the number of all pixels, in percent."),
        (100 * heart / n, "background can be scribbled as well: which number stands for it?"),
        (100 * (1 - labelled / n), "those are the pixels that it would not see."),
        (100 * (SCRIBBLE > 0).mean(), "unlabelled has the highest number, and 0 is a class."),
    )
    hint = "count the pixels with a class's number, of which 0 is one, and divide by all."
    return Exercise(answers.number, 100 * labelled / n, wrong, hint, answers.close)


def _slices() -> Exercise:
    without = {k: set(np.flatnonzero(~(VOLUME == k).any((1, 2))).tolist()) for k in (1, 2, 3)}
    right, every = without[1], set(range(len(VOLUME)))
    empty = without[1] & without[2] & without[3]
    wrong = (
        ({z + 1 for z in right}, "slices are counted from 0, as Python does."),
        (every - right, "those are the slices that do show the RV."),
        (empty, "a slice may lack the RV and show another structure."),
        (right - empty, "a slice that shows nothing at all lacks the RV too."),
        (without[1] | without[2] | without[3], "only the RV is asked for; see which class is 1."),
        (without[3], "that is another structure: the RV is class 1."),
        ({len(right)}, "the task asks which slices, not how many."),
        (set(), "there are some: look for slices in which 1 does not occur."),
    )
    hint = "go through the slices one by one: does a 1 occur anywhere in it?"
    return Exercise(answers.integer_set, right, wrong, hint)


def _strokes() -> Exercise:
    drawn = set(STROKES[STROKES < 4].tolist())
    kept = set(STROKES[1::3, 1::3].ravel().tolist()) - {4}  # centres of the 3 x 3 blocks
    wrong = (
        (kept, "those are the classes that survive."),
        (drawn - kept | {4}, "unlabelled is no class, so that it can't be lost as one."),
        (drawn, "not all: one pixel of each 3 x 3 block survives. Which one?"),
        (set(), "look at the middle pixel of each 3 x 3 block: what is left of each stroke?"),
        (kept | {4}, "those are the numbers that survive, unlabelled among them."),
    )
    hint = "write down the middle pixel of each 3 x 3 block; which strokes hit none of them?"
    return Exercise(answers.integer_set, drawn - kept, wrong, hint)


def _propagation() -> Exercise:
    def of(function: Callable[[Any, Any], Any]) -> list[np.ndarray]:
        return [function(C, P) for C, P in answers.trials()]

    axis = "along that axis C does not sum to 1, so that the result is no mix of predictions."
    shape = "the result has to have the shape of P, (N, K)."
    wrong = (
        (of(lambda C, P: C.T @ P), axis),
        (of(lambda C, P: P.T @ C), f"{shape} Also, {axis}"),
        (of(lambda C, P: (C @ P).T), shape),
        (of(lambda C, P: P), "that is P unchanged: C has no part in it."),
        (
            of(lambda C, P: C.T @ P / (C.T @ P).sum(1, keepdims=True)),
            "scaling hides that the sum ran over the wrong axis; sum over the other one.",
        ),
        (of(lambda C, P: (C @ P).argmax(1)), "probabilities are asked for, not the classes."),
        (answers.misshapen, shape),
    )
    hint = "row i of C weighs the cells that cell i reads from: sum over those, and do no more."
    return Exercise(answers.outputs, of(lambda C, P: C @ P), wrong, hint, answers.alike)


def _vote() -> Exercise:
    inside = VOTE_MASK & VOTE_TRUSTED
    votes = np.bincount(VOTE_LABELS[inside], minlength=4)
    winner, new = int(votes.argmax()), int((VOTE_MASK & ~VOTE_TRUSTED).sum())
    everyone = int(np.bincount(VOTE_LABELS[VOTE_MASK]).argmax())
    everywhere = int(np.bincount(VOTE_LABELS[VOTE_TRUSTED]).argmax())
    wrong = (
        ((everyone, None), "cells outside M have no vote: who is trusted under the mask?"),
        ((everywhere, None), "only cells under the mask vote, not all of M."),
        ((new, winner), "the order is (class, cells)."),
        ((winner, int(VOTE_MASK.sum())), "cells in M keep their label (as used here)."),
        ((winner, int(votes.max())), "that is the number of votes; which cells take the class?"),
        ((winner, int(VOTE_MASK.sum() - votes.max())), "cells in M keep their label, all of them."),
        ((winner, int((~VOTE_TRUSTED).sum())), "cells outside the mask do not change."),
        ((winner, None), "the class is right; count the cells that are under the mask, not in M."),
    )
    hint = "list the cells that are both under the mask and in M; the commonest label wins."
    return Exercise(answers.pair, (winner, new), wrong, hint, answers.matches)


def _partial_cross_entropy() -> Exercise:
    p, known = LV_PROBABILITY, LV_SCRIBBLE < 2
    own = np.where(LV_SCRIBBLE == 1, p, 1 - p)  # of the pixel's class; unlabelled as background
    loss = -np.log(own[known])
    unlabelled = "it leaves unlabelled pixels out: it doesn't take them for background."
    wrong = (
        (loss.sum(), "that is the sum, as printed; here it is the mean over scribbled pixels."),
        (loss.sum() / p.size, "the mean is over the scribbled pixels, not over all."),
        (-loss.mean(), "the sign: a cross-entropy is not negative."),
        (loss.mean() / np.log(2), "the logarithm is the natural one, not to base 2."),
        (loss.mean() / np.log(10), "the logarithm is the natural one, not to base 10."),
        (-np.log(p[known]).mean(), "where background is drawn, its probability is 1 - p."),
        (-np.log(own).mean(), unlabelled),
        (-np.log(p[LV_SCRIBBLE == 1]).mean(), "background is scribbled too: these pixels count."),
        (-np.log(own[known].mean()), "take the logarithm first, and the mean after it."),
    )
    hint = "for each scribbled pixel take -log of its own class's probability, then the mean."
    return Exercise(answers.number, loss.mean(), wrong, hint, answers.close)


def _best_weights() -> Exercise:
    iteration, loss, validation, test = RUN.T
    best = float(iteration[validation.argmax()])
    wrong = (
        (float(iteration[-1]), "training may have gone on for too long. Which column tells?"),
        (float(iteration[test.argmax()]), "who chooses by the test has nothing left to test with."),
        (float(validation.max()), "that is a score; the task asks for its iteration."),
        (float(loss.min()), "that is a loss; the task asks for an iteration, and not by the loss."),
        (int(validation.argmax()), "give the iteration itself, not the number of its row."),
    )
    hint = "one column was made for choosing: it is not the test, and not what was trained on."
    return Exercise(answers.number, best, wrong, hint, answers.close)


def _passes() -> Exercise:
    steps, batch, n = (SCHEDULE[name] for name in ("iterations", "batch", "slices"))
    wrong = (
        (steps / n, "an iteration sees more than one slice."),
        (steps * batch, "that is of all slices together; share it out among them."),
        (
            steps / batch,
            "an iteration sees a batch: its size is a factor. And the slices?",
        ),
        (n / batch, "that is how many iterations see each slice once."),
        (n / (steps * batch), "the other way round: slices seen over slices there are."),
    )
    hint = "how many slices do all iterations see together, and how many are there to share them?"
    return Exercise(answers.number, steps * batch / n, wrong, hint, answers.close)


def _dice() -> Exercise:
    A, B = PREDICTION == 1, TRUTH == 1
    both, a, b = int((A & B).sum()), int(A.sum()), int(B.sum())
    wrong = (
        (200 * both / (a + b), "that is in percent; give a fraction, in 0..1."),
        (both / (a + b - both), "that is the Jaccard index (overlap over union)."),
        (both / (a + b), "a perfect prediction would have 0.5 like that: what is missing?"),
        (both / a, "that is the precision: the truth's size has no part in it."),
        (both / b, "that is the sensitivity: the prediction's size has no part in it."),
        (
            (A == B).mean(),
            "that is the accuracy, which background makes high; it has no part here.",
        ),
        (2 * both / (a + b - both), "do not take the overlap off the sum of both sizes."),
    )
    hint = (
        "count the overlap and each mask's pixels; Dice is twice the first over the second's sum."
    )
    return Exercise(answers.number, 2 * both / (a + b), wrong, hint, answers.close)


def _flooding() -> Exercise:
    wrong = (
        ("A", "its training loss is small, so it did converge. On which pixels is it measured?"),
        ("B", "look at the scribbles in notebook 01: is there a grey stroke?"),
        ("D", "if they did, which class would the network predict nearly everywhere?"),
        ("E", "if that ruled, which class would spread: the heart's or the background's?"),
    )
    return Exercise(answers.letter, "C", wrong, "choose one of the five.")


def _holm() -> Exercise:
    wrong = (
        ("A", "four comparisons were made. Which column allows for that?"),
        ("C", "how many networks of each method were compared?"),
        ("D", "the adjustment is in p_holm already, so that nothing is left to divide."),
        ("E", "a p says how odd such data would be if there were no difference; no more."),
    )
    return Exercise(answers.letter, "B", wrong, "choose one of the five.")


def _beyond_chance() -> Exercise:
    low, high = min(SEEDS.values()), max(SEEDS.values())
    gains = {name: dice - SEEDS[0] for name, dice in VARIANTS.items()}
    beyond = {name for name, gain in gains.items() if abs(gain) > high - low}
    better = {name for name, gain in gains.items() if gain > 0}
    outside = {name for name, dice in VARIANTS.items() if not low <= dice <= high}
    wrong = (
        (better, "those are better than seed 0, by whatever amount. How far do seeds lie apart?"),
        (better & beyond, "a loss can lie beyond chance as well."),
        (beyond - better, "a gain can lie beyond chance as well."),
        (outside, "compare a difference with the range: seed 0 is not in the range's middle."),
        (set(VARIANTS), "even the smallest difference? Seeds alone make some."),
        (set(VARIANTS) - beyond, "those are the ones that seeds alone could make."),
        (set(), "how far do the three seeds lie apart? Some differences are larger."),
    )
    hint = "which differences to seed 0 are larger than the highest seed minus the lowest?"
    return Exercise(answers.integer_set, beyond, wrong, hint)


def _coarse_cells() -> Exercise:
    cells = [int(np.bincount(cell).argmax()) for cell in LINE.reshape(-1, CELL)]
    seen = np.repeat(cells, CELL)

    def dice(k: int) -> float:
        a, b = seen == k, LINE == k
        return float(2 * (a & b).sum() / (a.sum() + b.sum()))

    kept = ((seen == 2) & (LINE == 2)).sum()
    wrong = (
        (100 * dice(2), "that is in percent; give a fraction, in 0..1."),
        (1, "the prediction is perfect, but a cell has one class for all its pixels."),
        (kept / (LINE == 2).sum(), "that is the share of MYO that stays; a pixel also became MYO."),
        (kept / (seen == 2).sum(), "that is the share that is right of what is called MYO."),
        (dice(3), "that is the LV's, which is wider than a cell."),
        ((seen == LINE).mean(), "that is the share of right pixels over all classes."),
        (kept / ((seen == 2) | (LINE == 2)).sum(), "that is the Jaccard index."),
        (0, "one cell does have more MYO than anything else."),
    )
    hint = "write each cell's commonest class under its pixels, and compare both rows for MYO."
    return Exercise(answers.number, dice(2), wrong, hint, answers.close)


def _seen_flood() -> Exercise:
    flood, drawn = FLOODED != HEART_MASK, HEART_STROKES < 4
    wrong = (
        (int(flood.sum()), "those are all that are wrong. Where is the loss measured?"),
        (int(drawn.sum()), "those are all that are scribbled; most of them are predicted rightly."),
        (int((HEART_STROKES == 0).sum()), "that is all of the background's strokes."),
        (int((flood & ~drawn).sum()), "those are the ones that it does not see."),
        (0, "follow the background's strokes, number 0, to their right end."),
    )
    hint = "lay strokes and prediction over each other: where is a stroke under the flood?"
    return Exercise(answers.number, int((flood & drawn).sum()), wrong, hint, answers.close)


def _next_stroke() -> Exercise:
    flood, heart = (FLOODED != HEART_MASK).sum(axis=1), (HEART_MASK > 0).any(axis=1)
    best = int(np.where(heart, 0, flood).argmax())

    def through_the_heart(row: float) -> bool:
        return row in np.flatnonzero(heart)

    def dry(row: float) -> bool:
        return row in np.flatnonzero(flood == 0)

    def less(row: float) -> bool:
        return row in np.flatnonzero((flood > 0) & (flood < flood[best]) & ~heart)

    wrong = (
        (best + 1, "rows are counted from 0, as Python does."),
        (int(flood[best]), "that is how many pixels of the flood it would meet; which row is it?"),
        (through_the_heart, "there it would run over the heart, and teach an error."),
        (dry, "no flood is there: the loss would learn nothing new."),
        (less, "that is allowed, but another row meets more of the flood."),
    )
    hint = "give a row of the image, the top one being 0."
    return Exercise(answers.number, best, wrong, hint, answers.close)


EXERCISES = {
    "scribble_share": _shares(),
    "slices_without_rv": _slices(),
    "lost_strokes": _strokes(),
    "propagation": _propagation(),
    "vote": _vote(),
    "partial_cross_entropy": _partial_cross_entropy(),
    "best_weights": _best_weights(),
    "passes": _passes(),
    "dice": _dice(),
    "holm": _holm(),
    "flooding": _flooding(),
    "beyond_chance": _beyond_chance(),
    "coarse_cells": _coarse_cells(),
    "seen_flood": _seen_flood(),
    "next_stroke": _next_stroke(),
}


def verdict(name: str, answer: Any) -> str:
    """ "not attempted", "not yet: HINT" or "right" for an answer to an exercise.

    None, "" and a function that returns None are not attempts. Any answer is taken, also of a wrong
    type; ValueError is for a `name` that no exercise has.
    """
    if name not in EXERCISES:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(EXERCISES)}")
    exercise = EXERCISES[name]
    if answer is None or answer is ... or (isinstance(answer, str) and not answer.strip()):
        return NOT_ATTEMPTED
    try:
        value = exercise.read(answer)
    except ValueError as error:
        return f"{NOT_YET}{error}"
    if value is None:
        return NOT_ATTEMPTED
    if exercise.same(value, exercise.right):
        return RIGHT
    for wrong, hint in exercise.wrong:
        if wrong(value) if callable(wrong) else exercise.same(value, wrong):
            return NOT_YET + hint
    return NOT_YET + exercise.hint


def check(name: str, answer: Any) -> None:
    """Display the verdict on a notebook's answer; it never raises for an answer."""
    display(Markdown(f"`{name}`: {verdict(name, answer)}"))
