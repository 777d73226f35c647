"""Augmentation: exact quarter turns, honest padding, image and labels together."""

import math

import pytest
import torch
from torch import Tensor

from scnlib.augment import (
    random_affine,
    sampling_grid,
    warp_image,
    warp_labels,
    warp_training,
    within_frame,
)

UNLABELLED = 4


def rotation(degrees: float) -> Tensor:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[[cos, -sin, 0.0], [sin, cos, 0.0]]])


def inside_frame(theta: Tensor, height: int, width: int) -> Tensor:
    """Which output pixels come from inside the frame: (B, H, W) bool."""
    return within_frame(sampling_grid(theta, height, width))


def draws(batch: int, seed: int = 0) -> Tensor:
    return random_affine(batch, torch.Generator().manual_seed(seed))


def is_quarter_turn(theta: Tensor) -> Tensor:
    """Which affines hold zeros, ones and minus ones only (unchanged slices too)."""
    return torch.isin(theta, torch.tensor([-1.0, 0.0, 1.0])).all(dim=2).all(dim=1)


def symmetries(x: Tensor) -> list[Tensor]:
    """The eight images of x (..., n, n) under quarter turns and a flip."""
    return [
        torch.rot90(y, k, dims=(-2, -1)) for y in (x, torch.flip(x, dims=(-1,))) for k in range(4)
    ]


# Padding


def test_padding_as_background_labels_what_lies_outside_and_no_pixel_of_the_image() -> None:
    image, labels = torch.ones(1, 1, 64, 64), torch.full((1, 64, 64), 2)
    _, marks, valid = warp_training(image, labels, rotation(45), UNLABELLED, "background")
    # A turned square of half-side 32: background beyond it; within its outermost centres, 31.5,
    # the slice's own labels; the ring between belongs to neither.
    x = torch.arange(64) - 31.5
    cos = math.cos(math.pi / 4)
    u, v = cos * (x[None, :] - x[:, None]), cos * (x[None, :] + x[:, None])
    far = torch.maximum(u.abs(), v.abs())
    assert torch.equal(marks[0] == 0, far > 32)
    assert torch.equal(marks[0] == 2, far <= 31.5)
    assert torch.equal(marks[0] == UNLABELLED, ~valid[0])
    assert int((far > 32).sum()) > 500 and int((~valid).sum()) > 50


@pytest.mark.parametrize("padding", ["unlabelled", "background"])
def test_the_training_batch_is_the_single_warps(padding: str) -> None:
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(8, 1, 32, 32, generator=generator)
    labels = torch.randint(5, (8, 32, 32), generator=generator)
    theta = draws(8, seed=3)
    warped, marks, valid = warp_training(image, labels, theta, UNLABELLED, padding)
    inside = inside_frame(theta, 32, 32)
    assert torch.equal(warped, warp_image(image, theta))
    assert torch.equal(marks[inside], warp_labels(labels, theta, UNLABELLED)[inside])
    assert set(marks[~inside].tolist()) == ({4} if padding == "unlabelled" else {0, 4})
    assert torch.equal(valid, inside if padding == "unlabelled" else inside | (marks == 0))


def test_an_unknown_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="unlabelled, background"):
        warp_training(torch.ones(1, 1, 16, 16), torch.ones(1, 16, 16).long(), draws(1), 4, "zeros")


def test_rotation_fills_with_unlabelled_and_not_with_background() -> None:
    theta = rotation(45)
    out = warp_labels(torch.full((1, 64, 64), 2), theta, UNLABELLED)[0]
    assert set(out.unique().tolist()) == {2, UNLABELLED}
    assert torch.equal(out == 2, inside_frame(theta, 64, 64)[0])

    # The frame ends at the outermost pixels' centres, 31.5 from the middle, where the bilinear
    # image begins to mix with padding: 3336 pixels of the turned square lie within, 760 do not.
    x = torch.arange(64) - 31.5
    cos = math.cos(math.pi / 4)
    u, v = cos * (x[None, :] - x[:, None]), cos * (x[None, :] + x[:, None])
    within = torch.maximum(u.abs(), v.abs()) <= 31.5
    assert int(within.sum()) == 3336
    assert torch.equal(out == 2, within)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_labels_keep_their_type_and_values(dtype: torch.dtype) -> None:
    labels = torch.randint(5, (6, 32, 32), generator=torch.Generator().manual_seed(0)).to(dtype)
    out = warp_labels(labels, draws(6), UNLABELLED)
    assert out.dtype == dtype and out.shape == labels.shape
    assert set(out.unique().tolist()) <= {0, 1, 2, 3, 4}


def test_frame_is_where_labels_are_not_fill() -> None:
    theta = torch.cat([draws(20), rotation(45), rotation(7)])
    labels = torch.zeros(len(theta), 48, 48, dtype=torch.long)
    inside = inside_frame(theta, 48, 48)
    assert inside.dtype == torch.bool
    assert torch.equal(inside, warp_labels(labels, theta, UNLABELLED) != UNLABELLED)
    assert inside[is_quarter_turn(theta)].all() and not inside[-2].all()


def test_images_are_zero_in_the_padding() -> None:
    theta = rotation(45)
    out = warp_image(torch.ones(1, 1, 64, 64), theta)[0, 0]
    assert float(out[0, 0]) == 0
    assert float(out[32, 32]) == pytest.approx(1)
    # Up to the outermost centres nothing is mixed with padding; beyond, it fades to 0.
    inside = inside_frame(theta, 64, 64)[0]
    assert torch.allclose(out[inside], torch.ones(()), atol=1e-4)
    assert float(out[~inside].max()) < 1 - 1e-3


