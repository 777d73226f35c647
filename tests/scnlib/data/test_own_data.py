"""Own data sets: a folder in MSCMR's layout and a dataset.toml that says what its values mean."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from scnlib.data import fingerprint, load_split, sets_in
from scnlib.data.layout import parse_layout, read_layout
from tests.scnlib.data.test_nifti import IMAGE, MASK, SCRIBBLE, TOML, save, slices_first, tree


def own(root: Path, toml: str = TOML) -> Path:
    folder = tree(root / "clinic", {"train": 1, "val": 1, "test": 1})
    (folder / "dataset.toml").write_text(toml)
    return folder


def test_a_folder_with_a_description_loads_like_the_built_in_sets(tmp_path: Path):
    own(tmp_path)
    train, val, test = (load_split("clinic", tmp_path, s) for s in ("train", "val", "test"))
    np.testing.assert_array_equal(np.asarray(train[0].scribble), slices_first(SCRIBBLE))
    np.testing.assert_array_equal(np.asarray(val[0].label), slices_first(MASK))
    assert [c.subject for c in test] == ["subject3"]
    assert not fingerprint("clinic", tmp_path)["published"]


def test_values_are_mapped_and_unlabelled_becomes_the_number_of_classes(tmp_path: Path):
    toml = """
    classes = ["background", "scar"]
    unlabelled = 1
    slice_axis = 0
    [label_map]
    0 = "background"
    600 = "scar"
    601 = "scar"
    """
    folder = own(tmp_path, toml)
    values = np.array([0, 600, 601, 0], np.uint16)
    save(folder / "val" / "labels" / "subject2_DE_manual.nii.gz", values[MASK])
    marks = np.array([0, 600, 601, 0, 1], np.uint16)
    save(folder / "train" / "labels" / "subject1_DE_scribble.nii.gz", marks[SCRIBBLE])
    (train,), (val,) = (
        load_split("clinic", tmp_path, "train"),
        load_split("clinic", tmp_path, "val"),
    )
    assert train.classes == ("background", "scar") and train.image.shape == IMAGE.shape
    assert train.spacing == pytest.approx((0.75, 0.8, 5.0))
    np.testing.assert_array_equal(np.asarray(val.label), np.array([0, 1, 1, 0])[MASK])
    np.testing.assert_array_equal(np.asarray(train.scribble), np.array([0, 1, 1, 0, 2])[SCRIBBLE])


def test_zero_may_mean_unlabelled_in_scribbles_and_background_in_masks(tmp_path: Path):
    toml = (
        TOML + 'unlabelled = 0\n[scribble_map]\n1 = "RV"\n2 = "MYO"\n3 = "LV"\n9 = "background"\n'
    )
    folder = own(tmp_path, toml)
    marks = np.array([9, 1, 2, 3, 0], np.uint16)
    save(folder / "train" / "labels" / "subject1_DE_scribble.nii.gz", marks[SCRIBBLE])
    (train,), (val,) = (
        load_split("clinic", tmp_path, "train"),
        load_split("clinic", tmp_path, "val"),
    )
    np.testing.assert_array_equal(np.asarray(train.scribble), slices_first(SCRIBBLE))
    np.testing.assert_array_equal(np.asarray(val.label), slices_first(MASK))


def test_five_classes_keep_their_fifth_apart_from_unlabelled(tmp_path: Path):
    toml = 'classes = ["background", "RV", "MYO", "LV", "scar"]\nunlabelled = 255\n'
    folder = own(tmp_path, toml)
    marks = np.where(SCRIBBLE == 4, 255, np.where(SCRIBBLE == 1, 4, SCRIBBLE)).astype(np.uint8)
    save(folder / "train" / "labels" / "subject1_DE_scribble.nii.gz", marks)
    (train,) = load_split("clinic", tmp_path, "train")
    assert len(train.classes) == 5
    expected = np.where(marks == 255, 5, marks)
    np.testing.assert_array_equal(np.asarray(train.scribble), slices_first(expected))


def test_another_affine_is_refused_unless_the_user_says_the_arrays_fit(tmp_path: Path, caplog):
    folder = own(tmp_path)
    turned = np.diag([-0.75, 0.8, -5.0, 1.0])
    save(folder / "val" / "labels" / "subject2_DE_manual.nii.gz", MASK, turned)
    with pytest.raises(ValueError, match=r"subject2_DE_manual.*arrays_fit = true"):
        load_split("clinic", tmp_path, "val")
    (folder / "dataset.toml").write_text(TOML + "arrays_fit = true\n")
    (val,) = load_split("clinic", tmp_path, "val")
    np.testing.assert_array_equal(np.asarray(val.label), slices_first(MASK))
    assert "another affine" in caplog.text


def test_a_volume_in_two_splits_is_noted(tmp_path: Path, caplog):
    folder = own(tmp_path)
    save(folder / "test" / "images" / "subject1_DE.nii.gz", IMAGE)
    load_split("clinic", tmp_path, "train")
    assert "also in the test split: subject1_DE" in caplog.text
    assert "val split" not in caplog.text


def test_training_masks_may_lie_beside_the_scribbles(tmp_path: Path):
    folder = own(tmp_path)
    save(folder / "train" / "labels" / "subject1_DE_manual.nii.gz", MASK)
    (train,) = load_split("clinic", tmp_path, "train")
    assert train.scribble is not None and train.label is not None


def test_plain_names_are_scribbles_to_train_on_and_masks_elsewhere(tmp_path: Path, caplog):
    folder = own(tmp_path)
    for split, name in (("train", "subject1_DE_scribble"), ("val", "subject2_DE_manual")):
        path = folder / split / "labels" / f"{name}.nii.gz"
        path.rename(path.with_name(f"{name.rpartition('_')[0]}.nii.gz"))
    (train,), (val,) = (
        load_split("clinic", tmp_path, "train"),
        load_split("clinic", tmp_path, "val"),
    )
    assert train.scribble is not None and train.label is None
    assert val.scribble is None and val.label is not None
    assert "read as scribbles" in caplog.text and "subject1_DE.nii.gz" in caplog.text


def test_validation_may_lack_masks_or_be_absent_with_a_note(tmp_path: Path, caplog):
    folder = own(tmp_path)
    shutil.rmtree(folder / "val" / "labels")
    (val,) = load_split("clinic", tmp_path, "val")
    assert val.label is None and "have no masks" in caplog.text
    shutil.rmtree(folder / "val")
    assert load_split("clinic", tmp_path, "val") == []
    assert "nothing to validate on" in caplog.text
    shutil.rmtree(folder / "test")
    assert load_split("clinic", tmp_path, "test") == []
    assert "nothing to test on" in caplog.text


def test_a_mask_that_only_some_volumes_have_is_asked_for(tmp_path: Path):
    folder = own(tmp_path)
    for split, first in (("val", 2), ("test", 3)):
        save(folder / split / "images" / "more_DE.nii.gz", IMAGE)
        more = save(folder / split / "labels" / "more_DE_scribble.nii.gz", SCRIBBLE)
        with pytest.raises(
            FileNotFoundError, match=r"more_DE_manual\.nii\.gz: no mask for .*add it, or move"
        ):
            load_split("clinic", tmp_path, split)
        # Where none has a mask, there is nothing to score, which training says.
        (folder / split / "labels" / f"subject{first}_DE_manual.nii.gz").unlink()
        save(folder / split / "labels" / f"subject{first}_DE_scribble.nii.gz", SCRIBBLE)
        assert [case.label for case in load_split("clinic", tmp_path, split)] == [None, None]
        more.unlink()


@pytest.mark.parametrize("name", ["phantom", "acdc", "acdc_fold2", "mscmr"])
def test_a_folder_named_as_a_built_in_set_is_not_read_in_its_place(tmp_path: Path, name: str):
    own(tmp_path).rename(tmp_path / name)
    for read in (lambda: load_split(name, tmp_path, "train"), lambda: sets_in(tmp_path)):
        with pytest.raises(ValueError, match=rf"{name} is a built-in data set: rename the folder"):
            read()


def test_a_fingerprint_says_who_is_who_and_in_which_split(tmp_path: Path):
    folder = own(tmp_path)
    save(folder / "train" / "images" / "other_DE.nii.gz", IMAGE + 1)
    before = fingerprint("clinic", tmp_path)
    assert fingerprint("clinic", tmp_path) == before
    for one, other in (
        ("train/images/subject1_DE.nii.gz", "train/images/other_DE.nii.gz"),
        ("train/images/other_DE.nii.gz", "val/images/subject2_DE.nii.gz"),
    ):
        swap(folder / one, folder / other)
        assert fingerprint("clinic", tmp_path)["sha256"] != before["sha256"]
        swap(folder / one, folder / other)
    assert fingerprint("clinic", tmp_path) == before


def swap(one: Path, other: Path) -> None:
    one.rename(one.parent / "aside")
    other.rename(one)
    (one.parent / "aside").rename(other)


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("", "classes = None"),
        ("classes = [", "not valid TOML"),
        ('classes = ["a"]', "two or more"),
        ('classes = ["a", "a"]', "different names"),
        (
            TOML + "unlabeled = 4",
            "unknown entry unlabeled, perhaps unlabelled: known are .*unlabelled",
        ),
        (TOML + "unlabelled = 3", "no class's value"),
        (TOML + 'unlabelled = "4"', "whole number"),
        (TOML + "unlabelled = 0", "0 is one"),
        (TOML + '[scribble_map]\n1="background"\n2="RV"\n3="MYO"\n4="LV"', "4 is one"),
        (TOML + "slice_axis = 3", "must be 0, 1 or 2"),
        (TOML + "slice_axis = true", "must be 0, 1 or 2"),
        (TOML + 'arrays_fit = "yes"', "true or false"),
        (TOML + '[label_map]\n0 = "background"\n1 = "RV"', "no value for .*MYO"),
        (TOML + '[label_map]\n0 = "liver"', "label_map = .* must map"),
        (TOML + '[label_map]\nzero = "background"', "label_map = .* must map"),
        (TOML + "label_map = [0, 1]", "label_map = .* must map"),
        (TOML + "[label_map]\n0 = 1", "label_map = .* must map"),
        (TOML + f'[label_map]\n{2**70} = "background"', "label_map = .* less than 2147483648"),
        (TOML + f"unlabelled = {2**70}", "unlabelled = .* less than 2147483648"),
    ],
)
def test_a_wrong_description_is_refused_by_entry(tmp_path: Path, toml: str, complaint: str):
    path = tmp_path / "dataset.toml"
    path.write_text(toml)
    with pytest.raises(ValueError, match=rf"dataset\.toml: .*{complaint}"):
        read_layout(path)


def test_a_description_in_another_encoding_says_which_it_should_have(tmp_path: Path):
    path = tmp_path / "dataset.toml"
    path.write_text(TOML, encoding="utf-16")
    with pytest.raises(ValueError, match=r"dataset\.toml: not in UTF-8: save it"):
        read_layout(path)


def test_values_are_not_read_by_a_description_with_an_unknown_entry(tmp_path: Path):
    # "unlabeled" would leave 4 as the value of unmarked pixels, and every scribble be refused.
    path, faults = tmp_path / "dataset.toml", []
    path.write_text(TOML + "unlabeled = 9")
    assert parse_layout(path, faults.append) is None and len(faults) == 1


def test_a_folder_without_description_says_how_to_write_one(tmp_path: Path):
    (own(tmp_path) / "dataset.toml").unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset\.toml.*classes = "):
        load_split("clinic", tmp_path, "train")
