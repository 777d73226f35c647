"""Mean scores of runs and methods, and differences over the seeds that two methods share."""

from collections.abc import Sequence

import numpy as np

from scnlib.records import Record


def best_dice(record: Record) -> float:
    """A run's best mean validation Dice in percent; nan where it was not validated."""
    best = record.validation.get("best")
    return 100 * best["dice"] if best else float("nan")


def mean_dice(records: Sequence[Record], dataset: str) -> dict[str, float]:
    """Each tested method's mean Dice (0..1) on a data set's test subjects, over seeds."""
    found = per_seed(records, dataset)
    return {method: float(np.mean(list(seeds.values()))) for method, seeds in found.items()}


def per_seed(
    records: Sequence[Record], dataset: str, metric: str = "dice"
) -> dict[str, dict[int, float]]:
    """The same of each seed; `metric` is dice or hd95_voxel."""
    found: dict[str, dict[int, float]] = {}
    for record in records:
        if record.run.dataset == dataset and record.summary:
            seeds = found.setdefault(record.run.method, {})
            seeds[record.run.seed] = record.summary[metric]["mean"]
    return found


def difference(
    records: Sequence[Record], dataset: str, one: str, two: str
) -> tuple[float, list[int]]:
    """Points of mean Dice from one method to another, and the seeds that both have."""
    found = per_seed(records, dataset)
    first, second = found.get(one, {}), found.get(two, {})
    seeds = sorted(first.keys() & second.keys())
    return 100 * sum(second[s] - first[s] for s in seeds) / max(len(seeds), 1), seeds


def seeds_count(count: int) -> str:
    """So many seeds in words."""
    return f"{count} seed{'s' * (count > 1)}"


def seeds_text(seeds: Sequence[int]) -> str:
    """Which seeds, in words: "seed 0", "seeds 0, 1"."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def typical_step(record: Record) -> float:
    """Seconds a step: the median over the stretches between validations.

    `seconds_per_step` is the mean, in which a pause or another program's load counts too. The
    stretches are long enough to hold what a method does once in a while (S2L's passes).
    """
    profile, curve = record.run.profile, record.curve
    ends = curve[curve["iteration"].map(profile.validates_after)]
    ends = ends if len(ends) else curve
    steps = np.diff(ends["iteration"], prepend=0)
    return float(np.median(np.diff(ends["seconds"], prepend=0) / steps))
