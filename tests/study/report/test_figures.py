"""The figures: colours, the rule that chooses Fig. 2's slices, and what the functions return."""

import errno
import itertools
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from scnlib.data.cases import Case
from study.experiments import make_run
from study.report import comparison_figures, display, figure2, figures, pictures, titles
from tests.sample_record import write


def record_of(
    dices: dict[str, float], predictions: dict[str, np.ndarray], dataset: str = "acdc"
) -> Any:
    rows = [
        {"volume": f"{s}_a", "subject": s, "structure": "LV", "dice": d} for s, d in dices.items()
    ]
    facts = {"metrics": pd.DataFrame(rows), "prediction": predictions.__getitem__}
    return cast(Any, SimpleNamespace(run=SimpleNamespace(dataset=dataset), **facts))


def test_colours_are_the_published_ones():
    assert display.PALETTE == {"RV": "#0072B2", "MYO": "#F0E442", "LV": "#D55E00"}


def test_slices_are_those_of_the_median_patient_and_the_worst():
    truth = np.zeros((5, 8, 8), np.uint8)
    truth[1:4, 2:6, 2:6] = 3
    missed = truth.copy()
    missed[2] = 0
    truths = {f"{s}_a": truth for s in "pqr"}
    record = record_of({"p": 0.9, "q": 0.2, "r": 0.8}, {"p_a": truth, "q_a": missed, "r_a": truth})
    expected = [("r_a", 1, "base"), ("r_a", 2, "middle"), ("r_a", 3, "apex"), ("q_a", 2, "worst")]
    assert figure2.choose_slices(record, truths) == expected
    assert figure2.choose_slices(record) == expected[:3]


def test_a_row_of_fig_2_has_each_runs_own_slice():
    z, truth = np.arange(5)[:, None, None], np.zeros((5, 8, 8), np.uint8)
    truth[1:4, 2:6, 2:6] = 3
    image, said = (np.broadcast_to(z, truth.shape).astype(t) for t in (np.float32, np.uint8))
    one = Case("r", "a", image, None, truth, (1, 1, 1), "drawn")
    runs = {method: record_of({"r": 0.9}, {"r_a": said}) for method in ("scn", "pce")}
    rows = pictures.slice_rows(runs, {"r_a": one})
    for row, n in zip(rows, (1, 2, 3), strict=False):
        assert row.title.endswith(f"slice {n + 1}") and (row.image == n).all()
        assert (row.truth == truth[n]).all()
        assert all((shown == n).all() for shown in row.predictions.values())
    assert len(rows) >= 3


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        ("phantom", ["base", "middle", "apex"]),
        ("mscmr", ["apex", "middle", "base"]),
        ("clinic", ["first", "middle", "last"]),
    ],
)
def test_the_ends_of_a_volume_are_named_where_they_are_known(dataset, names):
    truth = np.ones((3, 8, 8), np.uint8)
    chosen = figure2.choose_slices(record_of({"p": 0.9}, {"p_a": truth}, dataset))
    assert [name for _, _, name in chosen] == names


def filled(axes: Any) -> np.ndarray:
    """The label map that is painted over the image of a panel: which pixels are not clear."""
    return np.asarray(axes.images[1].get_array())[..., 3] > 0


def test_figure2_has_the_classes_of_the_data_set():
    labels = np.zeros((16, 16), np.uint8)
    labels[2:5, 2:5], labels[8:11, 8:11] = 4, 12  # of twelve classes beside the background
    classes = ["background", *"abcdefghijkl"]
    row = figure2.Row("one", labels / 12.0, labels, {"scn": labels})
    figure = figure2.figure2([row], ["scn"], classes)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*"abcdefghijkl", "border of the truth"]
    drawn = [len(axes.collections) for axes in figure.axes]
    assert drawn == [0, 0, 2]  # both classes' borders on the prediction; the truth is filled alone
    assert [axes.get_title() for axes in figure.axes] == ["image", "truth", "SCN, 100%"]


def test_figure2_is_a_figure_with_and_without_images():
    labels = np.zeros((16, 16), np.uint8)
    labels[4:9, 4:9] = 1
    for image, truth in ((labels / 4.0, labels), (None, None)):
        row = figure2.Row("one", image, truth, {"scn": labels})
        assert isinstance(figure2.figure2([row], ["scn", "full"]), Figure)


