"""NIfTI: MSCMR's layout, own data with a dataset.toml, and files that are not what they seem."""

import gzip
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scnlib.data import load_split, read_nifti
from scnlib.data.cases import MSCMR, require
from scnlib.data.nifti import nifti_split

SHAPE = (9, 7, 3)  # as stored: x, y, slices
ZOOMS = (0.75, 0.8, 5.0)
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 1000, SHAPE).astype(np.int16)
MASK = RANDOM.integers(0, 4, SHAPE).astype(np.uint16)
SCRIBBLE = np.where(RANDOM.random(SHAPE) < 0.1, MASK, 4).astype(np.uint16)
TOML = 'classes = ["background", "RV", "MYO", "LV"]\n'


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([*ZOOMS, 1.0]) if affine is None else affine)
    nib.save(image, path)
    return path


def tree(root: Path, splits: dict[str, int] | None = None) -> Path:
    """MSCMR's layout with a few subjects: scribbles to train on, masks elsewhere."""
    number = 0
    for split, count in (splits or {"train": 2, "val": 1, "TestSet": 1}).items():
        kind, array = ("scribble", SCRIBBLE) if split == "train" else ("manual", MASK)
        for _ in range(count):
            number += 1
            save(root / split / "images" / f"subject{number}_DE.nii.gz", IMAGE)
            save(root / split / "labels" / f"subject{number}_DE_{kind}.nii.gz", array)
    return root


def slices_first(array: np.ndarray, axis: int = 2) -> np.ndarray:
    return np.moveaxis(array, axis, 0)


# --- one subject ------------------------------------------------------------------------------


def test_slices_come_first_and_spacing_follows_the_axes(tmp_path: Path):
    case = read_nifti(
        save(tmp_path / "subject12_DE.nii.gz", IMAGE),
        save(tmp_path / "s.nii.gz", SCRIBBLE),
        save(tmp_path / "m.nii.gz", MASK),
    )
    assert (case.subject, case.frame, case.image.shape) == ("subject12", "DE", (3, 9, 7))
    assert case.spacing == pytest.approx((5.0, 0.75, 0.8))
    assert case.scribble is not None and case.label is not None
    assert (case.image.dtype, case.scribble.dtype, case.label.dtype) == ("f4", "u1", "u1")
    np.testing.assert_array_equal(case.scribble, slices_first(SCRIBBLE))
    np.testing.assert_array_equal(case.label, slices_first(MASK))
    clipped = np.minimum(slices_first(IMAGE), np.percentile(IMAGE, 99))
    np.testing.assert_allclose(case.image, (clipped - clipped.min()) / np.ptp(clipped), atol=1e-6)


def test_an_image_alone_is_a_case_without_labels(tmp_path: Path):
    case = read_nifti(save(tmp_path / "patient_12.nii", IMAGE))
    assert case.scribble is None and case.label is None
    assert case.volume == "patient_12_volume"


def test_whole_numbers_stored_as_floats_and_a_trailing_axis_are_read(tmp_path: Path):
    case = read_nifti(
        save(tmp_path / "a.nii.gz", IMAGE[..., None]),
        label=save(tmp_path / "m.nii.gz", MASK.astype(np.float64)[..., None]),
    )
    np.testing.assert_array_equal(np.asarray(case.label), slices_first(MASK))


def test_files_are_read_by_content_whatever_their_name(tmp_path: Path):
    plain = save(tmp_path / "plain.nii", IMAGE).rename(tmp_path / "subject1_DE.nii.gz")
    packed = save(tmp_path / "packed.nii.gz", IMAGE).rename(tmp_path / "subject2_DE.nii")
    two = nib.Nifti2Image(IMAGE, np.diag([*ZOOMS, 1.0]))
    nib.save(two, tmp_path / "subject3_DE.nii.gz")
    cases = [read_nifti(path) for path in (plain, packed, tmp_path / "subject3_DE.nii.gz")]
    for case in cases:
        np.testing.assert_array_equal(case.image, cases[0].image)
        assert case.frame == "DE"


