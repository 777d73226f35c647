"""Strokes that a person draws: their file, and the scribble maps they leave.

A stroke is a line of a class and a width through points (x, y) in pixels: x along the columns, y
along the rows, pixel centres at whole numbers, so that the image spans -0.5 to size - 0.5. On
paper of pixels it labels every pixel whose centre lies within half its width, and the pixel that
each of its points falls in; a later stroke goes over an earlier one.
"""

from collections.abc import Sequence
from dataclasses import field, replace
from functools import cache
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from scnlib.data.cases import HEART, Case
from scnlib.data.phantom import draw_subject
from scnlib.schema import why

_STRICT = ConfigDict(extra="forbid")
_Number = Annotated[float, Field(allow_inf_nan=False, ge=-4096, le=4096)]
FRAME = 4  # pixels between the image's border and the recorded stroke along it
# (phantom subject, slice from 0): every structure is there, and no two hearts are alike.
SLICES = ((2, 2), (5, 3), (8, 2), (11, 3), (14, 2), (17, 3))


@dataclass(frozen=True, config=_STRICT)
class Stroke:
    """One line: class number, width in pixels, and points (x, y) in pixels."""

    label: int = Field(ge=0)
    width: float = Field(ge=0.5, le=32, allow_inf_nan=False)
    points: Sequence[tuple[_Number, _Number]] = Field(min_length=1, max_length=20_000)


@dataclass(frozen=True, config=_STRICT)
class Drawing:
    """The strokes on each slice, in the order they were drawn; a file of them is its JSON."""

    format: Literal["scnlib-strokes-1"]
    classes: list[str]
    strokes: dict[str, list[Stroke]] = field(default_factory=dict)  # by the slice's name

    def to_json(self) -> str:
        """JSON text, which `read_drawing` reads back as an equal drawing."""
        return TypeAdapter(Drawing).dump_json(self).decode()

    @property
    def count(self) -> int:
        """How many strokes there are."""
        return sum(len(strokes) for strokes in self.strokes.values())


def read_drawing(text: str, where: str = "strokes") -> Drawing:
    """Read `Drawing.to_json`'s text; `ValueError` naming `where` for anything else."""
    try:
        drawing = TypeAdapter(Drawing).validate_json(text)
    except ValidationError as error:
        raise ValueError(
            f"{where}: not a file of strokes ({why(error)}); load one that was saved here"
        ) from None
    if tuple(drawing.classes) != HEART:
        raise ValueError(f"{where}: its classes are {drawing.classes}, not {list(HEART)}")
    known = {case.volume for case in phantom_slices()}
    for name, strokes in drawing.strokes.items():
        if name not in known:
            raise ValueError(f"{where}: there is no slice {name!r}; there are {sorted(known)}")
        if any(stroke.label >= len(HEART) for stroke in strokes):
            raise ValueError(f"{where}: {name} has a class above {len(HEART) - 1}")
    return drawing


@cache
def phantom_slices() -> tuple[Case, ...]:
    """The six phantom slices to draw on, each a Case of one slice (with the phantom's scribble)."""
    chosen = []
    for number, z in SLICES:
        case, _ = draw_subject(number)
        assert case.scribble is not None and case.label is not None
        chosen.append(
            replace_arrays(case, f"slice{z + 1}", slice(z, z + 1), case.scribble[z : z + 1])
        )
    return tuple(chosen)


def replace_arrays(case: Case, frame: str, which: slice, scribble: np.ndarray) -> Case:
    """The slices `which` of a Case under another frame name, with another scribble."""
    label = None if case.label is None else case.label[which]
    return replace(case, frame=frame, image=case.image[which], scribble=scribble, label=label)


def rasterise(strokes: list[Stroke], shape: tuple[int, int], unlabelled: int) -> np.ndarray:
    """The scribble map (H, W) uint8 that strokes leave; `unlabelled` where none went.

    What lies outside the image is cut off.
    """
    scribble = np.full(shape, unlabelled, np.uint8)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    for stroke in strokes:
        points = np.array(stroke.points, float)  # (n, 2) as x, y
        nearest = np.full(shape, np.inf)  # squared distance of each centre to the line
        for (x, y), (x1, y1) in zip(points, [*points[1:], points[-1]], strict=True):
            dx, dy = x1 - x, y1 - y
            length = dx * dx + dy * dy
            along = ((columns - x) * dx + (rows - y) * dy) / length if length else 0.0 * rows
            along = np.clip(along, 0.0, 1.0)
            away = (columns - x - along * dx) ** 2 + (rows - y - along * dy) ** 2
            nearest = np.minimum(nearest, away)
        covered = nearest <= (stroke.width / 2) ** 2 + 1e-9
        x, y = np.floor(points + 0.5).astype(int).T  # also a dot between four centres leaves a mark
        within = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
        covered[y[within], x[within]] = True
        scribble[covered] = stroke.label
    return scribble


def trace(scribble: np.ndarray, unlabelled: int) -> list[Stroke]:
    """Strokes of width 1 that `rasterise` turns back into a thin scribble map (H, W) uint8.

    From each class's first pixel to the nearest one that is left; where none touches, a new stroke.
    """
    strokes = []
    for k in (int(k) for k in np.unique(scribble) if k != unlabelled):
        left = [(int(x), int(y)) for y, x in np.argwhere(scribble == k)]
        line = [left.pop(0)]
        while left:
            x, y = line[-1]
            after = min(left, key=lambda p: (p[0] - x) ** 2 + (p[1] - y) ** 2)
            left.remove(after)
            if max(abs(after[0] - x), abs(after[1] - y)) > 1:
                strokes.append(Stroke(k, 1.0, line))
                line = []
            line.append(after)
        strokes.append(Stroke(k, 1.0, line))
    return strokes


@cache
def recorded(framed: bool = True) -> Drawing:
    """The phantom's own scribbles on the six slices, traced; one and the same at every call.

    `framed` adds a stroke of background along the border of each image. Without it no stroke says
    what the ground far from the heart is, and it is left to chance whether a method floods it.
    """
    drawn = {}
    for case in phantom_slices():
        assert case.scribble is not None
        height, width = case.scribble.shape[1:]
        right, bottom = width - 1 - FRAME, height - 1 - FRAME
        corners = [(FRAME, FRAME), (right, FRAME), (right, bottom), (FRAME, bottom), (FRAME, FRAME)]
        frame = [Stroke(0, 1.0, corners)] if framed else []  # below the others, which go over it
        drawn[case.volume] = frame + trace(case.scribble[0], len(HEART))
    return Drawing("scnlib-strokes-1", list(HEART), drawn)


def empty() -> Drawing:
    """A drawing without strokes."""
    return Drawing("scnlib-strokes-1", list(HEART))


def scribbled_cases(drawing: Drawing) -> list[Case]:
    """The slices that have strokes, as Cases of one slice with the drawn scribbles.

    Raises `ValueError` if there is no stroke, or if they name fewer than two classes.
    """
    cases = []
    for case in phantom_slices():
        strokes = drawing.strokes.get(case.volume, [])
        if strokes:
            height, width = case.image.shape[1:]
            scribble = rasterise(strokes, (height, width), len(case.classes))[None]
            cases.append(replace_arrays(case, case.frame, slice(None), scribble))
    labels = {stroke.label for strokes in drawing.strokes.values() for stroke in strokes}
    if len(labels) < 2:
        raise ValueError(
            "nothing to learn from: draw strokes of two classes at least, background being one"
        )
    return cases
