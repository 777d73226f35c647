"""Where a number comes from: its records, the code and data behind them, and how to make it again.

    python -m study.report.explain 84.22
    python -m study.report.explain Table 1, SCN, Dice RV

A number is looked up as it is printed, with as many decimals; words (case and commas do not matter)
name a cell of Tables 1-3 or any other quantity. Exit code 1 if nothing is found.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from scnlib.commandline import Parser
from scnlib.paths import REPOSITORY, RESULTS, results_root
from scnlib.records import Record
from study.collected import KINDS, collect
from study.places import README
from study.report.facts import Fact, facts
from study.report.lost_points import read_rows

MOST = 12  # hits that are shown


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
    lower = query.strip().lower()
    words = set(re.split(r"[\s,]+", lower))
    table = re.match(r"table\s+(\d+)\b", lower)  # or its number would be met by a seed's
    return [
        fact
        for fact in known
        if words <= set(re.split(r"[\s,():]+", text := fact.text.lower()))
        and (not table or text.startswith(f"table {table[1]},"))
        and fact.value == fact.value
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
            known += facts(*runs, lost=read_rows(results / profile)) if any(runs) else []
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    found = matching(query, known)
    texts = [
        *([README] if results == RESULTS.resolve() else []),
        *sorted(results.glob("REPRODUCIBILITY.md")),
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
        if places:
            print("The text there is computed from several records.", file=sys.stderr)
    return int(not found)


if __name__ == "__main__":
    sys.exit(main())
