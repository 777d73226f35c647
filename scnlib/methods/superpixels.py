"""Pseudo-labels from scribbles by superpixels: what Fddseg trains on beside the scribbles.

Source: Zhang et al. 2024, and its public code for the numbers.
"""

import numpy as np
from skimage.morphology import isotropic_dilation
from skimage.segmentation import felzenszwalb

IMAGE_SIZE = 256  # the lengths below are in pixels of images of this size
BOX_MARGIN = 10  # around the foreground scribbles' box
REACH = 7  # how far a label may lie from its scribble: an ellipse of 15 x 15
MIN_SIZE = 30  # pixels of a superpixel
SCALE, SIGMA = 50, 0.5  # Felzenszwalb's own; not scaled, they hardly matter on ACDC at 128


def spread_scribble(
    image: np.ndarray, scribble: np.ndarray, classes: int, rest: str = "background"
) -> np.ndarray:
    """Give the superpixels that a scribble touches its class, near the scribble.

    Felzenszwalb's superpixels of the foreground scribbles' box, with a margin; a class's part
    within `REACH` of its scribble. Lengths shrink with the image, areas with its square.

    As in the public code, background scribbles spread nowhere, and all that no structure claims is
    background, in every slice. A pixel that two structures claim is unlabelled; there a later class
    overwrites an earlier one. Scribbled pixels keep their class always. With `rest` "unlabelled"
    background spreads in the box like the structures, what several classes claim or none has no
    label, and a slice without a foreground scribble has its scribbles alone.

    Args:
        image: (H, W) float in 0..1.
        scribble: (H, W) integer in 0..K, K = `classes` = unlabelled.
        rest: what pixels are that no class claims, "background" or "unlabelled".

    Returns:
        (H, W) of the scribble's type, in 0..K.
    """
    spread = scribble.copy()
    if rest == "background":
        spread[scribble == classes] = 0
    rows, columns = np.nonzero((scribble > 0) & (scribble < classes))
    if rows.size == 0:
        return spread
    ratio = max(image.shape) / IMAGE_SIZE
    reach = round(BOX_MARGIN * ratio)
    box = tuple(slice(max(0, a.min() - reach), a.max() + reach + 1) for a in (rows, columns))
    near, given = scribble[box], spread[box]
    claims = _claims(image[box], near, classes, ratio)
    if rest == "background":
        claims[0] = False
    winner = np.where(claims.sum(axis=0) == 1, claims.argmax(axis=0), classes)
    claimed = (near == classes) & claims.any(axis=0)
    given[claimed] = winner[claimed]
    return spread


def _claims(image: np.ndarray, scribble: np.ndarray, classes: int, ratio: float) -> np.ndarray:
    """Which pixels each class's scribble claims, (K, h, w) bool; `ratio` scales the lengths."""
    pieces = felzenszwalb(
        image, scale=SCALE, sigma=SIGMA, min_size=max(1, round(MIN_SIZE * ratio**2))
    )
    return np.stack(
        [
            np.isin(pieces, pieces[scribble == k])
            & isotropic_dilation(scribble == k, REACH * ratio)
            for k in range(classes)
        ]
    )
