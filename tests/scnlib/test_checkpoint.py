"""The checkpoint: what it holds, when it is refused, and what is kept of the best weights."""

import errno
import hashlib
import io
import os
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scnlib import checkpoint, files, records, training
from scnlib.checkpoint import write_sealed
from scnlib.config import ComparedOptions, Run
from scnlib.files import held
from scnlib.methods.base import Losses
from scnlib.methods.pce import PCE
from scnlib.training import Training, train
from tests.tiny_runs import begin, cases, same, serve, tiny

pytestmark = pytest.mark.usefixtures("few_subjects")


def test_checkpoint_with_numpy_scalars_loads_as_weights_only(tmp_path: Path) -> None:
    run = tiny(iterations=8)
    begun = begin(run, tmp_path)
    begun.advance()
    state: Any = begun.state
    state.iteration = np.int64(1)
    state.validation = [{"iteration": np.int64(1), "dice": np.float64(0.87)}]
    state.best = {"iteration": np.int64(1), "dice": np.float64(0.87), "weights": {}}
    state.seconds = np.float32(0.5)
    begun.save()
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]
    assert content["best"] == {"iteration": 1, "dice": 0.87, "weights": {}}
    assert content["validation"] == [{"iteration": 1, "dice": 0.87}]
    again = begin(run, tmp_path)
    assert (again.state.iteration, again.state.seconds) == (1, 0.5)
    assert type(again.state.best["dice"]) is float


def test_checkpoint_that_could_run_code_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    run, path = tiny(), tmp_path / "checkpoint.pt"
    torch.save({"run": run.to_json(), "state": Path("anything")}, path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: not a readable checkpoint"):
        begin(run, tmp_path)
    path.unlink()
    begin(run, tmp_path).save()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"checkpoint\.pt: not a readable checkpoint"):
        begin(run, tmp_path)


def test_a_turned_bit_in_a_checkpoint_is_found(tmp_path: Path) -> None:
    run, path = tiny(), tmp_path / "checkpoint.pt"
    begin(run, tmp_path).save()
    whole = path.read_bytes()
    places = np.random.default_rng(0).integers(0, len(whole), 40).tolist()
    for place in [0, len(whole) - 1, len(whole) - 33, *places]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"checkpoint\.pt: not a readable checkpoint"):
            begin(run, tmp_path)
    path.write_bytes(whole)
    assert begin(run, tmp_path).state.iteration == 0


def test_a_checkpoint_is_the_archive_and_its_sum_and_never_in_memory_as_a_whole(
    tmp_path: Path,
) -> None:
    path, archive = tmp_path / "checkpoint.pt", io.BytesIO()
    begin(tiny(), tmp_path).save()
    content = torch.load(path, weights_only=True)
    torch.save(content, archive)
    bare = archive.getvalue()[:-2]
    assert path.read_bytes() == bare + b"\x20\0" + hashlib.sha256(bare).digest()
    for action in (lambda: write_sealed(content, path), lambda: checkpoint.contents(path)):
        tracemalloc.start()  # which counts bytes objects, and no tensors
        action()
        assert tracemalloc.get_traced_memory()[1] < len(bare) / 2
        tracemalloc.stop()


