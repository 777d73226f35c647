"""The phantom: the same at every call, scribbles inside their class, and as hard as it claims."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from scnlib.data import Case, load_split
from scnlib.data.phantom import (
    BACKGROUND,
    BLOOD,
    FAT,
    LV,
    MUSCLE,
    MYO,
    RV,
    SIZE,
    SUBJECTS,
    UNLABELLED,
    draw_subject,
    phantom_split,
    thin,
)

STRUCTURES = {"RV": RV, "MYO": MYO, "LV": LV}
CROSS = ndimage.generate_binary_structure(2, 1)


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Case]]:
    return {split: phantom_split(split) for split in SUBJECTS}


@pytest.fixture(scope="module")
def cases(splits: dict[str, list[Case]]) -> list[Case]:
    return [case for split in splits.values() for case in split]


def arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert case.scribble is not None and case.label is not None
    return case.image, case.scribble, case.label


def slices(cases: list[Case]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Scribble and label of every slice."""
    return [pair for case in cases for pair in zip(*arrays(case)[1:], strict=True)]


def digest(cases: list[Case]) -> str:
    total = hashlib.sha256()
    for case in cases:
        for array in arrays(case):
            total.update(array.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("split", list(SUBJECTS))
def test_the_same_bytes_at_every_call(splits: dict[str, list[Case]], split: str) -> None:
    assert digest(phantom_split(split)) == digest(splits[split])


def test_a_subject_does_not_depend_on_the_others_drawn_before_it(
    splits: dict[str, list[Case]],
) -> None:
    np.random.default_rng(0).random(7)
    draw_subject(3)
    assert digest([draw_subject(25)[0]]) == digest(splits["val"][:1])


def test_the_global_random_state_is_neither_read_nor_moved() -> None:
    np.random.seed(1)
    first = digest([draw_subject(2)[0]])
    following = np.random.random()
    np.random.seed(1)
    assert np.random.random() == following
    assert digest([draw_subject(2)[0]]) == first


def test_shapes_types_ranges_and_names(cases: list[Case]) -> None:
    for case in cases:
        image, scribble, label = arrays(case)
        assert image.shape == scribble.shape == label.shape
        assert image.shape[1:] == (SIZE, SIZE) and 6 <= len(image) <= 8
        assert (image.dtype, scribble.dtype, label.dtype) == (np.float32, np.uint8, np.uint8)
        assert image.min() >= 0.0 and image.max() <= 1.0 and image.std() > 0.1
        assert set(np.unique(label)) == {BACKGROUND, RV, MYO, LV}
        assert set(np.unique(scribble)) == {BACKGROUND, RV, MYO, LV, UNLABELLED}
        assert all(array.flags["C_CONTIGUOUS"] for array in (image, scribble, label))
        assert (case.frame, case.source, case.spacing) == ("ED", "phantom", (10.0, 3.0, 3.0))
        assert UNLABELLED == len(case.classes)


def test_splits_share_no_subject_and_no_image(splits: dict[str, list[Case]]) -> None:
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 24,
        "val": 8,
        "test": 8,
    }
    names = [case.subject for split in splits.values() for case in split]
    assert sorted(names) == [f"phantom{number:03d}" for number in range(1, 41)]
    everything = [case for split in splits.values() for case in split]
    assert len({digest([case]) for case in everything}) == 40


def test_load_split_gives_the_phantom_without_a_folder(splits: dict[str, list[Case]]) -> None:
    assert digest(load_split("phantom", None, "val")) == digest(splits["val"])


@pytest.mark.parametrize("split", ["", "Train", "validation", "all"])
def test_an_unknown_split_is_named_with_the_known_ones(split: str) -> None:
    with pytest.raises(ValueError, match=rf"phantom: no split '{split}'.*train, val, test"):
        phantom_split(split)


def test_every_scribbled_pixel_has_its_class(cases: list[Case]) -> None:
    for scribble, label in slices(cases):
        drawn = scribble != UNLABELLED
        assert np.array_equal(scribble[drawn], label[drawn])


def test_every_present_class_has_a_stroke_and_no_absent_one(cases: list[Case]) -> None:
    for scribble, label in slices(cases):
        assert set(np.unique(scribble)) - {UNLABELLED} == set(np.unique(label))


