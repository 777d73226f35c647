"""Operations that torch computes slowly where this package needs them, written by hand.

Each gives what a line of torch's gives, up to rounding (dropout: of the same distribution), in less
time. Nothing of the paper is only here: to read on without them is to miss nothing.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

OWN = ("cpu",)  # devices where `_Attention` is faster than the library's
AT_ONCE = 2**20  # numbers of C that are computed at once: 4 MB, which a processor's cache holds


def attention(queries: Tensor, keys: Tensor, P: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
    r"""C P with C = softmax_j(scale q_i . k_j): `F.scaled_dot_product_attention` of one head.

    Args:
        queries, keys: (B, N, D) float32 or float64.
        P: (B, K, N) of the same type, what is read.
        scale: of the products.
        dtype: in which the gradient by queries and keys may be computed.

    Returns:
        C P (B, K, N) of P's type.
    """
    if P.device.type in OWN:
        return _Attention.apply(queries * scale, keys, P, dtype)
    q, k, v = (x[:, None] for x in (queries, keys, P.transpose(1, 2)))  # one head
    return F.scaled_dot_product_attention(q, k, v, scale=scale)[:, 0].transpose(1, 2)


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
            C = _softmax(queries[b, rows], keys[b])
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
            C = maps[b] if maps else _softmax(queries[b, rows], keys[b])
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


def _softmax(queries: Tensor, keys: Tensor) -> Tensor:
    """Rows of C, (R, D) and (N, D) to (R, N)."""
    return (queries @ keys.T).softmax(dim=-1)


def enlarge(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, K, h, w) to `size` (H, W), bilinear between cell centres: F.interpolate's.

    Interpolation is linear along each axis, so it is two matrix products, and their gradient two
    products again, where the library's adds up one pixel at a time.
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


class _InverseLengths(torch.autograd.Function):
    """1 / |F_i|, whose gradient is one pass over the features in place of autograd's three."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
        inverse = length.clamp(min=1e-12).reciprocal()
        ctx.save_for_backward(features, inverse)
        return inverse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        features, inverse = ctx.saved_tensors
        inverse = inverse * (inverse < 9e11)  # held at 1e12, where it does not follow the features
        return features * (-g * inverse**3)


def inverse_lengths(features: Tensor) -> Tensor:
    """1 / |F_i| with the Euclidean length at each pixel, (B, D, H, W) to (B, 1, H, W).

    As `1 / torch.linalg.vector_norm(features, dim=1, keepdim=True)`, but finite, and its gradient
    too, also at a length of 0.
    """
    return _InverseLengths.apply(features)


class ElementDropout(nn.Dropout):
    """`nn.Dropout` with cheap random bits on a CPU: 16 of them decide over an element.

    torch draws a 64-bit word for each element there, one after the other, which is a tenth of a
    training step. Here a word serves four, and p is met to 1/65536. The words come from torch's
    global generator, as `nn.Dropout`'s do; other devices and compiled code draw as `nn.Dropout`
    does.
    """

    def forward(self, input: Tensor) -> Tensor:
        """x of any shape to x / (1 - p) with a share p of its elements set to 0, in training."""
        x = input
        if x.device.type != "cpu" or torch.compiler.is_compiling() or not self.training:
            return super().forward(x)
        words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        # The strides of x if its elements fill its memory, else those of a contiguous x.
        strides = torch.empty_like(x, device="meta").stride()
        bits = words.view(torch.int16)[: x.numel()].as_strided(x.shape, strides)
        kept = bits.ge_(round(self.p * 2**16) - 2**15)  # 1 or 0; a bool converts ten times slower
        if x.element_size() > 2:
            return x * kept.to(x.dtype).mul_(1 / (1 - self.p))
        scale = torch.tensor(1 / (1 - self.p), dtype=x.dtype).view(torch.int16)  # its bits
        return x * kept.mul_(scale).view(x.dtype)
