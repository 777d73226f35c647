"""Means that tell little: of seeds far from each other, or of a structure that failed alone."""

from collections.abc import Sequence

from scnlib.records import Record
from study.report.means import per_seed
from study.report.scores import SPREAD
from study.report.titles import DATASETS, SHARED, data_title, in_order, title

APART = 20.0  # points of Dice between the best and the worst structure of a row


def uneven_told(records: Sequence[Record]) -> str:
    """A line that names these rows with what their means are of; "" without any.

    Of one seed or several near each other, by structure in the order RV, MYO, LV; else by seed.
    """
    seeds, structures = [], []
    for dataset in dict.fromkeys(DATASETS.values()):
        dice = per_seed(records, dataset)
        for method in in_order(dice.keys() - set(SHARED)):
            name = f"{title(method)} on {data_title(dataset)}"
            values = [100 * dice[method][seed] for seed in sorted(dice[method])]
            parts = _by_structure(records, dataset, method)
            if max(values) - min(values) > SPREAD:
                seeds.append(f"{name} {_listed(values)}")
            elif max(parts) - min(parts) > APART:
                structures.append(f"{name} {_listed(parts)}")
    said = [f"by seed {'; '.join(seeds)}"] if seeds else []
    said += [f"by structure (RV, MYO, LV) {'; '.join(structures)}"] if structures else []
    return f"Means of unlike parts, {'; '.join(said)}." if said else ""


def _by_structure(records: Sequence[Record], dataset: str, method: str) -> list[float]:
    """Each structure's Dice in percent, over the seeds."""
    found = [
        [value for name, value in record.summary["dice"].items() if name != "mean"]
        for record in records
        if (record.run.dataset, record.run.method) == (dataset, method) and record.summary
    ]
    return [100 * sum(values) / len(values) for values in zip(*found, strict=True)]


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
