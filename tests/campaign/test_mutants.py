"""What a mutant changed is read off mutmut's copy of a module, and counted."""

import json
from pathlib import Path

import pytest

from tests.campaign import mutants

SOURCE = '''
def x_f__mutmut_orig(a: int = 1) -> int:
    """What it does."""
    b = a + 1
    return b if b else 0

def x_f__mutmut_1(a: int = 2) -> int:
    """What it does."""
    b = a + 1
    return b if b else 0

def x_f__mutmut_2(a: int = 1) -> int:
    """What it does."""
    b = a - 1
    return b if b else 0
'''


def test_what_a_mutant_changed() -> None:
    first, second = mutants.changes(SOURCE, ["x_f__mutmut_1", "x_f__mutmut_2"])
    assert first == {"function": "f", "was": "(a: int=1)", "now": "(a: int=2)"}
    assert second == {"function": "f", "was": "b = a + 1", "now": "b = a - 1"}


def test_outcomes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "TESTS", {"scnlib/f.py": [], "scnlib/not_begun.py": []})
    place = tmp_path / "mutants" / "scnlib"
    place.mkdir(parents=True)
    (place / "f.py").write_text(SOURCE)
    codes = {f"scnlib.f.x_f__mutmut_{n}": code for n, code in ((1, 1), (2, 0), (3, None))}
    (place / "f.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    found = mutants.outcome(tmp_path, "scnlib/f.py")
    assert (found["mutants"], found["tested"], found["killed"]) == (3, 2, 1)
    assert [row["now"] for row in found["survived"]] == ["b = a - 1"]
    assert [name[-1] for name in mutants.unsettled(tmp_path)] == ["2", "3"]


@pytest.mark.parametrize("survivors, code", [(1, 0), (2, 1)])
def test_nine_in_ten_must_be_killed(
    survivors: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"mutants": 10, "tested": 10, "killed": 10 - survivors, "survived": []}
    monkeypatch.setattr(mutants, "TESTS", {"f.py": []})
    monkeypatch.setattr(mutants, "outcome", lambda *given: dict(part))
    file = tmp_path / "kept.json"
    assert mutants.report(tmp_path, file) == code
    assert json.loads(file.read_text())["mutants"]["killed"] == 10 - survivors


def test_modules_and_their_tests_are_there() -> None:
    for name in (*mutants.TESTS, *mutants.SELECTION):
        assert (mutants.REPOSITORY / name).is_file()
