"""The script for a borrowed GPU, rehearsed on a CPU: packed, run, brought back, tested."""

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from scnlib import checkpoint, records
from scnlib.paths import REPOSITORY
from study.speed import carried, gpu_tables, on_gpu
from tests.tiny_runs import cases

TINY = "size=16 batch=4 iterations=6 validations=2 bf16=false".split()
# What a machine for computing alone has, or what is carried to it.
THERE = {
    *("torch", "numpy", "scipy", "h5py", "pandas", "skimage", "safetensors"),
    *("pydantic", "nibabel", "medpy", "scnlib", "study"),
}


@pytest.fixture
def borrowed(tmp_path: Path, few_subjects: None, monkeypatch: pytest.MonkeyPatch):
    """The run command on the phantom, with tiny sizes, and training of a few subjects."""
    for module in (on_gpu, gpu_tables):
        monkeypatch.setattr(module, "RESERVE", 0.0)
    monkeypatch.setattr(on_gpu, "START", 0.0)
    monkeypatch.setattr(on_gpu, "load_split", lambda dataset, root, split: cases(split))

    def start(work: str, *options: str) -> int:
        where = ["--work", str(tmp_path / work), "--out", str(tmp_path / "out")]
        given = ["--dataset", "phantom", "--profile", "demo", "--size", "16", "--batch", "4"]
        return on_gpu.main(["run", *where, *given, "--device", "cpu", "--set", *TINY, *options])

    return start


