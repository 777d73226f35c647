"""Augmentation: one batched affine for image, scribble and mask, so that they can't drift apart.

The policy is WSL4MIS's: half of the slices are turned by a multiple of 90 degrees and flipped, a
quarter rotated by up to 20 degrees, a quarter left as they are. Only rotations bring in padding.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from scnlib.errors import check_choice


@dataclass(frozen=True)
class Batch:
    """One step's slices, on the device, augmented."""

    image: Tensor  # (B, 1, H, W) float32 in 0..1
    # (B, H, W) long, K = unlabelled; the whole mask for a method that `needs` it
    scribble: Tensor
    valid: Tensor  # (B, H, W) bool, False for padding that nobody labelled (`Profile.padding`)
    index: Tensor  # (B,) long, the slices' places in the training set
    affine: Tensor  # (B, 2, 3) float32, the augmentation (see `random_affine`)


def upload(values: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on the device, without waiting for a GPU to take it."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def random_affine(batch: int, generator: torch.Generator) -> Tensor:
    """Draw one affine a slice from a generator on the CPU: (B, 2, 3) float32, output to input.

    In `torch.nn.functional.affine_grid`'s normalised coordinates. Drawn on the CPU so that a seed
    means the same augmentation on every device.
    """
    kind = torch.rand(batch, generator=generator)
    quarter = torch.randint(4, (batch,), generator=generator)
    axis = torch.randint(2, (batch,), generator=generator)
    angle = (torch.rand(batch, generator=generator) * 2 - 1) * math.radians(20)

    turn = kind < 0.5
    rotate = (kind >= 0.5) & (kind < 0.75)
    # Exact cosines and sines for the quarter turns: no pixel may move by a rounding error.
    cos = torch.where(turn, torch.tensor([1.0, 0.0, -1.0, 0.0])[quarter], torch.ones(batch))
    sin = torch.where(turn, torch.tensor([0.0, 1.0, 0.0, -1.0])[quarter], torch.zeros(batch))
    cos = torch.where(rotate, angle.cos(), cos)
    sin = torch.where(rotate, angle.sin(), sin)
    flip_x = torch.where(turn & (axis == 0), -1.0, 1.0)
    flip_y = torch.where(turn & (axis == 1), -1.0, 1.0)

    turned = torch.stack([cos * flip_x, -sin * flip_y, sin * flip_x, cos * flip_y], dim=1)
    return F.pad(turned.view(batch, 2, 2), (0, 1))  # nothing is shifted


def sampling_grid(theta: Tensor, height: int, width: int) -> Tensor:
    """Where each output pixel is read from, (B, H, W, 2) in x, y; the frame's edges are -1 and 1.

    One grid serves a slice's image, labels and frame. `theta` (B, 2, 3) as `random_affine` draws.
    """
    return F.affine_grid(theta, [len(theta), 1, height, width], align_corners=False)


def sample_image(image: Tensor, grid: Tensor) -> Tensor:
    """Read images (B, C, H, W) float at a grid (B, H, W, 2), bilinear; 0 outside the frame."""
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def sample_labels(labels: Tensor, grid: Tensor, fill: int) -> Tensor:
    """Read label maps (B, H, W) of any integer type at a grid, nearest; `fill` outside.

    Outside is what `within_frame` leaves out.
    """
    values = labels.to(grid.dtype).unsqueeze(1)  # (B, 1, H, W)
    out = F.grid_sample(values, grid, mode="nearest", padding_mode="border", align_corners=False)
    return torch.where(within_frame(grid), out.squeeze(1), fill).to(labels.dtype)


def within_frame(grid: Tensor) -> Tensor:
    """Which output pixels are read from inside the outermost pixel centres, (B, H, W) bool.

    Beyond them the bilinear image mixes with padding.
    """
    H, W = grid.shape[1:3]
    x, y = grid.abs().unbind(dim=3)
    return (x <= 1 - 1 / W + 1e-4) & (y <= 1 - 1 / H + 1e-4)  # 1e-4 for rounding


def warp_image(image: Tensor, theta: Tensor) -> Tensor:
    """Resample images (B, C, H, W) float by `theta` (B, 2, 3), bilinear; 0 outside the frame."""
    return sample_image(image, sampling_grid(theta, *image.shape[2:]))


def warp_labels(labels: Tensor, theta: Tensor, fill: int) -> Tensor:
    """Resample label maps (B, H, W) of any integer type by `theta`, nearest; `fill` outside."""
    return sample_labels(labels, sampling_grid(theta, *labels.shape[1:]), fill)


def warp_training(
    image: Tensor, labels: Tensor, theta: Tensor, unlabelled: int, padding: str = "unlabelled"
) -> tuple[Tensor, Tensor, Tensor]:
    """Augment a batch: image (B, 1, H, W), labels (B, H, W), valid (B, H, W) bool.

    What a rotation brings in from outside the image is named by `padding`:

    "unlabelled"  labelled by nobody, and not valid: it is in no loss.
    "background"  a background scribble, and valid, as the loader of S2L's public code and early
                  versions of its neighbours' fill it (later ones leave it unlabelled). True, as
                  nothing out there is heart, but nobody drew it, and there is more of it than of
                  thin scribbles. It begins where a pixel's centre is outside the image; between
                  there and the outermost pixels' centres all is unlabelled, and not valid.

    Raises `ValueError` for another padding.
    """
    grid = sampling_grid(theta, *image.shape[2:])
    valid = within_frame(grid)
    marks = sample_labels(labels, grid, unlabelled)
    if check_choice(padding, "unlabelled", "background") == "background":
        beyond = (grid.abs() > 1 + 1e-4).any(dim=3)  # its centre is
        marks, valid = marks.masked_fill(beyond, 0), valid | beyond
    return sample_image(image, grid), marks, valid
