"""The README's numbers, between its markers, from the records: python -m study.report.readme.

No number stands in the README that this file did not put there; a test compares the two. The demo's
records are not committed: `--phantom` keeps what they found in results/phantom.json.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from scnlib.commandline import Parser
from scnlib.files import replace_text
from scnlib.paths import README, RESULTS
from scnlib.records import Record, collect
from study.report.claims import answers
from study.report.findings import departures
from study.report.tables import readme_tables
from study.report.titles import in_order, title


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


def phantom_line(path: Path) -> list[str]:
    """What the demo found on the phantom, and who is not above PCE there; none without a file."""
    if not path.exists():
        return []
    dice = json.loads(path.read_text())["dice"]
    values = ", ".join(f"{title(method)} {100 * value:.1f}" for method, value in dice.items())
    below = [title(method) for method in dice if method != "pce" and dice[method] <= dice["pce"]]
    return [
        f"- The demo on the phantom, mean test Dice (percent, seed 0): {values}. Not above PCE: "
        f"{', '.join(below) or 'none'}."
    ]


def numbers_block(records: Sequence[Record], variants: Sequence[Record], results: Path) -> str:
    """What was trained, how long it took, and what was chosen on validation, as Markdown.

    Args:
        records: the finished runs of the cpu profile.
        variants: its departures from the protocol, validated only.
        results: holds timings.json, a list of {"command", "seconds", "machine"} (measured wall
            times), and phantom.json.
    """
    lines = ["| run | best validation Dice | at iteration | test Dice | seconds a step |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for record in [*records, *variants]:
        run, best = record.run, record.validation["best"]
        name = f"{run.dataset} {title(run.method)}, seed {run.seed}"
        name += f" ({run.variant}: {departures(record)})" if run.variant else ""
        test = f"{100 * record.summary['dice']['mean']:.2f}" if record.summary else "not tested"
        valid = f"{100 * best['dice']:.2f} | {int(best['iteration'])}" if best else "none | last"
        lines.append(f"| {name} | {valid} | {test} | {record.typical_step:.3f} |")
    timings = results / "timings.json"
    measured = json.loads(timings.read_text()) if timings.exists() else []
    lines += ["", "- Seconds a step depend on the machine, which notebook 04 names for each run."]
    lines += phantom_line(results / "phantom.json")
    for entry in measured:
        minutes = entry["seconds"] / 60
        lines.append(f"- `{entry['command']}`: {minutes:.1f} minutes ({entry['machine']}).")
    return "\n".join(lines).strip()


def blocks(results: Path = RESULTS) -> dict[str, str]:
    """The text of each of the README's blocks, by name, from the records under `results`."""
    profiles = {name: collect(results, name) for name in ("cpu", "paper")}
    variants = collect(results, "cpu", variants=True)
    return {
        "tables": readme_tables({name: found for name, found in profiles.items() if found}),
        "findings": "\n".join(f"- {text}" for text in answers(profiles["cpu"], variants, "cpu")),
        "numbers": numbers_block(profiles["cpu"], variants, results),
    }


def replace_block(path: Path, block: str, name: str) -> None:
    """Puts the block between the README's two markers of that name; the rest stays as it is.

    ValueError naming the file unless each marker is there once, in order.
    """
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    text = path.read_text(encoding="utf-8")
    if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
        raise ValueError(f"{path}: needs the line {start} and, below it, the line {end}, once each")
    before, after = text.split(start)[0], text.split(end)[1]
    path.write_text(f"{before}{start}\n{block.strip()}\n{end}{after}", encoding="utf-8")


def main(path: Path = README) -> None:
    """Bring the README up to date with the records."""
    for name, text in blocks().items():
        replace_block(path, text, name)


if __name__ == "__main__":
    parser = Parser(
        "python -m study.report.readme", "Bring the README up to date with the records."
    )
    parser.add_argument("--phantom", action="store_true", help="keep what the demo found first")
    if parser.parse_args().phantom:
        keep_phantom()
    main()
