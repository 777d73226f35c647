"""Where a number comes from: its records, the code and data behind them, and how to make it again.

    python -m study.report.explain 84.22
    python -m study.report.explain Table 1, SCN, Dice RV

A number is looked up as it is printed, with as many decimals; words (case and commas do not matter)
name a cell of Tables 1-3 or any other quantity. Exit code 1 if nothing is found.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scnlib.commandline import Parser
from scnlib.paths import README, REPOSITORY, RESULTS, results_root
from scnlib.records import Record
from study.collected import KINDS, collect
from study.report.findings import run_key
from study.report.scores import QUANTITIES, side_by_side, table_dataset
from study.report.sensitivity import effects
from study.report.titles import ROWS, in_order, row_title

MOST = 12  # hits that are shown


class Fact(NamedTuple):
    """A number of the study, what it is in words, and the records it was computed from."""

    text: str
    value: float
    records: Sequence[Record]


def facts(
    records: Sequence[Record], variants: Sequence[Record], short: Sequence[Record] = ()
) -> Iterator[Fact]:
    """Every number of the tables, of single runs, of the variants and of the short runs."""
    yield from _cells(records)
    for record in [*records, *variants, *short]:
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
    profiles = {record.run.profile.name for record in records}
    for profile in sorted(profiles):
        mine = [record for record in records if record.run.profile.name == profile]
        for number in ROWS:
            dataset = table_dataset(number, mine, profile)
            methods = in_order([r.run.method for r in mine if r.run.dataset == dataset])
            rows = {row_title(number, method): method for method in methods}
            table: Any = side_by_side(number, mine, profile)
            for (quantity, structure), column in table.items():
                if quantity == "Run":
                    continue
                for row, value in column.items():
                    used = [
                        record
                        for record in mine
                        if (record.run.dataset, record.run.method) == (dataset, rows.get(row))
                    ]
                    seeds = ", ".join(str(record.run.seed) for record in used)
                    of = "as printed in the paper" if "paper" in quantity else f"seeds {seeds}"
                    text = (
                        f"Table {number}, {row}, {quantity} {structure} (profile {profile}, {of})"
                    )
                    yield Fact(text, value, [] if "paper" in quantity else used)


def _departures(records: Sequence[Record], variants: Sequence[Record]) -> Iterator[Fact]:
    usual = {(r.run.dataset, r.run.method, r.run.seed): r for r in records}
    for record in variants:
        run = record.run
        base = usual.get((run.dataset, run.method, run.seed))
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
        used = [r for r in runs if run_key(r) in keys and r.run.variant in variants]
        without, having = effect.means
        values = {"without": without, "with": having, "difference": having - without}
        for word, value in values.items():
            text = f"{length} runs, {effect.choice}, {effect.method} on acdc, mean validation Dice"
            yield Fact(f"{text}, {word}", value, used)


def matching(query: str, known: Iterable[Fact]) -> list[Fact]:
    """The facts that are printed as `query` if that is a number, else those with all its words."""
    plain = query.strip().rstrip("%").replace("\u2212", "-")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", plain):
        decimals = len(plain.partition(".")[2])
        wanted = f"{abs(float(plain)):.{decimals}f}"
        signs = (1, -1) if plain[0] not in "+-" else (-1,) if plain[0] == "-" else (1,)
        return [
            fact
            for fact in known
            if any(f"{sign * fact.value:.{decimals}f}" == wanted for sign in signs)
        ]
    words = re.split(r"[\s,]+", query.strip().lower())
    return [
        fact
        for fact in known
        if set(words) <= set(re.split(r"[\s,():]+", fact.text.lower())) and fact.value == fact.value
    ]


def where_it_stands(query: str, files: Iterable[Path]) -> list[str]:
    """FILE:LINE of a number in the texts, as a whole number."""
    pattern = re.compile(rf"(?<![\d.]){re.escape(query.strip().rstrip('%'))}(?![\d]|\.\d)")
    return [
        f"{path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def origin(record: Record) -> list[str]:
    """The record's file, what it was made with, and the command that makes it again."""
    run, data = record.run, record.data
    published = "the published ones" if data.get("published") else "others than the published"
    command = f"./run_all.sh --profile {run.profile.name}"
    command += "" if run.dataset == "phantom" else f" --data DIR --datasets {run.dataset}"
    command += f" --methods {run.method} --seeds {run.seed}"
    command += f" --variant {run.variant}" if run.variant else ""
    folder = record.folder
    folder = folder.relative_to(REPOSITORY) if folder.is_relative_to(REPOSITORY) else folder
    return [
        f"  {folder / 'record.json'}",
        f"    code {record.code_version}; {record.dtype}, {record.hardware}",
        f"    data {run.dataset} sha256 {data['sha256']} ({published})",
        f"    {command} --retrain --out again",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what a number or a cell is and where it comes from; 1 if nothing is found."""
    parser = Parser("python -m study.report.explain", "Lead from a number to its records.")
    parser.add_argument("query", nargs="+", metavar="NUMBER-OR-CELL")
    parser.add_argument("--out", default="", metavar="DIR", help="results (default: the committed)")
    options = parser.parse_args(arguments)
    query, results = " ".join(options.query).strip(), results_root(options.out)
    known: list[Fact] = []
    try:
        for profile in ("cpu", "night", "paper", "demo"):
            runs = [collect(results, profile, kind) for kind in KINDS]
            known += facts(*runs) if any(runs) else []
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = matching(query, known)
    texts = [
        *([README] if results == RESULTS.resolve() else []),
        *sorted(results.glob("*/REPORT.md")),
        *sorted(results.glob("*/tables/*.md")),
    ]
    places = where_it_stands(query, texts) if re.match(r"[+-]?\d", query) else []
    if places:
        print(f"{query} stands in {', '.join(places)}")
    for fact in found[:MOST]:
        print(f"{fact.text}: {fact.value:.4f}")
        for record in fact.records:
            print(*origin(record), sep="\n")
    if len(found) > MOST:
        print(f"and {len(found) - MOST} more: say it with more decimals or words")
    if not found:
        print(f"error: {query}: no number or cell of the records in {results}", file=sys.stderr)
    return int(not found)


if __name__ == "__main__":
    sys.exit(main())
