"""Odd voxels don't take an image's contrast away, and an image without them is scaled as ever."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scnlib.data import read_nifti
from scnlib.data.acdc import read_acdc
from scnlib.data.contrast import to_unit_range
from tests.scnlib.data.test_acdc import arrays, write
from tests.scnlib.data.test_nifti import save

RANDOM = np.random.default_rng(3)
HEART = RANDOM.integers(0, 700, (40, 30, 4)).astype(np.int16)  # no value is far from the others


def plain(image: np.ndarray) -> np.ndarray:
    """Clipped at the 99th percentile and min-max scaled, in float32, without any further rule."""
    image = image.astype(np.float32)
    image = np.minimum(image, np.percentile(image, 99))
    low, high = float(image.min()), float(image.max())
    return np.clip((image - low) / (high - low), 0, 1).astype(np.float32)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["i2", "u2", "i4", "f4", "f8"]), st.booleans())
def test_an_image_without_odd_voxels_keeps_its_values_exactly(seed, dtype, offset):
    rng = np.random.default_rng(seed)
    shape = (3, *rng.integers(8, 40, 2))
    image = (rng.gamma(2.0, 100.0, shape) + 50.0 * offset).astype(dtype)
    np.testing.assert_array_equal(to_unit_range(image, "a"), plain(image))


def test_a_blank_image_with_few_bright_pixels_keeps_them():
    image = np.zeros((2, 20, 20), np.float64)
    image[0, 3, 4] = image[1, 3, 4] = 7
    np.testing.assert_array_equal(to_unit_range(image, "a"), image / 7)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("i2", [-1024]),
        ("i2", [-32768]),
        ("i2", [-32768, 32767]),
        ("i2", [-900, -1024, -3000, -32768]),
        ("i4", [-(2**31)]),
        ("f4", [-1e30, 1e30]),
        ("f8", [1e39]),
        ("f8", [-1e39]),
        ("f8", [-1e308, 1e308]),
    ],
)
def test_a_few_odd_voxels_change_themselves_alone(tmp_path: Path, caplog, dtype, values):
    image = HEART.astype(dtype)
    image[0, : len(values), 0] = values
    path = save(tmp_path / "odd.nii.gz", image)
    read, clean = read_nifti(path).image, np.moveaxis(plain(HEART), 2, 0)
    odd = np.zeros(clean.shape, bool)
    odd[0, 0, : len(values)] = True
    np.testing.assert_allclose(read[~odd], clean[~odd], atol=5e-3)  # the percentile moves a little
    np.testing.assert_array_equal(read[odd], np.array(values) > 0)
    if min(values) < 0:
        assert f"{path}: " in caplog.text and "far from all others" in caplog.text


@pytest.mark.parametrize("value", [-1024, -32768, -50, 32767])
@pytest.mark.parametrize("slices", [1, 2])
def test_padding_is_kept_out_of_the_scaling(caplog, value, slices):
    image = HEART.copy()
    image[..., :slices] = value
    result = to_unit_range(image, "padded.nii")
    np.testing.assert_array_equal(result[..., slices:], plain(HEART[..., slices:]))
    assert (result[..., :slices] == (value > 0)).all()
    assert "padded.nii: " in caplog.text


PADDINGS = {
    "beside a slightly negative voxel": lambda image: (np.full(image.shape, -1024), -3),
    "two values": lambda image: (np.where(np.arange(4) < 2, -1024, -2000) + 0 * image, 0),
    "-1 and another": lambda image: (np.where(np.arange(4) < 2, -1024, -1) + 0 * image, 0),
    "noise": lambda image: (RANDOM.integers(-1100, -900, image.shape), 0),
}


@pytest.mark.parametrize("kind", PADDINGS)
def test_padding_of_whatever_values_is_kept_out_of_the_scaling(caplog, kind):
    values, odd = PADDINGS[kind](HEART)
    image = HEART.copy()
    image[:3] = values[:3]
    image[20, 20, 1] += odd - image[20, 20, 1] if odd else 0
    np.testing.assert_allclose(to_unit_range(image, "p.nii")[3:], plain(image[3:]), atol=0.01)
    assert "p.nii: " in caplog.text and "far from all others" in caplog.text


def test_air_and_lung_of_a_computed_tomogram_are_no_padding(caplog):
    image = np.where(
        RANDOM.random((3, 40, 40)) < 0.4, -1000, RANDOM.integers(-900, 900, (3, 40, 40))
    )
    np.testing.assert_array_equal(to_unit_range(image.astype(np.int16), "a"), plain(image))
    assert not caplog.records


def test_padding_that_resampling_smeared_is_told(caplog):
    image = HEART.astype(np.float32)
    image[:6], image[6] = -4000, np.linspace(-4000, 0, 30)[:, None]  # no gap is left
    to_unit_range(image, "smeared.nii")
    assert "smeared.nii: nearly all voxels lie within the upper half" in caplog.text


BRIGHT = {
    "9999": lambda count: np.full(count, 9999),
    "30000": lambda count: np.full(count, 30000),
    "16383.5": lambda count: np.full(count, 16383.5),
    "wrapped negative values": lambda count: np.linspace(65506, 65535, count).round(),
}


@pytest.mark.parametrize("kind", BRIGHT)
def test_bright_padding_that_takes_the_contrast_is_told(caplog, kind):
    image = HEART.astype(np.float32)
    image[:, 0] = BRIGHT[kind](image[:, 0].size).reshape(image[:, 0].shape)  # a row in 30
    assert to_unit_range(image, "bright.nii")[:, 1:].max() < 0.1
    assert "bright.nii: most voxels lie within the lowest tenth" in caplog.text


def test_a_rim_of_fat_six_times_as_bright_is_no_padding(caplog):
    image = HEART.copy()
    image[:, :3] = 6 * 700
    to_unit_range(image, "a")
    assert not caplog.records


def test_a_dark_background_is_no_padding(caplog):
    image = np.where(RANDOM.random((3, 40, 40)) < 0.3, 0, RANDOM.integers(300, 900, (3, 40, 40)))
    np.testing.assert_array_equal(to_unit_range(image.astype(np.int16), "a"), plain(image))
    assert not caplog.records


@pytest.mark.parametrize("offset", [1e9, -1e9, 1e12])
def test_contrast_on_a_large_offset_is_seen(offset):
    image = RANDOM.normal(size=(3, 30, 30))
    expected = np.minimum(image, np.percentile(image, 99))
    expected = (expected - expected.min()) / np.ptp(expected)
    np.testing.assert_allclose(to_unit_range(image + offset, "a"), expected, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-300, 1e39, 1e300])
def test_the_unit_of_intensity_does_not_matter(scale):
    np.testing.assert_allclose(to_unit_range(HEART * scale, "a"), plain(HEART), atol=1e-6)


# --- h5 files, whose images lie in 0..1 already -----------------------------------------------


@pytest.mark.parametrize("value", [40.0, -40.0, 1e39])
def test_one_value_outside_the_unit_range_is_clipped(tmp_path: Path, caplog, value):
    image = arrays()["image"].astype(np.float64)
    image[1, 2, 3] = value
    path = write(tmp_path / "patient001_frame01.h5", image=image)
    expected = np.clip(image, 0, 1).astype(np.float32)
    np.testing.assert_array_equal(read_acdc(path).image, expected)
    assert f"{path}: " in caplog.text and "clipped" in caplog.text


@pytest.mark.parametrize("change", [lambda a: a / 50, lambda a: 0.95 + a / 50])
def test_contrast_that_an_odd_voxel_pressed_together_is_spread_again(tmp_path, caplog, change):
    image = change(arrays()["image"])
    expected = plain(image)
    image[0, 0, 0], image[0, 0, 1] = 0, 1
    path = write(tmp_path / "patient001_frame01.h5", image=image)
    read = read_acdc(path).image
    np.testing.assert_allclose(read[1:], expected[1:], atol=0.05)
    assert f"{path}: image uses little of 0..1" in caplog.text


def test_an_image_in_the_unit_range_is_taken_as_it_is(tmp_path: Path, caplog):
    for image in (arrays()["image"], np.zeros_like(arrays()["image"]), arrays()["image"] * 0.5):
        path = tmp_path / "patient001_frame01.h5"
        with h5py.File(write(path), "a") as file:
            file["image"][...] = image  # pyright: ignore[reportIndexIssue]
        np.testing.assert_array_equal(read_acdc(path).image, image)
    assert not caplog.records
