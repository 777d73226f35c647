"""The published data, where they are at hand: counts, agreement, and how much scribbles tell."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from scnlib.data import Case, fingerprint, load_split, stack
from scnlib.data.cases import require

COUNTS = {
    "acdc": {"train": 120, "val": 40, "test": 40},
    "mscmr": {"train": 25, "val": 5, "test": 15},
}


@cache
def load(dataset: str, root: Path, split: str) -> list[Case]:
    return load_split(dataset, root, split)


@pytest.mark.parametrize("dataset", ["acdc", "mscmr"])
def test_the_published_sets_are_complete_and_recognised(data_root: Path, dataset: str):
    subjects = []
    for split, count in COUNTS[dataset].items():
        cases = load(dataset, data_root, split)
        assert len(cases) == count
        subjects += sorted({case.subject for case in cases})
        for case in cases:
            assert case.image.min() == 0 and case.image.max() == 1
            assert case.image.shape[0] < min(case.image.shape[1:])  # slices first
            z, y, x = case.spacing
            assert z >= 5 - 1e-3 and 0.7 < y == x < 2
    assert len(subjects) == len(set(subjects)) == {"acdc": 100, "mscmr": 45}[dataset]
    assert fingerprint(dataset, data_root)["published"]


def test_acdc_scribbles_are_thin_and_agree_with_the_masks(data_root: Path):
    right = marked = pixels = slices = incomplete = 0
    for split in COUNTS["acdc"]:
        for case in load("acdc", data_root, split):
            assert case.scribble is not None and case.label is not None
            known = case.scribble < 4
            agree = case.scribble[known] == case.label[known]
            assert agree.mean() > 0.997
            right, marked, pixels = right + agree.sum(), marked + known.sum(), pixels + known.size
            slices += len(known)
            incomplete += sum(len(np.unique(s)) < 5 for s in case.scribble)
    assert right / marked > 0.9998
    assert marked / pixels == pytest.approx(0.0107, abs=5e-4)
    assert slices == 1902 and incomplete / slices == pytest.approx(0.19, abs=0.02)


def test_mscmr_trains_on_thick_scribbles_without_masks(data_root: Path):
    train = load("mscmr", data_root, "train")
    assert all(case.label is None and case.scribble is not None for case in train)
    marked = [(case.scribble < 4).mean() for case in train if case.scribble is not None]
    assert np.mean(marked) == pytest.approx(0.043, abs=0.005)
    with pytest.raises(ValueError, match="full supervision needs a full mask"):
        require(train, "label", "full supervision")
    for split in ("val", "test"):
        cases = load("mscmr", data_root, split)
        assert all(case.scribble is None and case.label is not None for case in cases)


def test_the_mask_with_another_affine_fits_array_to_array(data_root: Path):
    """Blood and muscle differ in brightness only if mask and image lie alike."""
    (case,) = [c for c in load("mscmr", data_root, "test") if c.subject == "subject43"]
    assert case.label is not None
    blood, muscle = (case.image[case.label == k].mean() for k in (3, 2))
    mirrored = case.label[:, ::-1]
    lost = case.image[mirrored == 3].mean() - case.image[mirrored == 2].mean()
    assert blood - muscle > 3 * abs(lost)


def test_shrinking_acdc_to_128_loses_no_class_of_any_slice(data_root: Path):
    cases = load("acdc", data_root, "val")
    small = {rule: stack(cases, 128, rule).scribble for rule in ("keep", "nearest")}
    lost = dict.fromkeys(small, 0)
    for rule, scribbles in small.items():
        assert scribbles is not None
        originals = (s for case in cases if case.scribble is not None for s in case.scribble)
        for before, after in zip(originals, scribbles, strict=True):
            lost[rule] += len(np.unique(before)) - len(np.unique(after))
    assert lost["keep"] == 0 < lost["nearest"]
