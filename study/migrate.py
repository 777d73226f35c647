"""Records rewritten in the current version: `python -m study.migrate FOLDER...`.

Options that came after a record are written into it as `scnlib.config.EARLIER` has them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from scnlib.commandline import Parser
from scnlib.files import replace_text
from scnlib.paths import to_path
from scnlib.schema import from_text, to_text, why
from study.places import files_under


def migrate(path: Path) -> bool:
    """Bring a record.json to the current version and options, atomically; False if it has them.

    Raises as `scnlib.schema.from_text`.
    """
    before = path.read_text(encoding="utf-8")
    content = from_text(before)
    del content["schema"]
    if (after := to_text(content)) == before:
        return False
    replace_text(path, after)
    return True


def main(words: Sequence[str] | None = None) -> int:
    """Rewrite all records in these folders; 1 if one could not be read."""
    parser = Parser("python -m study.migrate", (__doc__ or "").split("\n")[0], __doc__ or "")
    parser.add_argument("folders", type=to_path, nargs="+", metavar="FOLDER")
    folders = parser.parse_args(words).folders
    for folder in folders:
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    failed = False
    for path in sorted(path for folder in folders for path in files_under(folder, "record.json")):
        try:
            print(f"{path}: {'rewritten' if migrate(path) else 'is of this version'}")
        except (ValueError, TypeError, KeyError) as error:
            print(f"error: {path}: not a readable record ({why(error)})", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
