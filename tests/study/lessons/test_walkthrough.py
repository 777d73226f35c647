"""Notebook 02b's maps: one slice, an untrained network, and what the drawings take."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from scnlib.confidence import Pseudo
from study.experiments import make_run
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


def test_the_tables_say_what_the_maps_hold() -> None:
    P = torch.tensor([[[0.9, 0.4], [0.2, 0.8]], [[0.1, 0.6], [0.8, 0.2]]])  # argmax 0 1 / 1 0
    Y_corr = torch.tensor([[[0.9, 0.9], [0.1, 0.1]], [[0.1, 0.1], [0.9, 0.9]]])  # 0 0 / 1 1
    before = Pseudo(torch.tensor([[[0, 1], [0, 0]]]), torch.tensor([[[True, True], [True, False]]]))
    after = Pseudo(torch.tensor([[[0, 1], [0, 1]]]), torch.ones(1, 2, 2, dtype=torch.bool))
    f = torch.zeros(1, 2, 2)  # a cell is a pixel
    C = torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]])
    maps = walk.Maps("by hand", f, C, P, Y_corr, 0.7, before, after)
    image = torch.zeros(1, 1, 2, 2)
    truth = torch.tensor([[[0, 1], [1, 0]]])
    chosen = walk.Slice("", image, truth, truth, ("background", "heart"), image)
    (row,) = walk.scores(maps, chosen).to_numpy().tolist()
    # Of the heart: 2 x both / (one + other), in M after, before, after, and on the whole slice.
    assert row == pytest.approx([2 / 4, 2 / 3, 2 / 4, 2 / 4, 1])
    (cell,) = walk.votes(maps, chosen, {"heart": 1}, 0.5).reset_index().to_dict("records")
    assert (cell["cells in mask"], cell["in M"]) == (3, 2)  # cells 1, 2, 3; the last is not in M
    assert cell["r"] == pytest.approx(2 / 3)


def test_the_largest_mask_is_found_and_counted(chosen: walk.Slice, maps: walk.Maps) -> None:
    C = torch.eye(len(maps.C))
    C[5, 2:7] = 1.0  # row 5 looks at five cells alike, every other at itself
    wide = dataclasses.replace(maps, C=C)
    assert walk.largest_mask(wide, 0.5) == 5
    figure = figures.draw_masks(chosen, wide, {"first": 0, "largest mask": 5}, 0.5)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["first: scaled", "largest mask: scaled", "mask of 1 cell", "mask of 5 cells"]


def test_pictures_of_labels_have_a_key_to_their_colours(chosen: walk.Slice, maps: walk.Maps):
    grids = {"truth": (chosen.label[0], chosen.label[0] > 0)}
    figure = figures.draw_labels(grids, chosen.image[0, 0], classes=chosen.classes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["RV", "MYO", "LV"]
    whole = {"truth": (chosen.label[0], chosen.label[0] >= 0)}
    figure = figures.draw_labels(whole, chosen.image[0, 0], classes=chosen.classes)
    assert figure.legends[0].get_texts()[-1].get_text() == "background"
    added = figures.draw_added([maps], chosen, (slice(20, 40), slice(20, 40))).legends[0]
    named = {text.get_text() for text in added.get_texts()}
    assert named >= {"RV", "MYO", "LV", "M: background", "added, right", "added, wrong (x)"}


def test_a_stricter_bar_is_taken_for_the_picture_alone(chosen: walk.Slice) -> None:
    net = walk.random_network(make_run("phantom", "scn"), chosen)
    before = net.tau.value
    assert walk.gather(net, chosen, "", tau=0.99).tau == pytest.approx(0.99)
    assert net.tau.value == before


@pytest.mark.parametrize(
    ("strict", "own", "expected"),
    [(False, 0.9, (3, None)), (True, 0.9, (3, 0.99)), (True, 0.995, (1, None))],
)
def test_the_slice_with_most_votes_is_chosen(
    strict: bool, own: float, expected: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes by hand, as many as the slice's number; if `strict`, at the stricter bar alone."""

    def gathered(net: object, one: int, title: str, tau: float | None = None) -> tuple:
        return one, tau

    def votes(maps: tuple) -> torch.Tensor:
        one, tau = maps
        return torch.ones(one) if tau or not strict else torch.zeros(1)

    monkeypatch.setattr(walk, "gather", gathered)
    monkeypatch.setattr(walk, "added", votes)
    slices: list = [1, 3, 3, 2]
    net: Any = SimpleNamespace(tau=SimpleNamespace(value=own))
    assert walk.most_voted(net, slices) == expected


def test_rows_of_both_networks_are_drawn_on_one_scale(chosen: walk.Slice, maps: walk.Maps) -> None:
    sharp = dataclasses.replace(maps, C=torch.eye(len(maps.C)))
    figure = figures.draw_affinity(chosen, [maps, sharp], walk.typical_cells(chosen, (8, 8)))
    heat = [axis.images[1] for axis in figure.axes if len(axis.images) == 2]
    assert len(heat) == 6
    assert {image.get_clim() for image in heat} == {(0.0, 1.0)}
    assert len(figure.axes) == 7  # and one bar for them all


def test_what_a_vote_added_is_drawn_also_outside_the_crop(chosen: walk.Slice, maps: walk.Maps):
    after = maps.after.confident.clone()
    after[0, 2, 3] = True
    changed = dataclasses.replace(maps, after=maps.after._replace(confident=after))
    assert walk.added(changed)[2, 3]
    figure = figures.draw_added([maps, changed], chosen, (slice(20, 40), slice(20, 40)))
    last = figure.axes[3]
    assert last.get_xlim()[0] <= 0.5 and last.get_ylim()[1] <= 0.5
    assert "added: " in last.get_title()


def test_both_networks_votes_are_drawn_in_one_crop(chosen: walk.Slice, maps: walk.Maps) -> None:
    after = maps.before.confident.clone()
    after[0, 60, 3] = True
    changed = dataclasses.replace(maps, after=maps.after._replace(confident=after))
    axes = figures.draw_added([maps, changed], chosen, (slice(20, 40), slice(20, 40))).axes
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in axes}) == 1
