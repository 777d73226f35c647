"""Records of an earlier version, and those that came before an option, written anew."""

import dataclasses
import json
from pathlib import Path

import pytest

from scnlib import records, schema
from study import migrate
from tests.sample_record import write
from tests.scnlib.test_records import first_version


def test_version_1_is_rewritten_in_the_current_one(tmp_path: Path, capsys) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    first_version(tmp_path / "a")
    before = records.read(tmp_path / "a")
    assert migrate.main([str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in told] == ["rewritten", "is of this version"]
    after = records.read(tmp_path / "a")
    assert after.schema == schema.VERSION
    assert dataclasses.replace(after, schema=1, summary={}) == dataclasses.replace(
        before, summary={}
    )
    content = json.loads((tmp_path / "a" / "record.json").read_text())
    assert content["run"]["profile"]["padding"] == "unlabelled"
    (tmp_path / "b" / "record.json").write_text("{}")
    assert migrate.main([str(tmp_path)]) == 1
    assert f"error: {tmp_path / 'b' / 'record.json'}: " in capsys.readouterr().err


def test_a_tilde_is_the_home_folder_of_records(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a")
    assert migrate.main(["~/a"]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'a' / 'record.json'}: ")


def test_records_on_another_disk_are_rewritten(tmp_path: Path, capsys) -> None:
    write(tmp_path / "disk" / "a")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "acdc").symlink_to(tmp_path / "disk")
    assert migrate.main([str(tmp_path / "results")]) == 0
    path = tmp_path / "results" / "acdc" / "a" / "record.json"
    assert capsys.readouterr().out == f"{path}: is of this version\n"


@pytest.mark.parametrize("words", [[], ["nowhere"]])
def test_what_is_no_folder_is_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        migrate.main(words)
    assert ended.value.code == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert ("nowhere: no such folder" if words else "FOLDER") in error


def test_an_option_that_came_later_is_written_into_a_record_with_its_earlier_value(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    path = tmp_path / "record.json"
    whole = path.read_text()
    content = json.loads(whole)
    del content["run"]["profile"]["strokes"], content["sha256"]
    path.write_text(json.dumps(content | {"sha256": schema._sum(content)}))
    assert migrate.migrate(path) and path.read_text() == whole
    assert not migrate.migrate(path)
