"""The README says what the records say, and its commands exist."""

import re
import shutil

import pytest

from scnlib import readme
from scnlib.paths import README, REPOSITORY
from workflow.study import parse


def test_numbers_are_those_of_the_records(tmp_path):
    copy = tmp_path / "README.md"
    shutil.copy(README, copy)
    readme.main(copy)
    assert copy.read_text() == README.read_text(), "run python -m scnlib.readme and commit"


def test_no_measured_number_stands_outside_the_markers():
    text = README.read_text()
    for name in ("tables", "findings", "numbers"):
        text = re.sub(rf"<!-- {name}:start -->.*<!-- {name}:end -->", "", text, flags=re.S)
    # A score or a time has decimals or a unit; protocol values and versions have their own words.
    assert not re.findall(r"\b\d+\.\d+ ?(?:%|points|Dice|minutes|seconds|s\b)", text)


def test_a_changed_number_is_noticed(tmp_path):
    if not any(readme.RESULTS.glob("cpu/*/*/seed*/record.json")):
        pytest.skip("no committed record yet")
    copy = tmp_path / "README.md"
    text = README.read_text()
    start = text.index("<!-- numbers:start -->")
    copy.write_text(text[:start] + re.sub(r"(\d\d)\.(\d\d)", r"99.\2", text[start:], count=1))
    assert copy.read_text() != text
    readme.main(copy)
    assert copy.read_text() == text


def test_commands_are_accepted():
    lines = re.findall(r"^\./run_all\.sh ?([^#\n]*)", README.read_text(), flags=re.M)
    assert len(lines) >= 5
    for line in lines:
        if "--help" not in line:
            parse(line.split())


def test_named_files_exist():
    text = README.read_text()
    for name in re.findall(r"`((?:scnlib|notebooks|results/cpu|workflow)/[\w/]+\.\w+)`", text):
        if name != "scnlib/methods/mine.py":
            assert (REPOSITORY / name).exists(), name
