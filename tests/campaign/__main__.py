"""The long form: `python -m tests.campaign [--tries 120] [--kills 200] [--seed 0]`, as JSON.

To keep its counts: > results/reliability.json. Exit code 1 if anything was silent or differs.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from scnlib.provenance import code_version, versions
from tests.campaign import damage, kills

parser = argparse.ArgumentParser("python -m tests.campaign", description=__doc__)
parser.add_argument("--tries", type=int, default=120, help="damages to each kind of file")
parser.add_argument("--kills", type=int, default=200, help="of runs in progress")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()
logging.getLogger("scnlib").setLevel(logging.CRITICAL)
counts: dict[str, Any] = {}
bad = 0
with tempfile.TemporaryDirectory() as folder:
    if options.tries:
        found = damage.campaign(Path(folder) / "files", options.tries, options.seed)
        total = sum(found.values(), Counter())
        bad = total.total() - total["detected"] - total["harmless"]
        counts["damage"] = {"tries": total.total(), "silent": bad, "files": found}
    if options.kills:
        counts["kills"] = kills.campaign(Path(folder) / "runs", options.kills, options.seed)
        bad += counts["kills"]["differing"]
about = {"date": time.strftime("%Y-%m-%d"), "code_version": code_version(), "seed": options.seed}
print(json.dumps(about | counts | {"versions": versions()}, indent=1))
sys.exit(int(bad > 0))
