"""Tests and intervals on patients, not on frames or structures.

The unit is the patient: frames of one heart are not independent. A patient's value is the mean over
frames, then over structures, then over seeds. It is undefined (nan) if any part is, so that two
methods are never compared on different structures; such pairs are dropped and counted.

With one seed a method, a test compares two trained networks and not two methods. Tests on 95HD
contain the penalty for structures that are empty in one mask (see `scnlib.evaluation.hd95`).
"""

import hashlib
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from scnlib.records import Record
from study.report.titles import SHARED, in_print

LOWER_IS_BETTER = {"hd95_voxel", "hd95_mm"}
ALPHA = 0.05
COLUMNS = (
    *("dataset", "metric", "method", "seeds", "reference_seeds", "patients", "dropped"),
    *("mean_difference", "low", "high", "low_seeds", "high_seeds", "seeds_apart"),
    *("by_ranks", "p", "p_holm", "verdict"),
)
FEW_SEEDS = 3  # fewer are not drawn from: of one there is nothing to draw, two tell next to nothing
# What `compare` was asked and has found: a page asks for the same resamples in many places. Of the
# rows only the sha256 is kept, and an answer is a small table, so that this may grow.
_KNOWN: dict[tuple[str, ...], pd.DataFrame] = {}


def check_runs(records: Sequence[Record]) -> None:
    """ValueError if a run is there twice or if the records are of several profiles."""
    runs = [(record.run.dataset, record.run.method, record.run.seed) for record in records]
    if len(set(runs)) < len(runs):
        raise ValueError("the same run (dataset, method, seed) is there twice; give each one once")
    profiles = sorted({record.run.profile.name for record in records})
    if len(profiles) > 1:
        raise ValueError(f"runs of different profiles ({', '.join(profiles)}) cannot be compared")