def test_a_run_comes_back_in_slices_and_is_tested_at_home(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert borrowed("one", "--seconds", "0", "--runs", "scn:0") == 0
    assert not list(out.glob("*.pt*")), "the time was over"
    told = json.loads((out / "benchmark.json").read_text())["result"]
    assert [row["trouble"] for row in told] == ["the time was over"] * 3
    assert borrowed("one", "--runs") == 0
    for name in ("profile", "benchmark"):
        told = json.loads((out / f"{name}.json").read_text())["result"]
        assert all("trouble" not in row and row["machine"] for row in told)
    assert [row["method"] for row in told] == ["plain", "pce", "scn"]
    assert all(row["least_ms"] > 0 for row in told)

    # The first slice is cut off after four steps; a fresh machine goes on from what came back.
    skip = ["--skip", "profile", "benchmark"]
    advance = on_gpu.Training.advance

    def cut(self: on_gpu.Training) -> None:
        if self.state.iteration == 4:
            raise TimeoutError("the machine was taken away")
        advance(self)

    monkeypatch.setattr(on_gpu.Training, "advance", cut)
    monkeypatch.setattr(on_gpu, "COPY_SECONDS", 0.0)
    monkeypatch.setattr(on_gpu, "KEPT_BYTES", 2**20)
    monkeypatch.setattr("scnlib.training.LOG_EVERY", 2)
    assert borrowed("one", *skip, "--runs", "scn:0") == 1
    assert on_gpu.main(["finish", "--out", str(tmp_path), str(out / "scn-0.pt")]) == 1
    assert "4 of 6 iterations" in capsys.readouterr().err
    monkeypatch.setattr(on_gpu.Training, "advance", advance)
    assert borrowed("two", *skip, "--runs", "scn:0", "pce:1", "--resume", str(out)) == 0
    assert json.loads((out / "scn-0.pt.json").read_text())["from"] == 4
    pieces = carried.pieces_of(out / "scn-0.pt")
    assert len(pieces) > 2 and all(piece.stat().st_size <= 2**20 for piece in pieces)

    home = ["finish", "--out", str(tmp_path / "results")]
    assert on_gpu.main([*home, str(out / "scn-0.pt"), str(out / "pce-1.pt")]) == 0
    for method, seed in (("scn", 0), ("pce", 1)):
        record = records.read(tmp_path / "results" / "demo" / "phantom" / method / f"seed{seed}")
        assert record.summary["volumes"] == 2 and record.step == "eager"
    assert on_gpu.main([*home, str(out / "scn-0.pt")]) == 1  # never tested twice


def test_a_record_tells_of_the_machine_that_trained(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scnlib.provenance.hardware", lambda device: "a borrowed GPU")
    assert borrowed("work", "--skip", "profile", "benchmark", "--runs", "pce:0") == 0
    monkeypatch.setattr("scnlib.provenance.hardware", lambda device: "a laptop")
    arguments = ["--out", str(tmp_path / "home"), str(tmp_path / "out" / "pce-0.pt")]
    assert on_gpu.main(["finish", *arguments]) == 0
    record = records.read(tmp_path / "home" / "demo" / "phantom" / "pce" / "seed0")
    assert record.hardware == "a borrowed GPU"
    assert "hardware changed on the way: a borrowed GPU then a laptop" in record.notes


def test_trouble_in_the_benchmark_does_not_keep_the_training(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise torch.OutOfMemoryError("4 GB are too few")

    monkeypatch.setattr(gpu_tables, "method_step", broken)
    assert borrowed("work", "--runs", "pce:0") == 0
    (profiled,) = json.loads((tmp_path / "out" / "profile.json").read_text())["result"]
    assert profiled["trouble"] == "OutOfMemoryError: 4 GB are too few"
    plain, *others = json.loads((tmp_path / "out" / "benchmark.json").read_text())["result"]
    assert plain["least_ms"] > 0 and all("trouble" in row for row in others)
    assert carried.pieces_of(tmp_path / "out" / "pce-0.pt")


def test_trouble_in_one_run_does_not_keep_the_other(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    advance = on_gpu.Training.advance

    def broken(self: on_gpu.Training) -> None:
        if self.run.method == "scn" and self.state.iteration == 2:
            raise torch.OutOfMemoryError("4 GB are too few")
        advance(self)

    monkeypatch.setattr(on_gpu.Training, "advance", broken)
    monkeypatch.setattr("scnlib.training.LOG_EVERY", 2)
    monkeypatch.setattr("scnlib.training.CHECKPOINT_SECONDS", 0.0)
    assert borrowed("work", "--runs", "scn:0", "pce:0", "--skip", "profile") == 1
    out = tmp_path / "out"
    assert "not finished: scn:0 (OutOfMemoryError: 4 GB" in capsys.readouterr().err
    assert json.loads((out / "pce-0.pt.json").read_text())["iteration"] == 6
    assert (out / "benchmark.json").exists()
    (tmp_path / "scn.pt").write_bytes(carried.joined(out / "scn-0.pt"))
    assert checkpoint.contents(tmp_path / "scn.pt")[1].iteration == 2, "what there was came back"


def test_when_the_time_is_over_a_row_is_closed_first(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scnlib.training.LOG_EVERY", 3)
    clock = iter(range(1000))
    monkeypatch.setattr(on_gpu.time, "monotonic", lambda: 10.0 * next(clock))
    skip = ["--skip", "profile", "benchmark"]
    assert borrowed("work", *skip, "--runs", "pce:0", "--seconds", "60") == 0
    told = json.loads((tmp_path / "out" / "pce-0.pt.json").read_text())
    assert told["iteration"] == 3 and [row["iteration"] for row in told["curve"]] == [3]


def test_a_run_that_departs_from_its_profile_is_no_row_of_the_study(
    borrowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert borrowed("work", "--skip", "profile", "benchmark", "--runs", "pce:0") == 0
    monkeypatch.setattr(on_gpu, "RESULTS", tmp_path / "results")
    words = ["--out", str(tmp_path / "results"), str(tmp_path / "out" / "pce-0.pt")]
    assert on_gpu.main(["finish", *words]) == 1
    assert "departs from profile demo (--set)" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    (tmp_path / "whole.pt").write_bytes(carried.joined(tmp_path / "out" / "pce-0.pt"))
    run, _, _ = checkpoint.contents(tmp_path / "whole.pt")
    today = replace(run, compared=replace(run.compared, s2l_passes="late"))
    monkeypatch.setattr(on_gpu, "make_run", lambda *which: today)
    assert on_gpu.main(["finish", *words]) == 0, "another method's option is no departure"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--runs", "scn:0", "--resume", "nowhere"], "no checkpoint of scn:0"),
        (["--runs", "scn:0", "scm:0"], "unknown method 'scm'"),
        (["--runs", "scn:0", "pce"], "METHOD:SEED"),
        (["--runs", "scn:0", "--set", "optimiser=sdg"], "optimiser"),
    ],
)
def test_what_can_not_be_trained_is_said_before_any_time_is_spent(
    borrowed, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert borrowed("work", *words) == 1
    (error,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert why in error and not (tmp_path / "out").exists()


def test_a_word_of_the_profile_needs_no_quotes(borrowed, tmp_path: Path) -> None:
    skip = ["--skip", "profile", "benchmark"]
    assert borrowed("work", *skip, "--runs", "pce:0", "--set", *TINY, "optimiser=sgd") == 0
    (tmp_path / "whole.pt").write_bytes(carried.joined(tmp_path / "out" / "pce-0.pt"))
    run, _, _ = checkpoint.contents(tmp_path / "whole.pt")
    assert run.profile.optimiser == "sgd"


def test_a_damaged_checkpoint_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["finish", "--out", str(tmp_path), str(tmp_path / "scn-0.pt")]
    for content, why in (
        (b"", "scn-0.pt.00: no such file"),
        (b"cut off", "scn-0.pt: not a readable"),
    ):
        carried.divide(content, tmp_path / "scn-0.pt", 4)
        assert on_gpu.main(words) == 1
        (error,) = capsys.readouterr().err.splitlines()
        assert why in error


def test_pieces_are_joined_as_they_were_divided_and_old_ones_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "kept.pt"
    for content, lengths in ((b"0123456789", [4, 4, 2]), (b"01234567", [4, 4]), (b"0", [1])):
        carried.divide(content, path, 4)
        assert [len(piece.read_bytes()) for piece in carried.pieces_of(path)] == lengths
        assert carried.joined(path) == content


def test_the_pieces_hold_what_is_trained_on_and_no_test_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "ACDC" / "volumes"
    folder.mkdir(parents=True)
    (tmp_path / "disk.h5").touch()
    (folder / "val.h5").symlink_to(tmp_path / "disk.h5")
    asked = []

    def load_split(dataset: str, root: Path, split: str) -> list:
        asked.append(split)
        with h5py.File(folder / f"{split}.h5", "w") as file:
            file["image"] = np.random.default_rng(0).random((30, 30))
        return [replace(cases("train")[0], source=str(folder / f"{split}.h5"))]

    monkeypatch.setattr(carried, "load_split", load_split)
    monkeypatch.setattr(carried, "fingerprint", lambda *_: {"sha256": "of the whole"})
    to = tmp_path / "carried"
    words = ["--data", str(tmp_path / "data"), "--to", str(to), "--piece-mb", "0.005"]
    assert on_gpu.main(["pack", *words]) == 0
    assert asked == ["train", "val"]
    pieces = sorted(to.iterdir())
    assert len(pieces) > 1 and all(piece.stat().st_size <= 0.005 * 2**20 for piece in pieces)
    work = tmp_path / "work"
    work.mkdir()
    there = carried.unpack(to, work)
    assert json.loads((there / carried.DATA).read_text()) == {"sha256": "of the whole"}
    for split in asked:
        name = f"ACDC/volumes/{split}.h5"
        assert (there / name).read_bytes() == (tmp_path / "data" / name).read_bytes()
        assert not (there / name).is_symlink()
    assert carried.unpack(tmp_path / "nowhere", work) == there  # it is there already
    pieces[-1].unlink()
    (tmp_path / "third").mkdir()
    with pytest.raises(ValueError, match=r"data\.tar\.xz: \d+ pieces do not make .* carry all of"):
        carried.unpack(to, tmp_path / "third")
    with pytest.raises(FileNotFoundError, match=r"data\.tar\.xz\.00: no such file"):
        carried.unpack(tmp_path / "nowhere", tmp_path / "other")


def test_the_files_of_a_split_may_lie_in_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.nii.gz").touch()
    split = tmp_path / "clinic" / "train"
    split.mkdir(parents=True)
    (split / "images").symlink_to(tmp_path / "disk")
    (split.parent / "dataset.toml").touch()
    expected = [split / "images" / "a.nii.gz", split.parent / "dataset.toml"]
    assert carried._files(expected[0]) == expected


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run", "--work", "W", "--out", "O", "--skip", "all"], "invalid choice"),
        (["finish"], "required"),
        (["start"], "invalid choice"),
    ],
)
def test_wrong_usage_is_one_line(words, why, capsys) -> None:
    with pytest.raises(SystemExit):
        on_gpu.main(words)
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and why in told


def test_a_tilde_is_the_home_folder_here_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    options = on_gpu.parse(["finish", "--out=~/x", "--data=~/y", "~/a.pt", "~b.pt"])
    assert (options.out, options.data) == (tmp_path / "x", tmp_path / "y")
    assert options.checkpoints == [tmp_path / "a.pt", Path("~b.pt")]


def test_a_run_is_written_as_method_and_seed(tmp_path, borrowed, capsys) -> None:
    assert borrowed("work", "--runs", "scn", "--skip", "profile", "benchmark") == 1
    assert "METHOD:SEED" in capsys.readouterr().err


def test_nothing_is_imported_that_the_machine_lacks() -> None:
    """In all that the script's imports lead to."""
    left, seen, wanted = ["study.speed.on_gpu", *METHOD_FILES], set(), set()
    while left:
        name = left.pop()
        path = REPOSITORY.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not path.exists():
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
            else:
                continue
            left += found
            wanted |= {one.split(".")[0] for one in found}
    assert wanted <= THERE | set(sys.stdlib_module_names)


METHOD_FILES = [f"scnlib.methods.{p.stem}" for p in (REPOSITORY / "scnlib/methods").glob("*.py")]
