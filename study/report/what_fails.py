"""Where a run fails: its worst volumes, and in words what went wrong in each.

Nothing here chooses a run or a setting; it describes test predictions that were scored already.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record

FLOODED, MISSED = 1.5, 0.5  # predicted over true voxels


def worst_volumes(record: Record, count: int = 3) -> pd.DataFrame:
    """The volumes of lowest mean Dice (over structures), worst first.

    Columns volume, dice (fraction, the mean) and structure (the worst one). Structures without a
    value (empty in prediction and truth) are left out; ties by name.
    """
    rows: Any = record.metrics.dropna(subset=["dice"]).sort_values("dice", kind="stable")
    kept = {"dice": ("dice", "mean"), "structure": ("structure", "first")}
    found = rows.groupby("volume", as_index=False).agg(**kept)
    return found.sort_values("dice", kind="stable", ignore_index=True).head(count)


def worst_slice(prediction: np.ndarray, truth: np.ndarray, k: int) -> int:
    """The slice (from 0) with most wrong pixels of class k; both (n, H, W) label maps."""
    wrong = (prediction == k) != (truth == k)
    return int(wrong.sum(axis=(1, 2)).argmax())


def what_went_wrong(
    prediction: np.ndarray, truth: np.ndarray, k: int, classes: Mapping[int, str]
) -> str:
    """A few words on class k, by rule, from label maps (n, H, W).

    More than 1.5 times as large as the truth is "too large", below half is "missed", in between
    size and the larger of surplus and missed part are named. Then where that lies: in slices where
    the truth does not have the class (beyond base or apex), or which class was taken for it, or it
    for which.
    """
    mine, real = prediction == k, truth == k
    name = classes[k]
    if not real.any():
        return f"{name} invented ({int(mine.sum())} voxels, none in the truth)"
    if not mine.any():
        return f"{name} not found at all"
    ratio, missed = mine.sum() / real.sum(), 1 - (mine & real).sum() / real.sum()
    if ratio > FLOODED:
        return f"{name} {ratio:.1f} times too large, {_surplus(mine, real, truth, classes)}"
    if ratio < MISSED:
        return f"{missed:.0%} of {name} missed, {_taken(mine, real, prediction, classes)}"
    surplus = int((mine & ~real).sum())
    if not surplus and not missed:
        return f"{name} is right"
    size = f"{name} {ratio:.1f} times the right size"
    if (real & ~mine).sum() > surplus:
        return f"{size}, {missed:.0%} missed; {_taken(mine, real, prediction, classes)}"
    outside = surplus / mine.sum()
    return f"{size}, {outside:.0%} of it not {name}; {_surplus(mine, real, truth, classes)}"


def _surplus(
    mine: np.ndarray, real: np.ndarray, truth: np.ndarray, classes: Mapping[int, str]
) -> str:
    """Where most of the surplus lies."""
    extra = mine & ~real
    absent = ~real.any(axis=(1, 2))  # slices without the structure
    beyond = extra[absent].sum() / max(int(extra.sum()), 1)
    if beyond > 0.5:
        return f"{beyond:.0%} of the surplus in slices without it"
    name, share = _mostly(truth[extra], classes)
    return f"{share:.0%} of the surplus is {name}"


def _taken(
    mine: np.ndarray, real: np.ndarray, prediction: np.ndarray, classes: Mapping[int, str]
) -> str:
    name, share = _mostly(prediction[real & ~mine], classes)
    return f"{share:.0%} of that taken for {name}"


def _mostly(labels: np.ndarray, classes: Mapping[int, str]) -> tuple[str, float]:
    values, counts = np.unique(labels, return_counts=True)
    first = int(counts.argmax())
    return classes[int(values[first])], counts[first] / counts.sum()
