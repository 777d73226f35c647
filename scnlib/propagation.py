r"""Region shape refinement (RSR).

What shapes the rows of C suggest, how a shape votes for one class, and how the vote enlarges the
region that is trusted (`scnlib.confidence`). Everything is batched: no loop over rows or images.

Shapes: B batch, K classes, R rows drawn from C, N cells of the map's grid, H x W pixels. The paper
calls both the correlation map and the set of classes C, and both the pseudo-labels and CACL's
features F; here they are `C`, `K`, `labels` and `features`.
"""

import torch
from scipy import ndimage
from torch import Tensor

from scnlib.confidence import ConfidenceThreshold as ConfidenceThreshold  # also found here
from scnlib.confidence import Pseudo, one_hot
from scnlib.correlation import to_grid


def shape_masks(rows: Tensor, threshold: float | Tensor) -> Tensor:
    r"""Eq. 4: binary shape masks from rows of C, (c - min c) / (max c - min c) > threshold.

    A constant row holds no shape: its mask is empty (not NaN). f2 is nearest resizing by default,
    done once at the end by `refine_image`, as masks are voted on the map's own grid.

    Args:
        rows: rows of C, (B, R, N) float.
        threshold: in 0..1, a number or a tensor of one.

    Returns:
        masks (B, R, N) bool.
    """
    low, high = rows.aminmax(dim=2, keepdim=True)  # (B, R, 1)
    # Multiplied out: no division by zero, and a constant row compares 0 > 0.
    return rows - low > threshold * (high - low)


def connected_parts(masks: Tensor, cells: Tensor, size: tuple[int, int]) -> Tensor:
    """Of each mask the part that hangs together with its row's own cell, over shared edges.

    One reading of f2: a row of C may resemble places far from its cell. A mask without its own
    cell keeps nothing.

    Args:
        masks: (B, R, N) bool on a grid of `size` (h, w).
        cells: (B, R) long, the cell in 0..N-1 that each row belongs to.

    Returns:
        masks (B, R, N) bool.
    """
    edges = ndimage.generate_binary_structure(3, 1)
    edges[[0, 2]] = False  # never from one mask to the next
    stack = masks.flatten(0, 1).unflatten(1, size).cpu().numpy()  # (B R, h, w)
    numbered = ndimage.label(stack, edges)[0]  # pyright: ignore[reportIndexIssue]
    parts = torch.from_numpy(numbered).to(masks.device).view_as(masks)  # 0: not in the mask
    return masks & (parts == parts.gather(2, cells[:, :, None]))


def overlap_ratio(masks: Tensor, confident: Tensor) -> Tensor:
    r"""Eq. 6: r = |mask and M| / |M|, the share of M that a mask covers; 0 where M is empty.

    Args:
        masks: (B, R, N) bool.
        confident: M on the grid, (B, N) bool.

    Returns:
        r (B, R) float32 in 0..1. As printed it is computed and not used: a mask with r = 0 has no
        vote and does nothing.
    """
    shared = (masks & confident[:, None]).sum(dim=2)  # (B, R)
    return shared / confident.sum(dim=1, keepdim=True).clamp(min=1)


