"""Counts for notebooks 01 and 05: what scribbles say and leave out, what a coarse map can say."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import one_hot

from scnlib.config import ScribbleRule
from scnlib.correlation import to_grid, to_image
from scnlib.data.cases import Case
from scnlib.data.resize import resize_label, resize_scribble
from scnlib.evaluation import dice


def splits_table(splits: dict[str, list[Case]]) -> pd.DataFrame:
    """Subjects, volumes, slices and what is drawn, one line a split."""
    rows = {
        name: {
            "subjects": len({case.subject for case in cases}),
            "volumes": len(cases),
            "slices": sum(len(case.image) for case in cases),
            "scribbles": bool(cases) and all(case.scribble is not None for case in cases),
            "masks": bool(cases) and all(case.label is not None for case in cases),
        }
        for name, cases in splits.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def shared_subjects(splits: dict[str, list[Case]]) -> set[str]:
    """Subjects that are in more than one split (there should be none)."""
    names = [{case.subject for case in cases} for cases in splits.values()]
    return {name for one in names for name in one if sum(name in other for other in names) > 1}


def three_slices(heart: np.ndarray) -> list[int]:
    """Numbers of a slice near each end and the middle one, of those that show a structure.

    heart: label map (n, H, W), 0 background. Fewer than three slices in a small volume; where no
    slice shows anything, all slices count.
    """
    shown = np.flatnonzero(heart.any(axis=(1, 2)))
    z = shown if len(shown) else np.arange(len(heart))
    near_end = min(1, (len(z) - 1) // 2)
    return sorted({int(z[i]) for i in (near_end, len(z) // 2, len(z) - 1 - near_end)})


def class_table(cases: Sequence[Case]) -> pd.DataFrame:
    """Per class, over all slices: scribbled and mask pixels in percent, pixels a slice, coverage.

    `coverage %` is the part of a structure's mask that its scribble labels, on the cases that have
    both; nan where there are none. `slices without %` counts slices whose mask (or, where there is
    none, scribble) lacks the class.
    """
    rows = {}
    for k, name in enumerate(cases[0].classes):
        drawn = [c.scribble == k for c in cases if c.scribble is not None]
        masks = [c.label == k for c in cases if c.label is not None]
        both = [
            ((c.scribble == k) & (c.label == k), c.label == k)
            for c in cases
            if c.scribble is not None and c.label is not None
        ]
        rows[name] = {
            "scribbled %": 100 * _share(drawn),
            "scribbled pixels a slice": _per_slice(drawn),
            "mask %": 100 * _share(masks),
            "mask pixels a slice": _per_slice(masks),
            "coverage %": 100 * _ratio(both),
            "slices without %": 100 * _without(masks or drawn),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def lost_classes(cases: Sequence[Case], size: int) -> pd.DataFrame:
    """What resizing to `size` does to scribbles, a line a rule.

    Labelled pixels in percent before and after, and how many (slice, class) pairs vanish.
    """
    rows: dict[str, dict[str, float]] = {}
    rules: tuple[ScribbleRule, ...] = ("keep", "nearest")
    for rule in rules:
        before, after, pairs, lost = [], [], 0, 0
        for case in cases:
            if case.scribble is None:
                continue
            unlabelled = len(case.classes)
            small = resize_scribble(case.scribble, size, unlabelled, rule)
            before.append(case.scribble < unlabelled)
            after.append(small < unlabelled)
            for k in range(unlabelled):
                there = (case.scribble == k).any(axis=(1, 2))
                pairs += int(there.sum())
                lost += int((there & ~(small == k).any(axis=(1, 2))).sum())
        rows[rule] = {
            "labelled before %": 100 * _share(before),
            "labelled after %": 100 * _share(after),
            "classes in slices": pairs,
            "lost": lost,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def grid_limit(cases: Sequence[Case], size: int, stride: int) -> dict[str, float]:
    """Dice (%) per structure, and `mean`, of the labels that PAP gets from a perfect P.

    P is the mask itself at size x size, averaged over cells of stride x stride pixels and brought
    back bilinearly, as PAP does; C leaves every cell alone. A mean over the volumes that have a
    mask and the structure in it.
    """
    rows = []
    for case in cases:
        if case.label is None:
            continue
        K = len(case.classes)
        truth = resize_label(case.label, size)  # (n, size, size)
        P = one_hot(torch.from_numpy(truth).long(), K).movedim(3, 1).float()
        Y_corr = to_image(to_grid(P, (size // stride, size // stride)), (size, size))
        seen = Y_corr.argmax(dim=1).numpy()
        rows.append({case.classes[k]: 100 * dice(seen == k, truth == k) for k in range(1, K)})
    means = pd.DataFrame(rows).mean()
    return {**means.to_dict(), "mean": float(means.mean())}


def _share(masks: Sequence[np.ndarray]) -> float:
    size = sum(mask.size for mask in masks)
    return sum(int(mask.sum()) for mask in masks) / size if size else float("nan")


def _per_slice(masks: Sequence[np.ndarray]) -> float:
    n = sum(len(mask) for mask in masks)
    return sum(int(mask.sum()) for mask in masks) / n if n else float("nan")


def _ratio(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    whole = sum(int(mask.sum()) for _, mask in pairs)
    return sum(int(part.sum()) for part, _ in pairs) / whole if whole else float("nan")


def _without(masks: Sequence[np.ndarray]) -> float:
    n = sum(len(mask) for mask in masks)
    absent = sum(int((~mask.any(axis=(1, 2))).sum()) for mask in masks)
    return absent / n if n else float("nan")
