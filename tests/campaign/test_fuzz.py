"""Random files for the readers: both outcomes happen, faults are told, and slices add up."""

import json
import resource
from pathlib import Path

import pytest

from tests.campaign import fuzz
from tests.campaign.fuzz import KINDS, outcome


@pytest.mark.parametrize("kind", KINDS)
def test_readers_read_or_refuse_what_is_drawn(kind: str, tmp_path: Path) -> None:
    found = fuzz.fuzz(kind, tmp_path, 0.5, seed=0)
    assert found["faults"] == {} and found["read"] > 0 and found["refused"] > 0
    assert found["examples"] == found["read"] + found["refused"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("{path}: bad"), "refused"),
        (OSError("[Errno 13] no: {path}"), "refused"),
        (ValueError("bad"), "vague: ValueError: bad"),
        (ValueError("{path}: bad\nworse"), "vague"),
        (KeyError("image"), "KeyError"),
        (MemoryError(), "MemoryError"),
        (RecursionError("deep"), "RecursionError: deep"),
    ],
)
def test_only_one_line_with_the_name_is_a_refusal(tmp_path: Path, error, says: str) -> None:
    def read(path: Path) -> None:
        raise type(error)(*(text.format(path=path) for text in map(str, error.args)))

    assert outcome(tmp_path / "a.nii", read).startswith(says)
    assert outcome(tmp_path / "a.nii", lambda path: None) == "read"


def test_slices_add_up_and_one_with_a_fault_is_not_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda *given: None)
    seeds, row = [], {"examples": 200, "read": 50, "refused": 150, "minutes": 0.3}

    def pretended(kind: str, folder: Path, seconds: float, seed: int) -> dict:
        seeds.append(seed)
        return row | {"faults": {"KeyError: x": "00"} if seed == 2 and kind == "h5" else {}}

    monkeypatch.setattr(fuzz, "fuzz", pretended)
    command = ["--minutes", "1", "--keep", str(tmp_path / "kept.json")]
    assert [fuzz.main(command) for _ in range(3)] == [0, 0, 1]
    part = json.loads((tmp_path / "kept.json").read_text())["fuzz"]
    n = len(KINDS)
    assert seeds == [0] * n + [1] * n + [2] * n
    assert (part["slices"], part["examples"], part["differing"]) == (2, 400 * n, 0)
    assert part["minutes"] == round(0.6 * n, 1)
    assert part["kinds"]["h5"] == {"examples": 400, "read": 100, "refused": 300, "minutes": 0.6}