def test_figure2_shows_what_is_flooded_far_from_the_heart() -> None:
    truth, scn, other = np.zeros((3, 120, 120), np.uint8)
    truth[20:30, 20:30] = scn[20:30, 60:70] = other[110:, 110:] = 1
    row = figure2.Row("one", truth / 1.0, truth, {"scn": scn, "pce": other})
    image, real, first, second = figure2.figure2([row], ["scn", "pce"]).axes
    assert len(image.images) == 1
    np.testing.assert_array_equal(filled(real), truth == 1)
    np.testing.assert_array_equal(filled(first), scn == 1)
    np.testing.assert_array_equal(filled(second), other == 1)
    assert second.get_title() == "PCE, 0%"


def test_a_slice_with_many_methods_takes_two_lines() -> None:
    label = np.ones((8, 8), np.uint8)
    names = list(titles.TITLES)[:13]
    rows = [figure2.Row("a", label, label, dict.fromkeys(names, label))] * 2
    axes = figure2.figure2(rows, names, columns=8).axes
    assert len(axes) == 2 * 2 * 8
    assert [a.get_title() for a in axes[:2]] == [a.get_title() for a in axes[16:18]]
    assert not axes[15].axison and axes[14].axison  # 15 panels a slice
    assert len(figure2.figure2(rows, names, columns=7).axes) == 2 * 3 * 5  # not 7, 7 and 1


@pytest.mark.parametrize("methods", [1, 12])
def test_the_names_of_rows_stay_beside_their_rows(methods: int) -> None:
    label = np.zeros((60, 60), np.uint8)
    label[20:40, 20:40] = 1
    names = list(titles.TITLES)[:methods]
    shown = dict.fromkeys(names, label)
    rows = [figure2.Row("patient083_frame01\nmiddle, slice 4", label, label, shown)] * 4
    figure = figure2.figure2(rows, names)
    figure.canvas.draw()
    labels = [axes.yaxis.label for axes in figure.axes if axes.get_ylabel()]
    boxes = [text.get_window_extent() for text in labels]
    assert len(boxes) == 4
    assert all(high.y0 >= low.y1 for high, low in itertools.pairwise(boxes))


def case(scribble: np.ndarray | None, label: np.ndarray | None) -> Case:
    image = np.full((1, 4, 4), 0.5, np.float32)
    return Case("p1", "ED", image, scribble, label, (1.0, 1.0, 1.0), "drawn")


RV_AND_GROUND = np.array([[[0, 1, 4, 4]] * 4], np.uint8)
LV_MASK = np.array([[[0, 0, 3, 3]] * 4], np.uint8)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


@pytest.mark.parametrize(
    "scribble, label, panels, named",
    [
        (RV_AND_GROUND, None, ["scribble"], ["background", "RV"]),
        (None, LV_MASK, ["mask"], ["LV"]),  # a mask's background is not painted
        (RV_AND_GROUND, LV_MASK, ["scribble", "mask"], ["background", "RV", "LV"]),
    ],
)
def test_slices_name_their_data_set_and_the_classes_that_are_seen(
    scribble: Any, label: Any, panels: list[str], named: list[str]
) -> None:
    whole = (slice(None), slice(None))
    figure = figures.slices(case(scribble, label), [0], whole, "mscmr")
    titles_ = [axes.get_title() for axes in figure.axes]
    assert titles_ == [f"slice 1: {name}" for name in ["image", *panels]]
    assert legend(figure) == named
    assert figure.get_suptitle() == "MSCMR: p1_ED"


def test_a_name_between_dollars_is_no_formula() -> None:
    wrong = r"$\nothing$"  # as a formula it ends the drawing with an error
    odd = replace(case(RV_AND_GROUND, LV_MASK), subject=wrong, classes=("a", wrong, "c", wrong))
    whole = (slice(None), slice(None))
    for figure in (figures.slices(odd, [0], whole, "own"), figures.histograms([odd], "own")):
        figure.draw_without_rendering()
    raw = Figure()
    raw.text(0, 0, wrong)
    with pytest.raises(ValueError, match="nothing"):
        raw.draw_without_rendering()


