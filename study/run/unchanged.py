"""Whether the notebooks would show what they show already, so that none has to be executed again.

A sum over all that they read and leave is kept when every job has ended well. It is of files'
sizes and times, which tell of a change on one machine alone: on a fresh clone all is executed.
"""

import hashlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from scnlib.data.folders import dataset_folder, is_there, own_sets
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY, RESULTS
from study.places import COMMITTED, FINE
from study.run.planning import Job

Files = list[tuple[str, int, int, int]]  # path, size, and the times of content and of rights

PAGES = ("notebooks", "tables", "figures", "lost_points.csv")  # what notebooks leave in a profile
NOT_OTHERS = ("notebooks", "tables")  # what none reads of another profile, or another folder
NOT_READ = ("REPORT.md", "runs.txt")  # by any notebook; `study.report.readme` writes them


def mark_of(out: Path) -> Path:
    """The file that keeps the sum; each run that starts anything removes its folder."""
    return out / ".study" / "executed"


def is_unchanged(options: Namespace, jobs: list[Job]) -> bool:
    """Whether these jobs train nothing, and their last run left all that there is now."""
    if any(job.rule == "train" for job in jobs):
        return False
    with suppress(OSError, ValueError):  # what can't be told counts as a change
        return mark_of(options.out).read_text() == _sum(options, jobs)
    return False


def inputs(options: Namespace, jobs: list[Job]) -> Files:
    """What the notebooks read, less what the jobs write; empty where it can't be told."""
    base = options.out / options.profile
    own = {base / name for name in PAGES} | {job.watch.parent for job in jobs if job.watch}
    with suppress(OSError, ValueError):
        found = _files(options)
        return [one for one in found if not own & {Path(one[0]), *Path(one[0]).parents}]
    return []


def remember(options: Namespace, jobs: list[Job], before: Files) -> None:
    """Keep the sum of what there is, once all these jobs have ended well.

    Not where the inputs are other ones than `before`: a page may be of what was there then.
    """
    mark = mark_of(options.out)
    with suppress(OSError, ValueError):  # at worst all is executed again
        if before and inputs(options, jobs) == before:
            mark.parent.mkdir(parents=True, exist_ok=True)
            replace_text(mark, _sum(options, jobs))


def _sum(options: Namespace, jobs: list[Job]) -> str:
    """Hexadecimal sha256 over the packages, the notebooks' parameters, and the files."""
    packages = sorted(f"{one.name} {one.version}" for one in distributions())
    asked = [[job.name, job.parameters, str(job.output)] for job in jobs if job.rule != "train"]
    content: list[Any] = [sys.version, packages, asked, _files(options)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _files(options: Namespace) -> Files:
    base = options.out / options.profile
    found = [one for folder in _sources(options) for one in _below(folder)]
    for folder in _results(options):
        pages = () if folder == base else NOT_OTHERS
        found += _below(folder, {folder / name for name in pages})
    return found


def _sources(options: Namespace) -> Iterator[Path]:
    """Code, notebooks and data."""
    yield from (REPOSITORY / "scnlib", REPOSITORY / "study", options.notebooks)
    if options.data:
        names = {"acdc", "mscmr", *options.datasets, *own_sets(options.data)} - {"phantom"}
        for name in sorted(names):
            if is_there(name, options.data):
                yield dataset_folder(name, options.data)


def _results(options: Namespace) -> Iterator[Path]:
    """The records that a notebook may look at, here and among those that are committed."""
    yield RESULTS / "weights"
    names = dict.fromkeys((options.profile, COMMITTED, FINE))
    roots = dict.fromkeys((options.out, RESULTS.resolve()))
    yield from (root / name for root in roots for name in names)


def _below(folder: Path, left_out: Collection[Path] = ()) -> Iterator[tuple[str, int, int, int]]:
    """Each file below a folder, links followed; hidden ones and caches tell nothing."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        about = os.stat(place)
        if (about.st_dev, about.st_ino) in seen:  # a loop of links
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        kept = [n for n in folders if not n.startswith((".", "__pycache__"))]
        folders[:] = sorted(n for n in kept if Path(place, n) not in left_out)
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            if path.name in NOT_READ or path in left_out:
                continue
            about = path.stat(follow_symlinks=path.exists())
            yield str(path), about.st_size, about.st_mtime_ns, about.st_ctime_ns
