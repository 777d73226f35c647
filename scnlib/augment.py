"""Augmentation: one batched affine for image, scribble and mask, so that they can't drift apart.

The policy is WSL4MIS's: half of the slices are turned by a multiple of 90 degrees and flipped, a
quarter rotated by up to 20 degrees, a quarter left as they are.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


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

    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = cos * flip_x, -sin * flip_y
    theta[:, 1, 0], theta[:, 1, 1] = sin * flip_x, cos * flip_y
    return theta


def warp_image(image: Tensor, theta: Tensor) -> Tensor:
    """Resample images (B, C, H, W) float by `theta` (B, 2, 3), bilinear; 0 outside the frame."""
    grid = F.affine_grid(theta, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def warp_labels(labels: Tensor, theta: Tensor, fill: int) -> Tensor:
    """Resample label maps (B, H, W) of any integer type by `theta`, nearest; `fill` outside.

    `fill` is the unlabelled value: padding with 0 would be a false background scribble. Outside is
    what lies beyond the outermost pixel centres, where the bilinear image mixes with padding too.
    """
    H, W = labels.shape[1:]
    shifted = (labels.float() - fill).unsqueeze(1)  # (B, 1, H, W); 0 now means `fill`
    grid = F.affine_grid(theta, list(shifted.shape), align_corners=False)  # (B, H, W, 2)
    out = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    edge = 1 - torch.tensor([1 / W, 1 / H], device=grid.device) + 1e-4  # x, y; 1e-4 for rounding
    within = (grid.abs() <= edge).all(dim=3)  # (B, H, W)
    return torch.where(within, out.squeeze(1) + fill, fill).round().to(labels.dtype)


def inside_frame(theta: Tensor, height: int, width: int) -> Tensor:
    """Which output pixels come from inside the frame: (B, H, W) bool; False is padding."""
    ones = torch.zeros(len(theta), height, width, dtype=torch.long, device=theta.device)
    return warp_labels(ones, theta, fill=1) == 0
