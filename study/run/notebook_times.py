"""What the notebooks of the demo cost to run: python -m study.run.notebook_times [NAME ...].

Runs the demo's notebooks but for the trainings, or those whose names begin so, one after another in
a folder of its own, and puts their processor seconds, of all threads, into results/timings.json,
beside what was there. Unlike the time on the wall these grow little when the machine does something
else too. Where a notebook has no run to show it shows the committed ones.
"""

import json
import os
import resource
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from scnlib.commandline import Parser
from scnlib.files import replace_text
from scnlib.paths import REPOSITORY, RESULTS
from scnlib.provenance import hardware
from study.run.command import parse, resolve
from study.run.planning import Job
from study.run.running import plan_study

TIMES = RESULTS / "timings.json"
Timings = list[dict[str, Any]]


def cpu_seconds(command: Sequence[str]) -> float:
    """Processor seconds of a command and of all that it starts and waits for.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def chosen(jobs: Sequence[Job], names: Sequence[str]) -> list[Job]:
    """The jobs that train nothing and whose notebook's name begins with one of `names`, if any.

    Raises `ValueError` for a name that is the beginning of none.
    """
    found = [job for job in jobs if job.rule != "train"]
    for name in names:
        if not any(job.name.startswith(name) for job in found):
            raise ValueError(f"{name}: no notebook begins so; there are {_listed(found)}")
    return [job for job in found if not names or job.name.startswith(tuple(names))]


def _listed(jobs: Sequence[Job]) -> str:
    return ", ".join(job.name for job in jobs)


def merged(old: Timings, new: Timings) -> Timings:
    """The new entries in place of the old ones of the same notebooks, sorted, after the others."""
    again = {entry["notebook"] for entry in new}
    kept = [entry for entry in old if entry.get("notebook") not in again]
    return sorted([*kept, *new], key=lambda entry: entry.get("notebook", ""))


def main(names: Sequence[str], path: Path = TIMES) -> None:
    """Measure, and write the times."""
    with tempfile.TemporaryDirectory() as folder:
        _, jobs = plan_study(resolve(parse(["--out", folder])))
        jobs = chosen(jobs, names)
        seconds = {job.name: round(cpu_seconds(job.command(True))) for job in jobs}
    on = {"machine": hardware(torch.device("cpu"))}
    new = [{"notebook": name, "cpu_seconds": spent} | on for name, spent in seconds.items()]
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    replace_text(path, json.dumps(merged(old, new), indent=1) + "\n")


if __name__ == "__main__":
    parser = Parser("python -m study.run.notebook_times", "Time the demo's notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 02b; default: all")
    try:
        main(parser.parse_args().names)
    except ValueError as error:
        parser.error(str(error))
