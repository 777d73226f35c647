"""Resizing between a volume's own grid and the square grid a network works on.

All of it is anchored at pixel centres: pixel i of n covers i/n to (i+1)/n of the side. Anchoring
at corners, or flooring indices, shifts label maps against images by up to half a pixel.
"""

import numpy as np
import torch
from torch.nn.functional import interpolate

from scnlib.config import ScribbleRule


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Bilinear with antialiasing: (n, H, W) float32 to (n, size, size) float32, in its range."""
    source = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[:, None]
    if image.shape[1:] == (size, size):
        return source[:, 0].numpy().copy()
    target = interpolate(
        source, size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )
    # The weights sum to 1 up to rounding; clipping keeps 0..1 exact.
    return target[:, 0].clamp(float(source.min()), float(source.max())).numpy()


def resize_label(label: np.ndarray, size: int) -> np.ndarray:
    """Nearest at pixel centres: (n, H, W) to (n, size, size), same dtype.

    A target pixel takes the source pixel its centre falls in; on an edge, the later of the two.
    """
    rows, columns = (_cells(size, n) for n in label.shape[1:])
    return label[:, rows[:, None], columns]


def resize_scribble(
    scribble: np.ndarray, size: int, unlabelled: int, rule: ScribbleRule = "keep"
) -> np.ndarray:
    """Resize scribbles (n, H, W) uint8 to (n, size, size) uint8; classes 0..unlabelled-1.

    "nearest"  as a label map: a thin stroke may fall between the pixel centres and vanish.
    "keep"     along an axis that shrinks, every labelled pixel marks the target cell its centre
               falls in, so a cell is labelled exactly if a labelled pixel lies in it. Of several
               classes in a cell the one with most pixels wins, then the one that is rarer in the
               source slice, then the higher class. So a class vanishes from a slice only if it
               loses every one of its cells to another class. Along an axis that grows: nearest.

    Raises `ValueError` for another rule.
    """
    if rule == "nearest":
        return resize_label(scribble, size)
    if rule != "keep":
        raise ValueError(f'unknown scribble rule {rule!r}: use "keep" or "nearest"')
    height, width = scribble.shape[1:]
    rows, columns = _cells(size, height), _cells(size, width)
    grown = scribble[:, rows] if size > height else scribble
    grown = grown[:, :, columns] if size > width else grown
    counts = _class_counts(grown, size, unlabelled)
    total = np.stack([(scribble == k).sum(axis=(1, 2)) for k in range(unlabelled)], axis=1)
    # Rank 0 for the most frequent class of a slice, so that rank breaks ties between counts.
    rarity = np.argsort(np.argsort(-total, axis=1, kind="stable"), axis=1, kind="stable")
    winner = np.argmax(counts * unlabelled + rarity[:, None, None], axis=3)
    return np.where(counts.any(axis=3), winner, unlabelled).astype(np.uint8)


def _cells(points: int, cells: int) -> np.ndarray:
    """For each of ``points`` pixel centres on a side, the index of the cell of ``cells`` it is in.

    Exact in integers: floor((i + 1/2) * cells / points).
    """
    return (2 * np.arange(points) + 1) * cells // (2 * points)


def _class_counts(scribble: np.ndarray, size: int, classes: int) -> np.ndarray:
    """Pixels of each class in each target cell: (n, h, w) to (n, size, size, classes) int64."""
    n, height, width = scribble.shape
    z, y, x = np.nonzero(scribble < classes)
    cell = (z * size + _cells(height, size)[y]) * size + _cells(width, size)[x]
    index = cell * classes + scribble[z, y, x]
    return np.bincount(index, minlength=n * size * size * classes).reshape(n, size, size, classes)