def test_histograms_share_axes_and_leave_out_what_there_is_not() -> None:
    both = figures.histograms([case(RV_AND_GROUND, LV_MASK)], "ACDC")
    assert [axes.get_title() for axes in both.axes] == ["ACDC: scribble", "ACDC: mask"]
    assert both.axes[0].get_ylim() == both.axes[1].get_ylim()
    assert legend(both) == ["background", "RV", "LV"]
    lines = both.legends[0].get_lines()
    assert len({line.get_linestyle() for line in lines}) == 3, "colours may be alike in print"
    alone = figures.histograms([case(RV_AND_GROUND, None)], "MSCMR")
    assert [axes.get_title() for axes in alone.axes] == ["MSCMR: scribble"]
    assert legend(alone) == ["background", "RV"]


def test_box_holds_all_classes():
    labels = np.zeros((2, 60, 60), np.uint8)
    labels[0, 20, 30], labels[1, 40, 35] = 1, 2
    assert (labels[(slice(None), *figures.heart_box(labels, 2))] > 0).sum() == 2


@pytest.mark.parametrize("place", [(0, 0), (0, 39), (29, 0), (29, 39), (15, 20)])
def test_box_ends_where_the_image_ends(place: tuple[int, int]) -> None:
    labels = np.zeros((30, 40), np.uint8)
    labels[place] = 1
    for box, size in zip(figures.heart_box(labels), labels.shape, strict=True):
        assert 0 <= box.start < box.stop <= size


@pytest.mark.parametrize(
    ("outside", "said"), [(0, []), (1, ["5% beyond"]), (2, ["10% beyond"]), (18, ["50% beyond"])]
)
def test_a_cropped_picture_says_how_much_lies_beyond(outside: int, said: list[str]) -> None:
    labels = np.zeros((24, 10), int)
    labels[2:5, 2:8] = 3  # 18 pixels inside the box
    labels[6:9, 2:8].flat[:outside] = 1
    axes = Figure().subplots()
    figures.note_outside(axes, labels, (slice(0, 5), slice(0, 10)))
    assert [text.get_text() for text in axes.texts] == said
    figures.note_outside(axes, labels * 0, (slice(0, 5), slice(0, 10)))
    assert len(axes.texts) == len(said)


SEEDS = {"seeds": 1, "reference_seeds": 3, "patients": 20}


def test_an_interval_that_goes_on_beyond_the_zoomed_axis_has_a_mark_there() -> None:
    wide = {"mean_difference": 0.01, "low": -0.02, "high": 0.2, "p_holm": 0.5, "method": "pce"}
    rows = [wide | SEEDS | {"metric": metric} for metric in ("dice", "hd95_voxel")]
    dice, near, *_ = comparison_figures.forest(pd.DataFrame(rows)).axes
    marks = [line.get_marker() for line in near.get_lines()]
    assert ">" in marks and "<" not in marks
    assert not near.get_lines()[marks.index(">")].get_clip_on(), "whole, on the axis's edge"
    assert ">" not in [line.get_marker() for line in dice.get_lines()]


def test_what_seeds_move_far_is_marked_in_its_own_unit() -> None:
    rows = [
        {"method": "pce", "metric": metric, "mean_difference": -0.01, "p_holm": 0.5, "low": -0.02}
        | {"high": 0.0, "seeds_apart": apart, **SEEDS}
        for metric, apart in (("dice", 0.049), ("hd95_voxel", 5.1))
    ]
    figure = comparison_figures.forest(pd.DataFrame(rows))
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [[], [], ["‡"], []]
    assert figure.get_suptitle().endswith("; ‡ single seeds differ by over 5)")


