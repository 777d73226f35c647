"""Headers that lie, ask for too much or say how values are stored; and what a file's name says."""

import gzip
import struct
import unicodedata
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest

from scnlib.data import load_split, read_nifti
from scnlib.data import volume as volumes
from scnlib.data.acdc import read_acdc
from scnlib.data.cases import Layout, split_name
from scnlib.data.checks import MOST_VOXELS, slice_axis_of
from scnlib.data.layout import read_layout
from tests.scnlib.data.test_acdc import write
from tests.scnlib.data.test_nifti import (
    IMAGE,
    MASK,
    SCRIBBLE,
    TOML,
    ZOOMS,
    save,
    slices_first,
    tree,
)
from tests.scnlib.data.test_own_data import own

AFFINE = np.diag([*ZOOMS, 1.0])


# --- values -----------------------------------------------------------------------------------


def scaled(path: Path, array: np.ndarray, dtype: str) -> Path:
    """Saved as integers with a scale factor, as programs do that compute in floating point."""
    image = nib.Nifti1Image(array.astype(np.float64), AFFINE)
    image.header.set_data_dtype(dtype)
    nib.save(image, path)
    return path


def by_hand(path: Path, stored: np.ndarray, slope: float) -> Path:
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_slope_inter(slope, 0)
    data = bytearray(image.to_bytes())
    data[112:120] = struct.pack("<ff", slope, 0)
    path.write_bytes(data)
    return path


def test_whole_numbers_come_back_from_a_scale_factor(tmp_path: Path):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    # 3 is 254 steps of 3/254: 1 lies between 84 and 85 of them, and is stored as 85.
    stored = np.array([0, 85, 169, 254], np.uint8)[MASK]
    path = by_hand(tmp_path / "by_hand.nii", stored, 3 / 254)
    found = np.unique(np.asarray(nib.Nifti1Image.from_filename(path).dataobj))
    assert found.round(6).tolist() == [0, 1.003937, 1.996063, 3]
    for label in (
        path,
        scaled(tmp_path / "a.nii", MASK, "i1"),
        scaled(tmp_path / "b.nii", MASK, "u2"),
    ):
        np.testing.assert_array_equal(read_nifti(image, label=label).label, slices_first(MASK))


def test_large_values_come_back_from_a_scale_factor(tmp_path: Path):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    values = {0: 0, 200: 1, 500: 2, 600: 3}
    layout = Layout(("background", "RV", "MYO", "LV"), values, values, unlabelled=4)
    stored = np.array([0, 85, 212, 254], np.uint8)[MASK]  # 200.8, 500.8 and 600
    path = by_hand(tmp_path / "l.nii", stored, 600 / 254)
    np.testing.assert_array_equal(
        read_nifti(image, label=path, layout=layout).label, slices_first(MASK)
    )


def big_endian(path: Path, array: np.ndarray) -> Path:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(array.dtype)
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(array, AFFINE, header), path)
    assert path.read_bytes()[:4] == (348).to_bytes(4, "big")
    return path


