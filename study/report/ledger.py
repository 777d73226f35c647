"""The runs behind a page of numbers, so that a lost record can't make it shorter unnoticed.

Beside the tables, the variants and the short runs lies runs.txt, a line a run. A page is not made
again without a run that is listed, unless the list is deleted first.
"""

from collections.abc import Sequence
from pathlib import Path

from scnlib.files import replace_text
from scnlib.records import Record

NAME = "runs.txt"


def no_run_is_lost(records: Sequence[Record], folder: Path) -> None:
    """ValueError naming the runs that folder/runs.txt lists and that have no record any more."""
    path = folder / NAME
    listed = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if lost := sorted(set(listed) - set(map(_line, records))):
        raise ValueError(
            f"{path}: lists runs that have no record any more ({', '.join(lost)}): restore them "
            f"from version control or train them again, or delete {NAME} to go on without them"
        )


def list_runs(records: Sequence[Record], folder: Path) -> Path:
    """Write folder/runs.txt, and return its path; `no_run_is_lost` comes first."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / NAME, "".join(f"{line}\n" for line in sorted(map(_line, records))))
    return folder / NAME


def _line(record: Record) -> str:
    """DATASET/METHOD/seedN, and of a variant VARIANT/DATASET/METHOD/seedN."""
    run = record.run
    parts = [run.dataset, run.method, f"seed{run.seed}"]
    return "/".join([run.variant, *parts] if run.variant else parts)