@pytest.mark.parametrize("far", [-0.7, 0.7])
def test_a_collapsed_method_does_not_squeeze_the_forest_plot(far: float) -> None:
    differences = {"pce": -0.13, "dmpls": far}
    rows = [
        {"method": m, "metric": metric, "mean_difference": d, "low": d, "high": d, "p_holm": 0.01}
        | SEEDS
        for m, d in differences.items()
        for metric in ("dice", "hd95_voxel")
    ]
    figure = comparison_figures.forest(pd.DataFrame(rows))
    dice, near, hd95, _ = figure.axes
    low, high = dice.get_xlim()
    assert -35 < low < high < 35
    assert [text.get_text() for text in dice.texts] == [f"{100 * far:.0f}"]
    assert not hd95.texts and not near.texts
    low, high = near.get_xlim()
    assert -6 < low < high < 6
    key = [text.get_text() for text in figure.legends[0].get_texts()]
    assert key == [
        "significant (see the tables), with 95% interval",
        "not significant",
        "beyond the axis",
    ]


def test_runs_are_found_by_data_set_and_title(tmp_path: Path) -> None:
    wanted = [("phantom", "scn", 1, ""), ("phantom", "scn", 0, ""), ("acdc", "pce", 2, "")]
    wanted += [("acdc", "pce", 0, "sgd"), ("mscmr", "full", 0, "")]
    records = [
        write(tmp_path / str(i), make_run(dataset, method, seed, variant=variant))
        for i, (dataset, method, seed, variant) in enumerate(wanted)
    ]
    curves = figures.by_data_set(records)
    assert {name: list(runs) for name, runs in curves.items()} == {
        "acdc": ["PCE", "PCE (sgd)"],
        "mscmr": ["Full supervision"],
        "phantom": ["SCN"],
    }
    assert curves["phantom"]["SCN"].run.seed == 0  # the lowest of two


def test_a_method_that_a_user_added_has_a_place(tmp_path: Path) -> None:
    records = [write(tmp_path / m, make_run("acdc", m)) for m in ("mine", "scn", "pce")]
    curves = figures.by_data_set(records)
    assert list(curves["acdc"]) == ["PCE", "SCN", "mine"]
    row = {"mean_difference": 0.1, "low": 0, "high": 0.2, "p_holm": 0.5} | SEEDS
    metrics = ("dice", "hd95_voxel")
    tests = pd.DataFrame([row | {"method": "mine", "metric": metric} for metric in metrics])
    figure = comparison_figures.forest(tests, "ACDC")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["mine (1)"]
    heading = "ACDC: method minus SCN (in brackets: its seeds; SCN 3; 20 patients)"
    assert figure.get_suptitle() == heading


def test_each_method_has_a_panel_of_its_own_before_scns_curve(tmp_path: Path) -> None:
    records = [write(tmp_path / m, make_run("acdc", m)) for m in ("pce", "scn", "full")]
    (runs,) = figures.by_data_set(records).values()
    panels = figures.curve_panels(runs, dict.fromkeys(runs, runs["SCN"]), "SCN", 2).axes
    assert [axes.get_title() for axes in panels] == ["PCE", "SCN", "Full supervision", ""]
    assert [len(axes.get_lines()) for axes in panels[:3]] == [3, 3, 3]  # SCN's, its own, its best
    assert not panels[3].axison
    alone = figures.curve_panels({"PCE": runs["PCE"]})
    assert alone.get_supxlabel() == "iteration"


@pytest.mark.parametrize(
    ("pce", "lines"), [([3.0, 2.0], ["loss = pce"]), ([2.9, 2.0], ["loss", "pce"])]
)
def test_a_loss_that_is_its_only_part_is_one_line(pce: list[float], lines: list[str]) -> None:
    curve = pd.DataFrame({"iteration": [1, 2], "lr": 1e-3, "loss": [3.0, 2.0], "pce": pce})
    losses = figures.training_curves(curve, []).axes[0]
    assert [line.get_label() for line in losses.get_lines()] == lines


@pytest.mark.parametrize("kept", [{}, {"tau": [0.8, 0.9], "share_M": [0.1, 0.2]}])
def test_a_run_without_tau_has_no_empty_axes(kept: dict[str, list[float]]) -> None:
    curve = pd.DataFrame({"iteration": [1, 2], "lr": 1e-3, "loss": [3.0, 2.0]} | kept)
    figure = figures.training_curves(curve, [{"iteration": 2, "dice": 0.5}])
    assert [axes.axison for axes in figure.axes] == [True, True, True, bool(kept)]
    assert all(axes.has_data() for axes in figure.axes if axes.axison)


