"""Resizing: pixel centres, no invented values, no lost strokes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scnlib.correlation import to_image
from scnlib.data.resize import (
    resize_image,
    resize_label,
    resize_scribble,
)

K = 4
SIDES = st.integers(1, 12)


@st.composite
def scribbles(draw: st.DrawFn) -> np.ndarray:
    shape = (draw(st.integers(1, 2)), draw(SIDES), draw(SIDES))
    return draw(arrays(np.uint8, shape, elements=st.sampled_from([K, K, K, 0, 1, 2, 3])))


def line(values: list[int] | np.ndarray) -> np.ndarray:
    """A one-dimensional pattern as a square slice that varies along x only."""
    row = np.asarray(values, dtype=np.uint8)
    return np.broadcast_to(row, (1, len(row), len(row))).copy()


def cell_of(i: int, n: int, size: int) -> int:
    """Cell of ``size`` on a side that the centre of pixel i of n falls in, by real numbers."""
    return int(np.floor((i + 0.5) * size / n + 1e-9))


# --- label maps -------------------------------------------------------------------------------


def test_enlarging_a_label_map_repeats_each_pixel_equally_often():
    assert resize_label(line([0, 1, 2]), 9)[0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_shrinking_a_label_map_takes_the_pixels_under_the_centres():
    assert resize_label(line([0, 1, 2, 3, 4]), 3)[0, 0].tolist() == [0, 2, 4]


def test_a_label_map_comes_back_unchanged_from_a_larger_grid():
    there = resize_label(line(np.arange(216)), 256)
    np.testing.assert_array_equal(resize_label(there, 216), line(np.arange(216)))


@given(scribbles(), SIDES)
def test_label_resizing_equals_torch_at_pixel_centres(label: np.ndarray, size: int):
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(label)[:, None].double(), size=(size, size), mode="nearest-exact"
    )
    # On an exact edge between two pixels float rounding decides in torch: compare elsewhere.
    centres = [((2 * np.arange(size) + 1) * n) % (2 * size) != 0 for n in label.shape[1:]]
    inside = centres[0][:, None] & centres[1]
    ours = resize_label(label, size)
    np.testing.assert_array_equal(ours[:, inside], expected[:, 0].numpy()[:, inside])
    assert ours.dtype == label.dtype


@given(scribbles())
def test_the_same_size_changes_nothing(label: np.ndarray):
    side = min(label.shape[1:])
    square = label[:, :side, :side]
    np.testing.assert_array_equal(resize_label(square, side), square)
    np.testing.assert_array_equal(resize_scribble(square, side, K), square)
    image = square.astype(np.float32) / K
    np.testing.assert_array_equal(resize_image(image, side), image)


# --- scribbles --------------------------------------------------------------------------------


def test_a_thin_stroke_survives_only_under_the_keeping_rule():
    stroke = line([2, K, K, K, K, K, K, K])  # nearest looks at columns 1, 3, 5 and 7
    assert 2 not in resize_scribble(stroke, 4, K, "nearest")
    assert resize_scribble(stroke, 4, K, "keep")[0, 0].tolist() == [2, K, K, K]


def test_the_class_with_most_pixels_takes_a_shared_cell():
    cell = np.array([[[1, 1], [3, K]]], dtype=np.uint8)
    assert resize_scribble(cell, 1, K).item() == 1


def test_a_tie_in_a_cell_goes_to_the_class_that_is_rarer_in_the_slice():
    # Left cell: one pixel of 1, one of 2. Elsewhere one more pixel of 2 in the first slice and
    # of 1 in the second, so the tie falls the other way there.
    first = [[1, 2, K, K], [K, K, K, K], [K, K, 2, K], [K, K, K, K]]
    second = [[1, 2, K, K], [K, K, K, K], [K, K, 1, K], [K, K, K, K]]
    small = resize_scribble(np.array([first, second], dtype=np.uint8), 2, K)
    assert small[:, 0, 0].tolist() == [1, 2]
    assert small[:, 1, 1].tolist() == [2, 1]
    assert small[:, 0, 1].tolist() == [K, K]


def test_a_full_tie_goes_to_the_higher_class():
    assert resize_scribble(np.array([[[0, 3], [K, K]]], dtype=np.uint8), 1, K).item() == 3


@given(scribbles(), SIDES)
def test_shrinking_marks_exactly_the_cells_that_hold_a_labelled_pixel(
    scribble: np.ndarray, size: int
):
    n, height, width = scribble.shape
    size = min(size, height, width)
    expected = np.zeros((n, size, size), dtype=bool)
    for z, y, x in zip(*np.nonzero(scribble < K), strict=True):
        expected[z, cell_of(y, height, size), cell_of(x, width, size)] = True
    np.testing.assert_array_equal(resize_scribble(scribble, size, K) < K, expected)


@given(scribbles(), SIDES)
def test_a_class_vanishes_only_if_it_loses_each_of_its_cells_to_another_class(
    scribble: np.ndarray, size: int
):
    n, height, width = scribble.shape
    size = min(size, height, width)
    small = resize_scribble(scribble, size, K)
    for z in range(n):
        for k in set(np.unique(scribble[z]).tolist()) - set(np.unique(small[z]).tolist()) - {K}:
            for y, x in zip(*np.nonzero(scribble[z] == k), strict=True):
                winner = small[z, cell_of(y, height, size), cell_of(x, width, size)]
                assert winner not in (k, K)


@given(scribbles(), SIDES)
def test_a_class_alone_in_a_slice_never_vanishes(scribble: np.ndarray, size: int):
    alone = np.where(scribble < K, np.uint8(2), np.uint8(K))
    size = min(size, *alone.shape[1:])
    small = resize_scribble(alone, size, K)
    for before, after in zip(alone, small, strict=True):
        assert (2 in before) == (2 in after)


@given(scribbles(), SIDES, st.sampled_from(["keep", "nearest"]))
def test_resizing_a_scribble_invents_no_class(scribble: np.ndarray, size: int, rule: str):
    small = resize_scribble(scribble, size, K, rule)  # pyright: ignore[reportArgumentType]
    assert small.shape == (len(scribble), size, size) and small.dtype == np.uint8
    for before, after in zip(scribble, small, strict=True):
        # K may appear only if a pixel was unlabelled, or is left out; both hold for a subset.
        assert set(np.unique(after)) <= set(np.unique(before))


@given(scribbles(), st.integers(0, 6))
def test_enlarging_a_scribble_equals_nearest(scribble: np.ndarray, more: int):
    size = max(scribble.shape[1:]) + more
    np.testing.assert_array_equal(resize_scribble(scribble, size, K), resize_label(scribble, size))


def test_one_axis_may_grow_while_the_other_shrinks():
    tall = np.full((1, 8, 2), K, dtype=np.uint8)
    tall[0, 5, 1] = 3  # row 5 of 8 lies in cell 2 of 4; column 1 of 2 becomes columns 2 and 3
    expected = np.full((1, 4, 4), K)
    expected[0, 2, 2:] = 3
    np.testing.assert_array_equal(resize_scribble(tall, 4, K), expected)


def test_a_slice_without_strokes_stays_bare():
    assert (resize_scribble(np.full((2, 7, 9), K, np.uint8), 3, K) == K).all()


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="unknown scribble rule 'widest'"):
        resize_scribble(line([0, K]), 1, K, "widest")  # pyright: ignore[reportArgumentType]


# --- images and probabilities -----------------------------------------------------------------


def test_halving_an_image_by_hand():
    # Antialiased bilinear by 2: a triangle of half-width 2 pixels around each cell's centre,
    # weights 1/8 3/8 3/8 1/8, cut off and renormalised at the border.
    image = np.tile(np.array([0, 0, 1, 1], np.float32), (1, 4, 1))
    np.testing.assert_allclose(resize_image(image, 2)[0, 0], [1 / 7, 6 / 7], atol=1e-6)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_a_constant_image_stays_constant(height: int, width: int, size: int):
    image = np.full((2, height, width), 0.37, dtype=np.float32)
    small = resize_image(image, size)
    assert small.dtype == np.float32 and small.shape == (2, size, size)
    np.testing.assert_allclose(small, 0.37, rtol=1e-6)


@given(arrays(np.float32, (1, 7, 5), elements=st.floats(0, 1, width=32)), st.integers(1, 16))
def test_resizing_an_image_stays_in_its_range_and_commutes_with_mirroring(
    image: np.ndarray, size: int
):
    small = resize_image(image, size)
    assert small.min() >= image.min() and small.max() <= image.max()
    mirrored = resize_image(image[:, ::-1, ::-1].copy(), size)
    np.testing.assert_allclose(mirrored, small[:, ::-1, ::-1], atol=1e-5)  # no half-pixel shift


def test_image_and_label_move_together():
    label = np.zeros((1, 216, 216), dtype=np.uint8)
    label[0, 60:120, 90:150] = 1
    image = resize_image(label.astype(np.float32), 128)[0]
    small = resize_label(label, 128)[0].astype(np.float32)
    for axis in (0, 1):
        where = [
            np.average(np.arange(128), weights=a.sum(axis=axis)).item() for a in (image, small)
        ]
        assert abs(where[0] - where[1]) < 0.3


def test_probabilities_go_to_the_volumes_grid_and_still_sum_to_one():
    probabilities = torch.softmax(torch.randn(2, 4, 8, 8, generator=torch.manual_seed(0)), dim=1)
    large = to_image(probabilities, (13, 9))
    assert large.shape == (2, 4, 13, 9)
    torch.testing.assert_close(large.sum(dim=1), torch.ones(2, 13, 9))
    torch.testing.assert_close(to_image(probabilities, (8, 8)), probabilities)


def test_enlarged_probabilities_lie_at_pixel_centres():
    row = torch.tensor([0.0, 1.0]).expand(1, 1, 2, 2)
    expected = torch.tensor([0.0, 0.25, 0.75, 1.0])
    torch.testing.assert_close(to_image(row, (4, 4))[0, 0, 0], expected)