def long_frame(records: Sequence[Record]) -> pd.DataFrame:
    """The metrics of all records below each other, with columns dataset, method and seed.

    ValueError as `check_runs`.
    """
    check_runs(records)
    frames = [
        r.metrics.assign(dataset=r.run.dataset, method=r.run.method, seed=r.run.seed)
        for r in records
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def patient_values(rows: pd.DataFrame, metric: str) -> pd.Series:
    """One value a patient (index: subject) from the rows of one method on one data set.

    Mean over frames, then structures, then seeds; nan where one of the values is.
    """
    values: Any = rows
    for keys in (["seed", "subject", "structure"], ["seed", "subject"], ["subject"]):
        values = values.groupby(keys, as_index=False)[metric].mean(skipna=False)
    return values.set_index("subject")[metric]


def bootstrap_mean(
    values: Sequence[float] | np.ndarray | pd.Series, n: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """(mean, low, high): the mean and its 95% percentile bootstrap interval, n resamples.

    nan values are left out; without any value all three are nan.
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    if not sample.size:
        return float("nan"), float("nan"), float("nan")
    mean = float(sample.mean())
    if sample.size == 1:  # scipy refuses it
        return mean, mean, mean
    drawn = stats.bootstrap(
        (sample,), np.mean, n_resamples=n, method="percentile", rng=np.random.default_rng(seed)
    )
    return mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def values_by_seed(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`patient_values` of each seed: subjects as rows, seeds as columns."""
    return pd.DataFrame({seed: patient_values(one, metric) for seed, one in rows.groupby("seed")})


def bootstrap_with_seeds(
    mine: pd.DataFrame, theirs: pd.DataFrame, n: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """(low, high): 95% percentile bootstrap of a mean difference, patients and seeds both drawn.

    `values_by_seed` of one method each. The seeds of each are drawn by themselves, as they are
    trainings of their own; of as few as there are, the interval is rather too narrow. Both are nan
    where one has under `FEW_SEEDS`, or where no patient has all values.
    """
    subjects = mine.dropna().index.intersection(theirs.dropna().index)
    if not len(subjects) or min(mine.shape[1], theirs.shape[1]) < FEW_SEEDS:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(len(subjects), np.full(len(subjects), 1 / len(subjects)), n)
    drawn = []  # (n, patients): each patient's mean over the seeds drawn
    for values in (mine.loc[subjects].to_numpy(), theirs.loc[subjects].to_numpy()):
        count = values.shape[1]
        seeds = rng.multinomial(count, np.full(count, 1 / count), n)
        drawn.append(seeds / count @ values.T)
    means = ((drawn[0] - drawn[1]) * shares).sum(axis=1) / len(subjects)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def signed_rank(differences: Sequence[float] | np.ndarray | pd.Series) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of paired differences.

    Zeros are kept and their ranks split between both signs (zsplit), so that ties with the
    reference count as evidence for no difference; exact for up to 50 pairs without ties, else as
    scipy chooses. If all differences are zero p is 1; without any it is nan.
    """
    sample = np.asarray(differences, dtype=np.float64)
    if not sample.size:
        return float("nan")
    if not sample.any():
        return 1.0
    result: Any = stats.wilcoxon(sample, zero_method="zsplit", alternative="two-sided")
    return float(result.pvalue)


def holm(pvalues: Sequence[float] | np.ndarray | pd.Series) -> np.ndarray:
    """Holm's step-down adjusted p, in the order given: monotone in p and at most 1.

    nan (no test was possible) stays nan and is not counted. ValueError for a p outside 0..1.
    """
    p = np.asarray(pvalues, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError(f"p values must be within 0..1, got {p.tolist()}")
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(p.shape, np.nan)
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def compare(
    records: Sequence[Record] | pd.DataFrame,
    reference: str = "scn",
    metrics: Sequence[str] = ("dice", "hd95_voxel"),
) -> pd.DataFrame:
    """Every method against the reference, patient by patient.

    `records`, or a frame as `long_frame` makes it. Columns: dataset, metric, method, seeds,
    reference_seeds, patients (pairs tested), dropped, mean_difference (method minus reference) with
    low and high (95% bootstrap), low_seeds and high_seeds (`bootstrap_with_seeds`), seeds_apart
    (how far the differences of single seeds, each to each, lie apart; nan with one on either side),
    by_ranks (`by_ranks`), p, p_holm (within one data set and metric, over the paper's rows; over
    full supervision and the footnotes apart; any other row, of the study's own or of a user's, is a
    question of its own, and its p stays as it is), verdict (`judge`). Dice is a fraction. A data
    set without a run of the reference gives no rows.
    """
    rows = records if isinstance(records, pd.DataFrame) else long_frame(records)
    content = hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
    asked = (content, reference, *metrics)
    if asked not in _KNOWN:
        _KNOWN[asked] = _compared(rows, reference, metrics)
    return _KNOWN[asked].copy()  # into which a caller may write


def _compared(rows: pd.DataFrame, reference: str, metrics: Sequence[str]) -> pd.DataFrame:
    """`compare` of the rows of a long frame."""
    found = []
    for dataset, group in rows.groupby("dataset", sort=False) if len(rows) else ():
        runs = {str(method): part for method, part in group.groupby("method", sort=False)}
        if reference not in runs:
            continue
        families = dict.fromkeys(_family(method, str(dataset)) for method in runs)
        for metric, family in product(metrics, families):
            block = [
                {"dataset": dataset, "metric": metric, "method": method}
                | _comparison(part, runs[reference], metric)
                for method, part in runs.items()
                if method != reference and _family(method, str(dataset)) == family
            ]
            for row, adjusted in zip(block, holm([row["p"] for row in block]), strict=True):
                words = judge(row.pop("differences"), float(adjusted), metric)
                found.append(row | {"p_holm": float(adjusted), "verdict": words})
    return pd.DataFrame(found, columns=list(COLUMNS))


def _family(method: str, dataset: str) -> str:
    """Which question a method's row belongs to; rows that are no answer to it don't count in it.

    Rows of the study's own are there to be found equal: adjusted for each other they would be.
    """
    if in_print(method, dataset):
        return "printed"
    return "beside" if method in ("full", *SHARED) else method


def judge(differences: np.ndarray, adjusted: float, metric: str) -> str:
    """Paired differences (method minus reference) and their adjusted p in words.

    "no pairs", "no difference" (all are zero), "not significant", or "better" or "worse" by the sum
    of the signed ranks, which is what the test looks at (a mean can be ruled by one patient).
    """
    if not differences.size:
        return "no pairs"
    if not differences.any():
        return "no difference"
    if adjusted >= ALPHA:
        return "not significant"
    return "better" if by_ranks(differences, metric) > 0 else "worse"


def by_ranks(differences: np.ndarray, metric: str) -> float:
    """The sum of the signed ranks of paired differences (n,) over that of all ranks, -1 to 1.

    Above 0 the method is better than the reference for more, or more clearly; nan without pairs.
    """
    ranks = stats.rankdata(np.abs(differences))
    sign = -1 if metric in LOWER_IS_BETTER else 1
    return float(sign * np.sign(differences) @ ranks / ranks.sum()) if ranks.size else float("nan")


def _seeds_apart(mine: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """The range of the mean difference over patients, of each seed to each of the reference."""
    pairs = product(mine.items(), theirs.items())
    apart = [float((one - other).mean()) for (_, one), (_, other) in pairs]
    return max(apart) - min(apart) if len(apart) > 1 else float("nan")


def _comparison(part: pd.DataFrame, reference: pd.DataFrame, metric: str) -> dict:
    pairs = pd.concat(
        [patient_values(part, metric), patient_values(reference, metric)], axis=1, keys=["a", "b"]
    )
    # Rounded: means taken in another order differ in the last digit, and would be no ties.
    difference = (pairs["a"] - pairs["b"]).dropna().round(9).to_numpy()
    mean, low, high = bootstrap_mean(difference)
    mine, theirs = (values_by_seed(rows, metric) for rows in (part, reference))
    low_seeds, high_seeds = bootstrap_with_seeds(mine, theirs)
    return {
        "seeds": part["seed"].nunique(),
        "reference_seeds": reference["seed"].nunique(),
        "patients": difference.size,
        "dropped": len(pairs) - difference.size,
        "mean_difference": mean,
        "low": low,
        "high": high,
        "low_seeds": low_seeds,
        "high_seeds": high_seeds,
        "seeds_apart": _seeds_apart(mine, theirs),
        "by_ranks": by_ranks(difference, metric),
        "p": signed_rank(difference),
        "differences": difference,
    }
