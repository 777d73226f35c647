"""Each trouble has tests that are there, and what they come to is counted."""

import json
from pathlib import Path

import pytest

from scnlib.paths import REPOSITORY
from tests.campaign import troubles
from tests.campaign.troubles import TROUBLES, seen


@pytest.mark.parametrize("trouble", TROUBLES)
def test_its_tests_are_there(trouble: str) -> None:
    for test in TROUBLES[trouble][1]:
        name, function = test.split("::")
        assert f"\ndef {function}(" in (REPOSITORY / "tests" / name).read_text(), test


def test_what_was_seen() -> None:
    ends = {"a": {"passed"}, "b": {"passed", "skipped"}, "c": {"passed", "failed"}}
    assert seen(["a"], ends) == "as expected"
    assert seen(["a", "b"], ends) == "not tried here"
    assert seen(["a", "b", "c", "d"], ends) == "failed: c, d"


def test_it_runs_the_tests_and_keeps_what_they_came_to(tmp_path: Path, monkeypatch, capfd) -> None:
    path = tmp_path / "tests" / "test_x.py"
    path.parent.mkdir()
    path.write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_good(n): assert n\n"
        "@pytest.mark.parametrize('n', [1, 0])\ndef test_bad(n): assert n\n"
        "@pytest.fixture\ndef broken(): raise OSError\n\ndef test_broken(broken): pass\n"
    )
    monkeypatch.setattr(troubles, "REPOSITORY", tmp_path)
    names = ("good", "bad", "broken")
    rows = {name: ("what should be", [f"test_x.py::test_{name}"]) for name in names}
    monkeypatch.setattr(troubles, "TROUBLES", rows)
    assert troubles.main(["--keep", str(tmp_path / "kept.json")]) == 1
    part = json.loads((tmp_path / "kept.json").read_text())["troubles"]
    assert (part["tried"], part["differing"]) == (3, 2)
    assert part["troubles"]["good"]["seen"] == "as expected"
    assert part["troubles"]["bad"]["seen"] == "failed: test_x.py::test_bad"
    assert part["troubles"]["broken"]["seen"] == "failed: test_x.py::test_broken"