def test_the_byte_order_of_a_file_does_not_matter(tmp_path: Path):
    little, big = (
        read_nifti(
            write_one(tmp_path / order / "a.nii", IMAGE),
            write_one(tmp_path / order / "s.nii", SCRIBBLE),
            write_one(tmp_path / order / "m.nii", MASK),
        )
        for order, write_one in (("little", save), ("big", big_endian))
    )
    for name in ("image", "scribble", "label"):
        one, other = getattr(little, name), getattr(big, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert (little.volume, little.spacing) == (big.volume, big.spacing)


@pytest.mark.parametrize("slope", [0.25, 3 / 254])
def test_resampled_masks_are_refused_with_a_scale_factor_too(tmp_path: Path, slope):
    image = save(tmp_path / "image.nii.gz", IMAGE)
    stored = np.rint(MASK / slope).astype(np.uint8)
    stored[4, 4, 1] = round(1.5 / slope)
    with pytest.raises(ValueError, match="not whole numbers"):
        read_nifti(image, label=by_hand(tmp_path / "l.nii", stored, slope))


# --- the header -------------------------------------------------------------------------------


def altered(path: Path, offset: int, form: str, *values: float) -> Path:
    data = bytearray(nib.Nifti1Image(IMAGE, AFFINE).to_bytes())
    struct.pack_into(f"<{form}", data, offset, *values)
    path.write_bytes(data)
    return path


def test_where_voxel_sizes_contradict_the_affine_the_affine_holds(tmp_path: Path, caplog):
    path = altered(tmp_path / "a.nii", 80, "fff", 1.0, 1.0, 1.0)
    assert read_nifti(path).spacing == pytest.approx((ZOOMS[2], *ZOOMS[:2]))
    assert f"{path}: voxel sizes [1.0, 1.0, 1.0] in the header contradict its affine" in caplog.text
    # A rounding in the header is no contradiction, and the header's own sizes are kept.
    caplog.clear()
    path = altered(tmp_path / "b.nii", 80, "fff", *(1.001 * size for size in ZOOMS))
    assert read_nifti(path).spacing == pytest.approx((5.005, 0.75075, 0.8008))
    assert not caplog.records


@pytest.mark.parametrize("zero", [0, 1, 2])
@pytest.mark.parametrize("version", [1, 2])
def test_a_voxel_size_of_zero_is_unknown_and_not_1_mm(tmp_path: Path, caplog, zero: int, version):
    kind, size_at, size, code_at, code = {
        1: (nib.Nifti1Image, 80, "<f", 254, "<h"),
        2: (nib.Nifti2Image, 112, "<d", 348, "<i"),
    }[version]
    data, path = bytearray(kind(IMAGE, AFFINE).to_bytes()), tmp_path / "a.nii"
    struct.pack_into(size, data, size_at + zero * struct.calcsize(size), 0)
    path.write_bytes(data)
    assert read_nifti(path).spacing == pytest.approx((ZOOMS[2], *ZOOMS[:2]))  # the affine's
    struct.pack_into(code, data, code_at, 0)
    path.write_bytes(data)
    caplog.clear()
    assert np.isnan(read_nifti(path).spacing).all()
    assert f"{path}: no valid voxel sizes in the header" in caplog.text


@pytest.mark.parametrize(
    ("offset", "form", "values", "complaint"),
    [
        (42, "hhh", (32767, 32767, 32767), "more than 67108864 voxels"),
        (42, "h", (-5,), "incomplete"),
        (42, "h", (30000,), "incomplete"),
        (280, "f", (np.nan,), "nan or infinite"),
        (296, "f", (np.inf,), "nan or infinite"),
        (108, "f", (1e30,), "incomplete"),
        (108, "f", (np.nan,), "r.nii: "),
        (70, "h", (999,), "not a NIfTI"),
        (40, "h", (9000,), "r.nii: "),
    ],
)
def test_lying_headers_are_refused_in_one_line(tmp_path: Path, offset, form, values, complaint):
    path = altered(tmp_path / "r.nii", offset, form, *values)
    with pytest.raises(ValueError, match=complaint) as error:
        read_nifti(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_what_a_packed_file_may_hold_is_bounded(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(volumes, "MOST_BYTES", 10**6)
    whole = nib.Nifti1Image(IMAGE, AFFINE).to_bytes()
    members = gzip.compress(whole[:200]) + gzip.compress(whole[200:]) + bytes(100)
    (tmp_path / "members.nii.gz").write_bytes(members)
    assert read_nifti(tmp_path / "members.nii.gz").image.shape == slices_first(IMAGE).shape
    for content in (whole + bytes(10**6), gzip.compress(whole + bytes(10**8))):
        (tmp_path / "bomb.nii.gz").write_bytes(content)
        with pytest.raises(ValueError, match=r"bomb\.nii\.gz: holds more than 0 MiB"):
            read_nifti(tmp_path / "bomb.nii.gz")


def test_a_packed_file_with_other_data_or_a_wrong_sum_is_refused(tmp_path: Path):
    packed = gzip.compress(nib.Nifti1Image(IMAGE, AFFINE).to_bytes())
    path = tmp_path / "tail.nii.gz"
    for tail in (b"tail", bytes(100) + b"tail"):
        path.write_bytes(packed + tail)
        with pytest.raises(ValueError, match="other data after its end"):
            read_nifti(path)
    for damaged in (packed[:-5], packed[:-8] + bytes(8), packed[:40] + b"\xff" * 9 + packed[49:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"tail\.nii\.gz: damaged gzip data \("):
            read_nifti(path)


@pytest.mark.parametrize("shape", [(2**20, 2**20, 2**20), (1, MOST_VOXELS, 2)])
def test_an_h5_file_may_not_ask_for_more_than_a_heart_needs(tmp_path: Path, shape):
    path = write(tmp_path / "a_b.h5", label=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("label", shape, "u1", chunks=(1, 1024, 1))
    with pytest.raises(ValueError, match=r"a_b\.h5: label: a volume of shape .* has more than"):
        read_acdc(path)


def test_an_h5_chunk_is_bounded_and_text_is_refused_unread(tmp_path: Path):
    path = write(tmp_path / "a_b.h5", label=None)
    with h5py.File(path, "a") as file:
        file.create_dataset(
            "label", (3, 12, 10), "u1", chunks=(1, 2**16, 2**11), maxshape=(None, None, None)
        )
    with pytest.raises(ValueError, match="has more than"):
        read_acdc(path)
    path = write(tmp_path / "c_d.h5", label=np.full((3, 12, 10), "x", dtype=h5py.string_dtype()))
    with pytest.raises(ValueError, match=r"c_d\.h5: label: array of type"):
        read_acdc(path)


def test_a_missing_filter_is_named(tmp_path: Path):
    path = write(tmp_path / "a_b.h5", label=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("label", data=np.zeros((3, 12, 10), "u1"), compression="gzip")
    data = path.read_bytes()
    at = data.index(b"deflate")  # its number stands four 16-bit words before its name
    path.write_bytes(data[: at - 8] + struct.pack("<H", 32004) + data[at - 6 :])
    with pytest.raises(ValueError, match=r"a_b\.h5: label: packed with a filter .*32004"):
        read_acdc(path)


# --- where the slices lie ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "spacing", "axis"),
    [
        ((9, 128, 128), (8, 1.4, 1.4), 0),
        ((128, 9, 128), (1.4, 8, 1.4), 1),
        ((128, 128, 9), (1.4, 1.4, 8), 2),
        ((128, 128, 10), (1, 1, 1), 2),
        ((128, 10, 128), (np.nan, np.nan, np.nan), 1),
        ((90, 128, 128), (1.5, 1.5, 1.5), 0),
        ((1, 9, 9), (5, 1, 1), 0),
        ((30, 30, 30), (1.4, 8, 1.4), 1),
        ((12, 9, 7), (1, 1, 1), 2),
    ],
)
def test_thick_voxels_or_few_of_them_tell_the_slice_axis(shape, spacing, axis):
    assert slice_axis_of(shape, spacing) == axis


@pytest.mark.parametrize("axis", [0, 1])
def test_slices_on_another_axis_are_told_with_the_way_out(tmp_path: Path, caplog, axis):
    zooms = np.insert([1.4, 1.4], axis, 8)
    array = np.zeros(np.insert([32, 32], axis, 9), np.int16)
    path = save(tmp_path / "a.nii", array, np.diag([*zooms, 1.0]))
    read_nifti(path)
    assert f"try slice_axis = {axis} in dataset.toml" in caplog.text and str(path) in caplog.text


def test_an_h5_file_with_slices_last_is_told(tmp_path: Path, caplog):
    arrays = {name: np.zeros((64, 64, 5)) for name in ("image", "label")}
    arrays["scribble"] = np.full((64, 64, 5), 4)
    read_acdc(write(tmp_path / "a_b.h5", **arrays))
    assert "a_b.h5: of shape (64, 64, 5), the slices seem to lie on axis 2" in caplog.text


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("patient001_frame01", ("patient001", "frame01")),
        ("subject12_DE", ("subject12", "DE")),
        ("patient_12", ("patient_12", "volume")),
        ("patient_12_ED", ("patient_12", "ED")),
        ("p00_01", ("p00", "01")),
        ("LGE_P01", ("LGE_P01", "volume")),
        ("LGE_P01_late_2", ("LGE_P01", "late_2")),
        ("sub-00_ses-1_cine", ("sub-00", "ses-1_cine")),
        ("001", ("001", "volume")),
        ("NA_ED", ("NA", "ED")),
        ("anna", ("anna", "volume")),
        ("anna_b_ES", ("anna_b", "ES")),
        ("_ED", ("_ED", "volume")),
    ],
)
def test_the_subject_ends_with_the_first_number(stem, expected):
    assert split_name(stem) == expected


def test_a_pattern_in_the_description_takes_the_place_of_that_rule(tmp_path: Path):
    folder = own(tmp_path, TOML + "volume_name = '(?P<frame>[^_]+)_(?P<subject>.+)'\n")
    for path in sorted(folder.glob("train/*/*")):
        path.rename(path.with_name(path.name.replace("subject1_DE", "2019_b1")))
    (case,) = load_split("clinic", tmp_path, "train")
    assert (case.subject, case.frame) == ("b1", "2019")
    with pytest.raises(ValueError, match=r"subject3_DE\.nii\.gz: .*volume_name.*does not fit") as _:
        (folder / "dataset.toml").write_text(TOML + "volume_name = '(?P<subject>b.)'\n")
        load_split("clinic", tmp_path, "test")


def test_subjects_in_two_splits_are_told(tmp_path: Path, caplog):
    folder = own(tmp_path)
    for split, old, new in (
        ("train", "subject1", "sub-00_ses-1"),
        ("test", "subject3", "sub-00_ses-2"),
    ):
        for path in folder.glob(f"{split}/*/*"):
            path.rename(path.with_name(path.name.replace(old, new)))
    load_split("clinic", tmp_path, "test")
    assert "subjects that the train split has too: sub-00" in caplog.text


def test_many_volumes_of_one_subject_are_told(tmp_path: Path, caplog):
    folder = own(tmp_path)
    for number in range(3):
        save(folder / "test" / "images" / f"T1_P0{number}.nii.gz", IMAGE)
        save(folder / "test" / "labels" / f"T1_P0{number}_manual.nii.gz", MASK)
    for path in folder.glob("test/*/subject3*"):
        path.unlink()
    load_split("clinic", tmp_path, "test")
    assert "all 3 volumes are taken for subject T1" in caplog.text and "volume_name" in caplog.text


def test_two_files_that_would_be_one_volume_are_refused(tmp_path: Path):
    folder = own(tmp_path)
    for name in ("test0", "test0_volume"):
        save(folder / "test" / "images" / f"{name}.nii.gz", IMAGE)
        save(folder / "test" / "labels" / f"{name}_manual.nii.gz", MASK)
    with pytest.raises(ValueError, match=r"test0_volume\.nii\.gz: .*as test0\.nii\.gz is"):
        load_split("clinic", tmp_path, "test")


def test_letters_with_accents_are_one_name_however_they_are_written(tmp_path: Path):
    folder = own(tmp_path)
    composed, parted = (unicodedata.normalize(form, "Zoé1_ED") for form in ("NFC", "NFD"))
    save(folder / "train" / "images" / f"{composed}.nii.gz", IMAGE)
    save(folder / "train" / "labels" / f"{parted}_scribble.nii.gz", SCRIBBLE)
    assert composed in {case.volume for case in load_split("clinic", tmp_path, "train")}
    save(folder / "train" / "images" / f"{parted}.nii.gz", IMAGE)
    with pytest.raises(ValueError, match="there is also"):
        load_split("clinic", tmp_path, "train")


def test_endings_in_capitals_are_read(tmp_path: Path):
    folder = tree(tmp_path / "MSCMR" / "MSCMR_dataset")
    for path in sorted((folder / "val").glob("*/*")):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    (case,) = load_split("mscmr", tmp_path, "val")
    assert case.volume == "subject3_DE" and case.label is not None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_description_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding):
    path = tmp_path / "dataset.toml"
    path.write_bytes(TOML.replace("\n", "\r\n").encode(encoding))
    assert read_layout(path).classes == ("background", "RV", "MYO", "LV")


@pytest.mark.parametrize("pattern", ["'('", "'(.+)'", "3", "['a']"])
def test_a_wrong_pattern_of_names_is_refused(tmp_path: Path, pattern):
    path = tmp_path / "dataset.toml"
    path.write_text(f"{TOML}volume_name = {pattern}\n")
    with pytest.raises(ValueError, match=r"dataset\.toml: volume_name = "):
        read_layout(path)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("begin", [0, 348])
def test_voxels_that_begin_within_the_header_are_refused(tmp_path: Path, kind, begin: int):
    """nibabel takes 0 as it stands, and the header's bytes for voxels."""
    data = bytearray(kind(IMAGE, AFFINE).to_bytes())
    if kind is nib.Nifti1Image:
        data[108:112] = struct.pack("<f", begin)
    else:
        data[168:176] = struct.pack("<q", begin)
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"a\.nii: .*(within the header|too low).*: export it again"
    ):
        read_nifti(tmp_path / "a.nii")
