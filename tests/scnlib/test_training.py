"""The training loop: which batches it draws, and what it refuses before it starts."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scnlib import training
from scnlib.data import Case, batches, stack
from scnlib.inference import label_volume
from scnlib.methods.base import Now
from scnlib.training import Training, train
from tests.tiny_runs import begin, cases, same, serve, spy_on_batches, tiny, without

pytestmark = pytest.mark.usefixtures("few_subjects")


def test_what_was_read_to_train_on_is_let_go_before_more_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[weakref.ref[Case]] = []

    def load_split(dataset: str, root: Path | None, split: str) -> list[Case]:
        gc.collect()
        assert not any(case() for case in read)
        copies = [replace(case) for case in cases(split)]
        read.extend(weakref.ref(case) for case in copies)
        return copies

    monkeypatch.setattr(training, "load_split", load_split)
    begun = begin(tiny(), tmp_path)
    assert len(read) == len(cases("train")) + len(cases("val"))
    assert len(begun.val_cases) == len(cases("val"))


# Batches


def test_no_slice_is_repeated_or_skipped_in_an_epoch(tmp_path: Path) -> None:
    run = tiny(iterations=100, validations=1)
    begun = begin(run, tmp_path)
    slices = len(begun.data.images)
    epoch = slices // 4
    seen = spy_on_batches(begun)
    for _ in range(3):
        begun.advance()
    begun.save()
    begun = begin(run, tmp_path)
    later = spy_on_batches(begun)
    for _ in range(2 * epoch - 3):
        begun.advance()
    drawn = seen + later
    assert [len(batch) for batch in drawn] == [4] * (2 * epoch)
    for first in (0, epoch):
        indices = [index for batch in drawn[first : first + epoch] for index in batch]
        assert len(set(indices)) == len(indices) == 4 * epoch
        assert set(indices) <= set(range(slices))
    assert drawn[:epoch] != drawn[epoch:]


def test_a_last_batch_of_one_slice_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """25 slices of 16 x 16: after 24 of them, four poolings would leave BatchNorm one number."""
    whole = cases("train")
    images = np.concatenate([case.image for case in whole])[:25]
    scribbles = np.concatenate([case.scribble for case in whole if case.scribble is not None])[:25]
    case = replace(whole[0], image=images, scribble=scribbles, label=None)
    serve(monkeypatch, train=[case], val=[])
    begun = begin(tiny(iterations=3, batch=24, validations=1), tmp_path)
    seen = spy_on_batches(begun)
    for _ in range(3):
        begun.advance()
    assert [len(batch) for batch in seen] == [24, 24, 24]
    assert all(len(set(batch)) == 24 for batch in seen)

    one, all_but_one = (label_volume(begun.predict, images, 16, batch) for batch in (1, 24))
    assert one.shape == images.shape
    assert np.array_equal(one, all_but_one)

    serve(monkeypatch, train=[replace(case, image=images[:3], scribble=scribbles[:3])])
    with pytest.raises(ValueError, match="3 training slices do not fill a batch of 4"):
        begin(tiny(), tmp_path / "other")


def test_draws_do_not_depend_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, augmentation and rows of C; on a device without memory, where nothing can be drawn."""
    drawn: list[Tensor] = []
    affine = batches.random_affine

    def watched(*given: Any) -> Tensor:
        drawn.append(affine(*given))
        return drawn[-1]

    monkeypatch.setattr(batches, "random_affine", watched)
    runs = [Training(tiny("scn"), tmp_path, None, torch.device(name)) for name in ("cpu", "meta")]
    for begun in runs:
        for _ in range(2):
            batch, begun.state.order = begun.data.draw(begun.state.order, begun.generator)
            assert batch.image.device == begun.device
            begun.method.draw(batch.image.shape, Now(0, 10, begun.generator))
    here, there = runs
    assert same(drawn[:2], drawn[2:])
    assert here.state.order == there.state.order
    assert here.generator.device.type == there.generator.device.type == "cpu"
    assert torch.equal(here.generator.get_state(), there.generator.get_state())


# Refused before anything is trained


def test_full_supervision_without_masks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scribbles are never taken for masks."""
    serve(monkeypatch, train=without("train", label=None))
    with pytest.raises(ValueError, match=r"method full needs a full mask.*phantom001_ED"):
        train(tiny("full"), tmp_path / "run", device="cpu")
    serve(monkeypatch, train=[*cases("train")[:3], *without("train", label=None)[3:]])
    with pytest.raises(ValueError, match=r"method full needs a full mask.*phantom004_ED"):
        train(tiny("full"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["pce", "cale", "scn"])
def test_scribble_supervision_without_scribbles_is_refused(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, train=without("train", scribble=None))
    with pytest.raises(ValueError, match=r"scribble of every volume.*phantom001_ED"):
        train(tiny(method), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_full_supervision_needs_no_scribbles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, train=without("train", scribble=None))
    assert train(tiny("full"), tmp_path, device="cpu").summary["volumes"] == 2


@pytest.mark.parametrize("method", ["pce", "scn", "full"])
def test_masks_are_given_to_full_supervision_alone(method: str, tmp_path: Path) -> None:
    data = stack(cases("train"), 16, "keep")
    marks = data.label if method == "full" else data.scribble
    assert marks is not None
    assert torch.equal(begin(tiny(method), tmp_path).data.scribbles, torch.from_numpy(marks))


def test_unknown_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'unet'.*pce"):
        train(tiny("unet"), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
