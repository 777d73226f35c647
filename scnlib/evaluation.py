"""The scores of a label volume: Dice and 95HD.

Everything is per volume and 3D. The 95% Hausdorff distance (95HD) is medpy's: the surface of a
mask is the mask minus its erosion by the 6-neighbourhood (outside the volume counts as
background), the surface distances of both directions are pooled, and the linear 95th percentile
of the pool is taken. (Another definition in use, the larger of the two directed percentiles,
differs by millimetres.)
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from medpy.metric import binary
from scipy import ndimage

from scnlib.data.cases import Case
from scnlib.inference import Predict, label_volume

METRICS = ("dice", "hd95_voxel", "hd95_mm")


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two boolean volumes (n, H, W), as a fraction in 0..1.

    nan if both are empty, 0.0 if one is. ValueError if the shapes differ, if they are not 3D, or
    for values other than 0 and 1 (a label map needs `labels == k` first).
    """
    prediction, truth = _masks(prediction, truth)
    total = np.count_nonzero(prediction) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(prediction & truth) / total if total else math.nan


def hd95(prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float]) -> float:
    """95HD of two boolean volumes (n, H, W) in the unit of `spacing` (z, y, x), medpy's definition.

    nan if both are empty; if one is, the diagonal of the volume, |(n, H, W) * spacing|. ValueError
    as for `dice`, and unless the spacing is three positive, finite numbers.
    """
    prediction, truth = _masks(prediction, truth)
    steps = np.asarray(spacing, dtype=np.float64)
    if steps.shape != (3,) or not (np.isfinite(steps) & (steps > 0)).all():
        raise ValueError(f"spacing must be three positive numbers (z, y, x), got {spacing}")
    filled = bool(prediction.any()) + bool(truth.any())
    if filled == 0:
        return math.nan
    if filled == 1:
        return float(np.linalg.norm(prediction.shape * steps))
    # Distances are the same in the box of both, and several times faster.
    (box,) = ndimage.find_objects((prediction | truth).astype(np.uint8))
    return float(binary.hd95(prediction[box], truth[box], voxelspacing=tuple(steps)))


def score(prediction: np.ndarray, case: Case, hd: bool = True) -> list[dict]:
    """One row a structure: the columns of metrics.csv for a label volume uint8 (n, H, W) of `case`.

    Dice is a fraction; `hd95_voxel` counts voxels of the original grid, `hd95_mm` is nan where the
    spacing is unknown; both are nan (not computed) without `hd`. ValueError if the case has no
    label or the shapes differ.
    """
    if case.label is None:
        raise ValueError(f"{case.source}: no masks to score against; give a volume with labels")
    if prediction.shape != case.label.shape:
        raise ValueError(
            f"{case.source}: prediction {prediction.shape} and label {case.label.shape} differ"
        )
    known = bool(np.isfinite(case.spacing).all())
    rows = []
    for index, structure in enumerate(case.classes[1:], start=1):
        ours, truth = prediction == index, case.label == index
        rows.append(
            {
                "volume": case.volume,
                "subject": case.subject,
                "frame": case.frame,
                "structure": structure,
                "dice": dice(ours, truth),
                "hd95_voxel": hd95(ours, truth, (1.0, 1.0, 1.0)) if hd else math.nan,
                "hd95_mm": hd95(ours, truth, case.spacing) if hd and known else math.nan,
                "empty_prediction": not ours.any(),
                "empty_truth": not truth.any(),
            }
        )
    return rows


def evaluate(
    predict: Predict, cases: Sequence[Case], size: int, batch: int, hd: bool = True
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Predicts and scores all cases: (the rows of `score` as a frame, volume name to label volume).

    `predict` as in `label_volume`. ValueError without cases, or if two of them share a name.
    """
    names = [case.volume for case in cases]
    if not names or len(set(names)) < len(names):
        raise ValueError("evaluation needs at least one case, and a different name for each")
    predictions = {case.volume: label_volume(predict, case.image, size, batch) for case in cases}
    rows = [row for case in cases for row in score(predictions[case.volume], case, hd)]
    return pd.DataFrame(rows), predictions


def summary(metrics: pd.DataFrame) -> dict:
    """Means of a metrics frame, as in the paper: over volumes, then over structures, nan left out.

    {"dice": {"RV": .., "MYO": .., "LV": .., "mean": ..}, "hd95_voxel": .., "hd95_mm": ..,
    "volumes": n, "empty_predictions": n, "empty_truths": n}; the last two count structures that are
    empty in a volume's prediction and in its truth. Dice is a fraction.
    """
    means: Any = metrics.groupby("structure", sort=False)[list(METRICS)].mean()
    result: dict = {
        metric: {str(name): float(value) for name, value in means[metric].items()}
        | {"mean": float(means[metric].mean())}
        for metric in METRICS
    }
    result["volumes"] = len(set(metrics["volume"]))
    result["empty_predictions"] = int(np.count_nonzero(metrics["empty_prediction"]))
    result["empty_truths"] = int(np.count_nonzero(metrics["empty_truth"]))
    return result


def _masks(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as boolean arrays (the arguments stay as they are)."""
    if prediction.shape != truth.shape or prediction.ndim != 3:
        raise ValueError(
            f"masks must be 3D (n, H, W) and of one shape, got {prediction.shape} and {truth.shape}"
        )
    for mask in (prediction, truth):
        if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
            raise ValueError("masks must be boolean; for a label map compare it first: labels == k")
    return prediction.astype(np.bool_), truth.astype(np.bool_)
