"""The long form: `python -m tests.campaign [--kills 200] [--tries 120] ...`; 0 leaves a part out.

Prints the counts as JSON; with `--keep FILE` (results/reliability.json) each part takes its place
in that file too, and its kills are added to those that the file has, so that 200 of them can be
done in slices. Exit code 1 if anything was silent or differs.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.campaign import damage, determinism, keeping, kills, scores


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for; 1 if one of them found a fault."""
    parser = argparse.ArgumentParser("python -m tests.campaign", description=__doc__)
    parser.add_argument("--tries", type=int, default=120, help="damages to each kind of file")
    parser.add_argument("--kills", type=int, default=200, help="of runs in progress")
    parser.add_argument("--pairs", type=int, default=10_000, help="of masks that are scored")
    parser.add_argument("--steps", type=int, default=12, help="of trainings that are repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    earlier = keeping.read(options.keep).get("kills")
    parts: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.tries:
            parts["damage"] = damage.campaign(Path(folder) / "files", options.tries, options.seed)
        if options.pairs:
            parts["scores"] = scores.campaign(options.pairs, options.seed)
        if options.steps:
            parts["determinism"] = determinism.campaign(Path(folder) / "twice", options.steps)
        if options.kills:
            done = earlier["kills"] if earlier else 0
            parts["kills"] = kills.campaign(Path(folder), options.kills, options.seed, done)
    parts = {name: keeping.signed(part, seed=options.seed) for name, part in parts.items()}
    bad = any(part.get("silent", part.get("differing")) for part in parts.values())
    if earlier and options.kills:
        parts["kills"] = keeping.added(earlier, parts["kills"])
    if options.keep:
        keeping.put(options.keep, parts)
    print(json.dumps(parts, indent=1))
    return int(bad)


if __name__ == "__main__":
    logging.getLogger("scnlib").setLevel(logging.CRITICAL)  # each damage would be told
    sys.exit(main())