def test_strokes_are_thin_and_leave_most_of_their_class_unlabelled(cases: list[Case]) -> None:
    for scribble, label in slices(cases):
        for code in np.unique(label):
            stroke = scribble == code
            # No 3 x 3 block is filled, as it would be by a stroke three pixels wide.
            assert not ndimage.binary_erosion(stroke, np.ones((3, 3))).any()
            if (label == code).sum() > 40:
                assert stroke.sum() < 0.5 * (label == code).sum()


def test_labelled_share_is_that_of_thin_scribbles(cases: list[Case]) -> None:
    shares = np.array([(scribble != UNLABELLED).mean() for scribble, _ in slices(cases)])
    assert 0.015 < shares.mean() < 0.03
    assert shares.min() > 0.005 and shares.max() < 0.045


def test_background_far_from_the_heart_is_never_scribbled(cases: list[Case]) -> None:
    far_pixels = 0
    for scribble, label in slices(cases):
        if label.any():
            far = ndimage.distance_transform_edt(label == BACKGROUND)
            assert isinstance(far, np.ndarray)
            assert not (scribble[far > 12] == BACKGROUND).any()
            far_pixels += int((far > 12).sum())
    assert far_pixels > 0.3 * len(slices(cases)) * SIZE * SIZE


@pytest.mark.parametrize("split", list(SUBJECTS))
def test_every_structure_is_missing_from_some_slices(
    splits: dict[str, list[Case]], split: str
) -> None:
    present = np.array(
        [
            [(label == code).any() for code in STRUCTURES.values()]
            for _, label in slices(splits[split])
        ]
    )
    assert not present.all(axis=0).any(), "each structure is missing from some slice"
    assert present.mean() > 0.7
    kinds = {tuple(row) for row in present.tolist()}
    # None at all, MYO alone, without RV, all three.
    assert {(False,) * 3, (False, True, False), (False, True, True), (True,) * 3} <= kinds


def test_ring_encloses_the_cavity(cases: list[Case]) -> None:
    for _, label in slices(cases):
        around = ndimage.binary_dilation(label == LV, CROSS)
        assert np.isin(label[np.asarray(around, bool)], (LV, MYO)).all()


def test_heart_lies_inside_the_image(cases: list[Case]) -> None:
    for _, label in slices(cases):
        border = np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]])
        assert (border == BACKGROUND).all()


def test_heart_narrows_towards_the_apex(cases: list[Case]) -> None:
    for case in cases:
        ring = [(label >= MYO).sum() for label in arrays(case)[2] if label.any()]
        assert ring == sorted(ring, reverse=True) and ring[-1] < 0.6 * ring[0]


def test_fat_is_as_bright_as_blood_and_muscle_as_dark_as_myocardium() -> None:
    fat, blood, trunk, ring = [], [], [], []
    for number in range(1, 41):
        case, tissue = draw_subject(number)
        image, _, label = arrays(case)
        fat.append(image[tissue == FAT].mean())
        blood.append(image[(tissue == BLOOD) & (label == LV)].mean())
        trunk.append(image[(tissue == MUSCLE) & (label == BACKGROUND)].mean())
        ring.append(image[label == MYO].mean())
    assert np.mean(fat) == pytest.approx(np.mean(blood), rel=0.15)
    assert np.mean(trunk) == pytest.approx(np.mean(ring), rel=0.35)
    assert np.mean(blood) > 1.8 * np.mean(ring)


def test_no_threshold_finds_the_blood_pools(cases: list[Case]) -> None:
    image = np.concatenate([arrays(case)[0].ravel() for case in cases])
    label = np.concatenate([arrays(case)[2].ravel() for case in cases])
    pools = np.isin(label, (RV, LV))
    best = max(
        2 * (bright & pools).sum() / (bright.sum() + pools.sum())
        for bright in (image > threshold for threshold in np.arange(0.1, 1.0, 0.05))
    )
    assert best < 0.5


def test_papillary_muscles_are_dark_and_labelled_lv() -> None:
    found = 0
    for number in range(1, 11):
        case, tissue = draw_subject(number)
        image, _, label = arrays(case)
        muscle = (tissue == MUSCLE) & (label == LV)
        found += int(muscle.any())
        assert image[muscle].mean() < 0.85 * image[(tissue == BLOOD) & (label == LV)].mean()
    assert found == 10


def test_thin_drops_the_corners_of_stairs() -> None:
    diagonal = np.linspace([2.0, 2.0], [2.0, 5.0], 50)
    assert thin(diagonal).tolist() == [[2, 2], [2, 3], [2, 4], [2, 5]]
    stairs = np.array([[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]], float)
    assert thin(stairs).tolist() == [[0, 0], [1, 1], [2, 2]]
