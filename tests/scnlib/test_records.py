"""What a run leaves behind: written whole or not at all, and never read back damaged."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scnlib import files, provenance, records, schema
from scnlib.files import replace_text, sha256
from scnlib.paths import RESULTS, run_folder
from study.experiments import make_run
from tests.holding import held_by_another
from tests.sample_record import CURVE, LABELS, METRICS, write


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = make_run("phantom", "cale", seed=2, variant="channelwise")
    written = write(tmp_path / "deep" / "folder", run)
    record = records.read(str(tmp_path / "deep" / "folder"))
    assert record.run == run
    assert record.folder == tmp_path / "deep" / "folder"
    assert record.code_version == "abc then def" and record.notes == ["a note"]
    assert record.summary["dice"] == {"mean": 0.625}
    assert np.isnan(record.summary["hd95_mm"]["mean"])  # no number stays no number
    assert record.validation == written.validation
    pd.testing.assert_frame_equal(record.curve, CURVE)
    pd.testing.assert_frame_equal(record.metrics, METRICS)
    assert record.metrics is record.metrics  # read once
    assert set(record.files) == {"curve.csv", "metrics.csv", "predictions.h5"}
    assert {"python", "torch", "numpy"} <= set(record.versions)
    assert records.is_done(tmp_path / "deep" / "folder")


def test_predictions_come_back_as_they_were(tmp_path: Path) -> None:
    record = write(tmp_path)
    prediction = record.prediction("a_ED")
    assert prediction.dtype == np.uint8
    assert np.array_equal(prediction, LABELS)
    with pytest.raises(ValueError, match=r"predictions\.h5: holds no volume b_ED"):
        record.prediction("b_ED")


def test_a_run_that_is_not_tested_has_no_metrics(tmp_path: Path) -> None:
    record = write(tmp_path, tested=False)
    assert record.metrics.empty and record.summary == {}
    assert set(record.files) == {"curve.csv"}
    with pytest.raises(ValueError, match=r"predictions\.h5: not there"):
        record.prediction("a_ED")


def test_names_in_metrics_stay_text(tmp_path: Path) -> None:
    names = ["NA", "001", "01", "1", "nan", "None"]
    frame = pd.DataFrame(
        {
            "volume": [f"{name}_1e3" for name in names],
            "subject": names,
            "frame": "1e3",
            "structure": "NA",
            "dice": [0.5, 0.25, 1.0, float("nan"), 0.0, 0.125],
        }
    )
    record = write(tmp_path, metrics=frame)
    pd.testing.assert_frame_equal(record.metrics, frame)
    assert len(set(record.metrics["subject"])) == len(names)


# Damage


def edit(change: Callable[[Any], Any]) -> Callable[[Path], object]:
    """Damage that changes record.json's content, its own sum set right."""

    def damage(path: Path) -> None:
        content = change(json.loads(path.read_text()))
        if isinstance(content, dict):
            content.pop("sha256", None)
            content["sha256"] = schema._sum(content)
        path.write_text(json.dumps(content))

    return damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: list[tuple[str, str, Callable[[Path], object]]] = [
    ("curve.csv", "missing", Path.unlink),
    ("curve.csv", "changed", cut),
    ("metrics.csv", "missing", Path.unlink),
    (
        "metrics.csv",
        "changed",
        lambda p: p.write_text(p.read_text().replace("0.5", "0.9")) and None,
    ),
    ("predictions.h5", "missing", Path.unlink),
    ("predictions.h5", "changed", turn_a_bit),
    ("predictions.h5", "changed", lambda p: p.write_bytes(b"")),
    ("record.json", "has not finished", Path.unlink),
    ("record.json", "not a readable", cut),
    ("record.json", "not a readable", lambda p: p.write_bytes(b"\xff\xfe\x00")),
    ("record.json", "not a readable", lambda p: p.write_text("")),
    ("record.json", "its own sum", lambda p: p.write_text(p.read_text().replace("625", "635"))),
    ("record.json", "reads version 2", edit(lambda c: c | {"schema": 3})),
    ("record.json", "profile has no name", edit(lambda c: c | {"run": c["run"] | {"profile": {}}})),
    ("record.json", "threads", edit(lambda c: c | {"threads": "many"})),
    ("record.json", "not a readable", edit(lambda c: [c])),
    ("record.json", "not a readable", edit(lambda c: None)),
    ("record.json", "not a readable", edit(lambda c: c | {"colour": "red"})),
    ("record.json", "not a readable", edit(lambda c: c | {"run": c["run"] | {"colour": "red"}})),
    ("record.json", "not a readable", edit(lambda c: c | {"run": c["run"] | {"seed": "0"}})),
    ("record.json", "not a readable", edit(lambda c: c | {"files": ["curve.csv"]})),
    ("record.json", "not a readable", edit(lambda c: {k: v for k, v in c.items() if k != "run"})),
    ("record.json", "not a readable", edit(lambda c: {k: c[k] for k in ("run", "summary")})),
]


