"""Less of a scribble, or a worse one: small strokes with known answers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scnlib.data import scribble_amount
from scnlib.data.scribble_amount import KEPT, redrawn

K = 4


def line(length: int = 20) -> np.ndarray:
    """One slice with a stroke of class 2, a pixel wide."""
    scribble = np.full((1, 5, length + 4), K, dtype=np.uint8)
    scribble[0, 2, 2 : length + 2] = 2
    return scribble


@given(st.text(min_size=1))
def test_a_share_of_a_stroke_hangs_together_and_less_is_part_of_more(volume: str) -> None:
    shares: list[Any] = ["all", *KEPT]
    kept = {how: redrawn(line(), K, how, volume)[0, 2] == 2 for how in shares}
    assert kept["all"].sum() == 20
    for how, share in KEPT.items():
        places = np.flatnonzero(kept[how])
        assert 20 * share <= len(places) <= 20 * share + 1, "a ring adds a pixel on either side"
        assert places[-1] - places[0] == len(places) - 1
    assert (kept["tenth"] <= kept["quarter"]).all() and (kept["quarter"] <= kept["half"]).all()


def test_every_stroke_keeps_at_least_a_pixel() -> None:
    dots = np.full((1, 6, 6), K, dtype=np.uint8)
    dots[0, ::2, ::2] = 1
    assert np.array_equal(redrawn(dots, K, "tenth", "v"), dots)


def test_half_of_the_structures_are_left_out_and_never_the_background() -> None:
    scribble = np.full((400, 4, 4), K, dtype=np.uint8)
    scribble[:, 0], scribble[:, 3] = 0, 3
    found = redrawn(scribble, K, "unmarked", "v")
    assert (found[:, 0] == 0).all()
    gone = (found[:, 3] == K).all(axis=1)
    assert 160 < gone.sum() < 240 and (found[~gone, 3] == 3).all()


@pytest.mark.parametrize(("how", "least", "most"), [("wrong1", 1, 30), ("wrong10", 140, 260)])
def test_some_strokes_have_another_class_as_a_whole(how: Any, least: int, most: int) -> None:
    scribble = np.full((1000, 4, 4), K, dtype=np.uint8)
    scribble[:, 0], scribble[:, 3] = 0, 3
    found = redrawn(scribble, K, how, "v")
    changed = found != scribble
    assert least <= changed.any(axis=2).sum() <= most
    assert (changed.any(axis=2) == changed.all(axis=2)).all(), "a stroke is right or wrong"
    assert found.max() == K and set(np.unique(found[changed])) <= {0, 1, 2, 3}
    few = redrawn(scribble, K, "wrong1", "v") != scribble
    assert (few <= changed).all()


def test_a_wrong_stroke_has_any_other_class_as_likely(monkeypatch) -> None:
    monkeypatch.setitem(scribble_amount.WRONG, "wrong5", 1.0)
    scribble = np.full((900, 4, 4), K, np.uint8)
    scribble[:, 3] = 3
    named = np.bincount(redrawn(scribble, K, "wrong5", "v")[:, 3, 0], minlength=K)
    assert named[3] == 0 and min(named[:3]) > 240


def test_a_thick_stroke_becomes_a_line() -> None:
    scribble = np.full((1, 9, 20), K, dtype=np.uint8)
    scribble[0, 2:7, 1:19] = 1
    found = redrawn(scribble, K, "thin", "v")
    assert found[0, 4, 5:15].tolist() == [1] * 10 and (found == 1).sum() < 20


def test_all_is_the_same_and_chance_comes_from_the_name_alone() -> None:
    rng = np.random.default_rng(0)
    scribble = rng.integers(0, K + 1, (3, 16, 16)).astype(np.uint8)
    assert np.array_equal(redrawn(scribble, K, "all", "v"), scribble)
    once, again, other = (redrawn(scribble, K, "wrong10", name) for name in ("v", "v", "w"))
    assert np.array_equal(once, again) and not np.array_equal(once, other)
