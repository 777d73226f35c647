"""The finished runs under a folder of results."""

from pathlib import Path
from typing import Literal, get_args

from scnlib.paths import run_folder
from scnlib.records import FILES, Record, mend, read
from study.places import FOLDS, TAKEN, files_under

Kind = Literal["protocol", "variants", "sensitivity", "folds"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def collect(results: Path, profile: str, kind: Kind = "protocol") -> list[Record]:
    """All finished runs of a profile, sorted by folder.

    Of one kind: those by the protocol, its `variants` that depart from it, the short ones of the
    `sensitivity` study, or those on the `folds` of ACDC, which no table has. Raises `ValueError`
    naming the file of the first that is damaged, incomplete or not where it belongs: a table
    without it would look whole.
    """
    base = results / profile / (kind if kind in ("variants", "sensitivity") else "")
    found, faults = [], []
    runs = {path.parent for path in files_under(base, "*.*") if _is_run(path, base)}
    for folder in sorted(run for run in runs if _on_fold(run, base) == (kind == "folds")):
        try:
            record = read(folder)
            run = record.run
            which = (run.profile.name, run.dataset, run.method, run.seed, run.variant)
            if folder != run_folder(results, *which):
                raise ValueError(
                    f"{folder / 'record.json'}: of {run_folder(Path(), *which)}: move it there, or "
                    f"{mend(folder)}"
                )
            found.append(record)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(faults[0] + f" (and {len(faults) - 1} more such)" * (len(faults) > 1))
    return found


def _on_fold(folder: Path, base: Path) -> bool:
    """Whether a run's folder is of a fold of ACDC; a variant's begins with the variant's name."""
    return bool({*folder.relative_to(base).parts[:1]} & {*FOLDS})


def _is_run(path: Path, base: Path) -> bool:
    """Whether a file tells that a finished run lies beside it; one in progress has a checkpoint."""
    if path.relative_to(base).parts[0] in TAKEN:  # further down a method may be called so
        return False
    if path.name == "record.json":
        return True
    left = path.name in FILES and not (path.parent / "checkpoint.pt").exists()
    return left and not (path.parent / "record.json").exists()