@pytest.mark.parametrize(("name", "what", "damage"), DAMAGE)
def test_damage_names_the_file(
    name: str, what: str, damage: Callable[[Path], object], tmp_path: Path
) -> None:
    write(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ValueError) as caught:
        records.read(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ") and what in message
    assert "\n" not in message
    assert not records.is_done(tmp_path)


def test_other_files_beside_a_record_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "progress.json").write_text("{")
    (tmp_path / "notes.txt").write_text("mine")
    assert records.is_done(tmp_path)


# Versions of the format


def test_another_version_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "record.json"
    content = json.loads(path.read_text())
    without = {k: v for k, v in content.items() if k not in ("schema", "sha256")}
    earlier = (
        r"record\.json: of an earlier version \(it has version 1\): .*study\.migrate .* rewrites"
    )
    for other, says in (
        (without, earlier),
        (without | {"schema": 3}, r"record\.json: .*of version 3, and this .* 2: update it"),
        (without | {"sha256": "00"}, r"record\.json: .*of version 1, and"),  # none had a sum
    ):
        path.write_text(json.dumps(other))
        with pytest.raises(ValueError, match=says):
            records.read(tmp_path)


def test_an_option_that_came_later_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "record.json"
    content = json.loads(path.read_text())
    del content["run"]["profile"]["strokes"], content["sha256"]
    path.write_text(json.dumps(content | {"sha256": schema._sum(content)}))
    says = (
        r"of an earlier version \(profile has no strokes\): python -m study\.migrate .* rewrites it"
    )
    with pytest.raises(ValueError, match=says):
        records.read(tmp_path)


def test_committed_records_are_of_the_current_version_and_say_every_option() -> None:
    """After a new option: `python -m study.migrate results`."""
    paths = sorted(RESULTS.rglob("record.json"))
    assert paths
    for path in paths:
        text = path.read_text(encoding="utf-8")
        content = schema.from_text(text)
        assert schema.to_text(content) == text, path


# Written whole or not at all


def test_the_record_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, text: str) -> None:
        assert path.name == "record.json"
        for name, expected in json.loads(text)["files"].items():
            assert sha256(path.parent / name) == expected
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "replace_text", killed)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"curve.csv", "metrics.csv", "predictions.h5"}
    assert not records.is_done(tmp_path)
    monkeypatch.undo()
    write(tmp_path)
    assert records.is_done(tmp_path)


def test_predictions_that_another_process_holds_are_read(tmp_path: Path) -> None:
    """As on a file system that has no locks, which HDF5 would ask for."""
    record = write(tmp_path)
    with held_by_another(tmp_path / "predictions.h5"):
        np.testing.assert_array_equal(record.prediction("a_ED"), LABELS)


