"""The lesson's minutes: heads of notebooks have them by section, and the plan quotes the sums."""

import json
import math
import re
from pathlib import Path

import nbformat
import pytest

from scnlib.paths import REPOSITORY, RESULTS

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
PLAN = REPOSITORY / "notebooks" / "README.md"
LENGTHS = {"long": (0, 90), "short": (1, 45)}  # column and minutes
Minutes = dict[int, tuple[int, int]]  # a section's, without its exercises, and for these


def planned(text: str) -> Minutes:
    """The minutes by section of a head's line, such as "1: 4, 2: 3 + 5"."""
    found = re.findall(r"(\d+): (\d+)(?: \+ (\d+))?", text)
    return {int(section): (int(read), int(done or 0)) for section, read, done in found}


def quoted(where: str, length: str, minutes: Minutes) -> int:
    """What the heads give for a place in the plan, such as "sections 1 to 3, with exercises"."""
    sections, *short = where.split("; in the short lesson ")
    named = short[0] if short and length == "short" else sections
    for first, last in re.findall(r"(\d+) to (\d+)", named):
        named += " " + " ".join(map(str, range(int(first), int(last) + 1)))
    chosen = {int(number) for number in re.findall(r"\d+", named)}
    assert ("with exercises" in sections) != ("without exercises" in sections) or not any(
        minutes[number][1] for number in chosen
    ), f"{where}: with its exercises or without?"
    exercises = "with exercises" in sections
    return sum(minutes[number][0] + exercises * minutes[number][1] for number in chosen)


def head(path: Path) -> str:
    """The line of a notebook's head that has its times."""
    (line,) = re.findall(
        r"^\*\*Time\.\*\* .*$", nbformat.read(path, as_version=4).cells[0].source, re.MULTILINE
    )
    return line


def rows() -> list[list[str]]:
    """The plan's rows: long, short, running, what, where."""
    lines = [line.strip("|").split("|") for line in PLAN.read_text(encoding="utf-8").splitlines()]
    cells = [[cell.strip() for cell in line] for line in lines]
    return [line for line in cells if len(line) == 5 and line[0].isdigit()]


def test_minutes_are_read_by_section_and_quoted_with_or_without_exercises() -> None:
    minutes = planned("1: 4, 2: 3 + 5, 3: 1")
    assert minutes == {1: (4, 0), 2: (3, 5), 3: (1, 0)}
    assert quoted("sections 1 to 3, with exercises; in the short lesson 2", "long", minutes) == 13
    assert quoted("sections 1 to 3, with exercises; in the short lesson 2", "short", minutes) == 8
    assert quoted("sections 1 and 2, without exercises", "short", minutes) == 7
    with pytest.raises(AssertionError, match="with its exercises or without"):
        quoted("section 2", "long", minutes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_head_has_the_minutes_of_each_section_and_their_sum(path: Path) -> None:
    match = re.match(
        r"\*\*Time\.\*\* Planned minutes by section(?: \(\+ exercises\))?: (.*); all: (\d+)\. "
        r"Running takes ",
        head(path),
    )
    assert match, head(path)
    minutes, total = planned(match[1]), int(match[2])
    assert sum(map(sum, minutes.values())) == total
    cells = nbformat.read(path, as_version=4).cells
    texts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    sections = list(map(int, re.findall(r"^## (\d+)\. ", texts, re.MULTILINE)))
    assert list(minutes) == sections
    parts = re.split(r"^## (?=\d+\. )", texts, flags=re.MULTILINE)[1:]
    for section, part in zip(sections, parts, strict=True):
        assert ("**Exercise" in part) == (minutes[section][1] > 0), f"section {section}"


@pytest.mark.parametrize("length", LENGTHS)
def test_the_plan_fills_its_minutes_with_those_of_the_heads(length: str) -> None:
    column, total = LENGTHS[length]
    spent = 0
    for row in (row for row in rows() if row[column] != "-"):
        number, where = row[-1].split(",", 1)
        (path,) = (REPOSITORY / "notebooks").glob(f"{number}_*.ipynb")
        minutes = planned(head(path).split("; all")[0])
        assert int(row[column]) == quoted(where, length, minutes), row[-1]
        spent += int(row[column])
    assert spent == total


def test_the_plan_says_what_running_costs_as_measured() -> None:
    times = json.loads((RESULTS / "timings.json").read_text(encoding="utf-8"))
    seconds = {t["notebook"].split("_")[0]: t["cpu_seconds"] for t in times if "notebook" in t}
    timed = [row for row in rows() if row[-1].split(",")[0] in seconds]
    assert timed
    for row in timed:
        spent = seconds[row[-1].split(",")[0]]
        assert row[2] == ("-" if spent < 20 else str(math.ceil(spent / 60))), row[-1]
