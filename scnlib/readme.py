"""The README's numbers, written between its markers from the records: python -m scnlib.readme.

No number stands in the README that this file did not put there; a test compares the two.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from scnlib.claims import answers
from scnlib.findings import departures
from scnlib.paper import title
from scnlib.paths import README, RESULTS
from scnlib.records import Record, collect
from scnlib.tables import readme_tables, update_readme


def numbers_block(records: Sequence[Record], variants: Sequence[Record], timings: Path) -> str:
    """What was trained, how long it took, and what was chosen on validation, as Markdown.

    Args:
        records: the finished runs of the cpu profile.
        variants: its departures from the protocol, validated only.
        timings: JSON list of {"command", "seconds", "machine"}, measured wall times.
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
    measured = json.loads(timings.read_text()) if timings.exists() else []
    lines += [""] if measured else []
    for entry in measured:
        minutes = entry["seconds"] / 60
        lines.append(f"- `{entry['command']}`: {minutes:.1f} minutes ({entry['machine']}).")
    return "\n".join(lines)


def blocks(results: Path = RESULTS) -> dict[str, str]:
    """The text of each of the README's blocks, by name, from the records under `results`."""
    profiles = {name: collect(results, name) for name in ("cpu", "paper")}
    variants = collect(results, "cpu", variants=True)
    return {
        "tables": readme_tables({name: found for name, found in profiles.items() if found}),
        "findings": "\n".join(f"- {text}" for text in answers(profiles["cpu"], variants, "cpu")),
        "numbers": numbers_block(profiles["cpu"], variants, results / "timings.json"),
    }


def main(path: Path = README) -> None:
    """Bring the README up to date with the records."""
    for name, text in blocks().items():
        update_readme(path, text, name)


if __name__ == "__main__":
    main()
