"""The short form, within one process: one seed twice is equal, and another seed is not."""

from pathlib import Path

import pytest

from scnlib import training
from scnlib.training import train
from tests.campaign.determinism import apart, contents
from tests.tiny_runs import tiny


@pytest.mark.usefixtures("few_subjects")
def test_one_seed_twice_is_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOG_EVERY", 2)
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    for folder, changed in ((first, {}), (again, {}), (other, {"lr": 0.02})):
        train(tiny("scn", **changed), folder, device="cpu")
    assert contents(first) == contents(again) and "loss" in contents(first)[1]
    assert apart(first, again) == {"weights": 0, "voxels": 0, "dice_points": 0}
    assert contents(first)[0][0] != contents(other)[0][0]
    assert 0 < apart(first, other)["weights"] < 2