def test_empty_damaged_and_foreign_files_are_refused_by_name(tmp_path: Path):
    whole = save(tmp_path / "whole.nii", IMAGE).read_bytes()
    packed = gzip.compress(whole)
    contents = [b"", b"\x1f\x8b", packed[: len(packed) // 2], whole[:200], whole[:-50]]
    contents += [b"<html>404</html>" * 40, gzip.compress(b""), bytes(400)]
    path = tmp_path / "broken.nii.gz"
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"broken\.nii\.gz: ") as error:
            read_nifti(path)
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_nifti(tmp_path / "nowhere.nii.gz")


def test_what_is_no_file_is_called_what_it_is(tmp_path: Path):
    (tmp_path / "a.nii").mkdir()
    (tmp_path / "b.nii").symlink_to("gone.nii")
    os.mkfifo(tmp_path / "c.nii")
    for name, kind, words in (
        ("a", ValueError, "a folder where a file should be"),
        ("b", FileNotFoundError, "a link to gone.nii, which is not there"),
        ("c", ValueError, "a pipe or a device where a file should be"),
    ):
        with pytest.raises(kind, match=rf"/{name}\.nii: {words}"):
            read_nifti(tmp_path / f"{name}.nii")


def test_nan_in_labels_is_called_so(tmp_path: Path):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    for kind, words in (("scribble", "write the value of unlabelled"), ("label", "export it")):
        holes = np.where(SCRIBBLE == 4, np.nan, SCRIBBLE).astype(np.float32)
        path = save(tmp_path / f"{kind}.nii.gz", holes)
        with pytest.raises(ValueError, match=rf"{kind}\.nii\.gz: .* nan or infinite .*{words}"):
            read_nifti(image, *((path, None) if kind == "scribble" else (None, path)))


def test_a_split_without_labels_says_what_they_are_called(tmp_path: Path):
    root = tree(tmp_path)
    shutil.rmtree(root / "train" / "labels")
    with pytest.raises(FileNotFoundError, match=r"labels: no such folder: .*NAME_scribble\.nii"):
        nifti_split(root, "train", MSCMR)


@pytest.mark.parametrize(
    ("kind", "array", "complaint"),
    [
        ("label", SCRIBBLE, "this is a scribble"),
        ("scribble", MASK, "without an unlabelled pixel"),
        ("scribble", (RANDOM.random(SHAPE) < 0.02).astype(np.uint8), "written as background"),
        ("label", MASK[:, :, :2], "share one grid"),
        ("label", MASK.swapaxes(0, 1), "share one grid"),
        ("label", MASK + 5, "unknown values"),
        ("label", MASK + np.float32(0.5), "not whole numbers"),
        ("scribble", np.where(MASK == 0, np.nan, 4.0), "scribble holds nan or infinite"),
    ],
)
def test_labels_that_do_not_fit_are_refused_by_name(tmp_path: Path, kind, array, complaint):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    path = save(tmp_path / "other.nii.gz", np.ascontiguousarray(array))
    with pytest.raises(ValueError, match=rf"other\.nii\.gz: .*{complaint}"):
        if kind == "label":
            read_nifti(image, label=path)
        else:
            read_nifti(image, scribble=path)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (IMAGE[0], "three axes"),
        (np.stack([IMAGE, IMAGE], axis=-1), "three axes"),
        (np.where(IMAGE > 900, np.nan, 1.0), "nan or infinite"),
        (IMAGE.astype(np.complex64), "real numbers"),
    ],
)
def test_images_that_are_no_volume_are_refused(tmp_path: Path, array, complaint):
    with pytest.raises(ValueError, match=rf"image\.nii\.gz: .*{complaint}"):
        read_nifti(save(tmp_path / "image.nii.gz", array))


def test_another_voxel_size_is_refused_and_another_affine_noted(tmp_path: Path, caplog):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    other = save(tmp_path / "m.nii.gz", MASK, np.diag([1.5, 0.8, 5.0, 1.0]))
    with pytest.raises(ValueError, match=r"m\.nii\.gz: voxel sizes .*image\.nii\.gz"):
        read_nifti(image, label=other)
    turned = save(tmp_path / "t.nii.gz", MASK, np.diag([-0.75, 0.8, -5.0, 1.0]))
    case = read_nifti(image, label=turned)
    np.testing.assert_array_equal(np.asarray(case.label), slices_first(MASK))
    assert "t.nii.gz: another affine" in caplog.text


def test_a_few_bright_pixels_outlive_the_clipping_and_a_blank_image_is_noted(tmp_path, caplog):
    array = np.zeros((20, 20, 2), np.int16)
    array[3, 4, 1] = 500
    case = read_nifti(save(tmp_path / "a.nii.gz", array))
    assert case.image[1, 3, 4] == 1 and case.image.sum() == 1
    assert not read_nifti(save(tmp_path / "b.nii.gz", 0 * array + 7)).image.any()
    assert "b.nii.gz: image is the same everywhere" in caplog.text


# --- MSCMR's layout ---------------------------------------------------------------------------


def test_training_labels_are_served_as_scribbles_only(tmp_path: Path, caplog):
    tree(tmp_path / "MSCMR" / "MSCMR_dataset")
    train, val, test = (load_split("mscmr", tmp_path, s) for s in ("train", "val", "test"))
    assert [c.subject for c in train] == ["subject1", "subject2"]
    assert all(c.label is None and c.scribble is not None for c in train)
    assert all(c.scribble is None and c.label is not None for c in [*val, *test])
    assert "volumes of the published set are missing: subject13_DE" in caplog.text
    with pytest.raises(ValueError, match=r"full supervision needs a full mask .*subject1_DE"):
        require(train, "label", "full supervision")


def test_a_scribble_in_place_of_a_mask_stops_the_split(tmp_path: Path):
    folder = tree(tmp_path / "MSCMR" / "MSCMR_dataset")
    save(folder / "val" / "labels" / "subject3_DE_manual.nii.gz", SCRIBBLE)
    with pytest.raises(ValueError, match=r"subject3_DE_manual\.nii\.gz: .*this is a scribble"):
        load_split("mscmr", tmp_path, "val")


def test_a_set_never_shrinks_in_silence(tmp_path: Path, caplog):
    folder = tree(tmp_path / "MSCMR" / "MSCMR_dataset")
    labels, images = folder / "train" / "labels", folder / "train" / "images"
    (images / "notes.txt").touch()
    (images / "subject9_DE.nii.gz.part").touch()
    save(labels / "subject1_DE_older.nii.gz", SCRIBBLE)
    assert len(load_split("mscmr", tmp_path, "train")) == 2
    for name in ("notes.txt", "subject9_DE.nii.gz.part", "subject1_DE_older.nii.gz"):
        assert name in caplog.text
    lost = save(labels / "subject8_DE_scribble.nii.gz", SCRIBBLE)
    with pytest.raises(FileNotFoundError, match=r"subject8.*image is missing"):
        load_split("mscmr", tmp_path, "train")
    lost.unlink()
    save(images / "subject1_DE.nii", IMAGE)
    with pytest.raises(ValueError, match="there is also"):
        load_split("mscmr", tmp_path, "train")
    (images / "subject1_DE.nii").unlink()
    (images / "subject2_DE.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"subject2_DE\.nii\.gz: empty file"):
        load_split("mscmr", tmp_path, "train")
    (labels / "subject2_DE_scribble.nii.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no scribble for .*subject2_DE"):
        load_split("mscmr", tmp_path, "train")
