"""One volume of an own data set looked at for the check: faults are noted, none stops it."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from scnlib.data.cases import Layout
from scnlib.data.checks import Annotation, to_classes
from scnlib.data.nifti import check_grid, read_nifti
from scnlib.data.volume import load_volume
from scnlib.errors import one_line

Result = TypeVar("Result")
NO_LAYOUT = Layout((), {}, {}, unlabelled=0)  # an own set of which no value is known
NEARLY_FULL = 0.5  # a scribble that labels more of its pixels than this is nearly a mask


@dataclass
class Seen:
    """One volume as far as it could be read."""

    split: str
    path: Path
    slices: int = 0
    affine: np.ndarray | None = None
    digest: str = ""  # of the image's voxels
    width: float = 0.0  # mm, the longer side of a slice
    scribbled: np.ndarray | None = None  # (K + 1,) pixels of each class, and unlabelled ones
    bare: int = 0  # slices without a stroke of any structure
    has: set[Annotation] = field(default_factory=set)  # the files there are, good or bad


class Faults(logging.Handler):
    """Collects errors, and as warnings what the readers log. The same line is kept once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: dict[str, str] = {}  # text -> "error" or "warning", in order

    def emit(self, record: logging.LogRecord) -> None:
        """Take a reader's log line as a warning."""
        self.warning(record.getMessage())

    def fault(self, error: Exception) -> None:
        """Take a reader's complaint as an error."""
        self.error(one_line(error))

    def error(self, text: str) -> None:
        """Take an error of the set as a whole."""
        self.lines.setdefault(text, "error")

    def warning(self, text: str) -> None:
        """Take a warning."""
        self.lines.setdefault(text, "warning")

    def attempt(self, function: Callable[..., Result], *args: Any, **more: Any) -> Result | None:
        """What `function` returns; None if it complains, which is taken down.

        An error of whatever kind: one file must not hide what is wrong with the others. One that no
        reader has put into words is told with what was given.
        """
        try:
            return function(*args, **more)
        except (ValueError, OSError) as error:
            self.fault(error)
        except Exception as error:
            given = ", ".join(str(part) for part in args if isinstance(part, Path))
            self.error(one_line(f"{given}: {type(error).__name__}: {error}"))
        return None

    def count(self, kind: str) -> int:
        """The number of "error" or "warning" lines."""
        return sum(value == kind for value in self.lines.values())


def look(
    split: str,
    found: tuple[Path, Path | None, Path | None],
    layout: Layout | None,
    faults: Faults,
) -> Seen:
    """Read a volume (image, scribble, mask), each file and each of its properties by itself."""
    image, scribble, mask = found
    seen, rules = Seen(split, image), layout or NO_LAYOUT
    # Its name is judged apart, or one wrong pattern would hide what is in the files.
    case = faults.attempt(read_nifti, image, layout=replace(rules, volume_name=""))
    volume = faults.attempt(load_volume, image) if case else None
    if case is not None and volume is not None:
        seen.slices, seen.affine = len(case.image), volume.affine
        seen.digest = hashlib.sha256(volume.array.tobytes()).hexdigest()
        sides = np.array(volume.array.shape) * volume.spacing
        seen.width = float(np.delete(sides, rules.slice_axis).max())
    files: dict[Annotation, Path | None] = {"scribble": scribble, "mask": mask}
    for kind, path in files.items():
        if path is None:
            continue
        seen.has.add(kind)
        other = faults.attempt(load_volume, path)
        if other is not None and volume is not None:
            faults.attempt(check_grid, other, path, kind, volume, str(image), rules)
        if other is not None and layout is not None:
            classes = faults.attempt(to_classes, other.array, path, kind, layout, other.step)
            if kind == "scribble" and classes is not None:
                count = len(layout.classes)
                seen.scribbled = np.bincount(classes.ravel(), minlength=count + 1)
                structures = (classes > 0) & (classes < count)
                others = tuple(a for a in range(structures.ndim) if a != layout.slice_axis)
                seen.bare = int((~structures.any(axis=others)).sum()) if seen.slices else 0
                values, counts = np.unique(other.array, return_counts=True)
                check_share(path, seen.scribbled, float(values[counts.argmax()]), faults)
    return seen


def check_share(path: Path, pixels: np.ndarray, most: float, faults: Faults) -> None:
    """A scribble of next to nothing, or of nearly everything; `most` is its commonest value."""
    share = 1 - pixels[-1] / pixels.sum()
    if share == 0:
        faults.warning(f"{path}: nothing is scribbled in it: scribble it, or remove the volume")
    elif share > NEARLY_FULL:
        faults.warning(
            f"{path}: {share:.0%} of it is labelled, most of it {most:g}: if nobody drew that, "
            f"write unlabelled = {most:g} in dataset.toml, and a [scribble_map] that says what the "
            "other values mean; if it is a mask, give a scribble"
        )
