"""The README's numbers and the reports in full, from the records: python -m study.report.readme.

No result stands in the README that this file did not put between its markers; a test compares the
two. The demo's records are not committed: `--phantom` keeps what they found in phantom.json.
"""

import json
import sys
from pathlib import Path

from scnlib.commandline import Parser
from scnlib.files import replace_text
from scnlib.paths import RESULTS
from study.collected import KINDS, collect
from study.places import FINE, README
from study.report import lost_points, markdown
from study.report.claims_judged import claims_told, judge_claims
from study.report.full_report import measured_times, phantom_line, report_text, training_time
from study.report.headlines import headlines
from study.report.in_brief import in_brief, level
from study.report.ledger import list_runs, no_run_is_lost
from study.report.reliability import reliability_lines
from study.report.reproducibility import reproducibility_text
from study.report.tables import means_tables, write_tables
from study.report.titles import in_order

# The folder of a profile whose page names the runs of a kind.
LISTED = dict(zip(KINDS, ("tables", "variants", "sensitivity", "folds"), strict=True))


def keep_phantom(results: Path = RESULTS) -> None:
    """Write each method's mean test Dice (0..1, seed 0) in the demo to phantom.json.

    Raises `ValueError` where the demo has not been run with PCE, which the others are judged by.
    """
    found = [r for r in collect(results, "demo") if (r.run.dataset, r.run.seed) == ("phantom", 0)]
    dice = {r.run.method: round(r.summary["dice"]["mean"], 4) for r in found if r.summary}
    if "pce" not in dice:
        raise ValueError(f"{results / 'demo'}: no record of PCE; run ./run_all.sh first")
    versions = sorted({record.code_version for record in found})
    text = json.dumps({"dice": {m: dice[m] for m in in_order(dice)}, "code": versions}, indent=1)
    replace_text(results / "phantom.json", text + "\n")


# Of profile `cpu`: batch 12, 3,000 steps.
SIZE = "At 128x128 pixels and a twentieth of the printed training"


def blocks(results: Path = RESULTS) -> dict[str, str]:
    """The text of each of the README's blocks, by name, from the cpu profile under `results`."""
    records = collect(results, "cpu")
    lost, fine = lost_points.read_rows(results / "cpu"), collect(results, FINE)
    short, variants = collect(results, "cpu", "sensitivity"), collect(results, "cpu", "variants")
    judged = judge_claims(records, fine, variants)
    told = [claims_told(judged, SIZE), level(records, fine)]
    told += [] if collect(results, "paper") else ["The paper's whole training has not been run."]
    return {
        "answer": f"**Does the paper reproduce?** {' '.join(text for text in told if text)}",
        "findings": markdown.numbered(in_brief(records, lost, short, variants, fine)),
        "tables": means_tables(records, "cpu"),
        "numbers": "\n".join([*measured_times(results / "timings.json"), *training_time(records)]),
    }


def write_reports(results: Path = RESULTS) -> list[Path]:
    """Write each profile's REPORT.md, REPRODUCIBILITY.md, and the tables of `night`; the pages.

    ValueError, and nothing is written, where a run (`ledger`) or rows of lost points are lost.
    """
    found = {
        profile: [collect(results, profile, kind) for kind in KINDS]
        for profile in ("cpu", FINE, "paper")
    }
    for profile, runs in found.items():  # all of them before the first page
        for records, kind in zip(runs, KINDS, strict=True):
            no_run_is_lost(records, results / profile / LISTED[kind])
    kept = {profile: lost_points.read_rows(results / profile) for profile in found}
    for profile, (records, *_) in found.items():
        lost_points.check_rows(kept[profile], records, results / profile)
    written, (fine, *_, fine_folds) = [], found[FINE]
    if fine:  # no notebook of that profile is run to write them
        written += write_tables(fine, results / FINE / "tables", FINE)
    for profile, (records, variants, short, folds) in found.items():
        for runs, kind in zip((variants, short, folds), KINDS[1:], strict=True):
            if runs:
                list_runs(runs, results / profile / LISTED[kind])
        lost = kept[profile]
        if records:
            path = results / profile / "REPORT.md"
            phantom = phantom_line(results / "phantom.json")
            beside = fine if profile == "cpu" else []
            page = report_text(records, variants, profile, phantom, short, lost, beside, folds)
            replace_text(path, page)
            written.append(path)
        if records and profile == "cpu":
            path = results / "REPRODUCIBILITY.md"
            tried = reliability_lines(results / "reliability.json")
            speed = results / "benchmarks"
            told = headlines(records, lost, short, variants, fine)
            others = [*variants, *short], [*folds, *fine_folds]
            page = reproducibility_text(records, *others, fine, tried, speed, told)
            replace_text(path, page)
            written.append(path)
    return written


def replace_block(path: Path, block: str, name: str) -> None:
    """Puts the block between the README's two markers of that name; the rest stays as it is.

    ValueError naming the file unless each marker is there once, in order.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text = path.read_text(encoding="utf-8")
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"{path}: needs the line {start} and, below it, the line {end}, once each")
    before, after = text.split(start)[0], text.split(end)[1]
    replace_text(path, f"{before}{start}\n{block.strip()}\n{end}{after}")


def main(path: Path = README) -> None:
    """Bring the README up to date with the records."""
    for name, text in blocks().items():
        replace_block(path, text, name)


if __name__ == "__main__":
    parser = Parser(
        "python -m study.report.readme", "Bring the README up to date with the records."
    )
    parser.add_argument("--phantom", action="store_true", help="keep what the demo found first")
    options = parser.parse_args()
    try:
        if options.phantom:
            keep_phantom()
        write_reports()
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
