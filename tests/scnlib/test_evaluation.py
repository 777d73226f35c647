"""Dice, 95HD, the way from logits to labels, and the summary of a run."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medpy.metric import binary
from torch import nn

from scnlib.data.cases import Case
from scnlib.evaluation import METRICS, dice, evaluate, hd95, score, summary
from scnlib.inference import label_volume

ISOTROPIC = (1.0, 1.0, 1.0)


def cube() -> np.ndarray:
    mask = np.zeros((4, 8, 8), dtype=bool)
    mask[1:3, 2:5, 2:5] = True
    return mask


def case_of(label: np.ndarray | None, image: np.ndarray | None = None, subject: str = "s1") -> Case:
    image = np.zeros((4, 8, 8), np.float32) if image is None else image
    return Case(subject, "f1", image, None, label, (10.0, 1.5, 1.5), "phantom")


def test_dice_of_partly_overlapping_masks() -> None:
    truth = cube()
    shifted = np.roll(truth, 1, axis=2)  # 18 voxels each, 12 in both
    assert dice(shifted, truth) == pytest.approx(2 * 12 / 36)
    assert dice(truth, truth) == 1.0
    assert dice(~truth, truth) == 0.0


def test_distances_of_both_directions_are_pooled() -> None:
    truth = np.zeros((1, 30, 40), dtype=bool)
    truth[0, 10:20, 5:15] = True
    spur = truth.copy()
    spur[0, 14, 15:30] = True
    # 9.3 would be the larger of the two directed percentiles, 15 the maximum, 10.75 2D surfaces.
    assert hd95(spur, truth, ISOTROPIC) == pytest.approx(4.3)
    assert hd95(truth, spur, ISOTROPIC) == pytest.approx(4.3)
    assert dice(spur, truth) == pytest.approx(0.930233, abs=1e-6)


def test_spacing_scales_each_axis() -> None:
    one, other = np.zeros((2, 4, 9, 9), dtype=bool)
    one[1, 2, 2] = other[3, 2, 2] = True
    assert hd95(one, other, (10.0, 1.5, 2.0)) == pytest.approx(20.0)
    assert hd95(one, np.roll(one, 3, axis=1), (10.0, 1.5, 2.0)) == pytest.approx(4.5)
    assert hd95(one, np.roll(one, 3, axis=2), (10.0, 1.5, 2.0)) == pytest.approx(6.0)


def test_one_empty_mask_is_penalised_and_two_have_no_score() -> None:
    truth, empty, spacing = cube(), np.zeros((4, 8, 8), dtype=bool), (10.0, 1.5, 1.5)
    for pair in ((empty, truth), (truth, empty)):
        assert dice(*pair) == 0.0
        assert hd95(*pair, spacing) == pytest.approx(43.451122, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nan is told, not come upon by 0 / 0
        assert math.isnan(dice(empty, empty))
    assert math.isnan(hd95(empty, empty, spacing))


def test_arguments_are_not_changed() -> None:
    for dtype in (bool, np.uint8):
        prediction, truth = np.roll(cube(), 2, axis=1).astype(dtype), cube().astype(dtype)
        before = prediction.copy(), truth.copy()
        dice(prediction, truth)
        hd95(prediction, truth, ISOTROPIC)
        hd95(np.zeros_like(truth), truth, ISOTROPIC)
        assert np.array_equal(prediction, before[0]) and np.array_equal(truth, before[1])
        assert prediction.dtype == truth.dtype == dtype


masks = hnp.arrays(bool, st.just((3, 9, 7)), elements=st.sampled_from([False] * 5 + [True]))
steps = st.floats(0.5, 12.0)


@settings(max_examples=60)
@given(masks, masks, st.tuples(steps, steps, steps))
def test_cropping_does_not_change_the_distance(
    one: np.ndarray, other: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    one[1, 4, 3] = other[2, 5, 1] = True  # neither is empty; both may touch the volume's faces
    margins = ((2, 1), (0, 5), (6, 3))
    wide, wider = np.pad(one, margins), np.pad(other, margins)
    expected = binary.hd95(wide, wider, voxelspacing=spacing)
    assert hd95(wide, wider, spacing) == pytest.approx(expected)
    assert hd95(one, other, spacing) == pytest.approx(expected)
    assert hd95(other, one, spacing) == pytest.approx(expected)


@settings(max_examples=40)
@given(masks, masks, st.tuples(steps, steps, steps), st.data())
def test_properties_of_the_scores(
    one: np.ndarray, other: np.ndarray, spacing: tuple[float, float, float], data: st.DataObject
) -> None:
    """Symmetry, a place elsewhere, wider and narrower volumes, turned axes, scale and order."""
    one[1, 4, 3] = other[2, 5, 1] = True
    scores = dice(one, other), pytest.approx(hd95(one, other, spacing))

    def of(change, steps=spacing) -> tuple[float, float]:
        return dice(change(one), change(other)), hd95(change(one), change(other), steps)

    margins = data.draw(st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 3))
    wide = of(lambda mask: np.pad(mask, margins))  # with another margin it is a translation
    box = tuple(slice(a.min(), a.max() + 1) for a in np.nonzero(one | other))
    order = data.draw(st.permutations(range(3)))
    turned = tuple(spacing[axis] for axis in order)
    assert wide == of(lambda mask: mask[box]) == scores
    assert (dice(other, one), hd95(other, one, spacing)) == scores
    assert of(lambda mask: np.flip(mask, order[0])) == scores
    assert of(lambda mask: mask.transpose(order), turned) == scores

    factor, longer = data.draw(st.floats(0.1, 10)), data.draw(st.tuples(*[st.floats(1, 3)] * 3))
    scaled = tuple(factor * step for step in spacing)
    assert hd95(one, other, scaled) == pytest.approx(factor * hd95(one, other, spacing))
    stretched = tuple(a * b for a, b in zip(longer, spacing, strict=True))
    assert hd95(one, other, stretched) >= hd95(one, other, spacing) * (1 - 1e-12)
    assert 0 <= hd95(one, other, spacing) <= np.linalg.norm(np.array(one.shape) * spacing)


@settings(max_examples=40)
@given(masks, masks)
def test_dice_rises_with_a_right_voxel_and_falls_with_a_wrong_one(
    one: np.ndarray, truth: np.ndarray
) -> None:
    truth[0, 0, 0] = one[0, 0, 1] = True
    truth[0, 0, 1] = one[0, 0, 0] = False
    right, wrong = one.copy(), one.copy()
    right[0, 0, 0] = True
    wrong[2, 8, 6] = True
    assert dice(one, truth) < dice(right, truth) <= 1
    if not (truth | one)[2, 8, 6] and (one & truth).any():
        assert dice(wrong, truth) < dice(one, truth)
    assert dice(one, one) == 1 and hd95(one, one, ISOTROPIC) == 0


@given(st.integers(1, 6), st.integers(1, 6), steps)
def test_the_distance_grows_with_the_way(near: int, more: int, step: float) -> None:
    row = np.zeros((3, 1, 1, 20), bool)
    for mask, place in zip(row, (0, near, near + more), strict=True):
        mask[0, 0, place] = True
    spacing = (1.0, 1.0, step)
    assert hd95(row[0], row[1], spacing) == pytest.approx(near * step)
    assert hd95(row[0], row[2], spacing) == pytest.approx((near + more) * step)


def test_bad_masks_and_spacings_are_refused() -> None:
    mask = cube()
    for metric in (dice, lambda a, b: hd95(a, b, ISOTROPIC)):
        with pytest.raises(ValueError, match="one shape"):
            metric(mask, mask[:, :, :5])
        with pytest.raises(ValueError, match="3D"):
            metric(mask[0], mask[0])
        with pytest.raises(ValueError, match="labels == k"):
            metric(mask * np.uint8(3), mask)
    for spacing in ((1.0, 1.0), (1.0, 0.0, 1.0), (-1.0, 1.0, 1.0), (math.nan, 1.0, 1.0)):
        with pytest.raises(ValueError, match="three positive numbers"):
            hd95(mask, mask, spacing)


def planted(label: np.ndarray) -> np.ndarray:
    """An image from which `read_labels` recovers the label map."""
    return (label / 3).astype(np.float32)


def read_labels(image: torch.Tensor) -> torch.Tensor:
    assert torch.is_inference_mode_enabled() and image.dtype == torch.float32
    distance = image * 3 - torch.arange(4.0)[:, None, None]
    return -40 * distance.abs()


def test_labels_come_back_on_the_volumes_own_grid() -> None:
    label = np.zeros((5, 30, 21), dtype=np.uint8)
    label[:, 5:25, 3:18] = np.array([1, 2, 3, 1, 0], dtype=np.uint8)[:, None, None]
    same = label_volume(read_labels, planted(label[:, :21]), size=21, batch=2)
    assert same.dtype == np.uint8
    assert np.array_equal(same, label[:, :21])
    resized = label_volume(read_labels, planted(label), size=60, batch=2)
    assert resized.shape == label.shape
    assert np.array_equal(resized[:, 8:22, 6:15], label[:, 8:22, 6:15])
    assert not resized[:, :3].any()


def test_probabilities_are_interpolated_not_logits() -> None:
    """The third of four columns lies a quarter of the way: P0 = 0.34, but logits 2.5 to 1.5."""
    logits = torch.tensor([[10.0, 0.0], [0.0, 2.0]])[None, :, None]  # class, column
    image = np.zeros((1, 4, 4), np.float32)
    found = label_volume(lambda x: logits.expand(len(x), 2, 2, 2), image, size=2, batch=1)
    assert found[0, 0].tolist() == [0, 0, 1, 1]


def test_a_structure_that_few_volumes_have_counts_as_much_as_another() -> None:
    """RV (1 + 0.5) / 2, LV 0 in the one volume that has it: their mean, not that of three."""
    rows = pd.DataFrame({"structure": ["RV", "RV", "LV", "LV"], "volume": list("abab")})
    rows = rows.assign(empty_prediction=False, empty_truth=False)
    for metric in METRICS:
        rows[metric] = [1.0, 0.5, 0.0, math.nan]
    assert summary(rows)["dice"]["mean"] == pytest.approx((0.75 + 0.0) / 2)


def test_last_batch_of_one_slice_and_the_batch_size_change_nothing() -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs in (1, 4, 4, 4):
        layers += [nn.Conv2d(inputs, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Upsample(scale_factor=16), nn.Conv2d(4, 4, 1)).eval()
    image = np.random.default_rng(0).random((25, 16, 16), dtype=np.float32)
    maps = [label_volume(net, image, size=16, batch=batch) for batch in (1, 24, 25)]
    assert maps[0].shape == (25, 16, 16)
    assert np.array_equal(maps[0], maps[1]) and np.array_equal(maps[0], maps[2])


def test_bad_logits_are_refused() -> None:
    image = np.zeros((2, 8, 8), dtype=np.float32)
    for shape in ((1, 4, 8, 8), (2, 4, 7, 8), (2, 4, 8, 7), (2, 8, 8)):
        with pytest.raises(ValueError, match="logits must be"):
            label_volume(lambda x, shape=shape: x.new_zeros(shape), image, size=8, batch=2)
    with pytest.raises(ValueError, match="not finite"):
        label_volume(lambda x: x.expand(-1, 4, -1, -1) * math.nan, image, size=8, batch=2)


def test_score_has_a_row_a_structure_and_marks_empty_ones() -> None:
    label = np.zeros((4, 8, 8), dtype=np.uint8)
    label[1:3, 2:5, 2:5] = 1
    label[1, 6, 6] = 2
    prediction = np.where(label == 2, 0, label)
    rv, myo, lv = score(prediction, case_of(label))
    assert (rv["structure"], myo["structure"], lv["structure"]) == ("RV", "MYO", "LV")
    assert (rv["volume"], rv["subject"], rv["frame"]) == ("s1_f1", "s1", "f1")
    assert (rv["dice"], rv["hd95_voxel"], rv["hd95_mm"]) == (1.0, 0.0, 0.0)
    assert myo["dice"] == 0.0 and myo["empty_prediction"] and not myo["empty_truth"]
    assert myo["hd95_voxel"] == pytest.approx(12.0) and myo["hd95_mm"] == pytest.approx(43.451122)
    assert math.isnan(lv["dice"]) and lv["empty_prediction"] and lv["empty_truth"]


def test_unknown_spacing_gives_no_millimetres() -> None:
    label = np.zeros((4, 8, 8), dtype=np.uint8)
    label[1:3, 2:5, 2:5] = 1
    rows = score(np.roll(label, 1, axis=2), replace(case_of(label), spacing=(math.nan,) * 3))
    assert rows[0]["hd95_voxel"] == 1.0 and math.isnan(rows[0]["hd95_mm"])
    without = score(label, case_of(label), hd=False)[0]
    assert without["dice"] == 1.0 and math.isnan(without["hd95_voxel"])


def test_a_case_that_cannot_be_scored_is_refused() -> None:
    label = np.zeros((4, 8, 8), dtype=np.uint8)
    with pytest.raises(ValueError, match="no masks"):
        score(label, case_of(None))
    with pytest.raises(ValueError, match="differ"):
        score(label[:3], case_of(label))
    with pytest.raises(ValueError, match="at least one case"):
        evaluate(read_labels, [], size=8, batch=2)
    with pytest.raises(ValueError, match="different name"):
        evaluate(read_labels, [case_of(label), case_of(label)], size=8, batch=2)


def test_evaluate_and_summary_of_two_volumes() -> None:
    label = np.zeros((4, 8, 8), dtype=np.uint8)
    label[1:3, 1:3] = 1
    label[1:3, 4:6] = 3
    missed = np.where(label == 3, 0, label)
    cases = [case_of(label, planted(label)), case_of(label, planted(missed), subject="s2")]
    metrics, predictions = evaluate(read_labels, cases, size=8, batch=3)
    assert np.array_equal(predictions["s1_f1"], label)
    assert np.array_equal(predictions["s2_f1"], missed)
    found = summary(metrics)
    assert list(found["dice"]) == ["RV", "MYO", "LV", "mean"]  # the order of the paper's tables
    quick, _ = evaluate(read_labels, cases, size=8, batch=3, hd=False)
    assert np.array_equal(quick["dice"], metrics["dice"], equal_nan=True)
    assert np.isnan(quick["hd95_voxel"]).all()
    # MYO is nowhere: it has no score and leaves the mean over structures.
    assert found["dice"]["RV"] == 1.0 and found["dice"]["LV"] == 0.5
    assert math.isnan(found["dice"]["MYO"]) and found["dice"]["mean"] == 0.75
    assert found["hd95_voxel"]["LV"] == pytest.approx(6.0)
    assert found["hd95_mm"]["mean"] == pytest.approx(43.451122 / 4)
    assert (found["volumes"], found["empty_predictions"], found["empty_truths"]) == (2, 3, 2)