def dominant_class(
    labels: Tensor, confident: Tensor, masks: Tensor, classes: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Eq. 7: c* = argmax_l G(l), G(l) the number of a mask's cells in M whose label is l.

    Args:
        labels: (B, N) integer.
        confident: (B, N) bool.
        masks: (B, R, N) bool.
        classes: K; None asks the labels for their largest.

    Returns:
        c* (B, R) long (the lowest class on a tie) and its count G(c*) (B, R) float32; a count of 0
        means that nothing voted.
    """
    K = classes or (int(labels.max()) + 1 if labels.numel() else 1)
    ballots = one_hot(labels, K) & confident[:, None]  # (B, K, N)
    votes = masks.float() @ ballots.float().transpose(1, 2)  # (B, R, K)
    count, winner = votes.max(dim=2)
    return winner, count


def cast_votes(
    labels: Tensor,
    confident: Tensor,
    masks: Tensor,
    *,
    classes: int | None = None,
    overwrite: bool = False,
    gate: float | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """What the masks vote for: the class of every cell (B, N) long, and which cells change (B, N).

    All votes use the labels and M that came in, so the order of rows can't matter for them; a cell
    in several masks takes the class of the highest-index row that voted. Arguments as in `refine`
    and `dominant_class`.
    """
    winner, count = dominant_class(labels, confident, masks, classes)  # (B, R)
    acts = count > 0  # as r > 0: of Eq. 6 no more is asked
    if gate is not None:
        shared = (masks & confident[:, None]).sum(dim=2)  # (B, R)
        acts &= shared > gate * masks.sum(dim=2)
        acts &= count > gate * shared
    order = torch.arange(1, masks.shape[1] + 1, dtype=torch.int32, device=masks.device)[:, None]
    last = ((masks & acts[:, :, None]) * order).amax(dim=1).long()  # (B, N); 0: no mask
    changed = (last > 0) if overwrite else (last > 0) & ~confident
    return winner.gather(1, (last - 1).clamp(min=0)), changed


def refine(
    labels: Tensor,
    confident: Tensor,
    masks: Tensor,
    *,
    overwrite: bool = False,
    gate: float | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Eq. 8: give every mask's cells outside M its dominant class, and add them to M.

    Departure: the print overwrites every cell of a mask, also in M; the text speaks of unlabelled
    regions.

    Args:
        labels: (B, N) integer, pseudo-labels on the grid.
        confident: (B, N) bool, M on the grid.
        masks: (B, R, N) bool, from `shape_masks`.
        overwrite: change labels inside M too, as printed.
        gate: if given, a mask acts only where both its overlap with M over its own size and the
            dominant class's share of that overlap exceed it (CorrMatch's rule). A mask that adds a
            cell holds more than 1 / (1 - gate) cells then: with tau near 1, hardly any does.

    Returns:
        labels (B, N) of the same type and confident (B, N) bool, new tensors.
    """
    voted, changed = cast_votes(labels, confident, masks, overwrite=overwrite, gate=gate)
    return torch.where(changed, voted.to(labels.dtype), labels), confident | changed


def grid_labels(pseudo: Pseudo, size: tuple[int, int], classes: int) -> tuple[Tensor, Tensor]:
    """Pseudo-labels on the map's grid of `size` (h, w): labels (B, N) long, confident (B, N) bool.

    A cell is in M if more than half of its pixels are; its class is the majority of those.
    """
    votes = one_hot(pseudo.labels, classes) & pseudo.confident[:, None]  # (B, K, H, W)
    shares = to_grid(votes.float(), size)  # (B, K, h, w)
    confident = shares.sum(dim=1) > 0.5  # (B, h, w)
    return shares.max(dim=1).indices.flatten(1), confident.flatten(1)


def refine_image(
    pseudo: Pseudo,
    masks: Tensor,
    size: tuple[int, int],
    classes: int,
    *,
    free: Tensor | None = None,
    overwrite: bool = False,
    gate: float | Tensor | None = None,
) -> Pseudo:
    """Refine on the grid, and bring the cells that changed back to H x W by nearest (f2).

    Args:
        pseudo: labels and M at H x W.
        masks: (B, R, N) bool on the grid of `size` (h, w).
        free: (B, H, W) bool, pixels that may change (no scribbles and no padding); None: all.
        overwrite, gate: see `refine`.

    Returns:
        New labels (B, H, W) long and M (B, H, W) bool.

    Raises `ValueError` where the grid's cells are not whole pixels (`to_grid`).
    """
    H, W = pseudo.labels.shape[-2:]
    labels, confident = grid_labels(pseudo, size, classes)
    votes = cast_votes(labels, confident, masks, classes=classes, overwrite=overwrite, gate=gate)

    high, wide = H // size[0], W // size[1]  # a cell
    grids = (cells.unflatten(1, size) for cells in votes)
    voted, changed = (g.repeat_interleave(high, 1).repeat_interleave(wide, 2) for g in grids)
    change = changed if overwrite else changed & ~pseudo.confident
    change = change if free is None else change & free
    return Pseudo(torch.where(change, voted, pseudo.labels), pseudo.confident | change)
