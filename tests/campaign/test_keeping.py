"""Campaigns are kept side by side, and kills in slices add up."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.campaign import __main__, damage, keeping, kills, scores

ONLY_KILLS = ["--tries", "0", "--pairs", "0", "--steps", "0"]
SLICE = {"kills": 5, "in_a_record": 1, "lost_iterations": 7, "runs": 2, "differing": 0}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Campaigns are only pretended; fills with the kills that each call knew of."""
    done: list[int] = []

    def kill(folder: Path, count: int, seed: int, before: int) -> dict[str, Any]:
        done.append(before)
        return dict(SLICE, kills=count)

    monkeypatch.setattr(kills, "campaign", kill)
    monkeypatch.setattr(damage, "campaign", lambda *given: {"tries": given[1], "silent": 0})
    monkeypatch.setattr(scores, "campaign", lambda *given: {"pairs": given[0], "differing": 0})
    monkeypatch.setattr(keeping, "code_version", lambda: f"code{len(done)}")
    return done


def test_slices_of_kills_add_up_and_other_parts_stay(tmp_path: Path, started: list[int]) -> None:
    file = tmp_path / "kept.json"
    keep = ["--keep", str(file)]
    others = ["--tries", "2", "--pairs", "3", "--steps", "0", "--kills", "0"]
    assert __main__.main([*others, *keep]) == 0
    for count in ("5", "3", "4"):
        assert __main__.main(["--kills", count, *ONLY_KILLS, *keep]) == 0
    kept = json.loads(file.read_text())
    assert started == [0, 5, 8]
    assert (kept["damage"]["tries"], kept["scores"]["pairs"]) == (2, 3)
    assert kept["damage"]["code_version"] == "code0"
    assert {name: kept["kills"][name] for name in SLICE} == {
        "kills": 12,
        "in_a_record": 3,
        "lost_iterations": 21,
        "runs": 6,
        "differing": 0,
    }
    assert kept["kills"]["code_version"] == "code1 then code2 then code3"
    with pytest.raises(ValueError, match="seed 0, not 1"):
        __main__.main(["--kills", "1", *ONLY_KILLS, "--seed", "1", *keep])


def test_a_slice_that_differs_ends_in_1(
    tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    only = [*ONLY_KILLS, "--keep", str(tmp_path / "kept.json")]
    monkeypatch.setattr(kills, "campaign", lambda *given: dict(SLICE, differing=1))
    assert __main__.main(only) == 1
    assert json.loads((tmp_path / "kept.json").read_text())["kills"]["differing"] == 1


def test_without_a_file_nothing_is_kept(tmp_path: Path, started: list[int], capsys) -> None:
    assert __main__.main(["--kills", "5", *ONLY_KILLS]) == 0
    assert json.loads(capsys.readouterr().out)["kills"]["kills"] == 5
