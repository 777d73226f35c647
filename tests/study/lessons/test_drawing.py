"""Strokes: their pixels by hand, their file, the recorded ones, and learning from them."""

import json
import time

import nbformat
import numpy as np
import pytest

from scnlib.data.cases import HEART
from scnlib.paths import RESULTS
from study.lessons import drawing, strokes
from study.lessons.drawing import Pad
from study.lessons.learning import (
    SEEDS,
    draw_learnt,
    draw_seeds,
    learn,
    learn_seeds,
    painted_table,
    seed_table,
)
from study.lessons.strokes import Drawing, Stroke, rasterise, read_drawing


def labelled(*lines: Stroke, shape: tuple[int, int] = (5, 5)) -> set[tuple[int, int, int]]:
    scribble = rasterise(list(lines), shape, 4)
    return {(int(y), int(x), int(scribble[y, x])) for y, x in np.argwhere(scribble < 4)}


def test_a_line_of_width_one_labels_the_pixels_it_passes_through():
    assert labelled(Stroke(1, 1.0, [(1, 2), (3, 2)])) == {(2, 1, 1), (2, 2, 1), (2, 3, 1)}
    # A diagonal keeps off the corners of its stairs: their centres are 0.71 away.
    assert labelled(Stroke(2, 1.0, [(0, 0), (2, 2)])) == {(0, 0, 2), (1, 1, 2), (2, 2, 2)}


def test_a_disc_has_the_centres_within_its_radius():
    plus = {(2, 2, 3), (1, 2, 3), (3, 2, 3), (2, 1, 3), (2, 3, 3)}
    assert labelled(Stroke(3, 2.0, [(2, 2)])) == plus  # radius 1: not the diagonals at 1.41
    assert len(labelled(Stroke(3, 3.0, [(2, 2)]))) == 9  # radius 1.5: those too


def test_a_dot_between_centres_labels_the_pixel_it_falls_in():
    assert labelled(Stroke(0, 0.5, [(2.4, 1.4)])) == {(1, 2, 0)}
    assert labelled(Stroke(0, 0.5, [(2.5, 1.5)])) == {(2, 3, 0)}


def test_later_strokes_go_over_earlier_ones_and_outside_is_cut_off():
    lines = Stroke(1, 1.0, [(0, 0), (2, 0)]), Stroke(3, 1.0, [(1, 0), (1, 0)])
    assert labelled(*lines) == {(0, 0, 1), (0, 1, 3), (0, 2, 1)}
    assert labelled(Stroke(1, 1.0, [(-3, 0), (0, 0), (0, -3)])) == {(0, 0, 1)}
    assert labelled(Stroke(1, 2.0, [(-9, -9)])) == set()


def test_rows_and_columns_are_not_mixed_up():
    assert labelled(Stroke(1, 1.0, [(3, 0)]), shape=(2, 4)) == {(0, 3, 1)}


def test_no_strokes_leave_everything_unlabelled():
    assert (rasterise([], (3, 2), 4) == 4).all()


def test_recorded_strokes_are_the_phantoms_scribbles():
    drawing = strokes.recorded(framed=False)
    assert list(drawing.strokes) == [case.volume for case in strokes.phantom_slices()]
    for phantom, drawn in zip(
        strokes.phantom_slices(), strokes.scribbled_cases(drawing), strict=True
    ):
        assert phantom.scribble is not None and drawn.scribble is not None
        assert (drawn.scribble == phantom.scribble).all()
        assert set(np.unique(drawn.scribble)) == {0, 1, 2, 3, 4}
        assert strokes.trace(phantom.scribble[0], 4) == drawing.strokes[phantom.volume]


def test_the_recorded_frame_is_background_along_the_border_and_below_all_others():
    bare, framed = strokes.recorded(framed=False), strokes.recorded()
    for name, (frame, *others) in framed.strokes.items():
        assert others == bare.strokes[name] and frame.label == 0
        alone = rasterise([frame], (64, 64), 4)
        square = np.full((64, 64), 4)
        square[4:60, 4:60], square[5:59, 5:59] = 0, 4
        assert (alone == square).all()
    for plain, case in zip(
        strokes.scribbled_cases(bare), strokes.scribbled_cases(framed), strict=True
    ):
        assert plain.scribble is not None and case.scribble is not None and case.label is not None
        drawn = plain.scribble < 4
        assert (case.scribble[drawn] == plain.scribble[drawn]).all()
        assert (case.label[(case.scribble == 0)] == 0).all()  # no stroke teaches an error


def test_a_drawing_survives_its_file():
    name = strokes.phantom_slices()[2].volume
    strokes_ = {name: [Stroke(2, 1.5, [(0.25, 3), (-0.5, 63.5)]), Stroke(0, 6.0, [(9, 9)])]}
    drawing = Drawing("scnlib-strokes-1", list(HEART), strokes_)
    assert read_drawing(drawing.to_json()) == drawing and drawing.count == 2


def changed(**changes: object) -> str:
    good = {"format": "scnlib-strokes-1", "classes": list(HEART), "strokes": {}}
    return json.dumps(good | changes)


