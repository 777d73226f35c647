"""Operations that torch computes slowly where this package needs them, written by hand.

Each gives what a line of torch's gives, up to rounding (dropout: of the same distribution), in less
time. Nothing of the paper is only here: to read on without them is to miss nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

OWN = ("cpu",)  # devices where what is here is faster than the library's
SHORTEST = 1e-12  # length of features below which they are divided by this
AT_ONCE = 2**20  # numbers of C that are computed at once: 4 MB, which a processor's cache holds

Means = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]  # `class_means`


def by_hand(x: Tensor) -> bool:
    """Whether operations on x are faster by hand: on a CPU, where nothing is compiled."""
    return x.device.type in OWN and not torch.compiler.is_compiling()


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
    return torchs_attention(queries, keys, P, scale)


def torchs_attention(queries: Tensor, keys: Tensor, P: Tensor, scale: float) -> Tensor:
    """The same by the library alone, on any device; arguments as in `attention`."""
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
            C = (queries[b, rows] @ keys[b].T).softmax(dim=-1)
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
            C = maps[b] if maps else (queries[b, rows] @ keys[b].T).softmax(dim=-1)
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


class _Cosines(torch.autograd.Function):
    """Cosines over T to the scribbled pixels' class means, and their gradient, image by image.

    What an image needs stays in a processor's cache. The means' gradient goes to the scribbled
    pixels alone, not to a zero at each of the others.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, scribble: Tensor, K: int, means_of: Means, T: float
    ) -> tuple[Tensor, Tensor]:
        pixels = _pixels(features.detach())  # (B, N, D)
        dtype = torch.promote_types(features.dtype, torch.float32)
        labels = scribble.flatten()
        chosen = (labels < K).nonzero()[:, 0]  # (n,)
        with torch.enable_grad():
            drawn = pixels.flatten(0, 1)[chosen].to(dtype).requires_grad_()  # (n, D)
            means, present = means_of(drawn.T[None, :, None], labels[chosen][None, None], K)
        S = pixels.new_empty(len(pixels), K, pixels.shape[1], dtype=dtype)
        inverse = S.new_empty(S[:, 0].shape)  # (B, N), 1 / |F_i|
        for b, F_b in enumerate(pixels):
            x = F_b.to(dtype)  # (N, D)
            inverse[b] = torch.linalg.vector_norm(x, dim=1).clamp(min=SHORTEST).reciprocal()
            S[b] = means.detach() / T @ x.T * inverse[b]
        ctx.T, ctx.chosen, ctx.drawn, ctx.means = T, chosen, drawn, means
        ctx.save_for_backward(features, S, inverse)
        ctx.mark_non_differentiable(present)
        return S.unflatten(2, features.shape[2:]), present

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, g: Tensor, _: Tensor
    ) -> tuple[Tensor | None, ...]:
        features, S, inverse = ctx.saved_tensors
        pixels, toward = _pixels(features), ctx.means.detach() / ctx.T  # (B, N, D), (K, D)
        by_features = torch.empty(pixels.shape, dtype=features.dtype, device=features.device)
        by_means = torch.zeros_like(toward)
        # A length below the shortest is held, and does not follow the features; 0.9, as its
        # inverse is rounded.
        follows = inverse * (inverse < 0.9 / SHORTEST)
        for b, g_b in enumerate(g.flatten(2)):
            x, scaled = pixels[b].to(S.dtype), g_b * inverse[b]  # (N, D), (K, N)
            by_means += scaled @ x
            along = (g_b * S[b]).sum(dim=0) * follows[b] ** 2  # (N,): what lengthens F_i
            by_features[b] = (scaled.T @ toward).addcmul_(along[:, None], x, value=-1)
        by_drawn = torch.autograd.grad(ctx.means, ctx.drawn, by_means / ctx.T, retain_graph=True)
        by_features.flatten(0, 1).index_add_(0, ctx.chosen, by_drawn[0].to(features.dtype))
        grad = by_features.unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
        return grad, None, None, None, None


def _pixels(features: Tensor) -> Tensor:
    """(B, D, H, W) as one row a pixel, (B, H W, D): a view where channels are last in memory."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def cosines(
    features: Tensor, scribble: Tensor, K: int, means_of: Means, T: float
) -> tuple[Tensor, Tensor]:
    """`class_similarity` to the means of `class_means`, normalised, and which classes have one.

    Args:
        features: (B, D, H, W), any float type; computed in float32 (float64 for float64 input).
        scribble: (B, H, W) integer, K = unlabelled.
        means_of: `class_means`: features, scribble and K to means (K, D) and present (K,) bool.
        T: the temperature.

    Returns:
        S (B, K, H, W) and present.
    """
    return _Cosines.apply(features, scribble, K, means_of, T)


class _Dense(torch.autograd.Function):
    """x itself, its gradient without gaps in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return g.contiguous(memory_format=torch.channels_last)


def twice_as_large(x: Tensor) -> Tensor:
    """Maps (B, D, h, w) to twice their size, bilinear between the corners' centres.

    As F.interpolate's with `align_corners`, whose gradient is seven times slower on a CPU where
    what comes after is a part of several maps set side by side: theirs has gaps in memory.
    """
    up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    return _Dense.apply(up) if by_hand(up) else up


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
        if not (self.training and by_hand(x)):
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
