"""What is left to do: each notebook that has to be run, with its parameters, as a list of jobs.

Whether a training is done is read from its record and the hashes in it, never from file times,
which are arbitrary on a fresh clone. The Snakefile gets the list and holds the graph.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from study.run.executed import failure
from study.run.parameters import typed

RUNNER = [sys.executable, "-P", "-m", "study.run.notebook"]
RULES = {
    "explore": "01_data_exploration",
    "correlation": "02_correlation_and_propagation",
    "heart": "02b_on_a_heart",
    "train": "03_training",
    "tables": "04_tables_and_figure",
    "pictures": "04b_figure_and_failures",
    "choices": "05_open_choices",
    "scribbles": "06_your_own_scribbles",
    "own": "07_your_own_data",
    "losses": "08_where_points_are_lost",
}
AFTER = ("tables", "pictures", "choices", "losses")  # run once all trainings have ended
NEED_DATA = ("explore", "heart", "train")  # left out by name where none is given


@dataclass(frozen=True)
class Job:
    """One execution of a notebook; `needs` names the jobs that come before it."""

    name: str
    rule: str
    notebook: Path
    output: Path
    parameters: dict[str, Any]
    needs: list[str] = field(default_factory=list)
    watch: Path | None = None  # a training's progress.json
    step: str = "auto"  # how a training's steps run

    def command(self, lines: bool) -> list[str]:
        """The command line that runs it, without any need of quoting."""
        words = [*RUNNER, str(self.notebook), str(self.output)]
        for name, value in self.parameters.items():
            words += ["-p", name, str(value)]
        words += ["--watch", str(self.watch)] if self.watch else []
        words += ["--step", self.step] if self.step != "auto" else []
        return words + ["--lines"] * lines


@dataclass(frozen=True)
class Wanted:
    """A training that is asked for: where its record is, and whether it is there."""

    dataset: str
    method: str
    seed: int
    variant: str
    folder: Path
    done: bool

    @property
    def name(self) -> str:
        """As in the names of jobs and executed notebooks: DATASET_METHOD_seedN, with a variant."""
        name = f"{self.dataset}_{self.method}_seed{self.seed}"
        return f"{name}_{self.variant}" if self.variant else name


def find_runs(
    options: Namespace, is_done: Callable[[Path], bool], unmasked: Collection[str] = ()
) -> list[Wanted]:
    """The trainings that the options ask for, done or not.

    Methods that learn from masks are left out on the data sets that are `unmasked` in training.
    Raises `ValueError` for two of one name, of which one alone would be run.
    """
    from scnlib.methods import get_method
    from scnlib.paths import run_folder

    runs = []
    for dataset in options.datasets:
        for seed in options.seeds:
            for method in options.methods:
                if dataset in unmasked and get_method(method).needs == "label":
                    continue
                which = (dataset, method, seed, options.variant)
                folder = run_folder(options.out, options.profile, *which)
                runs.append(Wanted(*which, folder, is_done(folder)))
    named: dict[str, Wanted] = {}
    for run in runs:
        other = named.setdefault(run.name, run)
        if other.folder != run.folder:
            raise ValueError(
                f"{other.method} on {other.dataset} and {run.method} on {run.dataset} would both "
                f"be called {run.name}: rename a data set"
            )
    return runs


def check_records(options: Namespace, runs: list[Wanted]) -> None:
    """Refuse, before anything starts, a record that a training asked for could not be taken from.

    Raises `ValueError` with one line naming the first that is of another configuration or damaged,
    or of other files of an own data set than there are now: corrected scribbles would be shown
    with the numbers of the old ones.
    """
    from scnlib.data.folders import BUILT_IN
    from scnlib.data.manifest import fingerprint
    from scnlib.records import finished
    from study.experiments import make_run

    protocol: dict[str, Any] = {"bf16": False} if options.fp32 else {}
    wrong, sums = [], {}
    for run in runs:
        which = (run.dataset, run.method, run.seed, options.profile, run.variant)
        asked = make_run(*which, **protocol)
        try:
            record = finished(asked, run.folder)
            if record is not None and run.dataset not in BUILT_IN:
                if run.dataset not in sums:
                    sums[run.dataset] = fingerprint(run.dataset, options.data)["sha256"]
                _check_data(record, sums[run.dataset])
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError(wrong[0] + f" (and {len(wrong) - 1} more such records)" * (len(wrong) > 1))


def _check_data(record: Any, now: str) -> None:
    """ValueError unless a finished run's data have the sum that they have now."""
    if record.data["sha256"] != now:
        raise ValueError(
            f"{record.folder / 'record.json'}: the data of {record.run.dataset} have changed "
            f"since; delete {record.folder} to train on what there is now, or give another --out"
        )


def find_jobs(options: Namespace, runs: list[Wanted]) -> list[Job]:
    """The notebooks to run, their parameters checked; trainings only where `options.train`.

    A training whose record is there is run again if its executed notebook failed or was cut off:
    it finds the record, trains nothing, and shows what was left to show.
    Raises `ValueError` if a notebook lacks its parameters cell or one of the parameters.
    """
    common = {
        "profile": options.profile,
        "data": str(options.data or ""),
        "out": "" if options.is_default_out else str(options.out),
    }
    trainings = [(run, _training(options, run, common)) for run in runs if options.train]
    jobs = [job for run, job in trainings if not run.done or failure(job.output)]
    trained = [job.name for job in jobs]
    scn = [name for name in trained if "_scn_seed" in name]
    needs = {rule: [] for rule in RULES if rule != "train"}
    needs |= {"heart": scn} | dict.fromkeys(AFTER, trained)
    needs["tables"] = [*trained, RULES["losses"]]  # whose findings the tables' notebook tells
    for rule, before in needs.items():
        if options.train or rule not in NEED_DATA:
            jobs.append(_job(options, rule, RULES[rule], common, before))
    for job in jobs:
        typed(job.notebook, job.parameters)
    return jobs


def _training(options: Namespace, run: Wanted, common: dict[str, Any]) -> Job:
    which = {"dataset": run.dataset, "method": run.method, "seed": run.seed}
    parameters = common | which | {"variant": run.variant, "fp32": options.fp32}
    name = f"{RULES['train']}_{run.name}"
    job = _job(options, "train", name, parameters, [], run.folder / "progress.json")
    return replace(job, step=options.step)


def _job(
    options: Namespace,
    rule: str,
    name: str,
    parameters: dict[str, Any],
    needs: list[str],
    watch: Path | None = None,
) -> Job:
    notebook = options.notebooks / f"{RULES[rule]}.ipynb"
    output = options.out / options.profile / "notebooks" / f"{name}.ipynb"
    return Job(name, rule, notebook, output, parameters, needs, watch)