def one(**changes: object) -> dict:
    stroke = {"label": 1, "width": 1, "points": [[1, 2]]} | changes
    return {strokes.phantom_slices()[0].volume: [stroke]}


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "Invalid JSON"),
        ("[1", "Invalid JSON"),
        ("[]", "not a file of strokes"),
        ("{}", "format"),
        (changed(format="something else"), "format"),
        (changed(extra=1), "extra"),
        (changed(classes=["background", "liver"]), "classes"),
        (changed(strokes={"phantom999_slice1": []}), "there is no slice"),
        (changed(strokes=one(label=4)), "a class above 3"),
        (changed(strokes=one(label=-1)), "label"),
        (changed(strokes=one(width=0)), "width"),
        (changed(strokes=one(points=[])), "points"),
        (changed(strokes=one(points=[[1]])), "points"),
        (changed(strokes=one(points=[[1, "a"]])), "points"),
        (changed(strokes=one(points=[[1, 1e9]])), "points"),
        (changed(strokes=one(points=[[1, float("nan")]])), "points|Invalid JSON"),
    ],
)
def test_bad_files_are_refused_in_one_line(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        read_drawing(text, "mine.json")
    assert str(caught.value).startswith("mine.json: ") and "\n" not in str(caught.value)


def test_learning_needs_two_classes():
    with pytest.raises(ValueError, match="two classes"):
        learn(strokes.empty())
    lonely = Drawing(
        "scnlib-strokes-1", list(HEART), {k: [Stroke(**v[0])] for k, v in one().items()}
    )
    with pytest.raises(ValueError, match="two classes"):
        learn(lonely)


def test_learns_from_one_slice_and_is_the_same_twice():
    name, lines = next(iter(strokes.recorded().strokes.items()))
    drawing = Drawing("scnlib-strokes-1", list(HEART), {name: lines})
    said = []
    first, second = (
        learn(drawing, iterations=2, methods=("scn",), report=said.append) for _ in range(2)
    )
    assert [case.volume for case in first.cases] == [name]
    assert first.predictions["SCN"][name].shape == (1, 64, 64)
    assert list(first.scores.columns) == ["RV", "MYO", "LV", "mean"]
    assert first.scores.index.to_list() == [("SCN", "drawn on"), ("SCN", "never seen")]
    assert first.scores.equals(second.scores)
    assert said[-1].startswith("SCN: step 2 of 2")
    assert len(draw_learnt(first).axes) == 3


def test_several_seeds_stand_side_by_side():
    recorded = strokes.recorded()
    name = next(iter(recorded.strokes))
    alone = Drawing(recorded.format, recorded.classes, {name: recorded.strokes[name]})
    learnt = learn_seeds(alone, seeds=(0, 1), iterations=1)
    table = seed_table(learnt)
    assert table.shape == (2, 2) and list(table.columns) == ["seed 0", "seed 1"]
    painted = painted_table(learnt)
    (case,) = learnt[0].cases
    heart = sum((learnt[1].predictions["SCN"][name] > 0).ravel())
    assert case.label is not None
    assert painted.loc["SCN", "seed 1"] == heart / (case.label > 0).sum()
    axes = draw_seeds(learnt).axes
    assert [a.get_title() for a in axes[1:3]] == ["PCE\nseed 0", "PCE\nseed 1"]
    assert len(axes) == 2 + 2 * 2


def test_the_recorded_strokes_keep_scn_from_a_flood():
    book = nbformat.read(RESULTS / "cpu" / "notebooks" / "06_your_own_scribbles.ipynb", 4)
    outputs = [out for cell in book.cells for out in cell.get("outputs", [])]
    texts = [out.get("data", {}).get("text/markdown", "") for out in outputs]
    (table,) = [text for text in texts if text.startswith("**Pixels painted as heart**")]
    (row,) = [line for line in table.splitlines() if line.startswith("| SCN")]
    painted = [float(cell) for cell in row.strip("|").split("|")[1:]]
    assert len(painted) == len(SEEDS) and max(painted) <= 2


def test_the_pad_keeps_the_recorded_strokes_until_something_is_drawn():
    pad = Pad()
    assert pad.strokes == strokes.recorded()
    pad.drawing = changed(strokes=one())
    assert pad.strokes.count == pad.heard == 1
    pad.drawing = "{}"  # a wrong file: what was drawn stays, and the pad says why
    assert pad.strokes.count == 1 and "not a file of strokes" in pad.status
    heard, told = pad.heard, []
    pad.observe(lambda change: told.append(change["new"]), "status")
    pad.drawing = "{}"  # the same again is answered again, or the page would wait in vain
    assert pad.heard > heard and told[-1] == pad.status != "" and len(told) == 2
    pad.wanted += 1
    assert "two classes" in pad.status and not pad.busy


def test_the_pad_gives_signs_of_life_while_it_trains_and_none_after(monkeypatch):
    monkeypatch.setattr(drawing, "BEAT", 0.01)

    def silent(*_: object, **__: object) -> None:
        time.sleep(0.2)
        raise ValueError("enough")

    monkeypatch.setattr(drawing, "learn", silent)
    pad = Pad()
    pad.wanted += 1
    beats = pad.beat
    assert beats >= 3 and pad.status == "enough" and not pad.busy
    time.sleep(0.05)
    assert pad.beat == beats


def test_the_pad_leaves_a_picture_where_no_widget_can_be_drawn():
    data, metadata = Pad()._repr_mimebundle_()
    assert data["image/png"] and "0x" not in data["text/plain"]
    assert metadata["image/png"]["alt"]
