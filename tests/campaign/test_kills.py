"""Kills in the middle of a saving, and that a difference would be counted."""

from pathlib import Path

import numpy as np
import pytest

from tests.campaign import kills
from tests.campaign.kills import CHECKPOINT, RECORD, Saving, drawn, process, result, whole
from tests.tiny_runs import tiny

RUN = tiny("scn", iterations=2, validations=1, size=16)


@pytest.mark.parametrize(
    "saving",
    [Saving(CHECKPOINT, 1, 0.5), Saving("predictions.h5", 1, 0.0), Saving(RECORD[-1], 1, 1)],
)
def test_a_kill_in_a_saving_leaves_a_part_and_no_other_result(tmp_path: Path, saving) -> None:
    whole(RUN, tmp_path / "whole")
    child, _ = process(RUN, tmp_path / "run", saving)
    assert child.exitcode == -9
    (part,) = (tmp_path / "run").glob(".*")
    assert part.name.startswith(f".{saving.name}.")
    assert not (tmp_path / "run" / saving.name).exists()
    whole(RUN, tmp_path / "run")
    assert str(result(tmp_path / "run")) == str(result(tmp_path / "whole"))
    assert not list((tmp_path / "run").glob(".*"))


def test_a_run_that_ends_otherwise_is_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(kills, "RUN", RUN)
    monkeypatch.setattr(kills, "result", lambda folder: folder.name)  # "whole" or "broken"
    counts = kills.campaign(tmp_path, 2, 0)
    assert counts["kills"] == 2 and counts["differing"] == counts["runs"] > 0


def test_all_kinds_of_kills_are_drawn() -> None:
    rng = np.random.default_rng(0)
    kinds = [drawn(rng, 10.0) for _ in range(300)]
    assert {saving.name for saving, _ in kinds if saving} == {CHECKPOINT, *RECORD}
    instants = [seconds for saving, seconds in kinds if saving is None]
    assert 100 < len(instants) < 200 and 0 <= min(instants) < 1 and 9 < max(instants) < 10
