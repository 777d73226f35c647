"""Procedural short-axis hearts with scribbles: the data set of the demo profile.

The phantom demonstrates, it proves nothing. It is drawn, not measured, and it was built so that
what happens on cine MRI can be watched in minutes: blood, fat, aorta, gut and liver vessels share
their grey values with the heart, and the background scribble runs around the heart only, so that
partial cross-entropy is free to paint hearts elsewhere. No number from it is evidence for a method.

A subject is one frame ("ED") of 6 to 8 slices from base (t = 0) to apex (t = 1) on a 64 x 64 grid.
Every third subject begins above the ventricles (great vessels, no heart label), every third ends
below the cavity (MYO alone). Endocardium, epicardium and RV free wall are radii about the LV that
depend on the angle: so the ring is closed, and a stroke within a structure is a mean of two radii.
Lengths are in pixels and angles in rad, unless said otherwise.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from scipy import ndimage

from scnlib.data.cases import Case

SIZE, SPACING, SEED = 64, (10.0, 3.0, 3.0), 2024
SUBJECTS = {"train": range(1, 25), "val": range(25, 33), "test": range(33, 41)}  # subject numbers
BACKGROUND, RV, MYO, LV, UNLABELLED = range(5)
# Tissue codes index GREY. Fat has the grey of blood, and the trunk's muscle that of myocardium.
AIR, LUNG, MUSCLE, LIVER, BLOOD, FAT = range(6)
GREY = np.array([0.03, 0.10, 0.27, 0.36, 0.72, 0.72])
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE].astype(np.float64)


@dataclass(frozen=True)
class Blob:
    """A bright ellipse away from the heart."""

    centre: np.ndarray  # (2,) row, column at the base
    drift: np.ndarray  # (2,) from base to apex
    axes: tuple[float, float, float]  # half axes, long then short, and the angle of the long one
    rim: float  # thickness of its dark wall
    hollow: float  # > 0: a smaller ellipse is cut out at this share of the short axis (a crescent)


@dataclass(frozen=True)
class Anatomy:
    """What the slices of one subject share."""

    slices: int
    no_heart_first: bool
    myo_only_last: bool
    base: np.ndarray  # (2,) row, column of the LV at the base
    drift: np.ndarray  # (2,) from base to apex
    turn: float  # direction of the RV
    cavity: float  # LV radius at the base
    wall: float
    crescent: float  # depth of the RV at the base
    half_width: float  # half of the angle the RV takes up
    taper: float
    waves: np.ndarray  # (3, 2) amplitude and phase of orders 2 to 4
    body: np.ndarray  # (6,) centre, half axes, shift of the chest within its fat
    diaphragm: np.ndarray  # (3,) row at the base, rise to the apex, tilt
    fat: np.ndarray  # (3, 2) phase and depth of the fat around the heart
    blobs: tuple[Blob, ...]
    great: tuple[Blob, ...]  # aortic root, pulmonary trunk and atrium

    def centre(self, t: float) -> np.ndarray:
        """Row and column of the heart's centre, pixels, at `t` from 0 (base) to 1 (apex)."""
        return self.base + t * self.drift

    def radii(self, angle: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Endocardium, epicardium and RV free wall at `angle`, each of its shape."""
        amplitude, phase = self.waves.T
        wave = (amplitude * np.cos(angle[..., None] * np.arange(2, 5) + phase)).sum(-1)
        endo = self.cavity * np.sqrt(1.0 - (self.taper * t) ** 2) * (1.0 + wave)
        epi = endo + self.wall * (1.0 - 0.15 * t) * (1.0 + 0.12 * np.cos(angle - self.turn))
        if self.myo_only_last and t == 1.0:
            endo, epi = 0.0 * endo, 0.6 * epi
        # The RV closes to a point on both sides and is gone before the apex.
        away = np.abs((angle - self.turn + np.pi) % (2 * np.pi) - np.pi) / self.half_width
        bump = np.sqrt(np.clip(np.cos(0.5 * np.pi * np.minimum(away, 1.0)), 0.0, None))
        return endo, epi, epi + self.crescent * max(0.0, 1.0 - (t / 0.85) ** 2) * bump


def direction(angle: float | np.ndarray) -> np.ndarray:
    """Unit vectors (..., 2) as row, column."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def ellipse(centre: np.ndarray, long: float, short: float, angle: float = 0.0) -> np.ndarray:
    """Bool (SIZE, SIZE): pixels whose centre lies in the ellipse."""
    y, x = ROWS - centre[0], COLUMNS - centre[1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1.0


def draw_anatomy(number: int, rng: Generator) -> Anatomy:
    """One subject's anatomy; `number` decides which subjects lack structures in an end slice."""
    u = rng.uniform
    base, turn = u(27, 33, 2), np.pi + u(-0.6, 0.6)

    def blob(angle: float, distance: float, long: float, flat: float, rim: float, hollow: float):
        at = base + distance * direction(angle)
        return Blob(at, u(-2, 2, 2), (long, flat * long, u(0, np.pi)), rim, hollow)

    vessels = [blob(u(0, 6.3), u(20, 32), u(1.0, 2.6), u(0.5, 1.0), 0.0, 0.0) for _ in range(12)]
    vein = blob(u(2.0, 2.6), u(23, 27), u(6.0, 8.0), u(0.6, 0.8), 0.0, u(0.5, 0.7))
    colon = blob(u(-0.9, -0.3), u(23, 27), u(5.0, 7.0), u(0.6, 0.8), 1.2, u(0.5, 0.8))
    stomach = blob(u(1.1, 1.7), u(22, 27), u(4.0, 5.5), u(0.7, 1.0), 2.4, 0.0)
    aorta = blob(u(0.3, 0.8), u(22, 26), u(3.2, 4.4), u(0.8, 1.0), 1.6, 0.0)
    above = ((turn, 8.0, 5.0), (turn + 1.2, 9.0, 4.5), (turn - 2.4, 5.0, 6.0))
    return Anatomy(
        slices=int(rng.integers(6, 9)),
        no_heart_first=number % 3 == 1,
        myo_only_last=number % 3 == 2,
        base=base,
        drift=u(0, 3, 2),
        turn=turn,
        cavity=u(5.8, 7.8),
        wall=u(3.2, 4.2),
        crescent=u(7.0, 10.0),
        half_width=u(1.0, 1.3),
        taper=u(0.86, 0.95),
        waves=np.column_stack([u(0.0, [0.08, 0.05, 0.03]), u(0.0, 2 * np.pi, 3)]),
        body=u([29, 30, 33, 27, -1.5, -1.5], [35, 33, 42, 32, 1.5, 1.5]),
        diaphragm=u([47, 3, -0.25], [52, 8, 0.15]),
        fat=np.column_stack([u(0.0, 2 * np.pi, 3), u(0.3, 1.5, 3)]),
        blobs=(*vessels, vein, colon, stomach, aorta),
        great=tuple(blob(*where, 0.9, 1.2, 0.0) for where in above),
    )


def draw_trunk(a: Anatomy, t: float, above: bool) -> np.ndarray:
    """Tissue codes (SIZE, SIZE) uint8 without the heart; great vessels `above` the ventricles."""
    centre, (tall, wide), shift = a.body[:2], a.body[2:4], a.body[4:]
    tissue = np.full((SIZE, SIZE), AIR, np.uint8)
    for inset, share, code in ((0.0, 0.0, FAT), (2.6, 1.0, MUSCLE), (4.6, 0.6, LUNG)):
        tissue[ellipse(centre + share * shift, wide - inset, tall - inset)] = code
    (start, rise, tilt), x = a.diaphragm, COLUMNS - centre[1]
    tissue[(tissue == LUNG) & (start - rise * t + tilt * x + 0.008 * x**2 < ROWS)] = LIVER
    body = tissue != AIR
    for b in (*a.blobs, *a.great) if above else a.blobs:
        at, (long, short, angle) = b.centre + t * b.drift, b.axes
        inside = ellipse(at, long, short, angle)
        if b.hollow:
            away = at + b.hollow * short * direction(angle + np.pi / 2)
            inside &= ~ellipse(away, 0.8 * long, 0.8 * short, angle)
        if b.rim:
            tissue[body & ellipse(at, long + b.rim, short + b.rim, angle)] = MUSCLE
        tissue[body & inside] = BLOOD
    return tissue


def draw_heart(a: Anatomy, t: float, tissue: np.ndarray) -> np.ndarray:
    """Paint the heart into `tissue` (in place) and return its label (SIZE, SIZE) uint8."""
    y, x = ROWS - a.centre(t)[0], COLUMNS - a.centre(t)[1]
    distance, angle = np.hypot(y, x), np.arctan2(y, x)
    endo, epi, wall = a.radii(angle, t)
    label = np.zeros((SIZE, SIZE), np.uint8)
    crescent = (distance < wall) & (distance >= epi)
    parts = ((RV, crescent, 12), (MYO, distance < epi, 1), (LV, distance < endo, 5))
    for code, region, least in parts:
        if region.sum() >= least:  # nobody outlines an RV of a few pixels or a cavity of one or two
            label[region] = code
    phase, depth = a.fat.T
    pad = (depth * np.cos(angle[..., None] - phase)).sum(-1)
    tissue[distance < wall + 1.0 + pad] = FAT
    tissue[distance < wall + 1.0] = MUSCLE
    tissue[label > 0] = np.where(label[label > 0] == MYO, MUSCLE, BLOOD)
    for side in (-0.6, 0.9) if 0.1 < t < 0.75 else ():  # papillary muscles: dark, yet labelled LV
        spot = np.array(a.turn + np.pi + side)
        at = a.centre(t) + 0.6 * a.radii(spot, t)[0] * direction(spot)
        tissue[ellipse(at, 1.5, 1.2, float(spot)) & (label == LV)] = MUSCLE
    return label


def thin(points: np.ndarray) -> np.ndarray:
    """Pixels (m, 2) int that a dense curve (n, 2) passes, without the corners of its stairs."""
    pixels = np.rint(points).astype(int)
    kept = [pixels[0]]
    for here, after in pairwise(pixels):
        if np.abs(after - kept[-1]).max() > 1:
            kept.append(here)
    return np.clip([*kept, pixels[-1]], 0, SIZE - 1)


def draw_scribble(a: Anatomy, t: float, label: np.ndarray, rng: Generator) -> np.ndarray:
    """One stroke a structure and one around the heart, (SIZE, SIZE) uint8, UNLABELLED elsewhere."""
    u, reach = rng.uniform, 0.75 * a.half_width
    starts, arcs = u(-np.pi, np.pi, 4), u([3.2, 0.0, 2.5, 2.5], [4.6, 0.0, 4.5, 4.5])
    starts[RV], arcs[RV] = a.turn - reach, 2 * reach
    wavers = (0.4, 0.2, 0.1, 0.2)  # how far the hand strays, a share of the room it has
    gap, phases = u(6.0, 11.0), u(0.0, 2 * np.pi, 4)
    scribble = np.full((SIZE, SIZE), UNLABELLED, np.uint8)
    for code in np.unique(label):
        angle = starts[code] + arcs[code] * np.linspace(0.0, 1.0, 400)
        endo, epi, wall = a.radii(angle, t)
        rooms = ((wall + 1.0, wall + gap), (epi, wall), (endo, epi), (0.3 * endo, endo))
        (inner, outer), waver = rooms[code], wavers[code]
        if not label.any():  # no heart: a zigzag over the great vessels
            inner, outer, waver = 0.0 * wall, 0.0 * wall + 28.0, 0.7
        share = 0.5 * (1.0 + waver * np.cos(4.0 * angle + phases[code]))
        radius = inner + share * (outer - inner)
        stroke = np.zeros((SIZE, SIZE), bool)
        stroke[tuple(thin(a.centre(t) + radius[:, None] * direction(angle)).T)] = True
        # A careful hand keeps off the border of its class where the class is wide enough.
        core = stroke & ndimage.binary_erosion(label == code)
        scribble[core if core.any() else stroke & (label == code)] = code
    return scribble


def expose(tissue: np.ndarray, grey: np.ndarray, rng: Generator) -> np.ndarray:
    """Image (SIZE, SIZE) float32 in 0..1: blur, uneven tissue, bias field and Rician noise."""
    uneven = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 3.0)
    y, x = ROWS / SIZE - 0.5, COLUMNS / SIZE - 0.5
    bias = np.exp(np.tensordot(rng.uniform(-0.4, 0.4, 4), [y, x, x * y, 2 * (y * y - x * x)], 1))
    signal = ndimage.gaussian_filter(grey[tissue], 0.6) * (1.0 + 0.8 * uneven) * bias
    real, imaginary = 0.03 * rng.standard_normal((2, SIZE, SIZE))
    image = np.clip(np.hypot(signal + real, imaginary), 0.0, 1.0)
    # 12 bits, as a scanner has: rounding hides the last bit, in which machines' exp and sin differ.
    return (np.rint(4095.0 * image) / 4095.0).astype(np.float32)


def draw_subject(number: int) -> tuple[Case, np.ndarray]:
    """Subject `number` as a Case, and its tissue codes (n, SIZE, SIZE) uint8."""
    # A generator of its own for every subject and slice: none depends on what was drawn before it.
    rng = Generator(PCG64(SeedSequence([SEED, number])))
    a = draw_anatomy(number, rng)
    grey = GREY * rng.uniform(0.85, 1.15)
    tissue, label, scribble = np.zeros((3, a.slices, SIZE, SIZE), np.uint8)
    image = np.zeros_like(label, np.float32)
    for z in range(a.slices):
        rng, t = Generator(PCG64(SeedSequence([SEED, number, z + 1]))), z / (a.slices - 1)
        above = a.no_heart_first and z == 0
        tissue[z] = draw_trunk(a, t, above)
        if not above:
            label[z] = draw_heart(a, t, tissue[z])
        scribble[z] = draw_scribble(a, t, label[z], rng)
        image[z] = expose(tissue[z], grey, rng)
    return Case(f"phantom{number:03d}", "ED", image, scribble, label, SPACING, "phantom"), tissue


def phantom_split(split: str) -> list[Case]:
    """The phantom's subjects of `split`: 24 for "train", 8 for "val", 8 for "test".

    Each is a Case with image (n, 64, 64) float32 in 0..1, scribble and label (n, 64, 64) uint8
    (0 background, 1 RV, 2 MYO, 3 LV, 4 unlabelled), spacing (10, 3, 3) mm. ValueError for others.
    """
    if split not in SUBJECTS:
        raise ValueError(f"phantom: no split {split!r}; choose one of {', '.join(SUBJECTS)}")
    return [draw_subject(number)[0] for number in SUBJECTS[split]]
