"""Whether the notebooks would show what they show already, so that none has to be executed again.

A sum over all that they read and leave is kept when every job has ended well. It is of files'
sizes and times, which tell of a change on one machine alone: on a fresh clone all is executed.
"""

import hashlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from scnlib.data.folders import dataset_folder, is_there, own_sets
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY, RESULTS
from study.run.planning import Job

MARK = "executed"  # in the working folder, which each run that starts anything empties


def is_unchanged(options: Namespace, jobs: list[Job], work: Path) -> bool:
    """Whether these jobs train nothing, and their last run left all that there is now."""
    mark = work / MARK
    if any(job.rule == "train" for job in jobs) or not mark.exists():
        return False
    return mark.read_text() == _sum(options, jobs)


def remember(options: Namespace, jobs: list[Job], work: Path) -> None:
    """Keep the sum of what there is, once all these jobs have ended well."""
    work.mkdir(parents=True, exist_ok=True)
    replace_text(work / MARK, _sum(options, jobs))


def _sum(options: Namespace, jobs: list[Job]) -> str:
    """Hexadecimal sha256 over the packages, the notebooks' parameters, and the files."""
    packages = sorted(f"{one.name} {one.version}" for one in distributions())
    asked = [[job.name, job.parameters, str(job.output)] for job in jobs if job.rule != "train"]
    content = [sys.version, packages, asked, *map(_files, _folders(options))]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _folders(options: Namespace) -> Iterator[Path]:
    """What the notebooks read: code, themselves, the records in both places, the data."""
    yield from (REPOSITORY / "scnlib", REPOSITORY / "study", options.notebooks)
    yield from dict.fromkeys((options.out, RESULTS.resolve()))
    if options.data:
        names = {"acdc", "mscmr", *options.datasets, *own_sets(options.data)} - {"phantom"}
        for name in sorted(names):
            if is_there(name, options.data):
                yield dataset_folder(name, options.data)


def _files(folder: Path) -> list[list[str | int]]:
    """Path, size and time of each file below a folder; hidden ones and caches tell nothing."""
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(n for n in folders if not n.startswith((".", "__pycache__")))
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            about = path.stat(follow_symlinks=path.exists())
            found.append([str(path), about.st_size, about.st_mtime_ns])
    return found
