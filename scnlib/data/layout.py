"""What the values in a folder of NIfTI mean: MSCMR's own rules, and dataset.toml for others."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scnlib.data.checks import Fault, one_line, stop

EXAMPLE = 'classes = ["background", "RV", "MYO", "LV"], unlabelled = 4, slice_axis = 2'


@dataclass(frozen=True)
class Layout:
    """How to read the files of a data set.

    classes       names, background first; K = len(classes), at most 255
    label_map     value in a mask -> class 0..K-1
    scribble_map  value in a scribble -> class 0..K-1
    unlabelled    value in a scribble of a pixel nobody marked
    slice_axis    axis of the array along which the slices lie: 0, 1 or 2
    arrays_fit    read a label array to array even if its affine differs from the image's
    volume_name   regular expression of a file's name, with groups subject and frame; "": split_name
    """

    classes: tuple[str, ...]
    label_map: Mapping[int, int]
    scribble_map: Mapping[int, int]
    unlabelled: int
    slice_axis: int = 2
    arrays_fit: bool = False
    volume_name: str = ""


_IN_ORDER = {0: 0, 1: 1, 2: 2, 3: 3}
MSCMR = Layout(
    ("background", "RV", "MYO", "LV"), _IN_ORDER, _IN_ORDER, unlabelled=4, arrays_fit=True
)


def read_layout(path: Path) -> Layout:
    """Read a dataset.toml such as

        classes = ["background", "RV", "MYO", "LV"]
        unlabelled = 4           # value of an unmarked pixel; default: the number of classes
        slice_axis = 2           # default: the last
        arrays_fit = false       # default
        volume_name = '(?P<subject>P[0-9]+)_(?P<frame>.+)'   # default: see cases.split_name
        [label_map]              # default: 0, 1, 2, ... in the order of classes
        0 = "background"
        500 = "LV"
        [scribble_map]           # default: as label_map

    Raises FileNotFoundError, or ValueError naming the file and the entry that is wrong.
    """
    layout = parse_layout(path, stop)
    assert layout is not None  # stop has raised otherwise
    return layout


def parse_layout(path: Path, fault: Fault) -> Layout | None:
    """As read_layout, but hands every fault to `fault` and goes on as far as it can.

    None if what the values mean is not known; other entries fall back to their defaults.
    """
    if not path.is_file():
        fault(
            FileNotFoundError(f"{path}: no such file: write one, such as {EXAMPLE} (a line each)")
        )
        return None
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows adds a mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fault(ValueError(f"{path}: not valid TOML ({one_line(error)}): correct it"))
        return None
    known = {"classes", "unlabelled", "label_map", "scribble_map"}
    known |= {"slice_axis", "arrays_fit", "volume_name"}
    if unknown := sorted(entries.keys() - known):
        fault(ValueError(f"{path}: unknown entries {unknown}: known are {sorted(known)}"))
    meaning = _meaning(path, entries, fault)
    axis, fit = entries.get("slice_axis", 2), entries.get("arrays_fit", False)
    if type(axis) is not int or axis not in (0, 1, 2):
        fault(ValueError(f"{path}: slice_axis = {axis!r} must be 0, 1 or 2"))
        axis = 2
    if type(fit) is not bool:
        fault(ValueError(f"{path}: arrays_fit = {fit!r} must be true or false"))
        fit = False
    name = _volume_name(path, entries.get("volume_name", ""), fault)
    return meaning and Layout(*meaning, slice_axis=axis, arrays_fit=fit, volume_name=name)


def _volume_name(path: Path, pattern: Any, fault: Fault) -> str:
    """The pattern if it is a regular expression with a subject; else a fault, and none."""
    try:
        if pattern == "" or "subject" in re.compile(pattern).groupindex:
            return pattern
        why = "it has no group (?P<subject>...)"
    except (re.error, TypeError) as error:
        why = one_line(error)
    fault(ValueError(f"{path}: volume_name = {pattern!r} is no pattern of file names: {why}"))
    return ""


def _meaning(
    path: Path, entries: Mapping[str, Any], fault: Fault
) -> tuple[tuple[str, ...], dict[int, int], dict[int, int], int] | None:
    """Classes, label_map, scribble_map and unlabelled; None if one of them has a fault."""
    try:
        classes = _classes(path, entries.get("classes"))
    except ValueError as error:
        fault(error)
        return None
    in_order = {str(k): name for k, name in enumerate(classes)}
    labels = entries.get("label_map", in_order)
    maps = {}
    for name, given in (("label_map", labels), ("scribble_map", entries.get("scribble_map"))):
        try:
            # Without a scribble_map of its own, label_map's fault is told once.
            maps[name] = (
                maps.get("label_map") if given is None else _value_map(path, name, given, classes)
            )
        except ValueError as error:
            fault(error)
    unlabelled = entries.get("unlabelled", len(classes))
    if type(unlabelled) is not int or unlabelled in (maps.get("scribble_map") or {}):
        fault(
            ValueError(
                f"{path}: unlabelled = {unlabelled!r} must be a whole number that is no class's "
                "value in scribbles: give the value of unmarked pixels, or a scribble_map"
            )
        )
        return None
    label_map, scribble_map = maps.get("label_map"), maps.get("scribble_map")
    return (classes, label_map, scribble_map, unlabelled) if label_map and scribble_map else None


def _classes(path: Path, names: Any) -> tuple[str, ...]:
    fine = isinstance(names, list) and all(isinstance(n, str) and n.strip() for n in names)
    if not fine or not 2 <= len(names) <= 255 or len(set(names)) < len(names):
        raise ValueError(
            f"{path}: classes = {names!r} must list two or more different names, background first"
        )
    return tuple(names)


def _value_map(path: Path, name: str, entries: Any, classes: tuple[str, ...]) -> dict[int, int]:
    """Value in the file -> class index, from value = "class name"."""
    try:
        result = {int(value): classes.index(title) for value, title in entries.items()}
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f"{path}: {name} must map whole numbers to names in classes ({one_line(error)})"
        ) from error
    if absent := set(range(len(classes))) - set(result.values()):
        raise ValueError(f"{path}: {name} has no value for {[classes[k] for k in sorted(absent)]}")
    return result
