"""What the rest costs: evaluation, memory, importing, and asking what is left to do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scnlib.data import load_split
from scnlib.evaluation import score
from scnlib.paths import REPOSITORY

RUN = """
import sys, tempfile, torch
from pathlib import Path
from scnlib import provenance
from study.experiments import make_run
from scnlib.training import Training
dataset, root = sys.argv[1], Path(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    run = make_run(dataset, "scn", 0, "cpu")
    training = Training(run, Path(folder), root, torch.device("cpu"))
    for _ in range(8):
        training.advance()
    training._validate()
print(provenance.peak_memory_mb(torch.device("cpu")))
"""


def started(*words: str) -> str:
    """The output of a command in the repository; an error of it fails the benchmark."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        words, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def bench_evaluation_of_40_volumes(data_root: Path, benchmark, rounds: int) -> None:
    """Dice and 95HD of three structures, in voxels and in mm, of masks moved by two pixels."""
    cases = load_split("acdc", data_root, "test")[:40]
    moved = [np.roll(case.label, 2, axis=1) for case in cases if case.label is not None]

    def evaluated() -> None:
        rows = [row for one, case in zip(moved, cases, strict=True) for row in score(one, case)]
        assert np.isfinite([row["hd95_mm"] for row in rows]).any()

    benchmark.extra_info.update(volumes=len(cases))
    benchmark.pedantic(evaluated, rounds=min(rounds, 3))


@pytest.mark.parametrize("dataset", ["phantom", "acdc"])
def bench_memory_of_a_cpu_run(dataset: str, benchmark, request: pytest.FixtureRequest) -> None:
    """Peak memory in MB of the cpu profile's SCN: eight steps and a validation."""
    root = request.getfixturevalue("data_root") if dataset == "acdc" else Path()
    told: list[str] = []
    command = (sys.executable, "-c", RUN, dataset, str(root))
    benchmark.pedantic(lambda: told.append(started(*command)), rounds=1)
    benchmark.extra_info.update(dataset=dataset, peak_memory_mb=float(told[0]))


@pytest.mark.parametrize("module", ["scnlib", "scnlib.evaluation", "scnlib.training"])
def bench_import(module: str, benchmark, rounds: int) -> None:
    benchmark.extra_info.update(module=module)
    command = (sys.executable, "-c", f"import {module}")
    benchmark.pedantic(lambda: started(*command), rounds=rounds, warmup_rounds=1)


def bench_asking_what_is_left_to_do(benchmark, rounds: int) -> None:
    """`./run_all.sh --profile cpu --dry-run`, in the environment that runs this."""
    command = (sys.executable, "-m", "study.run.command", "--profile", "cpu", "--dry-run")
    benchmark.pedantic(lambda: started(*command), rounds=rounds, warmup_rounds=1)
