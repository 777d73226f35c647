"""Splits, data sets by name, and the arrays that training takes."""

import logging
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from scnlib.data import (
    Case,
    fingerprint,
    is_there,
    load_split,
    sets_in,
    stack,
)
from scnlib.data.acdc import patients, read_acdc, spacings
from scnlib.data.batches import TrainingSet
from scnlib.data.cases import require
from study.experiments import make_run
from tests.scnlib.data.test_acdc import arrays, changed, write


def acdc_tree(root: Path, split: str = "val") -> Path:
    folder = root / "ACDC" / "ACDC_training_volumes"
    for volume in spacings():
        if volume[:10] in patients("acdc", split):
            write(folder / f"{volume}.h5")
    return folder


# --- splits -----------------------------------------------------------------------------------


def test_the_split_is_stratified_and_disjoint():
    parts = {split: patients("acdc", split) for split in ("train", "val", "test")}
    assert {k: len(v) for k, v in parts.items()} == {"train": 60, "val": 20, "test": 20}
    assert len(frozenset.union(*parts.values())) == 100
    for first in range(1, 100, 20):  # five pathology groups
        group = [f"patient{p:03d}" for p in range(first, first + 20)]
        for split, chosen in (("test", group[:4]), ("val", group[4:8]), ("train", group[8:])):
            assert parts[split] & set(group) == set(chosen)


def test_each_fold_tests_twenty_patients_in_a_row_and_trains_on_the_others():
    for k in range(1, 6):
        tested = {f"patient{p:03d}" for p in range(20 * (k - 1) + 1, 20 * k + 1)}
        assert patients(f"acdc_fold{k}", "test") == tested
        assert len(patients(f"acdc_fold{k}", "train") - tested) == 80
        assert not patients(f"acdc_fold{k}", "val")


def test_a_split_holds_both_frames_of_its_patients_in_order(tmp_path: Path):
    acdc_tree(tmp_path)
    cases = load_split("acdc", tmp_path, "val")
    names = [case.volume for case in cases]
    assert len(names) == 40 and names == sorted(names)
    assert {case.subject for case in cases} == patients("acdc", "val")


def test_missing_patients_are_listed(tmp_path: Path):
    folder = acdc_tree(tmp_path)
    (folder / "patient005_frame01.h5").unlink()
    (folder / "patient088_frame12.h5").rename(folder / "patient088_frame12.h5.part")
    with pytest.raises(FileNotFoundError, match=r"2 patients.*patient005, patient088;"):
        load_split("acdc", tmp_path, "val")


def test_stray_files_are_left_aside_with_a_note(tmp_path: Path, caplog):
    folder = acdc_tree(tmp_path)
    (folder / "patient101_frame01.h5.part").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    with caplog.at_level(logging.WARNING):
        assert len(load_split("acdc", tmp_path, "val")) == 40
    assert "notes.txt" in caplog.text and "patient101_frame01.h5.part" in caplog.text


def test_a_broken_file_stops_the_split(tmp_path: Path):
    broken = acdc_tree(tmp_path) / "patient005_frame01.h5"
    broken.write_bytes(b"")
    with pytest.raises(ValueError, match=r"patient005_frame01\.h5"):
        load_split("acdc", tmp_path, "val")


