"""`./run_all.sh --on slurm` on a real slurmctld and slurmd, where both are installed.

It needs root, as the daemons' configuration is written to /etc/slurm and taken away again.
"""

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from study.run import graph

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo")


def lacking() -> str:
    """Why there can be no Slurm here; "" if there can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: install slurmctld slurmd slurm-client munge"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "no snakemake-executor-plugin-slurm"
    if os.getuid() != 0:
        return "not root"
    return f"{CONFIGURATION} is another cluster's" if CONFIGURATION.exists() else ""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of this machine alone; yields the folder of its logs."""
    if why := lacking():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("slurm")
    host = socket.gethostname()
    lines = {
        "ClusterName": "test",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmUser": "root",
        "AuthType": "auth/munge",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "MpiDefault": "none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "AccountingStorageType": "accounting_storage/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "MinJobAge": 300,
        "ReturnToService": 2,
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    text += f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=2000\n"
    CONFIGURATION.write_text(f"{text}PartitionName=main Nodes={host} Default=YES\n")
    started = []
    try:
        started.append(_munge(folder))
        for name in ("slurmctld", "slurmd"):
            started.append(subprocess.Popen([name, "-D"]))
        deadline = time.time() + 60
        while "idle" not in _asked(["sinfo", "--noheader", "--format=%t"]):
            assert time.time() < deadline, (folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.5)
        yield folder
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(timeout=30)
        CONFIGURATION.unlink()


def _munge(folder: Path) -> psutil.Popen:
    subprocess.run(["install", "-d", "-o", "munge", "/run/munge"], check=True)
    words = "setpriv --reuid=munge --regid=munge --init-groups munged --foreground".split()
    return psutil.Popen(words)


def _asked(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The study's own profile for Slurm, for a cluster of two cores without a GPU."""
    there = Path(graph.__file__).parent / "profiles" / "slurm" / "config.yaml"
    content = yaml.safe_load(there.read_text())
    content["default-resources"] |= {"runtime": 5, "mem_mb": 200}
    content["set-threads"] = {"train": 1}
    content["set-resources"]["train"] = {"runtime": 5, "mem_mb": 200, "gpu": 0}
    content |= {"latency-wait": 5, "slurm-init-seconds-before-status-checks": 2}
    content["seconds-between-status-checks"] = 2
    folder = tmp_path / "small cluster"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_the_study_runs_as_jobs_of_slurm(cluster, start, pretended, profile, tmp_path, capfd):
    """Each notebook a job of its own; what is done is not done again, a failed one is named."""
    options = ["--on", str(profile), "--methods", "pce", "scn"]
    (tmp_path / "broken").write_text("pce")
    assert start(*options) == 1
    assert "03_training_phantom_pce_seed0: ValueError: loss is nan" in capfd.readouterr().err
    ran = pretended()
    assert {"03_training_phantom_scn_seed0", "04_tables_and_figure"} <= {*ran}
    (tmp_path / "broken").write_text("")
    assert start(*options) == 0
    again = pretended()
    assert "03_training_phantom_pce_seed0" in again
    assert "03_training_phantom_scn_seed0" not in again
    log = (cluster / "slurmctld.log").read_text()
    assert log.count("_slurm_rpc_submit_batch_job") >= len(ran) + len(again)
