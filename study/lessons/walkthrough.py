"""What notebook 02b shows: SCN's maps of one slice (`walkthrough_figures` draws them).

Every map comes from the functions that training calls. A cell is one place of the correlation
map's grid, numbered row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from scnlib.confidence import Pseudo, confident_pixels
from scnlib.config import Run
from scnlib.correlation import correlation_map, to_grid
from scnlib.data import Case, load_split, stack
from scnlib.data.batches import Stack
from scnlib.evaluation import dice
from scnlib.methods.base import Batch, Now
from scnlib.methods.scn import SCN
from scnlib.propagation import dominant_class, grid_labels, overlap_ratio, shape_masks
from scnlib.weights import trained_network as trained_network  # which notebook 02b needs, too

STRICTER = 0.99  # a tau to look with where the network's own leaves nothing for a vote


@dataclass(frozen=True)
class Slice:
    """A labelled slice on the network's grid, and the slices it came with (for BatchNorm)."""

    name: str
    image: Tensor  # (1, 1, H, W) float32 in 0..1
    scribble: Tensor  # (1, H, W) long, K = unlabelled
    label: Tensor  # (1, H, W) long
    classes: tuple[str, ...]
    images: Tensor  # (S, 1, H, W), all slices of the split


@dataclass(frozen=True)
class Maps:
    """What SCN computes for one slice."""

    title: str
    f: Tensor  # (D, h, w) encoder features
    C: Tensor  # (N, N) correlation map
    P: Tensor  # (K, H, W) probabilities
    Y_corr: Tensor  # (K, H, W) propagated probabilities
    tau: float
    before: Pseudo  # (1, H, W) each
    after: Pseudo


def candidates(dataset: str, root: Path | None, run: Run, count: int = 64) -> list[Slice]:
    """The `count` validation slices whose smallest structure is largest, that one first.

    On the grid of `run`'s profile; training slices where the validation subjects lack scribbles or
    masks. `ValueError` if no subject has both.
    """
    data, cases, split = _labelled(dataset, root, run, ("val", "train"))
    assert data.label is not None
    sizes = [(data.label == k).sum(axis=(1, 2)) for k in range(1, len(cases[0].classes))]
    smallest = np.min(sizes, axis=0)
    order = np.argsort(-smallest, kind="stable")[:count]
    return _slices(data, cases, split, order)


def spread_slices(split: str, run: Run, root: Path | None, count: int) -> list[Slice]:
    """`count` slices with scribbles and masks, evenly spread over a split; all, if it has fewer.

    On the grid of `run`'s profile. `ValueError` if no subject of the split has both.
    """
    data, cases, _ = _labelled(run.dataset, root, run, (split,))
    S = len(data.image)
    return _slices(data, cases, split, np.unique(np.linspace(0, S - 1, min(count, S)).round()))


def _labelled(
    dataset: str, root: Path | None, run: Run, splits: Sequence[str]
) -> tuple[Stack, list[Case], str]:
    """The first split with subjects that have scribbles and masks: stacked, they, its name."""
    for split in splits:
        cases = [c for c in load_split(dataset, root, split) if c.scribble is not None]
        if cases := [c for c in cases if c.label is not None]:
            return stack(cases, run.profile.size, run.profile.scribble_rule), cases, split
    raise ValueError(f"{dataset}: no subject has scribbles and a mask; use one that has")


def _slices(data: Stack, cases: Sequence[Case], split: str, which: np.ndarray) -> list[Slice]:
    assert data.label is not None and data.scribble is not None
    images = torch.from_numpy(data.image)[:, None]
    places = [(case, z) for case in cases for z in range(len(case.image))]
    found = []
    for i in which.astype(int):
        case, z = places[i]
        scribble, label = (
            torch.from_numpy(a[i : i + 1]).long() for a in (data.scribble, data.label)
        )
        name = f"{case.volume}, slice {z + 1} ({split})"
        image = images[i : i + 1]
        found.append(Slice(name, image, scribble, label, case.classes, images))
    return found


def pick_slice(dataset: str, root: Path | None, run: Run) -> Slice:
    """The first of `candidates`: its smallest structure is the largest of all."""
    return candidates(dataset, root, run, count=1)[0]


def added(maps: Maps) -> Tensor:
    """The pixels (H, W), bool, that the vote has added to M."""
    return (maps.after.confident & ~maps.before.confident)[0]


def most_voted(net: SCN, slices: Sequence[Slice]) -> tuple[Slice, float | None]:
    """The slice in which the network's vote adds the most pixels to M, the first of several.

    And the tau to look at it with: None for the network's own; where its vote adds nothing in any
    slice, `STRICTER`, if it is, which leaves more for a vote.
    """
    for tau in (None, STRICTER) if net.tau.value < STRICTER else (None,):
        counts = [int(added(gather(net, one, "", tau=tau)).sum()) for one in slices]
        if max(counts):
            return slices[int(np.argmax(counts))], tau
    return slices[0], None


