"""The side of a box around scribbles: of PCE+box's, and of the one that superpixels are made in."""

import numpy as np


def span(places: np.ndarray, margin: int) -> slice:
    """From the first place to the last, and a margin; cut by numpy at the image's far edge."""
    return slice(max(0, int(places.min()) - margin), int(places.max()) + margin + 1)