def test_ctrl_c_in_the_middle_of_a_checkpoint_stays_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch then says of the archive that it closes that something is missing."""

    class Interrupted(io.BufferedRandom):
        written = 0

        def write(self, content: Any) -> int:
            self.written += len(content)
            if self.written > 1_000_000:
                raise KeyboardInterrupt
            return super().write(content)

    begun = begin(tiny(), tmp_path)
    begun.save()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    opened = lambda path, mode: Interrupted(io.FileIO(path, mode.replace("b", "")))  # noqa: E731
    monkeypatch.setattr(checkpoint, "open", opened, raising=False)
    with pytest.raises(KeyboardInterrupt):
        begun.save()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [lambda n: 0, lambda n: n // 2, lambda n: n - 34, lambda n: n - 1])
def test_a_full_disk_keeps_the_checkpoint_before_and_leaves_no_part(
    room: Callable[[int], int], tmp_path: Path
) -> None:
    """Also where torch, on its way out, says something else of the part that it has written.

    Of the archive's n bytes and its sum's 34 the last is the first that finds no room.
    """
    begun = begin(tiny(), tmp_path)
    begun.advance()  # from now on the optimiser has a state, and a checkpoint its full size
    begun.save()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    begun.state.seconds += 1

    with (
        room_for(room(len(before))),
        pytest.raises(ValueError, match=r"checkpoint\.pt: can't be written \(File too large"),
    ):
        begun.save()
    assert not [*tmp_path.glob(".*")]
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    begun.save()
    assert begin(tiny(), tmp_path).state.iteration == 1


@pytest.mark.parametrize("part", ["run", "state", "method", "optimiser"])
def test_checkpoint_of_another_version_of_the_code_is_named(part: str, tmp_path: Path) -> None:
    run, path = tiny(), tmp_path / "checkpoint.pt"
    begin(run, tmp_path).save()
    content = torch.load(path, weights_only=True)
    unknown = {"colour": "red"}
    content[part] = '{"colour": "red"}' if part == "run" else unknown
    write_sealed(content, path)
    with pytest.raises(
        ValueError, match=r"checkpoint\.pt: of another version of this code"
    ) as caught:
        begin(run, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_that_another_process_just_finished_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = tiny(), tmp_path / "run"
    make = Training.__init__

    def slow(self: Training, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        with monkeypatch.context() as patch:  # meanwhile the other process trains
            patch.setattr(Training, "__init__", make)
            train(run, folder)
        monkeypatch.setattr(Training, "advance", None)

    monkeypatch.setattr(Training, "__init__", slow)
    assert train(run, folder).summary == records.read(folder).summary


def test_two_processes_do_not_train_the_same_run(tmp_path: Path) -> None:
    run, folder = tiny(), tmp_path / "run"
    with held(folder):
        with pytest.raises(ValueError, match=r"run: another process trains this run"):
            train(run, folder)
        train(run, tmp_path / "other")
    assert train(run, folder).run == run


def test_where_no_folder_can_be_locked_a_file_in_it_is(tmp_path: Path, monkeypatch) -> None:
    flock = files.fcntl.flock

    def as_on_nfs(place: int, how: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{place}"):
            raise OSError(errno.EBADF, "not open for writing")
        flock(place, how)

    monkeypatch.setattr(files.fcntl, "flock", as_on_nfs)
    with held(tmp_path), pytest.raises(ValueError, match="another process trains this run"):
        with held(tmp_path):
            raise AssertionError("both have it")
    with held(tmp_path):
        pass


def test_other_data_are_told_before_weights_that_do_not_fit(tmp_path: Path, monkeypatch) -> None:
    data = {"sha256": "of the first"}
    monkeypatch.setattr(training, "fingerprint", lambda *_: data)
    begin(tiny(), tmp_path).save()
    more = [replace(case, classes=(*case.classes, "scar")) for case in cases("train")]
    serve(monkeypatch, train=more, val=more)
    data = {"sha256": "of others"}
    with pytest.raises(ValueError, match=r"checkpoint\.pt: the data of phantom have changed"):
        begin(tiny(), tmp_path)


def test_a_checkpoint_between_validations_closes_a_row(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(training, "write_progress", lambda *_: None)  # which takes its time
    begun, path = begin(tiny(iterations=25, validations=1), tmp_path), tmp_path / "checkpoint.pt"
    for step in range(1, 21):
        begun.advance()
        kept = checkpoint.contents(path)[1].iteration if path.exists() else 0
        assert kept == step // 10 * 10
    seconds = [row["seconds"] for row in begun.state.curve]
    assert seconds[-1] == pytest.approx(begun.state.seconds, abs=0.002), "the last step's, too"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_hindrance(tmp_path: Path, monkeypatch, number) -> None:
    monkeypatch.setattr(files.fcntl, "flock", mock.Mock(side_effect=OSError(number, "no locks")))
    with held(tmp_path):
        (tmp_path / "checkpoint.pt").touch()


@pytest.mark.parametrize(
    "other", [tiny("cale"), tiny(lr=0.01), replace(tiny(), seed=1), replace(tiny(), variant="x")]
)
def test_checkpoint_of_another_configuration_is_refused(other: Run, tmp_path: Path) -> None:
    begin(tiny(), tmp_path).save()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=r"checkpoint\.pt: of another configuration"):
        train(other, tmp_path, device="cpu")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_goes_on_where_what_differs_has_no_part_in_its_run(tmp_path: Path) -> None:
    begin(tiny(), tmp_path).save()
    other = replace(tiny(), compared=ComparedOptions(fddseg_rest="unlabelled"))
    assert begin(other, tmp_path).state.iteration == 0
    assert train(other, tmp_path, device="cpu").run == other


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = begin(tiny(), tmp_path)
    begun.advance()
    begun.advance()  # validates, and so saves
    before = (tmp_path / "checkpoint.pt").read_bytes()
    loss = PCE.loss

    def broken(self: PCE, batch: Any, now: Any) -> tuple[Tensor, Losses]:
        total, parts = loss(self, batch, now)
        return total * float("nan"), parts

    monkeypatch.setattr(PCE, "loss", broken)
    with pytest.raises(ValueError, match="the loss is nan at iteration 4"):
        train(tiny(), tmp_path, device="cpu")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    monkeypatch.setattr(PCE, "loss", loss)
    assert train(tiny(), tmp_path, device="cpu").validation["last"]["iteration"] == 4


def test_what_a_kill_while_saving_left_is_removed(tmp_path: Path) -> None:
    """Also where no checkpoint was finished yet; nothing else in the folder is touched."""
    names = ("checkpoint.pt", "progress.json", *records.FILES, "record.json")
    stale = [tmp_path / f".{name}.4711" for name in names]
    for path in stale:
        path.write_bytes(b"half")
    (tmp_path / "progress.json").write_text("{}")
    begin(tiny(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    begin(tiny(), tmp_path).save()
    stale[0].write_bytes(b"half")
    begin(tiny(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "progress.json"}


# State that training needs and prediction does not


class Remembering(PCE):
    """PCE with a teacher and a count that only training needs, and a twin that prediction needs."""

    memory: ClassVar[tuple[str, ...]] = ("teacher", "count")
    count: Tensor

    def __init__(self, run: Run, classes: int, bf16: bool = False) -> None:
        super().__init__(run, classes, bf16)
        self.teacher = nn.Linear(2, 2)
        self.teachers = nn.Linear(2, 2)  # its name only begins with the other's
        self.register_buffer("count", torch.zeros(1))


def test_memory_is_in_the_checkpoint_and_not_kept_with_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scnlib.training.get_method", lambda name: Remembering)
    begun = begin(tiny(), tmp_path)
    begun.advance()
    begun.method.get_buffer("count").fill_(3)
    begun.advance()  # validates, and so saves
    memory = {"teacher.weight", "teacher.bias", "count"}
    kept = begun.state.best["weights"]
    assert begun.method.state_dict().keys() - kept.keys() == memory
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert memory <= content["method"].keys()
    assert not memory & content["state"]["best"]["weights"].keys()
    again = begin(tiny(), tmp_path)
    assert same(dict(again.method.state_dict()), dict(begun.method.state_dict()))
    for _ in range(2):
        again.advance()
    assert again.finish().summary["volumes"] == 2


def test_only_memory_may_be_missing_from_the_best_weights() -> None:
    method = Remembering(tiny(), 4)
    kept = method.kept()
    for value in method.state_dict().values():
        value.fill_(7)
    method.restore(kept)
    state = method.state_dict()
    assert all(torch.equal(state[name], value) for name, value in kept.items())
    assert float(state["count"]) == 7  # left as it is
    with pytest.raises(RuntimeError, match=r"Missing key.*teachers\.bias"):
        less = {name: value for name, value in kept.items() if name != "teachers.bias"}
        method.restore(less)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*stranger"):
        method.restore(kept | {"stranger": torch.zeros(1)})