def random_network(run: Run, chosen: Slice) -> SCN:
    """SCN as it stands before its first step, BatchNorm's averages set from the slices at hand."""
    torch.manual_seed(0)
    net = SCN(run, len(chosen.classes)).train()
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
        elif isinstance(layer, nn.Dropout | nn.Dropout2d):
            layer.eval()
    with torch.no_grad():
        net.predict(chosen.images[:24])
    return net.eval()


@torch.no_grad()
def gather(net: SCN, chosen: Slice, title: str, tau: float | None = None) -> Maps:
    """One slice's maps, by the functions of a training step, in the network's own mode.

    In evaluation that is without dropout and with BatchNorm's averages. With `tau` as the threshold
    in place of the network's own, if it is given.
    """
    if tau is not None:
        kept = net.tau.value
        net.tau.value_.fill_(tau)
        try:
            return gather(net, chosen, title)
        finally:
            net.tau.value_.fill_(kept)
    logits, encoder, _ = net.net(chosen.image)
    P = logits.softmax(dim=1)
    C = correlation_map(*net.compared(encoder), scale_inside=net.run.scn.scale_inside)
    Y_corr = net.propagated(encoder, logits, P)
    valid = torch.ones_like(chosen.label, dtype=torch.bool)
    nowhere = torch.zeros(1, dtype=torch.long)
    batch = Batch(chosen.image, chosen.scribble, valid, nowhere, torch.eye(2, 3)[None])
    confidence, predicted = P.max(dim=1)
    before = confident_pixels(confidence, predicted, net.tau.value, P.shape[1], chosen.scribble)
    cells = net.draw(batch.image.shape, Now(0, 1, torch.Generator().manual_seed(0)))["cells"]
    rows = net.rows(encoder, cells)
    after = net.pseudo_labels(rows, cells, confidence, predicted, batch)
    f = next(level[0] for level in encoder if level.shape[-2] * level.shape[-1] == C.shape[1])
    return Maps(title, f, C[0], P[0], Y_corr[0], net.tau.value, before, after)


def typical_cells(chosen: Slice, size: tuple[int, int]) -> dict[str, int]:
    """For each structure, the cell of the grid of `size` that it fills most."""
    shares = to_grid(nn.functional.one_hot(chosen.label).movedim(3, 1).float(), size)[0].flatten(1)
    return {name: int(shares[k].argmax()) for k, name in enumerate(chosen.classes) if k}


def largest_mask(maps: Maps, threshold: float) -> int:
    """The cell whose row makes the mask of the most cells; the first of several."""
    return int(shape_masks(maps.C[None], threshold)[0].sum(dim=1).argmax())


def votes(maps: Maps, chosen: Slice, cells: dict[str, int], threshold: float) -> pd.DataFrame:
    """How the mask of each cell, by name, votes, from M before refinement: a row each."""
    size = (int(maps.f.shape[-2]), int(maps.f.shape[-1]))
    labels, confident = grid_labels(maps.before, size, len(chosen.classes))
    masks = shape_masks(maps.C[None, list(cells.values())], threshold)
    winner, count = dominant_class(labels, confident, masks)
    share = overlap_ratio(masks, confident)[0]
    return pd.DataFrame(
        {
            "network": maps.title,
            "row of": list(cells),
            "cells in mask": masks[0].sum(dim=1).numpy(),
            "in M": (masks & confident)[0].sum(dim=1).numpy(),
            "r": share.numpy(),
            "votes for winner": count[0].int().numpy(),
            "winner": [
                chosen.classes[int(k)] if n else "(none)"
                for k, n in zip(winner[0], count[0], strict=True)
            ],
        }
    ).set_index(["network", "row of"])


def scores(maps: Maps, chosen: Slice) -> pd.DataFrame:
    """Dice (fractions) of prediction, pseudo-labels and truth, inside M and on the whole slice."""
    prediction, truth, rows = maps.P.argmax(dim=0)[None], chosen.label, {}
    for k, name in list(enumerate(chosen.classes))[1:]:

        def both(a: Tensor, b: Tensor, where: Tensor | None = None, k: int = k) -> float:
            a, b = ((x == k) if where is None else (x == k) & where for x in (a, b))
            return dice(a.numpy(), b.numpy())

        rows[name] = {
            "prediction / pseudo-label, in M": both(prediction, *maps.after),
            "M before: pseudo-label / truth": both(truth, *maps.before),
            "M after: pseudo-label / truth": both(truth, *maps.after),
            "slice: Y_corr / truth": both(maps.Y_corr.argmax(dim=0)[None], truth),
            "slice: prediction / truth": both(prediction, truth),
        }
    return pd.DataFrame(rows).T