# Quarter turns


@pytest.mark.parametrize("size", [5, 16, 64, 128])
def test_quarter_turns_and_flips_are_exact_permutations(size: int) -> None:
    theta = draws(200)
    theta = theta[is_quarter_turn(theta)].unique(dim=0)
    assert len(theta) == 5  # a turn and a flip make four symmetries; and the unchanged slice
    labels = torch.arange(size * size).reshape(1, size, size)
    expected = symmetries(labels[0])
    out = warp_labels(labels.expand(5, -1, -1), theta, fill=0)
    found = [[k for k, e in enumerate(expected) if torch.equal(o, e)] for o in out]
    # Unturned, and the four turns of the mirrored slice.
    assert sorted(found) == [[0], [4], [5], [6], [7]]

    image = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(1))
    warped = warp_image(image.expand(5, -1, -1, -1), theta)
    for one, (k,) in zip(warped, found, strict=True):
        torch.testing.assert_close(one, symmetries(image[0])[k], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("degrees", "k"), [(0, 0), (90, 1), (180, 2), (270, 3)], ids=["0", "90", "180", "270"]
)
def test_a_turn_is_rot90(degrees: int, k: int) -> None:
    # Output to input turned by +90 degrees (y down): the output is the input turned the other
    # way round on the screen, which is what rot90 does.
    labels = torch.arange(9).reshape(1, 3, 3)
    out = warp_labels(labels, rotation(degrees).round(), fill=0)
    assert torch.equal(out, torch.rot90(labels, k, dims=(1, 2)))


# Alignment


def test_image_and_labels_stay_aligned() -> None:
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    region = ((y - 20) ** 2 + (x - 40) ** 2 < 100).long()[None].expand(40, -1, -1)
    theta = draws(40, seed=5)
    labels = warp_labels(region, theta, fill=0)
    image = warp_image(region[:, None].float(), theta)[:, 0]
    # Both resample at the same points: nearest and bilinear differ along the edge only.
    edge = (image > 0.01) & (image < 0.99)
    assert torch.equal(labels[~edge] == 1, image[~edge] > 0.5)
    torch.testing.assert_close(
        labels.sum(dim=(1, 2)).float(), image.sum(dim=(1, 2)), rtol=0.05, atol=0
    )
    place = torch.arange(64.0)
    for axis in (1, 2):
        a = (labels.sum(dim=axis) * place).sum(dim=1) / labels.sum(dim=(1, 2))
        b = (image.sum(dim=axis) * place).sum(dim=1) / image.sum(dim=(1, 2))
        assert (a - b).abs().max() < 0.5  # rounding to whole pixels, and no drift
        assert (a - b).mean().abs() < 0.05


def test_an_asymmetric_mark_moves_with_its_label() -> None:
    image = torch.zeros(50, 1, 32, 32)
    image[:, :, 9:12, 20:23] = 1
    labels = (image[:, 0] > 0).long() * 3
    theta = draws(50, seed=2)
    warped, moved = warp_image(image, theta)[:, 0], warp_labels(labels, theta, UNLABELLED)
    brightest = warped.flatten(1).argmax(dim=1)
    assert (moved.flatten(1).gather(1, brightest[:, None]) == 3).all()


# The policy


def test_shares_of_the_policy() -> None:
    n = 8000
    theta = draws(n)
    quarter = is_quarter_turn(theta)
    identity = (theta == torch.eye(2, 3)).all(dim=2).all(dim=1)
    # A turn is always followed by a flip, so that it is a mirror image (determinant -1); what has
    # a determinant of 1 and no other number than 0 and 1 is unchanged.
    determinant = theta[:, 0, 0] * theta[:, 1, 1] - theta[:, 0, 1] * theta[:, 1, 0]
    shares = [
        float((quarter & (determinant < 0)).float().mean()),
        float((~quarter).float().mean()),
        float(identity.float().mean()),
    ]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.02)
    assert sum(shares) == pytest.approx(1)


def test_rotations_are_within_twenty_degrees_both_ways() -> None:
    theta = draws(4000)
    theta = theta[~is_quarter_turn(theta)]
    angle = torch.rad2deg(torch.atan2(theta[:, 1, 0], theta[:, 0, 0]))
    assert -20 <= float(angle.min()) < -19 and 19 < float(angle.max()) <= 20
    assert abs(float(angle.mean())) < 1.5
    torch.testing.assert_close(theta[:, :, :2].det(), torch.ones(len(theta)))


def test_affines_are_isometries_about_the_centre() -> None:
    theta = draws(300)
    linear = theta[:, :, :2]
    torch.testing.assert_close(linear @ linear.mT, torch.eye(2).expand(300, 2, 2))
    assert not theta[:, :, 2].any()


def test_a_seed_means_the_same_draws() -> None:
    assert torch.equal(draws(24, seed=7), draws(24, seed=7))
    assert not torch.equal(draws(24, seed=7), draws(24, seed=8))
    generator = torch.Generator().manual_seed(7)
    first, second = random_affine(24, generator), random_affine(24, generator)
    assert not torch.equal(first, second)


def test_draws_do_not_touch_the_global_generator() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    draws(8)
    assert torch.equal(before, torch.get_rng_state())
