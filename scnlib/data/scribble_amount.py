"""Scribbles with less in them, or with mistakes: how much must be drawn, and how well?

A stroke is an 8-connected part of one class in one slice. What is left to chance comes from the
volume's name alone, so that every method and seed gets the same scribbles, and less of them is
always a part of more.
"""

import zlib

import numpy as np
from scipy import ndimage

from scnlib.config import Strokes

KEPT = {"half": 0.5, "quarter": 0.25, "tenth": 0.1}  # share of each stroke's pixels
WRONG = {"wrong1": 0.01, "wrong5": 0.05, "wrong10": 0.1}  # share of the strokes
UNMARKED = 0.5  # share of the structures in a slice
EIGHT = np.ones((3, 3), dtype=bool)


def redrawn(scribble: np.ndarray, classes: int, strokes: Strokes, volume: str) -> np.ndarray:
    """A volume's scribbles as somebody would have drawn them with less time or less care.

    "half", "quarter" and "tenth" keep that share of each stroke, around a pixel of it ("all" keeps
    all); "unmarked" leaves out half of the foreground structures, slice by slice; "wrong1",
    "wrong5" and "wrong10" give that percentage of the strokes another class; "thin" keeps each
    stroke's middle line.

    Args:
        scribble: (n, H, W) uint8 in 0..K, K = `classes` = unlabelled.
        volume: its name, from which chance comes.

    Returns:
        (n, H, W) uint8, a new array.
    """
    chance = np.random.default_rng(zlib.crc32(volume.encode()))
    result = np.full_like(scribble, classes)
    for before, after in zip(scribble, result, strict=True):
        for k in range(classes):
            left_out = chance.random() < UNMARKED
            parts, _ = ndimage.label(before == k, EIGHT)  # pyright: ignore[reportGeneralTypeIssues]
            for number, where in enumerate(ndimage.find_objects(parts), 1):
                start, luck, other = chance.random(3)  # all of them always: chance stays in step
                stroke = parts[where] == number
                if strokes == "unmarked" and k > 0 and left_out:
                    continue
                if strokes == "thin":
                    from skimage.morphology import skeletonize  # half a second that few need

                    stroke = skeletonize(stroke)
                name = k
                if luck < WRONG.get(strokes, 0):
                    name = (k + 1 + int(other * (classes - 1))) % classes
                after[where][_around(stroke, start, KEPT.get(strokes, 1))] = name
    return result


def _around(stroke: np.ndarray, start: float, share: float) -> np.ndarray:
    """Of a stroke (h, w) bool that share, grown ring by ring from one of its pixels."""
    if share >= 1:
        return stroke
    pixels = np.argwhere(stroke)
    kept = np.zeros_like(stroke)
    kept[tuple(pixels[int(start * len(pixels))])] = True
    while kept.sum() < share * len(pixels):
        kept = ndimage.binary_dilation(kept, EIGHT, mask=stroke)
    return kept
