"""One training over two processes: the loss and the gradients are those of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scnlib import records
from scnlib.paths import REPOSITORY
from study.run import parallel


def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    """Loss, gradients and statistics, for one network and two, with heads; and a run to its end."""
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words += ["-m", "tests.study.run.two_processes", str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(
        [sys.executable, *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    texts = [(tmp_path / f"rank{rank}.txt").read_text() for rank in range(2)]
    rows = [line.split() for text in texts for line in text.splitlines()]
    assert [row[0] for row in rows] == ["pce", "scn", "fddseg"] * 2
    for name, *differences in rows:
        loss, gradients, buffers = map(float, differences)
        assert loss < 1e-10 and gradients < 1e-8 and buffers < 1e-10, name
    record = records.read(tmp_path / "trained")
    assert record.step == "eager on 2 processes" and record.summary["volumes"] == 2


def test_only_the_first_process_writes(monkeypatch) -> None:
    training = object.__new__(parallel.SharedTraining)  # without a run: writing would be an error
    monkeypatch.setattr(parallel.dist, "get_rank", lambda: 1)
    training.save()
    training.tell()
    monkeypatch.setattr(parallel.dist, "get_rank", lambda: 0)
    for write in (training.save, training.tell):
        with pytest.raises(AttributeError):
            write()


def test_a_tilde_is_the_home_folder_of_each_process(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RANK", "0")
    options = parallel.parse(["--out=~/x", "--data=~/y"])
    assert (options.out, options.data) == (tmp_path / "x", tmp_path / "y")


def test_it_is_started_by_torchrun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SystemExit):
        parallel.main(["--out", str(tmp_path)])
    assert "torchrun" in capsys.readouterr().err