def test_a_text_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress.json"
    replace_text(path, "old")
    replace = files.os.replace

    def killed(source: Path, target: Path) -> None:
        assert source.read_text() == "new" and target.read_text() == "old"
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_text(path, "new")
    assert path.read_text() == "old"
    monkeypatch.setattr(files.os, "replace", replace)
    replace_text(path, "new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["progress.json"]


def test_ends_of_lines_are_no_damage(tmp_path: Path) -> None:
    record = write(tmp_path)
    for name in ("record.json", "curve.csv", "metrics.csv"):
        content = (tmp_path / name).read_bytes()
        assert b"\r" not in content
        (tmp_path / name).write_bytes(content.replace(b"\n", b"\r\n"))
    again = records.read(tmp_path)
    assert again.summary["dice"] == record.summary["dice"]
    pd.testing.assert_frame_equal(again.metrics, METRICS)
    pd.testing.assert_frame_equal(again.curve, CURVE)


def test_git_is_told_to_change_no_end_of_line() -> None:
    if not shutil.which("git"):
        pytest.skip("no git")
    ask = ["git", "check-attr", "eol", "binary", "--"]
    for name, expected in (("a.csv", "eol: lf"), ("a.h5", "binary: set"), ("a.png", "binary: set")):
        done = subprocess.run(
            [*ask, name], cwd=provenance.REPOSITORY, capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip("not a git repository")
        assert f"{name}: {expected}" in done.stdout


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """git's command in a repository with one commit, which is empty."""
    if not shutil.which("git"):
        pytest.skip("no git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # no signature, no hook of the user's
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "outer"]):
        subprocess.run([*git, *words], check=True)
    return git


def test_an_outer_repository_does_not_lend_its_commit(tmp_path: Path, git, monkeypatch) -> None:
    study = tmp_path / "unpacked" / "study"
    (study / "scnlib").mkdir(parents=True)
    monkeypatch.setattr(provenance, "REPOSITORY", study)
    assert provenance.code_version().startswith("sha256:")
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    outer = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert provenance.code_version() == outer.stdout.strip()
    (tmp_path / "scnlib").mkdir()
    said = set()
    for text in ("1", "2"):  # changed, each in its own way
        (tmp_path / "scnlib" / "a.py").write_text(text)
        said.add(provenance.code_version())
    assert len(said) == 2
    assert all(version.startswith(f"{outer.stdout.strip()}+changed:") for version in said)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setattr(provenance, "REPOSITORY", study)
    assert provenance.code_version().startswith("sha256:")


def test_neither_a_hooks_variables_nor_a_configuration_move_the_code(
    tmp_path: Path, git, monkeypatch
) -> None:
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    (tmp_path / "scnlib").mkdir()
    (tmp_path / "scnlib" / "a.py").write_text("1")
    for words in (["add", "scnlib"], ["commit", "-q", "-m", "code"]):
        subprocess.run([*git, *words], check=True)
    committed = provenance.code_version()
    assert len(committed) == 40
    for name, value in (("GIT_INDEX_FILE", "none"), ("GIT_WORK_TREE", str(tmp_path.parent))):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert provenance.code_version() == committed
    subprocess.run([*git, "config", "status.showUntrackedFiles", "no"], check=True)
    (tmp_path / "scnlib" / "new.py").write_text("2")
    assert provenance.code_version().startswith(f"{committed}+changed:")


def test_variants_stand_apart() -> None:
    out = Path("out")
    assert run_folder(out, "cpu", "acdc", "scn", 2) == Path("out/cpu/acdc/scn/seed2")
    assert run_folder(out, "cpu", "acdc", "scn", 2, "sgd") == Path(
        "out/cpu/variants/sgd/acdc/scn/seed2"
    )


# The record that a training may be taken from


def test_a_record_of_another_configuration_is_named_with_what_differs(tmp_path: Path) -> None:
    run = make_run("phantom", "scn", lr=0.01)
    assert records.finished(run, tmp_path) is None
    write(tmp_path, run)
    record = records.finished(run, tmp_path)
    assert record is not None and record.run == run
    with pytest.raises(ValueError) as caught:
        records.finished(make_run("phantom", "scn", seed=1), tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'record.json'}: of another configuration ")
    assert "(profile.lr is 0.01, not 0.001, seed is 0, not 1)" in message
    assert f"delete {tmp_path}, or " in message and "--out" in message
    assert "\n" not in message
