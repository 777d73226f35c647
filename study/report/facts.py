"""Every number of the study that a reader can ask for, in words, with the records behind it."""

from collections.abc import Iterator, Sequence
from itertools import chain, product
from typing import Any, NamedTuple

import pandas as pd

from scnlib.records import Record
from study.report.drawn_sizes import sizes
from study.report.findings import ablation_steps, run_key
from study.report.lost_points import MENDINGS, against_scn, losses
from study.report.means import difference, seeds_text
from study.report.scores import QUANTITIES, side_by_side, table_dataset
from study.report.statistics import compare
from study.report.titles import NAMES, ROWS, in_order, row_title, title
from study.report.worth import GRIDS, effects


class Fact(NamedTuple):
    """A number of the study, what it is in words, and the records it was computed from."""

    text: str
    value: float
    records: Sequence[Record]


def facts(
    records: Sequence[Record],
    variants: Sequence[Record],
    short: Sequence[Record] = (),
    folds: Sequence[Record] = (),
    lost: pd.DataFrame | None = None,
) -> Iterator[Fact]:
    """Every number of the tables, of single runs, of the variants, the short runs and the folds'.

    And of what compares them: the tests, means apart, the steps of the ablation, and lost points
    (`lost_points.read_rows`). All records are of one profile.
    """
    yield from _cells(records)
    tested = [record for record in records if record.summary]
    rows = lost if lost is not None and tested else pd.DataFrame()
    compared = [_tests(tested, compare(tested), ""), _apart(tested), _lost(tested, rows)]
    if len(rows):
        mended = _kept(tested, rows)
        compared.append(_tests(mended, against_scn(rows), " with one part kept in both"))
    for fact in chain(*compared):
        yield fact._replace(text=f"{fact.text} (profile {tested[0].run.profile.name})")
    for record in [*records, *variants, *short, *folds]:
        run = record.run
        name = f"{run.method} on {run.dataset}, seed {run.seed}, profile {run.profile.name}"
        name += f", variant {run.variant}" if run.variant else ""
        for quantity, (key, factor) in QUANTITIES.items():
            for structure, value in record.summary.get(key, {}).items():
                yield Fact(f"{quantity} {structure} of {name}", factor * value, [record])
        for which in ("best", "last"):
            if found := record.validation.get(which):
                text = f"{which} validation Dice of {name} (iteration {found['iteration']})"
                yield Fact(text, 100 * found["dice"], [record])
    yield from _departures(records, variants)
    yield from _choices("short", short)
    yield from _choices("whole", [*records, *variants])


def _cells(records: Sequence[Record]) -> Iterator[Fact]:
    profile = records[0].run.profile.name if records else ""
    for number in ROWS if records else ():
        dataset = table_dataset(number, records, profile)
        methods = in_order([r.run.method for r in records if r.run.dataset == dataset])
        rows = {row_title(number, method): method for method in methods}
        table: Any = side_by_side(number, records, profile)
        cells = table.drop(columns="Run", level=0)
        for ((quantity, structure), column), row in product(cells.items(), cells.index):
            used = _runs(records, dataset, rows.get(row, ""))
            seeds = ", ".join(str(record.run.seed) for record in used)
            of = "as printed in the paper" if "paper" in quantity else f"seeds {seeds}"
            text = f"Table {number}, {row}, {quantity} {structure} (profile {profile}, {of})"
            yield Fact(text, column[row], [] if "paper" in quantity else used)


def _departures(records: Sequence[Record], variants: Sequence[Record]) -> Iterator[Fact]:
    usual = {run_key(record): record for record in records}
    for record in variants:
        run = record.run
        base = usual.get(run_key(record))
        if base and base.validation.get("best") and record.validation.get("best"):
            change = record.validation["best"]["dice"] - base.validation["best"]["dice"]
            text = (
                f"best validation Dice of {run.method} on {run.dataset}, seed {run.seed}: variant"
            )
            yield Fact(f"{text} {run.variant} minus the default", 100 * change, [record, base])


