"""The lists that come with the code are read only as they were published."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scnlib.data import lists

NAMES = sorted(path.name for path in lists.PLACE.glob("*.csv") if path.name != "sums.csv")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(lists, "PLACE", Path(shutil.copytree(lists.PLACE, tmp_path / "splits")))
    lists.published_rows.cache_clear()
    yield lists.PLACE
    lists.published_rows.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_a_list_is_read_as_it_is_and_not_when_changed(place: Path, name: str) -> None:
    with (place / name).open(newline="") as file:
        assert lists.published_rows(name) == list(csv.DictReader(file))
    content = (place / name).read_bytes()
    for other in (content.replace(b"1", b"2", 1), content[:-40], b"", content + b"\n"):
        lists.published_rows.cache_clear()
        (place / name).write_bytes(other)
        with pytest.raises(ValueError, match=rf"{place / name}: not there, or not as .*restore"):
            lists.published_rows(name)
    (place / name).unlink()
    with pytest.raises(ValueError, match=rf"{place / name}: not there"):
        lists.published_rows(name)


def test_ends_of_lines_do_not_matter(place: Path) -> None:
    expected = lists.published_rows("acdc.csv")
    for name in ("acdc.csv", "sums.csv"):
        (place / name).write_bytes((place / name).read_bytes().replace(b"\n", b"\r\n"))
    lists.published_rows.cache_clear()
    assert lists.published_rows("acdc.csv") == expected


def test_a_damaged_list_of_sums_trusts_nothing(place: Path) -> None:
    (place / "sums.csv").write_bytes(b"\xff\x00 nothing")
    with pytest.raises(ValueError, match=r"acdc\.csv: .* restore"):
        lists.published_rows("acdc.csv")
