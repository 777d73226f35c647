"""One call of Snakemake: how many jobs at a time, on which GPUs or cores, and its end."""

import json
import os
import signal
import subprocess
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psutil

from study.run.planning import Job

SNAKEFILE = Path(__file__).with_name("Snakefile")


def run_graph(options: Namespace, jobs: list[Job], work: Path, held: int) -> int:
    """One call of Snakemake for these jobs; its exit code."""
    local = options.on.name == "local"
    gpus = _gpus() if local else []
    cores = usable_cores()
    places = options.jobs or max(1, len(gpus))
    names = {job.name for job in jobs}
    lines = places > 1 or not local
    plan = {
        "threads": max(1, cores // places),
        "gpu": int(local),  # a place: a training takes one, on a GPU or not
        "jobs": {
            job.name: {"command": job.command(lines), "needs": sorted(names & set(job.needs))}
            for job in jobs
        },
    }
    (work / "plan.json").write_text(json.dumps(plan, indent=1))
    command = _command(options, work)
    if local:
        command += ["--cores", str(max(cores, places)), "--resources", f"gpu={places}"]
    elif options.jobs:
        command += ["--jobs", str(options.jobs)]
    return _wait(command, _environment(gpus, places, work), held)


def usable_cores() -> int:
    """The cores that this process may use, which taskset or Slurm may have made fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _command(options: Namespace, work: Path) -> list[str]:
    command = [sys.executable, "-P", "-m", "snakemake", "--directory", str(work)]
    command += ["--snakefile", str(SNAKEFILE), "--workflow-profile", "none"]
    plan = quote(str(work / "plan.json"))  # Snakemake reads it as YAML, where # begins a comment
    return [*command, "--profile", str(options.on), "--config", f"plan={plan}"]


def why_not(options: Namespace, work: Path) -> str:
    """Why Snakemake starts nothing of the plan: its profile keeps it quiet, so ask again."""
    asked = subprocess.run(
        [*_command(options, work), "--cores", "1", "--dry-run", "--quiet", "host"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    return " ".join(lines[-3:]) if asked.returncode and lines else "see above"


def _environment(gpus: list[str], places: int, work: Path) -> dict[str, str]:
    """Variables for the notebooks: their places on GPUs where several run at a time.

    Snakemake itself tells each its threads. And a place for Snakemake's cache if the home folder is
    not one to write to.
    """
    environment = dict(os.environ)
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    there = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    if not os.access(there, os.W_OK):
        environment["XDG_CACHE_HOME"] = str(work / "cache")
    if gpus and places > 1:
        folder = work / "gpus"
        folder.mkdir(exist_ok=True)
        for place in range(places):
            (folder / f"{place}_{gpus[place % len(gpus)]}").touch()
        environment["SCN_GPUS"] = str(folder)
    return environment


def _gpus() -> list[str]:
    import torch

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (visible.split(",") if visible else [str(gpu) for gpu in range(count)])[:count]


def _wait(command: list[str], environment: dict[str, str], held: int) -> int:
    """Run the command, which inherits the lock; on Ctrl-C or SIGTERM end all that it started."""
    with subprocess.Popen(command, env=environment, pass_fds=[held]) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # A second one, before the end of this, would leave kernels behind.
            both = (signal.SIGINT, signal.SIGTERM)
            heard = [signal.signal(number, signal.SIG_IGN) for number in both]
            tree = psutil.Process(child.pid).children(recursive=True)
            _signal(child, signal.SIGINT)  # Snakemake also cancels its jobs on a cluster then
            for process in tree:
                _signal(process, signal.SIGTERM)
            for process in psutil.wait_procs(tree, timeout=20)[1]:
                _signal(process, signal.SIGKILL)
            for number, handler in zip(both, heard, strict=True):
                signal.signal(number, handler)
            raise


def _signal(process: psutil.Process | subprocess.Popen, number: int) -> None:
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process.send_signal(number)
