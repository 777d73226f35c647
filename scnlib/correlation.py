r"""Pixel affinity propagation: the correlation map C and what it does to a prediction.

The paper numbers both equations 1; here the second is called 2. Shapes: B batch, D features,
K classes, N = h w cells of the map's grid, in row-major order.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from scnlib.kernels import attention


def correlation_map(
    f: Tensor, other: Tensor | None = None, *, rows: Tensor | None = None, scale_inside: bool = True
) -> Tensor:
    r"""Eq. 1: how alike every two cells are, C = softmax_j(f_i . f_j / sqrt(D)).

    Departure: the print divides by sqrt(D) after the softmax, so that rows are sharper and sum to
    1/sqrt(D); `scale_inside=False` does that.

    Args:
        f: features (B, D, h, w), any float type; inside it is float32, or float64.
        other: features (B, D, h, w) of the cells j, where they are not f itself (two projections).
        rows: (B, R) long in 0..N-1, the cells i whose rows alone are wanted; None: all.
        scale_inside: divide by sqrt(D) before the softmax.

    Returns:
        C (B, N, N) float32 (float64 for float64 input), or its rows (B, R, N): row i is cell i's
        affinity to every cell, in 0..1, summing to 1 (to 1/sqrt(D) as printed).
    """
    D = f.shape[1]
    queries = _cells(f)  # (B, N, D)
    keys = queries if other is None else _cells(other)
    if rows is not None:
        queries = queries.gather(1, rows[:, :, None].expand(-1, -1, D))  # (B, R, D)
    with torch.autocast(f.device.type, enabled=False):  # a softmax of N terms needs float32
        queries = queries * D**-0.5 if scale_inside else queries  # smaller than C
        C = (queries @ keys.transpose(1, 2)).softmax(dim=2)
        return C if scale_inside else C / math.sqrt(D)


def propagate_features(
    f: Tensor, P: Tensor, other: Tensor | None = None, *, scale_inside: bool = True
) -> Tensor:
    r"""`propagate` by `correlation_map` where C itself, N x N for each image, is not wanted.

    C P is attention: f asks, f (or `other`) answers, and P is what is read.

    Args:
        f, other: features (B, D, h, w), as in `correlation_map`; so is `scale_inside`.
        P: predictions (B, K, h, w) float.

    Returns:
        Y_corr (B, K, h, w), as `propagate` has it.
    """
    B, K, h, w = P.shape
    queries = _cells(f)  # (B, N, D)
    keys = queries if other is None else _cells(other)
    values = P.flatten(2).to(queries.dtype)  # (B, K, N)
    scale = f.shape[1] ** -0.5 if scale_inside else 1.0
    with torch.autocast(f.device.type, enabled=False):
        mixed = attention(queries, keys, values, scale, f.dtype)  # (B, K, N)
    mixed = mixed if scale_inside else mixed / math.sqrt(f.shape[1])
    return mixed.reshape(B, K, h, w)


def _cells(f: Tensor) -> Tensor:
    """Features (B, D, h, w) as one row a cell, (B, N, D), at least float32."""
    dtype = torch.float64 if f.dtype == torch.float64 else torch.float32
    return f.flatten(2).transpose(1, 2).to(dtype)


def propagate(C: Tensor, P: Tensor) -> Tensor:
    r"""Eq. 2: mix every cell's prediction from the cells that resemble it, Y_corr = C P.

    Row i of C weighs the cells j that cell i reads from: the sum runs over the axis along which C
    sums to 1, so that Y_corr is a convex mix. (The other axis gives columns that sum to anything.)

    Args:
        C: correlation map (B, N, N), rows summing to 1.
        P: predictions (B, K, h, w) of C's type, probabilities by default.

    Returns:
        Y_corr (B, K, h, w); probabilities where P holds probabilities.
    """
    B, K, h, w = P.shape
    mixed = P.reshape(B, K, h * w) @ C.transpose(1, 2)  # (B, K, N)
    return mixed.reshape(B, K, h, w)


def to_grid(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average maps (B, K, H, W) over the cells of a grid of `size` (h, w).

    Raises `ValueError` where h does not divide H or w does not divide W.
    """
    H, W = x.shape[-2:]
    if H % size[0] or W % size[1]:
        raise ValueError(
            f"a {H} x {W} image has no whole cells on a {size[0]} x {size[1]} grid: "
            "choose a stride that divides its sides"
        )
    return F.avg_pool2d(x, (H // size[0], W // size[1]))


def to_image(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring maps (B, K, h, w) to `size` (H, W), bilinear between cell centres."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
