"""Means that tell little: of seeds far from each other, or of a structure that failed alone."""

from collections.abc import Sequence

import pandas as pd

from scnlib.records import Record
from study.report.means import per_seed
from study.report.scores import SPREAD, over_seeds
from study.report.titles import DATASETS, SHARED, data_title, in_order, title

REASONS = ("by seed", "by structure (RV, MYO, LV)")
GAP = 20.0  # points of Dice between the best and the worst structure of a row


def uneven_told(records: Sequence[Record], reasons: Sequence[str] = REASONS) -> str:
    """A line that names the rows of both data sets with what their means are of; "" for none.

    `reasons`: which of `REASONS` are told.
    """
    odd = {name: odd_means(records, name) for name in dict.fromkeys(DATASETS.values())}
    said = []
    for kind in reasons:
        rows = [
            f"{title(method)} on {data_title(dataset)} {values}"
            for dataset, found in odd.items()
            for (method, why), values in found.items()
            if why == kind
        ]
        if rows:
            said.append(f"{kind[0].upper()}{kind[1:]}: {'; '.join(rows)}")
    return f"{'. '.join(said)}." if said else ""


def odd_means(
    records: Sequence[Record], dataset: str, adam: bool = False
) -> dict[tuple[str, str], str]:
    """What the means of a data set's rows are of, where that tells more than the mean.

    (method, one of `REASONS`) to Dice in percent as text: by seed where seeds lie far apart, else
    by structure where these do. `adam`: of the rows "(Adam)", too.
    """
    found: dict[tuple[str, str], str] = {}
    by_seed, by_structure = REASONS
    far = seeds_far_apart(records, dataset)
    for method in in_order(per_seed(records, dataset).keys() - (set() if adam else set(SHARED))):
        parts = _by_structure(records, dataset, method)
        if method in far:
            found[method, by_seed] = _listed(far[method])
        elif max(parts) - min(parts) > GAP:
            found[method, by_structure] = _listed(parts)
    return found


def odd_runs(records: Sequence[Record], dataset: str) -> dict[str, Record]:
    """The runs behind `odd_means`, "(Adam)" too, that kept predictions, by title and seed.

    Where the seeds lie apart all of them, where the structures do the first one.
    """
    found: dict[str, Record] = {}
    for method, kind in odd_means(records, dataset, adam=True):
        kept = [
            r
            for r in sorted(records, key=lambda r: r.run.seed)
            if (r.run.dataset, r.run.method) == (dataset, method) and "predictions.h5" in r.files
        ]
        for record in kept if kind == REASONS[0] else kept[:1]:
            # With a no-break space: a name's words stand one below the other beside its pictures.
            found[f"{title(method)}, seed\N{NO-BREAK SPACE}{record.run.seed}"] = record
    return found


def seeds_far_apart(records: Sequence[Record], dataset: str) -> dict[str, list[float]]:
    """Dice in percent, seed by seed, of the methods whose seeds lie over `SPREAD` apart."""
    dice = {
        method: [100 * seeds[seed] for seed in sorted(seeds)]
        for method, seeds in per_seed(records, dataset).items()
    }
    return {m: values for m, values in dice.items() if max(values) - min(values) > SPREAD}


def uneven_runs(records: Sequence[Record]) -> pd.DataFrame:
    """Tested runs whose structures differ by more than `GAP` points of Dice, the widest gap first.

    Columns data set, method, seed, lowest, its Dice (%), its 95HD (voxels), highest, its Dice (%):
    a method that floods the image with one class alone has a low Dice and a large 95HD there.
    """
    rows = []
    for record in (record for record in records if record.summary):
        dice = {k: 100 * v for k, v in record.summary["dice"].items() if k != "mean"}
        low, high = min(dice, key=lambda k: dice[k]), max(dice, key=lambda k: dice[k])
        if dice[high] - dice[low] > GAP:
            hd95 = record.summary["hd95_voxel"][low]
            which = (record.run.dataset, title(record.run.method), record.run.seed)
            rows.append((*which, low, dice[low], hd95, high, dice[high]))
    columns = ["data set", "method", "seed", "lowest", "its Dice (%)", "its 95HD (voxels)"]
    columns += ["highest", "Dice (%) of the highest"]
    rows.sort(key=lambda row: row[4] - row[7])
    return pd.DataFrame(rows, columns=columns)


def _by_structure(records: Sequence[Record], dataset: str, method: str) -> list[float]:
    """Each structure's Dice in percent, over the seeds."""
    runs = [r for r in records if (r.run.dataset, r.run.method) == (dataset, method) and r.summary]
    means, _ = over_seeds(runs, "Dice")
    return means.drop("mean").tolist()


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
