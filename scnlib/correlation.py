r"""Pixel affinity propagation: the correlation map C and what it does to a prediction.

The paper numbers both equations 1; here the second is called 2. Shapes: B batch, D features,
K classes, N = h w cells of the map's grid, in row-major order.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

OWN = ("cpu",)  # devices where `_Attention` is faster than the library's
AT_ONCE = 2**20  # numbers of C that are computed at once: 4 MB, which a processor's cache holds


def correlation_map(f: Tensor, other: Tensor | None = None, *, scale_inside: bool = True) -> Tensor:
    r"""Eq. 1: how alike every two cells are, C = softmax_j(f_i . f_j / sqrt(D)).

    Departure: the print divides by sqrt(D) after the softmax, which only makes each row sum to
    1/sqrt(D); `scale_inside=False` does that.

    Args:
        f: features (B, D, h, w), any float type; computed in float32.
        other: features (B, D, h, w) of the cells j, where they are not f itself (two projections).
        scale_inside: divide by sqrt(D) before the softmax.

    Returns:
        C (B, N, N) float32 (float64 for float64 input): row i is cell i's affinity to every cell,
        in 0..1, summing to 1 (to 1/sqrt(D) as printed).
    """
    queries = _cells(f)  # (B, N, D)
    return _affinity(queries, queries if other is None else _cells(other), scale_inside)


def correlation_rows(
    f: Tensor, cells: Tensor, other: Tensor | None = None, *, scale_inside: bool = True
) -> Tensor:
    """Some rows of `correlation_map`, without the others.

    Args:
        f, other, scale_inside: as in `correlation_map`.
        cells: (B, R) long in 0..N-1, the cells i whose rows are wanted.

    Returns:
        C's rows (B, R, N), `correlation_map(f)[b, cells[b]]`.
    """
    queries = _cells(f)  # (B, N, D)
    chosen = queries.gather(1, cells[:, :, None].expand(-1, -1, f.shape[1]))  # (B, R, D)
    return _affinity(chosen, queries if other is None else _cells(other), scale_inside)


def propagate_features(
    f: Tensor, P: Tensor, other: Tensor | None = None, *, scale_inside: bool = True
) -> Tensor:
    r"""`propagate` by `correlation_map` where C itself, N x N for each image, is not wanted.

    C P is attention: f asks, f (or `other`) answers, and P is what is read. Arguments as in
    `correlation_map` and `propagate`; same result.
    """
    B, K, h, w = P.shape
    queries = _cells(f)  # (B, N, D)
    keys = queries if other is None else _cells(other)
    values = P.flatten(2).to(queries.dtype)  # (B, K, N)
    scale = f.shape[1] ** -0.5 if scale_inside else 1.0
    with torch.autocast(f.device.type, enabled=False):
        if f.device.type in OWN:
            mixed = _Attention.apply(queries * scale, keys, values, f.dtype)
        else:
            q, k, v = (x[:, None] for x in (queries, keys, values.transpose(1, 2)))  # one head
            mixed = F.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0].transpose(1, 2)
    mixed = mixed if scale_inside else mixed / math.sqrt(f.shape[1])
    return mixed.reshape(B, K, h, w)


class _Attention(torch.autograd.Function):
    """C P and its gradient, some rows of C after the others: on a CPU faster than the library's.

    That asks for values as wide as f, where P is narrow, and reads C down its columns. C and C P
    are computed in float32; the gradient by f in `dtype`, f's own, in which the network goes on.
    Where an image's C is computed at once, it is kept for the gradient, else made again.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, P: Tensor, dtype: torch.dtype) -> Tensor:
        mixed, maps = torch.empty_like(P), []  # (B, K, N)
        for b, rows in _blocks(P):
            C = _rows(queries[b, rows], keys[b])
            mixed[b, :, rows] = P[b] @ C.T
            maps += [C] if any(ctx.needs_input_grad) and len(C) == len(keys[b]) else []
        ctx.dtype = dtype
        ctx.save_for_backward(queries, keys, P, mixed, *maps)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, g: Tensor
    ) -> tuple[Tensor | None, ...]:
        queries, keys, P, mixed, *maps = ctx.saved_tensors
        # The softmax's gradient, C (dC - its mean under C) with dC = g^T P, as one product: the
        # mean is a row of g, against ones.
        g_ = torch.cat([g, -(g * mixed).sum(dim=1, keepdim=True)], dim=1)  # (B, K + 1, N)
        P_ = torch.cat([P, torch.ones_like(P[:, :1])], dim=1)
        dq, dk, dP = (torch.zeros_like(x) for x in (queries, keys, P))
        q, k = queries.to(ctx.dtype), keys.to(ctx.dtype)
        for b, rows in _blocks(P):
            C = maps[b] if maps else _rows(queries[b, rows], keys[b])
            dS = (g_[b, :, rows].T @ P_[b]).mul_(C).to(ctx.dtype)
            dq[b, rows] = (dS @ k[b]).to(dq.dtype)
            dk[b] += dS.T @ q[b, rows]
            dP[b] += g[b, :, rows] @ C
        return dq, dk, dP, None


def _blocks(P: Tensor) -> Iterator[tuple[int, slice]]:
    """Which rows of which image's C are computed together, all of an image where that is few."""
    B, _, N = P.shape
    high = max(1, AT_ONCE // N)
    for b in range(B):
        yield from ((b, slice(row, min(row + high, N))) for row in range(0, N, high))


def _affinity(queries: Tensor, keys: Tensor, scale_inside: bool) -> Tensor:
    """`correlation_map` of the cells (B, R, D) that ask the cells (B, N, D): rows (B, R, N)."""
    D = queries.shape[2]
    with torch.autocast(queries.device.type, enabled=False):  # a softmax of N terms needs float32
        if scale_inside:  # of f, which is smaller than C
            return _rows(queries * D**-0.5, keys)
        return _rows(queries, keys) / math.sqrt(D)


def _rows(queries: Tensor, keys: Tensor) -> Tensor:
    """softmax_j(q_i . k_j), (..., R, N)."""
    return (queries @ keys.transpose(-2, -1)).softmax(dim=-1)


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
        P: predictions (B, K, h, w), probabilities by default.

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
        raise ValueError(f"a {H} x {W} image has no whole cells on a {size[0]} x {size[1]} grid")
    return F.avg_pool2d(x, (H // size[0], W // size[1]))


def to_image(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring maps (B, K, h, w) to `size` (H, W), bilinear between cell centres."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """`to_image` as two matrix products, for maps whose gradient is wanted.

    Interpolation is linear along each axis, and the products' gradient is two products again,
    where the kernel's adds up one pixel at a time.
    """
    rows, columns = (
        _bilinear_weights(n, m, x.device, x.dtype) for n, m in zip(x.shape[-2:], size, strict=True)
    )
    return rows @ x @ columns.T


def _bilinear_weights(cells: int, pixels: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """What each pixel takes from each cell of an axis, (pixels, cells), rows summing to 1."""
    unit = torch.eye(cells, dtype=torch.float64, device=device)  # a 1 in one cell after the other
    weights = F.interpolate(unit[:, None], pixels, mode="linear", align_corners=False)
    return weights[:, 0].T.to(dtype)  # (pixels, cells)
