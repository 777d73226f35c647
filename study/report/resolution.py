"""What the printed resolution is worth: the same methods at 256 x 256 beside 128 x 128.

Profile `night` has the paper's image size, and with it the printed grid of the correlation map, but
half of its batch and a fifth of its steps; `cpu` is what the study's tables are of.
"""

from collections.abc import Sequence
from statistics import mode
from typing import NamedTuple

import numpy as np

from scnlib.records import Record
from study.places import FINE
from study.report import markdown
from study.report.findings import run_key
from study.report.means import per_seed, seeds_text
from study.report.paper import printed_mean
from study.report.scores import number_text
from study.report.titles import DATASETS, data_title, in_order, title


class BothSizes(NamedTuple):
    """A method at both sizes, over the seeds that both have; NaN where the coarse one has none."""

    dataset: str
    method: str
    seeds: list[int]
    dice: tuple[float, float]  # percent, fine and coarse
    hd95: tuple[float, float]  # voxels of the original grid


def pairs(coarse: Sequence[Record], fine: Sequence[Record]) -> list[BothSizes]:
    """The methods of the fine profile in the tables' order, a data set after the other."""
    found = []
    for dataset in dict.fromkeys(DATASETS.values()):
        scores = {
            metric: [per_seed(records, dataset, metric) for records in (fine, coarse)]
            for metric in ("dice", "hd95_voxel")
        }
        for method in in_order(scores["dice"][0].keys()):
            here, there = (seeds.get(method, {}) for seeds in scores["dice"])
            shared = sorted(here.keys() & there.keys()) or sorted(here)
            dice, hd95 = (
                tuple(
                    float(np.mean([seeds.get(method, {}).get(s, np.nan) for s in shared]))
                    for seeds in both
                )
                for both in scores.values()
            )
            percent = (100 * dice[0], 100 * dice[1])
            found.append(BothSizes(dataset, method, shared, percent, (hd95[0], hd95[1])))
    return found


def sizes_told(coarse: Sequence[Record], fine: Sequence[Record]) -> str:
    """The finding in a line; empty without a run of the fine profile."""
    found = pairs(coarse, fine)
    parts = []
    for dataset in dict.fromkeys(pair.dataset for pair in found):
        rows = [pair for pair in found if pair.dataset == dataset]
        usual = mode(seeds_text(pair.seeds) for pair in rows)
        said = [
            f"{title(p.method)} {_bracketed(*map(number_text, p.dice))}{_unless(usual, p.seeds)}"
            for p in rows
        ]
        parts.append(f"{data_title(dataset)}, {usual}: {', '.join(said)}")
    if not parts:
        return ""
    beside = f" (at 128x128, {length(coarse, fine)})" if coarse else ""
    return (
        f"**At 256x256, with a tenth of the printed training** (profile `{FINE}`), mean Dice"
        f"{beside}: {'; '.join(parts)}.{_other_formats(coarse, fine)}"
    )


def _other_formats(coarse: Sequence[Record], fine: Sequence[Record]) -> str:
    """The methods whose runs of one seed compute in other number formats at the two sizes."""
    usual = {run_key(record): record.dtype for record in coarse}
    mixed = {
        f"{title(r.run.method)} on {data_title(r.run.dataset)} ({r.dtype} beside {there})"
        for r in fine
        if (there := usual.get(run_key(r), r.dtype)) != r.dtype
    }
    return f" Number formats differ as well for {', '.join(sorted(mixed))}." if mixed else ""


def length(coarse: Sequence[Record], fine: Sequence[Record]) -> str:
    """How much shorter the coarse runs were trained, in words."""
    few, many = (max(r.run.profile.iterations for r in runs) for runs in (coarse, fine))
    return f"{few:,} steps in place of {many:,}"


def sizes_table(coarse: Sequence[Record], fine: Sequence[Record]) -> str:
    """Each pair a row of a table in Markdown, the printed mean beside; empty without one."""
    rows = []
    for pair in pairs(coarse, fine):
        run = (data_title(pair.dataset), title(pair.method), ", ".join(map(str, pair.seeds)))
        numbers = (*pair.dice, _printed(pair.dataset, pair.method), *pair.hd95)
        rows.append((*run, *map(number_text, numbers)))
    head = ("data", "method", "seeds", "Dice at 256 (%)", "at 128", "printed")
    return markdown.table((*head, "95HD at 256 (voxels)", "at 128"), rows) if rows else ""


def _printed(dataset: str, method: str) -> float:
    """The printed mean Dice in percent, of the first table that has the method; NaN if none has."""
    means = [printed_mean(number, method) for number, name in DATASETS.items() if name == dataset]
    return next((mean for mean in means if not np.isnan(mean)), float("nan"))


def _unless(usual: str, seeds: Sequence[int]) -> str:
    """The seeds in brackets, unless they are those that were said before."""
    text = seeds_text(seeds)
    return "" if text == usual else f" ({text})"


def _bracketed(fine: str, coarse: str) -> str:
    """The number of both sizes, the coarse one in brackets where there is one."""
    return f"{fine} ({coarse})" if coarse else fine
