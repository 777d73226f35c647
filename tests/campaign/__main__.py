"""`python -m tests.campaign [TRIES] [SEED]`: the long form, its counts printed as JSON.

To keep them: > results/reliability.json
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

from scnlib.provenance import code_version, versions
from tests.campaign.damage import campaign

tries, seed = (int(word) for word in [*sys.argv[1:], "120", "0"][:2])
logging.getLogger("scnlib").setLevel(logging.CRITICAL)
with tempfile.TemporaryDirectory() as folder:
    counts = campaign(Path(folder), tries, seed)
about = {"date": time.strftime("%Y-%m-%d"), "code_version": code_version(), "seed": seed}
total = sum(map(sum, (c.values() for c in counts.values())))
bad = sum(
    n for c in counts.values() for name, n in c.items() if name not in ("detected", "harmless")
)
print(json.dumps(about | {"tries": total, "silent": bad, "files": counts} | versions(), indent=1))
sys.exit(int(bad > 0))
