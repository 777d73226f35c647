"""ACDC's h5 files: what is read, and what is refused by name."""

import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from scnlib.data.acdc import read_acdc, spacings
from tests.holding import held_by_another

SHAPE = (3, 12, 10)


def arrays() -> dict[str, np.ndarray]:
    """A valid volume: a disc of each class, a stroke of each, the rest unlabelled."""
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[:, 2:5, 2:8], label[:, 5:8, 2:8], label[:, 8:10, 2:8] = 1, 2, 3
    scribble = np.full(SHAPE, 4, dtype=np.uint16)
    for row in (0, 3, 6, 9):
        scribble[:, row, 3:6] = label[:, row, 3:6]
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    return {"image": image, "label": label, "scribble": scribble}


def write(path: Path, **changes: np.ndarray | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, array in (arrays() | changes).items():
            if array is not None:
                file[key] = array
    return path


def changed(key: str, value: float, dtype: type | None = None) -> dict[str, np.ndarray]:
    array = arrays()[key].astype(dtype or arrays()[key].dtype)
    array[0, 0, 0] = value
    return {key: array}


# --- one file ---------------------------------------------------------------------------------


def test_a_volume_is_read_as_it_lies(tmp_path: Path):
    case = read_acdc(write(tmp_path / "patient007_frame01.h5"))
    assert (case.subject, case.frame) == ("patient007", "frame01")
    assert case.volume == "patient007_frame01"
    assert case.scribble is not None and case.label is not None
    assert (case.image.dtype, case.scribble.dtype, case.label.dtype) == ("f4", "u1", "u1")
    for name in ("image", "scribble", "label"):
        np.testing.assert_array_equal(getattr(case, name), arrays()[name])
    assert case.spacing == spacings()["patient007_frame01"]
    assert case.classes == ("background", "RV", "MYO", "LV")


def test_a_volume_that_is_not_of_the_set_has_no_spacing(tmp_path: Path):
    case = read_acdc(write(tmp_path / "somebody.h5"))
    assert case.volume == "somebody_volume" and np.isnan(case.spacing).all()


def test_an_image_outside_the_unit_range_is_scaled(tmp_path: Path, caplog):
    image = arrays()["image"] * 900 - 100
    case = read_acdc(write(tmp_path / "a_b.h5", image=image))
    assert case.image.min() == 0 and case.image.max() == 1
    clipped = np.minimum(image, np.percentile(image, 99))
    expected = (clipped - image.min()) / np.ptp(clipped)
    np.testing.assert_allclose(case.image, expected, atol=1e-6)
    assert "outside 0..1: clipped at its 99th percentile and scaled" in caplog.text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"label": None}, "no array 'label'"),
        ({"scribble": None}, "no array 'scribble'"),
        ({"label": arrays()["label"][:2]}, "must share one grid"),
        ({"scribble": arrays()["scribble"].swapaxes(1, 2)}, "must share one grid"),
        ({"image": arrays()["image"][0]}, "three axes"),
        ({"image": arrays()["image"][:0]}, "empty array"),
        ({"image": arrays()["image"].astype(complex)}, "store real numbers"),
        (changed("image", np.nan), "nan or infinite"),
        (changed("image", np.inf), "nan or infinite"),
        (changed("label", 7), "unknown values"),
        (changed("label", 4), "this is a scribble"),
        (changed("label", 0.5, float), "not whole numbers"),
        (changed("label", np.nan, float), "mask holds nan or infinite"),
        (changed("scribble", 5), "unknown values"),
        (changed("scribble", -1, int), "unknown values"),
        ({"scribble": arrays()["label"]}, "without an unlabelled pixel"),
        ({"label": arrays()["scribble"]}, "this is a scribble"),
        ({"scribble": (arrays()["scribble"] == 1).astype("u1")}, "written as background"),
        ({"label": np.full(SHAPE, b"x")}, "store whole numbers"),
    ],
)
def test_bad_content_is_refused_by_name(tmp_path: Path, content: dict, complaint: str):
    path = write(tmp_path / "patient001_frame01.h5", **content)
    with pytest.raises(ValueError, match=complaint) as error:
        read_acdc(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_empty_foreign_and_truncated_files_are_refused_by_name(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_acdc(tmp_path / "nowhere.h5")
    whole = write(tmp_path / "whole.h5").read_bytes()
    for content in (
        b"",
        b"<html>not found</html>",
        *(whole[: len(whole) * k // 8] for k in (1, 5, 7)),
    ):
        path = tmp_path / "part.h5"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"part\.h5: not a readable HDF5 file"):
            read_acdc(path)


def test_arrays_kept_elsewhere_are_refused_and_not_followed(tmp_path: Path):
    other = write(tmp_path / "other.h5")
    for kind in ("external", "soft", "storage", "virtual", "group"):
        path = write(tmp_path / f"{kind}.h5", label=None)
        with h5py.File(path, "a") as file:
            if kind == "external":
                file["label"] = h5py.ExternalLink(other.name, "/label")
            elif kind == "soft":
                file["label"] = h5py.SoftLink("/image")
            elif kind == "storage":
                raw = tmp_path / "raw.bin"
                raw.write_bytes(arrays()["label"].tobytes())
                file.create_dataset("label", SHAPE, "u1", external=[(str(raw), 0, 360)])
            elif kind == "virtual":
                layout = h5py.VirtualLayout(SHAPE, "u1")
                layout[:] = h5py.VirtualSource(other.name, "label", SHAPE)
                file.create_virtual_dataset("label", layout)
            else:
                file.create_group("label")
        with pytest.raises(ValueError, match=f"{kind}.h5.*store the array itself"):
            read_acdc(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_in_a_folder_without_write_permission_is_read(tmp_path: Path):
    path = write(tmp_path / "shut" / "patient001_frame01.h5")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert read_acdc(path).image.shape == SHAPE
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    finally:
        path.parent.chmod(0o755)


@pytest.mark.skipif(
    os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() not in ("TRUE", "1", "BEST_EFFORT"),
    reason="file locks are switched off here",
)
def test_a_file_that_another_process_writes_fails_at_once_with_the_way_out(tmp_path: Path):
    path = write(tmp_path / "held.h5")
    with held_by_another(path):
        start = time.monotonic()
        with pytest.raises(ValueError, match=r"held\.h5.*HDF5_USE_FILE_LOCKING"):
            read_acdc(path)
        assert time.monotonic() - start < 5
    assert read_acdc(path).image.shape == SHAPE


def test_a_name_in_other_bytes_within_a_file_is_one_line(tmp_path: Path):
    path = write(tmp_path / "patient001_frame01.h5")
    path.write_bytes(path.read_bytes().replace(b"image\0", b"im\xabge\0"))
    with pytest.raises(ValueError, match=r"patient001_frame01\.h5: ") as told:
        read_acdc(path)
    assert "\n" not in str(told.value)
