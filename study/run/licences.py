"""The licences of all packages in requirements.lock: python -m study.run.licences.

Writes results/licences.md from what the installed packages say of themselves: the SPDX expression,
else the classifiers if there are several, else the field License if it is a name, else the one
classifier, else the title of the licence's text.
"""

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from scnlib.commandline import Parser
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY, RESULTS
from study.report.markdown import table

LICENCES = RESULTS / "licences.md"
_HEAD = """# Licences of the packages that the study installs

Written by `python -m study.run.licences` from their metadata; no legal advice. None of them is part
of this repository, whose own files are MIT.

**MedPy is under the GPL, version 3 or later**, and `scnlib.evaluation` calls it for the 95HD. To
use and to pass on this repository asks nothing more than MIT. Whoever passes on MedPy together with
it, as a container image or a packed environment, should treat the whole as under the GPL: its text
goes along, and so does the source.

"""


def locked(lock: Path = REPOSITORY / "requirements.lock") -> dict[str, str]:
    """Package and version of each line of the lock file, as it spells them."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {name: version for name, version in pairs}


def licence(package: Distribution) -> str:
    """What a package says its licence is; "not stated" where it says nothing."""
    about: Any = package.metadata  # a message, whose type here leaves `get` out
    labels = [text.split(" :: ") for text in about.get_all("Classifier") or ()]
    classified = [parts[-1] for parts in labels if parts[0] == "License" and len(parts) > 2]
    named = (about.get("License") or "").strip()
    if len(classified) > 1 or not re.fullmatch(r"(?!UNKNOWN|Copyright|.*\.txt)[^\n]{2,60}", named):
        named = " or ".join(classified)
    return about.get("License-Expression") or named or _title(package) or "not stated"


def _title(package: Distribution) -> str:
    """The first line of the licence that lies in the package, such as "MIT License"."""
    files = [path for path in package.files or () if path.stem.upper() in ("LICENSE", "LICENCE")]
    texts = [path.read_text(encoding="utf-8").strip() for path in files]
    return texts[0].splitlines()[0].strip() if texts and texts[0] else ""


def page() -> str:
    """The whole page; PackageNotFoundError for a package of the lock file that isn't installed."""
    rows = [(name, version, licence(distribution(name))) for name, version in locked().items()]
    return _HEAD + table(("package", "version", "licence"), rows) + "\n"


if __name__ == "__main__":
    Parser("python -m study.run.licences", "Write results/licences.md.").parse_args()
    replace_text(LICENCES, page())
