"""Dice and 95HD of random pairs of masks, by `scnlib.evaluation` and by two others.

The others are medpy on whole volumes (the study's 95HD is medpy's, in a box around the masks) and
SimpleITK, whose erosion and distance maps share no code with medpy's. What has no score or is
penalised, with an empty mask, is held to the rule.
"""

from collections import Counter
from typing import Any

import numpy as np
import SimpleITK as sitk
from medpy.metric import binary
from scipy import ndimage

from scnlib.evaluation import dice, hd95

KINDS = ("empty", "full", "voxel", "salt", "box", "blob", "ring")
PARTNERS = ("any", "same", "shifted", "noisy", "grown")
# Of 95HD as a share of the volume's diagonal: SimpleITK's places and distances are float32.
TOLERANCE = {"rule": 1e-12, "medpy": 1e-12, "SimpleITK": 2e-6}


def mask(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A random mask (n, H, W) bool of a kind; it may touch the faces, and be empty by chance."""
    if kind in ("empty", "full"):
        return np.full(shape, kind == "full")
    if kind == "salt":
        return rng.random(shape) < 10 ** rng.uniform(-2.5, -0.1)
    if kind == "blob":
        smooth = ndimage.gaussian_filter(rng.normal(size=shape), (0.5, 2, 2), mode="constant")
        return smooth > np.quantile(smooth, rng.uniform(0.3, 0.98))
    low = [int(rng.integers(length)) for length in shape]
    if kind == "voxel":
        high = [start + 1 for start in low]
    else:
        high = [int(rng.integers(a, b)) + 1 for a, b in zip(low, shape, strict=True)]
    found = np.zeros(shape, bool)
    found[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    if kind == "ring":
        found &= np.logical_not(ndimage.binary_erosion(found, np.ones((1, 3, 3))))
    return found


def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Two masks of one shape, and a spacing in mm: isotropic, as of ACDC, or anything."""
    shape = tuple(int(rng.integers(1, most)) for most in (9, 25, 25))
    kinds = rng.choice(KINDS, 2, p=[0.06, 0.04, 0.1, 0.2, 0.2, 0.2, 0.2])
    one, other = (mask(str(kind), shape, rng) for kind in kinds)
    match str(rng.choice(PARTNERS)):
        case "same":
            other = one.copy()
        case "shifted":
            other = np.roll(one, tuple(rng.integers(-3, 4, 3)), (0, 1, 2))
        case "noisy":
            other = one ^ (rng.random(shape) < 0.02)
        case "grown":
            other = ndimage.binary_dilation(one)
    anything = tuple(np.exp(rng.uniform(-1.5, 2.5, 3)).tolist())
    spacings = ((1.0, 1.0, 1.0), (10.0, 1.5625, 1.5625), anything)
    return one, other, spacings[rng.integers(3)]


def sitk_scores(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> list[float]:
    """[Dice, 95HD] by SimpleITK, of two masks that hold something."""
    images = [sitk.GetImageFromArray(np.pad(a, 1).astype(np.uint8)) for a in (one, other)]
    surfaces = []
    for image in images:
        image.SetSpacing(spacing[::-1])
        surfaces.append(image - sitk.BinaryErode(image, (1, 1, 1), sitk.sitkCross))
    pool = np.concatenate(
        [
            sitk.GetArrayFromImage(
                sitk.SignedMaurerDistanceMap(
                    there, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
                )
            )[sitk.GetArrayFromImage(here) > 0]
            for here, there in (surfaces, surfaces[::-1])
        ]
    )
    measure = sitk.LabelOverlapMeasuresImageFilter()
    measure.Execute(*images)
    return [measure.GetDiceCoefficient(1), percentile95(np.abs(pool))]


def percentile95(values: np.ndarray) -> float:
    """The linear 95th percentile, written out."""
    ordered = np.sort(values.astype(np.float64))
    place, rest = divmod(0.95 * (len(ordered) - 1), 1.0)
    low, high = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return float(low + rest * (high - low))


def diagonal(shape: tuple[int, ...], spacing: tuple[float, ...]) -> float:
    return sum((n * step) ** 2 for n, step in zip(shape, spacing, strict=True)) ** 0.5


def expected(
    one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]
) -> tuple[str, dict[str, list[float]]]:
    """How much of the pair is filled, and [Dice, 95HD] by each of the others, or by the rule."""
    filled = int(one.any()) + int(other.any())
    if filled == 0:
        return "both empty", {"rule": [np.nan, np.nan]}
    if filled == 1:
        return "one empty", {"rule": [0.0, diagonal(one.shape, spacing)]}
    medpy = [binary.dc(one, other), binary.hd95(one, other, voxelspacing=spacing)]
    return "both filled", {"medpy": medpy, "SimpleITK": sitk_scores(one, other, spacing)}


def campaign(pairs: int, seed: int) -> dict[str, Any]:
    """Compare so many pairs of masks.

    Counts them by what is filled, and those that differ by more than `TOLERANCE`; and tells the
    largest deviation from each of the others, of 95HD as a share of the volume's diagonal.
    """
    rng = np.random.default_rng(seed)
    fillings: Counter[str] = Counter()
    largest = {name: {"dice": 0.0, "hd95": 0.0} for name in TOLERANCE}
    differing = 0
    for _ in range(pairs):
        one, other, spacing = pair(rng)
        ours = np.array([dice(one, other), hd95(one, other, spacing)])
        filling, others = expected(one, other, spacing)
        fillings[filling] += 1
        scale, agree = np.array([1.0, diagonal(one.shape, spacing)]), True
        for name, theirs in others.items():
            apart = np.abs(ours - theirs) / scale
            agree &= bool((np.isnan(ours) & np.isnan(theirs) | (apart <= TOLERANCE[name])).all())
            for metric, value in zip(("dice", "hd95"), apart, strict=True):
                largest[name][metric] = max(largest[name][metric], float(f"{value:.2g}"))
        differing += not agree
    return {"pairs": pairs, **fillings, "largest_deviation": largest, "differing": differing}
