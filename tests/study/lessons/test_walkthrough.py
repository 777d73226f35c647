"""Notebook 02's maps: one slice, an untrained network, and what the drawings take."""

import pytest
import torch
from matplotlib.figure import Figure

from scnlib.experiments import make_run
from study.lessons import walkthrough as walk
from study.lessons import walkthrough_figures as figures


@pytest.fixture(scope="module")
def chosen() -> walk.Slice:
    return walk.pick_slice("phantom", None, make_run("phantom", "scn"))


@pytest.fixture(scope="module")
def maps(chosen: walk.Slice) -> walk.Maps:
    return walk.gather(walk.random_network(make_run("phantom", "scn"), chosen), chosen, "untrained")


def test_the_slice_is_of_a_validation_subject_and_holds_every_structure(chosen: walk.Slice) -> None:
    assert "(val)" in chosen.name
    assert chosen.label.unique().tolist() == [0, 1, 2, 3]


def test_maps_are_probabilities_on_their_grids(maps: walk.Maps) -> None:
    assert maps.f.shape == (128, 8, 8)
    assert torch.allclose(maps.C.sum(dim=1), torch.ones(64))
    assert torch.allclose(maps.Y_corr.sum(dim=0), torch.ones(64, 64), atol=1e-5)
    assert (maps.after.confident | ~maps.before.confident).all()


def test_cells_lie_in_their_structures(chosen: walk.Slice) -> None:
    for name, cell in walk.typical_cells(chosen, (8, 8)).items():
        block = chosen.label[0].unfold(0, 8, 8).unfold(1, 8, 8)[cell // 8, cell % 8]
        assert (block == chosen.classes.index(name)).any()


def test_tables_have_a_row_for_each_structure(chosen: walk.Slice, maps: walk.Maps) -> None:
    cells = walk.typical_cells(chosen, (8, 8))
    assert list(walk.scores(maps, chosen).index) == ["RV", "MYO", "LV"]
    assert len(walk.votes(maps, chosen, cells, 0.5)) == 3


def test_drawings_are_figures(chosen: walk.Slice, maps: walk.Maps) -> None:
    cells = walk.typical_cells(chosen, (8, 8))
    assert isinstance(figures.draw_affinity(chosen, [maps, maps], cells), Figure)
    assert isinstance(figures.draw_masks(chosen, maps, cells, 0.5), Figure)
