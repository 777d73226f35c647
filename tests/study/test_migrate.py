"""Records of an earlier version, and those that came before an option, written anew."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from scnlib import records, schema
from scnlib.config import PARTS, ComparedOptions, Run
from scnlib.methods import get_method
from scnlib.paths import RESULTS
from scnlib.weights import load_weights, save_weights
from study import migrate
from study.experiments import make_run
from tests.sample_record import write


def first_version(path: Path) -> dict[str, Any]:
    """Rewrite a record.json as version 1 had it; its content."""
    content = json.loads(path.read_text())
    for name in ("schema", "sha256", "processes"):
        content.pop(name)
    content["run"] = first_run(content["run"])
    path.write_text(json.dumps(content))
    return content


def of_that_time(method: str, **protocol: Any) -> Run:
    """A run on the phantom with the options that `EARLIER` gives to what doesn't say them."""
    run = make_run("phantom", method, **protocol)
    return dataclasses.replace(run, compared=ComparedOptions(**migrate.EARLIER["compared"]))


def first_run(run: dict[str, Any]) -> dict[str, Any]:
    """The text of a run without what came later."""
    for part, options in migrate.EARLIER.items():
        for name in options:
            del run[part][name]
    assert run.pop("compared") == {}, "a part that came later as a whole"
    return run


def test_version_1_is_rewritten_with_the_options_of_its_time(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    run = of_that_time("scn")
    write(tmp_path / "a", run)
    write(tmp_path / "b")
    path = tmp_path / "a" / "record.json"
    old = first_version(path)
    with pytest.raises(ValueError, match=r"of an earlier version \(it has version 1\)"):
        records.read(tmp_path / "a")
    assert migrate.main([str(tmp_path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in told] == ["rewritten", "is of this version"]
    after = records.read(tmp_path / "a")
    assert after.run == run
    assert after.processes == [
        dict.fromkeys(("hardware", "dtype", "threads", "versions"))
        | {"before": 0, "code_version": "abc"},
        {name: old[name] for name in ("hardware", "dtype", "threads", "versions")}
        | {"before": None, "code_version": "def"},
    ]
    # What a default becomes later must not change what such a record says.
    path.write_text(json.dumps(old))
    monkeypatch.setitem(migrate.EARLIER["scn"], "means_over", "image")
    assert migrate.migrate(path)
    assert records.read(tmp_path / "a").run.scn.means_over == "image"
    damaged = ("{}", json.dumps(old | {"sha256": "00"}), json.dumps(old | {"code_version": None}))
    for text in damaged:
        (tmp_path / "b" / "record.json").write_text(text)
        assert migrate.main([str(tmp_path)]) == 1
        assert f"error: {tmp_path / 'b' / 'record.json'}: " in capsys.readouterr().err
        assert (tmp_path / "b" / "record.json").read_text() == text


def test_options_that_came_later_exist() -> None:
    for part, options in migrate.EARLIER.items():
        assert options.keys() <= {field.name for field in dataclasses.fields(PARTS[part])}


def test_weights_of_the_first_kind_are_rewritten(tmp_path: Path, capsys) -> None:
    run, path = of_that_time("scn", size=32), tmp_path / "w.safetensors"
    names = ("background", "Höhle")
    save_weights(path, get_method("scn")(run, 2), run, names)
    new = path.read_bytes()
    weights = load_file(path)
    told = {"run": json.dumps(first_run(json.loads(run.to_json()))), "classes": json.dumps(names)}
    total = hashlib.sha256(f"{told['run']}\n{told['classes']}\n".encode())
    for name, value in sorted(weights.items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.numpy().tobytes())
    told["sha256"] = total.hexdigest()
    save_file(weights, path, told)
    with pytest.raises(ValueError, match=r"earlier ones are rewritten by python -m study\.migrate"):
        load_weights(path)
    assert migrate.main([str(tmp_path)]) == 0
    assert path.read_bytes() == new and load_weights(path)[:2] == (run, names)
    assert not migrate.migrate_weights(path)

    save_file(weights | {"tau": torch.zeros(1)}, path, told)
    assert migrate.main([str(tmp_path)]) == 1
    assert f"error: {path}: can't be read (its own sum is another" in capsys.readouterr().err
    path.write_bytes(b"no weights")
    assert migrate.main([str(tmp_path)]) == 1
    assert "(not a safetensors file" in capsys.readouterr().err


def test_what_is_committed_needs_no_rewriting(tmp_path: Path) -> None:
    """After a new option: `python -m study.migrate results`."""
    for path in sorted([*RESULTS.rglob("*.safetensors"), *RESULTS.rglob("growth.json")]):
        copy = Path(shutil.copy(path, tmp_path))
        rewrite = migrate.REWRITERS["growth.json" if path.suffix == ".json" else "*.safetensors"]
        assert not rewrite(copy), path


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
