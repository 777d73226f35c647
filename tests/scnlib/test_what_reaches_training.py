"""What a run asks for reaches the loop: its slices, its seed, its options, its hooks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from scnlib.data.batches import TrainingSet, stack
from tests.tiny_runs import CPU, advance, begin, cases, same, tiny

pytestmark = pytest.mark.usefixtures("few_subjects")


def test_a_batch_is_the_slices_that_were_drawn_each_with_its_own_scribble(tmp_path: Path) -> None:
    data, index = begin(tiny(), tmp_path).data, torch.tensor([5, 2, 7, 0])
    identity = torch.eye(2, 3).expand(4, 2, 3)
    batch, turn = data.augmented(index, identity), data.augmented(index, -identity)  # a half turn
    assert torch.equal(batch.scribble, data.scribbles[index].long())
    torch.testing.assert_close(batch.image[:, 0], data.images[index])
    assert torch.equal(turn.affine, -identity)
    assert torch.equal(turn.scribble, batch.scribble.flip(1, 2))
    torch.testing.assert_close(turn.image, batch.image.flip(2, 3))


def test_slices_are_stacked_in_the_order_of_their_volumes() -> None:
    two = cases("train")[:2]
    stacked: Any = stack(two, two[0].image.shape[1])  # as large as they are: nothing is resized
    scribbles: Any = [case.scribble for case in two]
    assert np.array_equal(stacked.scribble, np.concatenate(scribbles))
    assert np.allclose(stacked.image, np.concatenate([case.image for case in two]), atol=1e-6)


def test_another_seed_is_another_network_and_another_order(tmp_path: Path) -> None:
    one, other = (begin(tiny(seed=seed), tmp_path / str(seed)) for seed in (0, 1))
    weights = (begun.method.state_dict()["net.decoder.output.weight"] for begun in (one, other))
    assert not torch.equal(*weights)
    assert not torch.equal(one.generator.get_state(), other.generator.get_state())


def test_strokes_and_their_resizing_are_those_of_the_profile() -> None:
    def scribbles(**changed: str) -> torch.Tensor:
        return TrainingSet(tiny(**changed), cases("train"), CPU).scribbles

    usual = scribbles()
    assert (scribbles(strokes="tenth") < 4).sum() < (usual < 4).sum() / 2
    assert not torch.equal(scribbles(scribble_rule="nearest"), usual)


@pytest.mark.parametrize(("padding", "corner"), [("background", 0), ("unlabelled", 4)])
def test_a_rotations_corner_is_labelled_as_the_profile_says(padding: str, corner: int) -> None:
    c, s = math.cos(math.radians(20)), math.sin(math.radians(20))
    theta = torch.tensor([[[c, -s, 0], [s, c, 0]]])  # the corner is read from y' = -1.2, outside
    data = TrainingSet(tiny(padding=padding), cases("train"), CPU)
    assert int(data.augmented(torch.tensor([0]), theta).scribble[0, 0, 0]) == corner


@pytest.mark.parametrize("method", ["pce", "fddseg"])
def test_dropout_is_of_the_kind_that_the_profile_names(method: str, tmp_path: Path) -> None:
    nets = begin(tiny(method, dropout="channel"), tmp_path).method
    kinds = {
        type(layer) for layer in nets.modules() if isinstance(layer, nn.Dropout | nn.Dropout2d)
    }
    assert kinds == {nn.Dropout2d}


def test_the_teacher_is_averaged_after_each_step(tmp_path: Path) -> None:
    begun = advance(begin(tiny("ustm"), tmp_path), 1)
    method = begun.method.state_dict()
    parts = [
        {name.removeprefix(part): value for name, value in method.items() if name.startswith(part)}
        for part in ("teacher.", "net.")
    ]
    assert same(*parts), "of the first step it keeps nothing: min(1 - 1 / 1, 0.99) = 0"
    advance(begun, 1)
    later = begun.method.state_dict()
    assert not torch.equal(
        later["teacher.decoder.output.weight"], later["net.decoder.output.weight"]
    )