def _choices(length: str, runs: Sequence[Record]) -> Iterator[Fact]:
    for effect in effects(runs):
        variants = (effect.base, "+".join(filter(None, (effect.base, effect.choice))))
        keys = {("acdc", effect.method, seed) for seed in effect.seeds}
        of = f" of {GRIDS[effect.base]}" if effect.base in GRIDS else ""
        text = f"{length} runs{of}, {effect.named}, {effect.method} on acdc, mean validation Dice"
        all_seeds = [r for r in _runs(runs, "acdc", effect.method) if r.run.variant in variants]
        used = [r for r in all_seeds if run_key(r) in keys]
        without, having = effect.means
        values = {"without": without, "with": having, "difference": having - without}
        for word, value in values.items():
            yield Fact(f"{text}, {word}", value, used)
        apart = sum(effect.apart) / len(effect.apart)
        yield Fact(f"{text}, to the mean of the default's seeds", apart, all_seeds)


def _runs(records: Sequence[Record], dataset: str, *methods: str) -> list[Record]:
    return [r for r in records if r.run.dataset == dataset and r.run.method in methods]


def _tests(records: Sequence[Record], tests: Any, how: str) -> Iterator[Fact]:
    """Rows of `compare` against SCN: difference of the patients' means, its interval, and p."""
    words = {"mean_difference": "difference", "low": "interval from", "high": "interval to"}
    words |= {"p": "p", "p_holm": "p after Holm"}
    for row, (name, word) in product(tests.to_dict("records"), words.items()):
        dice = row["metric"] == "dice"
        factor = 100 if dice and not name.startswith("p") else 1
        text = f"{title(row['method'])} minus SCN{how} on {row['dataset']}, mean over patients"
        text += f", {'Dice' if dice else '95HD'}: {word}"
        used = _runs(records, row["dataset"], row["method"], "scn")
        yield Fact(text, factor * row[name], used)


def _apart(records: Sequence[Record]) -> Iterator[Fact]:
    """Means over volumes apart, of the seeds that both have: to SCN, and a part of SCN to the next.

    Of all common seeds, and of each alone where there are several.
    """
    for dataset in dict.fromkeys(record.run.dataset for record in records):
        methods = in_order({r.run.method for r in records if r.run.dataset == dataset} - {"scn"})
        for method in methods:
            _, seeds = difference(records, dataset, method, "scn")
            for chosen in {tuple(seeds), *((seed,) for seed in seeds)} - {()}:
                mine = [record for record in records if record.run.seed in chosen]
                points, _ = difference(mine, dataset, method, "scn")
                text = f"mean Dice of SCN minus {title(method)} on {dataset}, {seeds_text(chosen)}"
                yield Fact(text, points, _runs(mine, dataset, method, "scn"))
    for step in ablation_steps(records):
        text = f"Table 3, from {step.one} to {step.two}, mean Dice on acdc"
        yield Fact(f"{text}, {seeds_text(step.seeds)}", step.gain, _runs(records, "acdc", *ROWS[3]))
        yield Fact(f"{text}, as printed in the paper", step.printed, [])


def _lost(records: Sequence[Record], lost: pd.DataFrame) -> Iterator[Fact]:
    """Points lost by kind of fault and what a prior leaves; of the lowest seed, PCE's minus SCN's.

    The steps are those of `lost_points`; "with heart" is Dice with one part kept.
    """
    for dataset in [name for name in NAMES if len(lost) and name in set(lost["dataset"])]:
        seed = lost["seed"].min()
        first: Any = lost[lost["seed"] == seed]
        for rows, of in ((lost, "all kept seeds"), (first, f"seed {seed}")):
            if dataset not in set(rows["dataset"]):
                continue
            mine = _kept(records, rows)
            table: Any = losses(rows, dataset).drop(columns="seeds")
            table = table.join(sizes(rows, dataset).add_suffix(", voxels over the true ones (%)"))
            for method, column in product(table.index, table.columns):
                text = f"lost points of {method} on {dataset}, {of}: {column}"
                used = [
                    r for r in mine if (title(r.run.method), r.run.dataset) == (method, dataset)
                ]
                yield Fact(text, table.at[method, column], used)
            if {"PCE", "SCN"} <= set(table.index):
                for column in (*MENDINGS, "Dice"):
                    gain = table.at["PCE", column] - table.at["SCN", column]
                    text = f"lost points of PCE minus SCN on {dataset}, {of}: {column}"
                    yield Fact(text, gain, _runs(mine, dataset, "pce", "scn"))


def _kept(records: Sequence[Record], rows: pd.DataFrame) -> list[Record]:
    """The runs that rows of lost points are of."""
    kept = set(zip(rows["dataset"], rows["method"], rows["seed"], strict=True))
    return [record for record in records if run_key(record) in kept]
