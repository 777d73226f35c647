"""Processor seconds of commands, and the file that keeps them."""

import subprocess
import sys
from pathlib import Path

import pytest

from study.run.notebook_times import chosen, cpu_seconds, merged
from study.run.planning import Job


def test_seconds_are_of_the_processor_and_not_of_the_wall() -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    waiting = "import subprocess, sys, time; time.sleep(0.5)"
    assert 0.5 <= cpu_seconds([sys.executable, "-c", busy]) < 2
    assert cpu_seconds([sys.executable, "-S", "-c", waiting]) < 0.4


def test_what_a_command_starts_counts() -> None:
    child = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert cpu_seconds([sys.executable, "-c", parent]) >= 0.5


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        cpu_seconds([sys.executable, "-c", "raise SystemExit(3)"])


def job(name: str, rule: str) -> Job:
    return Job(name, rule, Path(name), Path(name), {})


def test_trainings_are_left_out_and_names_choose() -> None:
    jobs = [job("03_training_x", "train"), job("04_a", "tables"), job("04b_b", "pictures")]
    assert [one.name for one in chosen(jobs, [])] == ["04_a", "04b_b"]
    assert [one.name for one in chosen(jobs, ["04b"])] == ["04b_b"]
    with pytest.raises(ValueError, match="03: no notebook begins so; there are 04_a, 04b_b"):
        chosen(jobs, ["03"])


def test_new_times_replace_those_of_the_same_notebook_alone() -> None:
    command = {"command": "./run_all.sh", "seconds": 1}
    old = [command, {"notebook": "02", "cpu_seconds": 9}, {"notebook": "01", "cpu_seconds": 9}]
    new = [{"notebook": "02", "cpu_seconds": 3}]
    assert merged(old, new) == [command, {"notebook": "01", "cpu_seconds": 9}, *new]
