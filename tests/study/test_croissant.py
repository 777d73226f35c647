"""The data sets' metadata for machines (Croissant 1.0): valid, and of the files as they are."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from scnlib.data.phantom import SUBJECTS
from scnlib.paths import REPOSITORY

FOLDER = REPOSITORY / "study" / "croissant"
PAGES = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_each_data_set_has_its_page() -> None:
    assert [path.stem for path in PAGES] == ["acdc", "mscmr", "phantom"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_listed_files_are_there_with_their_sums_and_columns(path: Path) -> None:
    page = read(path)
    files = {}
    for entry in page["distribution"]:
        path = files[entry["@id"]] = (FOLDER / entry["contentUrl"]).resolve()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], path
    for field in (field for records in page["recordSet"] for field in records["field"]):
        if source := field.get("source"):
            with files[source["fileObject"]["@id"]].open(newline="") as file:
                assert source["extract"]["column"] in next(csv.reader(file)), field["@id"]


def test_the_phantoms_splits_are_the_programs() -> None:
    rows = read(FOLDER / "phantom.json")["recordSet"][0]["data"]
    found = {r["splits/split"]: (r["splits/first"], r["splits/last"]) for r in rows}
    assert found == {name: (numbers[0], numbers[-1]) for name, numbers in SUBJECTS.items()}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_standards_own_reader_finds_no_fault(path: Path) -> None:
    reader = pytest.importorskip(
        "mlcroissant", reason="needs mlcroissant (pip install mlcroissant)"
    )
    issues = reader.Dataset(path).metadata.ctx.issues
    assert not issues.errors and not issues.warnings, issues.report()
