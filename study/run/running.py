"""From what is left to do to how it ended: the data checked, the graph run, failures reported."""

import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.run.executed import failure
from study.run.graph import run_graph, why_not
from study.run.lock import lock
from study.run.planning import NEED_DATA, RULES, Job, Wanted, check_records, find_jobs, find_runs
from study.run.unchanged import inputs, is_unchanged, mark_of, remember

WITH_SUMS = ("acdc", "mscmr")  # of the published files
FIRST = 3  # warnings that are shown
ROOM = 200  # MiB, of a checkpoint and an executed notebook
LOCK_WAIT = 5.0  # seconds; the kernels of a killed run end within 3


def plan_study(options: Namespace) -> tuple[list[Wanted], list[Job]]:
    """Check the data, work out what is left to do (no job where nothing is), and say so.

    Raises `ValueError` or `OSError` with one line for what would fail later or spoil the tables:
    bad data, a damaged record or one of another configuration, a notebook without its parameters,
    no records to make tables from.
    """
    from scnlib.records import is_done
    from study.collected import KINDS, collect

    # To train again in the demo's own folder is to forget what is there (none of it is committed).
    forget = options.retrain and options.is_default_out
    for kind in () if forget else KINDS:
        collect(options.out, options.profile, kind)
    runs = find_runs(options, (lambda folder: False) if forget else is_done, _check_sets(options))
    if not runs:
        raise ValueError(
            f"{' '.join(options.methods)} on {' '.join(options.datasets)}: full supervision needs "
            "masks to train on, and there are none"
        )
    if options.train and not forget:  # else the records are only shown, or thrown away
        check_records(options, runs)
    jobs = find_jobs(options, runs)
    if not forget and is_unchanged(options, jobs):
        jobs = []
    results = options.out / options.profile
    if not options.train and not any(results.glob("*/*/seed*/record.json")):
        raise ValueError(f"no records in {results}, and no --data DIR to train with")
    _say_plan(options, runs, jobs)
    return runs, jobs


def _check_sets(options: Namespace) -> set[str]:
    """Read the data sets, and say what is odd; those without masks to train on."""
    from scnlib.data import load_split
    from scnlib.data.folders import BUILT_IN, dataset_folder
    from scnlib.data.manifest import fingerprint

    unmasked = {"mscmr"}  # known without its files
    for dataset in options.datasets if options.data else []:
        print(f"checking the data: {dataset}", flush=True)
        if dataset not in BUILT_IN:
            _check_own_set(dataset_folder(dataset, options.data), options.profile)
        train, _, _ = (load_split(dataset, options.data, s) for s in ("train", "val", "test"))
        if any(case.label is None for case in train):
            unmasked.add(dataset)
        if dataset in WITH_SUMS and not fingerprint(dataset, options.data)["published"]:
            print(f"{dataset}: not the published files; the records say so", flush=True)
    return unmasked


def _check_own_set(folder: Path, profile: str) -> None:
    """Print the first warnings of `study.owndata`; ValueError with its first error."""
    from study.owndata.check import find_faults

    faults, _ = find_faults(folder, profile)
    command = f"python -m study.owndata {shlex.quote(str(folder))} --profile {profile}"
    told = {
        kind: [t for t, k in faults.lines.items() if k == kind] for kind in ("error", "warning")
    }
    if errors := told["error"]:
        more = f" ({command} names {len(errors) - 1} more)" if errors[1:] else ""
        raise ValueError(errors[0] + more)
    for text in told["warning"][:FIRST]:
        print(f"warning: {text}", flush=True)
    if left := len(told["warning"][FIRST:]):
        print(f"and {left} more: {command}", flush=True)


def _say_plan(options: Namespace, runs: list[Wanted], jobs: list[Job]) -> None:
    asked = [(method, name) for name in options.datasets for method in options.methods]
    planned = {(run.method, run.dataset) for run in runs}
    for method, name in asked if options.train else []:
        if (method, name) not in planned:
            print(f"skipped {method} on {name}: there are no masks to train on")
    done = sum(run.done for run in runs)
    print(f"{options.profile}: {done} of {len(runs)} trainings have their record", flush=True)
    if not options.train:
        for rule in NEED_DATA:
            print(f"skipped {RULES[rule]}: no --data")
    if not jobs:
        again = f"rm {shlex.quote(str(mark_of(options.out)))}"
        print(f"nothing has changed since all was executed (to do it again: {again})")
        print(f"tables, figures and executed notebooks are in {options.out / options.profile}")
    if options.dry_run:
        for job in jobs:
            print(f"would run {job.name}")