def test_unknown_names_say_what_there_is(tmp_path: Path):
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic" / "dataset.toml").touch()
    for name in ("acdcc", "../clinic", ""):
        with pytest.raises(ValueError, match=r"phantom, acdc, .*mscmr, clinic"):
            load_split(name, tmp_path, "train")
    with pytest.raises(ValueError, match="unknown split 'validation'"):
        load_split("acdc", tmp_path, "validation")
    with pytest.raises(ValueError, match="--data"):
        load_split("acdc", None, "train")
    for name, root in (("acdc", tmp_path), ("mscmr", tmp_path), ("acdc", tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            load_split(name, root, "train")


def test_a_data_set_is_there_if_its_folder_is(tmp_path: Path):
    (tmp_path / "MSCMR" / "MSCMR_dataset").mkdir(parents=True)
    (tmp_path / "ACDC").mkdir()  # not unpacked
    (tmp_path / "clinic").mkdir()
    names = ("phantom", "acdc", "acdc_fold1", "mscmr", "clinic", "clinik")
    found = {root: [n for n in names if is_there(n, root)] for root in (tmp_path, tmp_path / "no")}
    assert found[tmp_path] == ["phantom", "mscmr", "clinic"]
    assert found[tmp_path / "no"] == ["phantom"]
    assert is_there("phantom", None) and not is_there("acdc", None)


def test_the_sets_of_a_folder_are_the_published_ones_and_those_that_describe_themselves(tmp_path):
    (tmp_path / "MSCMR" / "MSCMR_dataset").mkdir(parents=True)
    for name in ("clinic", "abroad", "notes"):
        (tmp_path / name).mkdir()
    for name in ("clinic", "abroad"):
        (tmp_path / name / "dataset.toml").touch()
    assert sets_in(tmp_path) == ["mscmr", "abroad", "clinic"]
    assert sets_in(None) == []
    with pytest.raises(FileNotFoundError, match="no such folder"):
        sets_in(tmp_path / "none")


def test_the_phantom_needs_no_folder():
    cases = load_split("phantom", None, "val")
    assert cases and all(case.source == "phantom" for case in cases)
    first, second = fingerprint("phantom", None), fingerprint("phantom", None)
    assert first == second and len(first["sha256"]) == 64 and not first["published"]


# --- what training takes ----------------------------------------------------------------------


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return read_acdc(write(tmp_path / "patient001_frame01.h5"))


def test_masks_and_scribbles_are_asked_for_by_purpose(case: Case):
    both = [case, replace(case, subject="patient002", label=None)]
    require(both[:1], "label", "full supervision")
    require(both, "scribble", "training on scribbles")
    with pytest.raises(ValueError, match=r"full supervision needs .*patient002_frame01"):
        require(both, "label", "full supervision")
    with pytest.raises(ValueError, match=r"needs a scribble .*patient001_frame01 and 2 more have"):
        require([replace(case, scribble=None)] * 7, "scribble", "training on scribbles")


def test_stacking_puts_every_slice_on_one_grid(case: Case):
    longer = replace(case, image=np.repeat(case.image, 2, axis=0), scribble=None, label=None)
    bare = stack([replace(case, scribble=None, label=None), longer], 8)
    assert bare.scribble is None and bare.label is None and bare.image.shape == (9, 8, 8)
    assert np.array_equal(bare.image[3:], stack([longer], 8).image)
    full = stack([case], 8)
    assert full.scribble is not None and full.label is not None
    assert (full.image.dtype, full.scribble.dtype, full.label.dtype) == ("f4", "u1", "u1")
    assert set(np.unique(full.scribble)) == {0, 1, 2, 3, 4} and full.label.max() == 3


def test_what_only_some_volumes_have_is_left_out(case: Case):
    some = stack([case, replace(case, label=None)], 8)
    assert some.label is None and some.scribble is not None
    some = stack([replace(case, scribble=None), case], 8)
    assert some.scribble is None and some.label is not None


def test_scribbles_train_also_where_only_some_volumes_have_a_mask(case: Case):
    """As in a lab that masked a few of its volumes; what is missing of need is named."""
    cases = [case, replace(case, subject="patient002", label=None)]
    run = make_run("acdc", "pce", size=16, batch=2)
    assert len(TrainingSet(run, cases, torch.device("cpu")).scribbles) == 6
    with pytest.raises(ValueError, match=r"method full needs a full mask .*patient002"):
        TrainingSet(replace(run, method="full"), cases, torch.device("cpu"), needs="label")
    bare = [case, replace(case, subject="patient003", scribble=None)]
    with pytest.raises(ValueError, match=r"needs a scribble .*patient003"):
        TrainingSet(run, bare, torch.device("cpu"))


def test_other_classes_or_an_empty_list_are_not_stacked(case: Case):
    with pytest.raises(ValueError, match="differ in their classes"):
        stack([case, replace(case, classes=("background", "a", "b", "c"))], 8)
    with pytest.raises(ValueError, match="list of cases is empty"):
        stack([], 8)


def test_a_fingerprint_follows_content_not_packing(tmp_path: Path):
    folder = acdc_tree(tmp_path)
    before = fingerprint("acdc", tmp_path)
    assert before["dataset"] == "acdc" and not before["published"]
    path = folder / "patient005_frame01.h5"
    with h5py.File(path, "w") as file:
        for key, array in arrays().items():
            file.create_dataset(key, data=array, compression="gzip")
    assert fingerprint("acdc", tmp_path) == before
    write(path, **changed("image", 0.123))
    assert fingerprint("acdc", tmp_path) != before
