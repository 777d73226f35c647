"""SCN's step written out the slow way: every equation by itself, C and one-hot labels in full.

What the package computes with fewer operations has to give these numbers.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from scnlib.methods.base import Batch
from scnlib.methods.scn import SCN


def scn_loss(method: SCN, batch: Batch, cells: Tensor) -> Tensor:
    """Eq. 18 with the study's default options, from logits, features and drawn cells."""
    K, o = method.classes, method.run.scn
    logits, encoder, features = method.net(batch.image)
    B, _, H, W = logits.shape
    P, f = logits.softmax(dim=1), encoder[method.level].float()
    h, w = f.shape[-2:]

    flat = f.reshape(B, f.shape[1], h * w)
    C = ((flat.transpose(1, 2) @ flat) / math.sqrt(f.shape[1])).softmax(dim=2)
    mixed = F.avg_pool2d(P, (H // h, W // w)).flatten(2) @ C.transpose(1, 2)
    Y_corr = F.interpolate(mixed.unflatten(2, (h, w)), size=(H, W), mode="bilinear")

    largest = [P.detach()[:, k][P.argmax(dim=1) == k] for k in range(K)]
    target = torch.stack([one.max() for one in largest if one.numel()]).mean()
    tau = o.tau_momentum * float(method.tau.value_) + (1 - o.tau_momentum) * float(target)
    labels, M = refined(P.detach(), C.detach(), tau, batch, cells)

    N, valid = batch.valid.sum(), batch.valid
    pce = F.cross_entropy(logits, batch.scribble, ignore_index=K)
    to_propagated = F.cross_entropy(logits, Y_corr.detach().argmax(dim=1), reduction="none")
    to_labels = F.cross_entropy(logits, labels, reduction="none")
    of_map = -Y_corr.gather(1, labels[:, None])[:, 0].clamp(min=1e-6).log()
    pap = to_propagated[valid].sum() / N
    rsr = (of_map[M].sum() + to_labels[M].sum()) / N
    cacl = contrast(features.float(), batch.scribble, labels, M, K, o.temperature)
    return o.lambda1 * pce + o.lambda2 * pap + o.lambda3 * rsr + o.lambda4 * cacl


def refined(P: Tensor, C: Tensor, tau: float, batch: Batch, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 4-8, image by image and row by row."""
    B, K, H, _ = P.shape
    h = math.isqrt(C.shape[1])
    side = H // h
    scribbled = batch.scribble < K
    labels = torch.where(scribbled, batch.scribble, P.argmax(dim=1))
    M = ((P.max(dim=1).values > tau) | scribbled) & batch.valid
    new_labels, new_M = labels.clone(), M.clone()
    for b in range(B):
        votes = F.one_hot(labels[b], K) * M[b][..., None]
        count = votes.unflatten(0, (h, side)).unflatten(2, (h, side)).sum(dim=(1, 3))
        count = count.reshape(h * h, K)
        grid_labels, grid_M = count.argmax(dim=1), count.sum(dim=1) * 2 > side * side
        for cell in cells[b].tolist():
            row = C[b, cell]
            mask = (row - row.min()) / (row.max() - row.min()) > 0.5
            inside = grid_labels[mask & grid_M]
            if inside.numel() == 0:
                continue
            winner = inside.bincount(minlength=K).argmax()
            for n in (mask & ~grid_M).nonzero().flatten().tolist():
                y, x = side * (n // h), side * (n % h)
                block = (b, slice(y, y + side), slice(x, x + side))
                free = ~M[block] & ~scribbled[block] & batch.valid[block]
                new_labels[block] = torch.where(free, winner, new_labels[block])
                new_M[block] |= free
    return new_labels, new_M


def contrast(
    features: Tensor, scribble: Tensor, labels: Tensor, M: Tensor, K: int, T: float
) -> Tensor:
    """Eq. 13-17 with unit features, pixel by pixel of each class."""
    unit = F.normalize(features, dim=1).movedim(1, 3)  # (B, H, W, D)
    present = [c for c in range(K) if (scribble == c).any()]
    if not present:
        return features.sum() * 0
    sums = [unit[scribble == c].sum(dim=0) / ((scribble == c).sum() + 1e-6) for c in present]
    S = unit @ F.normalize(torch.stack(sums), dim=1).T / T
    log_p = S.log_softmax(dim=3)
    terms = []
    for chosen, kind in ((scribble < K, scribble), (M & (scribble == K), labels)):
        place = torch.full_like(kind, -1)
        for i, c in enumerate(present):
            place[chosen & (kind == c)] = i
        picked = log_p[place >= 0].gather(1, place[place >= 0][:, None])
        terms.append(-picked.sum() / max(1, picked.numel()))
    return terms[0] + terms[1]