def run_study(options: Namespace, runs: list[Wanted], jobs: list[Job]) -> int:
    """Run the jobs and report; 1 if any failed or another process works on these results."""
    if not jobs:
        if options.retrain:
            _say_differences(options, runs, _means(options, runs))
        return 0
    work = options.out / ".study"
    with _hold(options.out / ".run.lock") as held:
        if held is None:
            _say(f"error: another run is at work in {options.out}: wait, or choose another --out")
            return 1
        before = _means(options, runs) if options.retrain else {}
        for run in runs if options.retrain and options.is_default_out else []:
            shutil.rmtree(run.folder, ignore_errors=True)
        read = inputs(options, jobs)
        failed = _run_all(options, jobs, work, held)
        if not failed:
            remember(options, jobs, read)
    if options.retrain:
        _say_differences(options, runs, before)
    if failed:
        return _say_failures(options, failed)
    print(f"done: tables, figures and executed notebooks are in {options.out / options.profile}")
    return 0


def _run_all(options: Namespace, jobs: list[Job], work: Path, held: int) -> list[Job]:
    """Run Snakemake until every job is done or has failed; the failed ones.

    A job that needs a failed one still runs, without it: tables are made from the runs there are.
    """
    shutil.rmtree(work, ignore_errors=True)
    (work / "done").mkdir(parents=True)
    failed: list[Job] = []
    while left := [job for job in jobs if job not in failed and not _is_done(job.name, work)]:
        before = [_stamp(job.output) for job in left]
        code = run_graph(options, left, work, held)
        names = {job.name for job in left}
        ready = [job for job in left if all(_is_done(n, work) for n in names & set(job.needs))]
        failures = [job for job in ready if not _is_done(job.name, work)]
        if failures and before == [_stamp(job.output) for job in left]:
            why = why_not(options, work)
            raise SystemExit(f"error: Snakemake started no notebook (code {code}): {why}")
        failed += failures
    return failed


def _is_done(name: str, work: Path) -> bool:
    return (work / "done" / name).exists()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Another one when the file is written anew, whatever the clock says."""
    if not path.exists():
        return None
    about = path.stat()
    return about.st_mtime_ns, about.st_ino, about.st_size


@contextmanager
def _hold(path: Path) -> Iterator[int | None]:
    """Hold the lock of a results folder; None if another run has it still after LOCK_WAIT.

    The wait is for the rest of a run that was just killed. The lock ends with the last process that
    inherited it, so none is ever left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_WAIT
        while not (taken := lock(file)) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield file.fileno() if taken else None


def _means(options: Namespace, runs: list[Wanted]) -> dict[str, float | None]:
    """Mean test Dice (percent) of the records in `results` for these runs, where there are any."""
    from scnlib.paths import RESULTS, run_folder

    means = {}
    for run in runs:
        which = (run.dataset, run.method, run.seed, run.variant)
        means[run.name] = _mean(run_folder(RESULTS, options.profile, *which))
    return means


def _mean(folder: Path) -> float | None:
    """Mean test Dice (percent) of a record; None where there is none, or no test."""
    from scnlib.records import is_done, read

    summary = read(folder).summary if is_done(folder) else {}
    return 100 * summary["dice"]["mean"] if summary else None


def _say_differences(
    options: Namespace, runs: list[Wanted], before: dict[str, float | None]
) -> None:
    from scnlib.records import is_done

    print("mean Dice (%) trained again, and the difference from the record in results:")
    for run in runs:
        now, old = _mean(run.folder), before.get(run.name)
        if now is None:
            print(f"  {run.name}: {'not tested' if is_done(run.folder) else 'not finished'}")
            continue
        versus = "no record to compare with" if old is None else f"{now - old:+.2f} from {old:.2f}"
        print(f"  {run.name}: {now:.2f}, {versus}")


def _say_failures(options: Namespace, failed: list[Job]) -> int:
    _say(f"{len(failed)} failed:")
    for job in failed:
        why = failure(job.output) or "it left no new notebook"
        _say(f"  {job.name}: {why}\n    see {job.output}")
    if full := _nearly_full(options.out):
        _say(full)
    _say(f"What finished is kept. Mend the cause and run {again(options)} again: it goes on there,")
    _say("a training from its last checkpoint.")
    return 1


def _nearly_full(folder: Path) -> str:
    """What to say of a disk with no room for a checkpoint: the notebooks may not have said it."""
    free = shutil.disk_usage(folder).free >> 20
    return f"The disk of {folder} has {free} MiB left: make room there." if free < ROOM else ""


def again(options: Namespace) -> str:
    """The command that goes on where this one ended."""
    # Ctrl-C may come before the options are resolved.
    forgets = options.retrain and getattr(options, "is_default_out", False)
    return "the command without --retrain" if forgets else "the same command"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
