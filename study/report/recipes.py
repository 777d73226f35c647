"""Compared methods as their public code trains them, each beside its run by the shared Adam."""

from collections.abc import Sequence

from scnlib.records import Record
from study.experiments import RECIPES, without_recipe
from study.report import markdown
from study.report.findings import run_key
from study.report.means import best_dice
from study.report.titles import data_title, in_order, plain_title

Pair = tuple[Record, Record]  # by SGD, by Adam


def sgd_pairs(records: Sequence[Record], variants: Sequence[Record]) -> list[Pair]:
    """Each run by SGD, with that of the same method, data set and seed by Adam; both validated.

    In the tables' order. A variant counts where the row of the tables has no such run.
    """
    own = [record for record in records if record.run.method in RECIPES]
    own += [record for record in variants if record.run.variant in ("sgd", "sgd001")]
    shared = {_key(r): r for r in records if r.run.method not in RECIPES}
    found: dict[tuple[str, str, int], Pair] = {}
    for record in own:
        other = shared.get(_key(record))
        if other and record.validation["best"] and other.validation["best"]:
            found.setdefault(_key(record), (record, other))
    order = in_order({method for _, method, _ in found})
    return [found[key] for key in sorted(found, key=lambda k: (k[0], order.index(k[1]), k[2]))]


def sgd_told(found: Sequence[Pair]) -> str:
    """Each pair's best validation Dice in words; "" for none."""
    return "; ".join(
        f"{plain_title(own.run.method)} on {data_title(own.run.dataset)} {best_dice(own):.2f}% "
        f"(SGD at {own.run.profile.lr:g}) instead of {best_dice(shared):.2f}% "
        f"(seed {own.run.seed})"
        for own, shared in found
    )


def sgd_table(found: Sequence[Pair]) -> str:
    """Each pair's best validation Dice as Markdown; "" for none."""
    rows = []
    for own, shared in found:
        after, before, run = best_dice(own), best_dice(shared), own.run
        cells = (f"{run.profile.lr:g}", f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}")
        rows.append((plain_title(run.method), data_title(run.dataset), str(run.seed), *cells))
    head = ("method", "data set", "seed", "SGD's rate", "by Adam (%)", "by SGD (%)", "difference")
    return markdown.table(head, rows) if rows else ""


def by_panel(found: Sequence[Pair]) -> dict[str, tuple[dict[str, Record], dict[str, Record]]]:
    """Data set to the runs by SGD and those by Adam, each by the panel that it stands in."""
    panels: dict[str, tuple[dict[str, Record], dict[str, Record]]] = {}
    for pair in found:
        run = pair[0].run
        for runs, record in zip(panels.setdefault(run.dataset, ({}, {})), pair, strict=True):
            runs[f"{plain_title(run.method)}, seed {run.seed}"] = record
    return panels


def _key(record: Record) -> tuple[str, str, int]:
    dataset, method, seed = run_key(record)
    return dataset, without_recipe(method), seed
