"""Image intensities brought to 0..1, so that a few odd voxels can't take the contrast away.

A padding value of -1024, a wrapped integer or a hot pixel is far from everything else. Scaling from
the smallest to the largest value would press the heart into a few grey levels. What is found to be
odd is told with the file's name; an image without such voxels is scaled as if this did not exist.
"""

import numpy as np

from scnlib.data.checks import log

FEW = 0.01  # share of voxels below which odd values count as stray
FENCE = 0.5  # a stray voxel lies further below the rest than this share of the rest's range
DARK = 10  # percent of an image's voxels above its minimum; brighter than half: see below
QUARTILE = 75  # percent of them; darker than a tenth: see below (in ACDC and MSCMR 0.12 or more)
BLOCK_GAP = 2.0  # padding lies further from the rest than this many times the rest's range
SATURATED = (2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1)  # what -1 and overflow become in integers
SCANNER_LEVELS = 4096  # grey levels that float32 must be able to tell apart
HUGE = 1e30  # beyond it differences of float32 are not safe


def to_unit_range(array: np.ndarray, source: str) -> np.ndarray:
    """A finite volume as float32 in 0..1: clipped at its 99th percentile, then min-max scaled.

    Stray low voxels and blocks of padding are set to the nearest value of the rest first, which is
    logged as a warning that names `source`. A constant volume becomes 0, with a warning, and one
    that uses hardly more than the upper half or the lowest tenth is told of.
    """
    values = array if _exact(array.dtype) else array.astype(np.float64)
    low, high = trusted_range(values)
    inside = values
    if odd := int(np.count_nonzero((values < low) | (values > high))):
        log.warning(
            "%s: %d voxels far from all others (%g to %g) were set to the range of the rest, "
            "%g to %g: check it for padding or overflow",
            *(source, odd, values.min(), values.max(), low, high),
        )
        inside = values[(values >= low) & (values <= high)]
        values = np.clip(values, low, high)
    if _fits_float32(inside):
        inside, image = inside.astype(np.float32), values.astype(np.float32)
    else:  # or float32 would round the contrast away, or overflow
        scale = max(abs(low), abs(high)) if max(abs(low), abs(high)) > HUGE else 1.0
        inside, image = (part / scale - low / scale for part in (inside, values))
    image = np.minimum(image, _top(inside))
    low, high = float(image.min()), float(image.max())
    if high <= low:
        log.warning("%s: image is the same everywhere: there is nothing to see in it", source)
        return np.zeros(image.shape, np.float32)
    image = np.clip((image - low) / (high - low), 0.0, 1.0).astype(np.float32)
    dark, most = np.percentile(image[image > 0], [DARK, QUARTILE])
    if dark > 0.5:
        text = "%s: nearly all voxels lie within the upper half of its range: check it for padding"
        log.warning(f"{text} that was smoothed or resampled", source)
    elif most < 0.1:
        text = "%s: most voxels lie within the lowest tenth of its range: check it for bright"
        log.warning(f"{text} padding or overflow", source)
    return image


def trusted_range(values: np.ndarray) -> tuple[float, float]:
    """The smallest and the largest value that are no padding and not stray.

    What lies below a wide gap under 0 is padding, of whatever values: wider than BLOCK_GAP times
    the range of the rest, or than FENCE times it where the rest has hardly a negative value. Else
    padding is one value that many voxels share (at least FEW / 2): a negative one below a rest
    that is not negative or far away, or far above the rest one that integers saturate or wrap to.
    Stray voxels are few and lie below the 1st percentile by more than FENCE times the range from
    there to the 99th. High ones need no rule of their own, as scaling clips them.
    """
    rest = values[values >= _floor(values)]
    low, high = float(rest.min()), float(rest.max())
    for end in (low, high):
        suspect = end < 0 if end == low else end in SATURATED or end > HUGE
        if suspect and np.count_nonzero(rest == end) >= FEW / 2 * rest.size:
            others = rest[rest != end]
            unsigned = end < 0 <= others.min(initial=0) < others.max(initial=0)
            if others.size and (unsigned or _far(end, others)):
                rest = others
    first, last = _percentiles(rest)
    if last > first:
        fence = first - FENCE * (last - first)
        if rest.min() < fence:
            rest = rest[rest >= fence]
    return float(rest.min()), float(rest.max())


def _floor(values: np.ndarray) -> float:
    """The lowest value above the widest gap under 0, if what lies above it is the image: most
    voxels, and too far away; else the lowest value."""
    lowest = float(values.min())
    if lowest >= 0:
        return lowest
    steps = np.unique(values).astype(np.float64)
    steps = steps[: np.searchsorted(steps, 0.0) + 1]  # the negative ones and the first that is not
    if len(steps) < 2:
        return lowest
    gaps = np.diff(steps)
    widest = int(gaps.argmax())
    floor = float(steps[widest + 1])
    rest = values[values >= floor]
    if 2 * rest.size < values.size:
        return lowest
    first, last = _percentiles(rest)
    times = FENCE if first >= -FEW * (last - first) else BLOCK_GAP
    return floor if gaps[widest] > times * (last - first) > 0 else lowest


def _far(value: float, others: np.ndarray) -> bool:
    first, last = _percentiles(others)
    gap = first - value if value < first else value - last
    return 0 < BLOCK_GAP * (last - first) < gap


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    first, last = np.percentile(values, [100 * FEW, 100 - 100 * FEW])
    return float(first), float(last)


def _top(values: np.ndarray) -> np.floating:
    """The 99th percentile; if that is the lowest value, the largest: few pixels are bright then,
    and clipping would erase them."""
    top = np.percentile(values, 99)
    return top if top > values.min() else values.max()


def _exact(dtype: np.dtype) -> bool:
    """Whether float32 holds every value of a type."""
    return np.can_cast(dtype, np.float32)


def _fits_float32(values: np.ndarray) -> bool:
    """Whether float32 holds the values, and tells apart what a scanner does."""
    if _exact(values.dtype):
        return True
    largest = max(abs(float(values.min())), abs(float(values.max())))
    if largest > HUGE:
        return False
    first, last = _percentiles(values)
    step = float(np.spacing(np.float32(largest)))
    # A constant image has no contrast to lose; a value far off from 99% of others is clipped.
    return last == first or step * SCANNER_LEVELS <= last - first