def test_no_loss_has_the_colour_of_a_class() -> None:
    parts = {name: [1.0, 2.0] for name in "abcdef"}
    curve = pd.DataFrame({"iteration": [1, 2], "lr": 1e-3, "loss": [3.0, 2.0]} | parts)
    lines = figures.training_curves(curve, []).axes[0].get_lines()
    classes = [to_rgb(colour) for colour in display.PALETTE.values()]
    colours = [to_rgb(line.get_color()) for line in lines]
    assert min(math.dist(a, b) for a in colours for b in classes) > 0.2


def test_the_best_is_marked_beside_a_dice_that_is_no_number() -> None:
    curve = pd.DataFrame({"iteration": [1, 2, 3], "lr": 1e-3, "loss": [3.0, 2.0, 1.0]})
    for dices, lines, best in (([float("nan"), 0.6, 0.5], 2, 60), ([float("nan")] * 3, 1, None)):
        points = [{"iteration": i + 1, "dice": dice} for i, dice in enumerate(dices)]
        scores = figures.training_curves(curve, points).axes[2]
        assert len(scores.get_lines()) == lines
        if best is not None:
            assert scores.get_lines()[1].get_ydata() == pytest.approx([best])


def test_a_figure_is_shown_with_its_alternative_text_and_caption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(display, "display", lambda what, **how: shown.append((what, how)))
    figure = Figure(figsize=(1, 1))
    display.show(figure, "a blank page")
    display.show(figure, alt="a blank page", caption="Nothing.")
    assert [how.get("metadata") for _, how in shown] == [
        {"image/png": {"alt": "a blank page"}},
        {"image/png": {"alt": "a blank page"}},
        None,
    ]
    assert shown[0][0]["text/plain"] == "a blank page"
    assert shown[2][0].data == "*Nothing.*"


def test_a_kept_picture_has_the_classes_colours_on_a_photo_too(tmp_path: Path) -> None:
    """Few pixels of a class among many greys: its colour must not be given away for another's."""
    colours = display.class_colours(4)
    figure = Figure(figsize=(4, 4), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    noise = np.random.default_rng(0).random((200, 200))
    axes.imshow(noise, cmap="gray", extent=(0, 1, 0, 1))
    for k, colour in enumerate(colours):
        axes.axvspan(0.2 * k, 0.2 * k + 0.05, 0.5, 0.55, color=colour)
    display.save_figure(figure, tmp_path / "photo.png")
    kept = np.asarray(Image.open(tmp_path / "photo.png").convert("RGB")).reshape(-1, 3).astype(int)
    for colour in colours:
        wanted = 255 * np.array(to_rgb(colour))
        assert np.abs(kept - wanted).max(axis=1).min() < 30


def test_a_figure_is_kept_as_vectors_where_its_name_asks_for_them(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 2))
    figure.add_subplot(title="Apex & base").imshow(np.eye(3))
    paths = [tmp_path / name for name in ("one.svg", "two.svg")]
    for path in paths:
        display.save_figure(figure, path)
    root = ElementTree.fromstring(paths[0].read_bytes())
    assert root.tag.endswith("}svg")
    assert "Apex & base" in [(part.text or "").strip() for part in root.iter()]  # can be searched
    assert any(part.tag.endswith("}image") for part in root.iter())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_full_disk_keeps_the_picture_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "blank.png"
    path.write_bytes(b"before")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ValueError, match=r"blank\.png: can't be written \(No space left"):
        display.save_figure(Figure(figsize=(1, 1)), path)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_photo_is_shown_as_a_smaller_kind_of_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(display, "display", lambda what, **how: shown.append((what, how)))
    figure = Figure(figsize=(1, 1))
    display.show(figure, "a blank page", photo=True)
    display.save_figure(figure, tmp_path / "made" / "blank.png")
    display.show_file(tmp_path / "made" / "blank.png", "a kept page")
    for (what, how), alt in zip(shown, ("a blank page", "a kept page"), strict=True):
        assert set(what) == {"image/jpeg", "text/plain"} and what["text/plain"] == alt
        assert how["metadata"] == {"image/jpeg": {"alt": alt}}
