"""What the values in an own folder of NIfTI mean: its dataset.toml, read as a `Layout`."""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, Strict, ValidationError, ValidationInfo, field_validator

from scnlib.data.cases import Layout
from scnlib.data.checks import Fault, stop
from scnlib.errors import one_line

EXAMPLE = 'classes = ["background", "RV", "MYO", "LV"], unlabelled = 4, slice_axis = 2'


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
        what = f"{EXAMPLE} (a line each; unlabelled is the value where nobody drew)"
        fault(FileNotFoundError(f"{path}: no such file: write one, such as {what}"))
        return None
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows adds a mark
    except UnicodeDecodeError:
        fault(ValueError(f"{path}: not in UTF-8: save it as plain text in that encoding"))
        return None
    except tomllib.TOMLDecodeError as error:
        fault(ValueError(f"{path}: not valid TOML ({one_line(error)}): correct it"))
        return None
    try:
        return Entries.model_validate(given).layout()
    except ValidationError as error:
        wrong = _explain(error, given)
    for sentence in wrong.values():
        fault(ValueError(f"{path}: {sentence}"))
    of_values = {"classes", "label_map", "scribble_map", "unlabelled"}
    if of_values & {_nearest(entry) for entry in wrong}:
        return None
    return Entries.model_validate({k: v for k, v in given.items() if k not in wrong}).layout()


Name = Annotated[str, Field(pattern=r"\S")]
IN_32_BITS = Field(ge=-(2**31), lt=2**31)  # what a label map can be written with
# The keys of a table are strings in TOML.
ValueMap = dict[Annotated[int, Strict(False), IN_32_BITS], Name]
MAPS = "must map whole numbers to names in classes"


class Entries(BaseModel, extra="forbid", strict=True, frozen=True):
    """A dataset.toml as it is written. A field's description is what it must be, for its faults."""

    classes: list[Name] = Field(
        min_length=2,
        max_length=255,
        description="must list two or more different names, background first",
    )
    label_map: ValueMap | None = Field(None, description=MAPS)
    scribble_map: ValueMap | None = Field(None, description=MAPS)
    unlabelled: Annotated[int, IN_32_BITS] = Field(
        default_factory=lambda known: len(known["classes"]),
        validate_default=True,
        description="must be a whole number that is no class's value in scribbles",
    )
    slice_axis: int = Field(2, ge=0, le=2, description="must be 0, 1 or 2")
    arrays_fit: bool = Field(False, description="must be true or false")
    volume_name: str = Field("", description="must be a pattern of file names")

    @field_validator("classes")
    @classmethod
    def _differ(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError("a name stands twice")
        if "mean" in names:
            raise ValueError("mean is what scores have for all structures")
        if {name.lower() for name in names[1:]} & {"background", "bg"}:
            raise ValueError("background is not the first")
        return names

    @field_validator("label_map", "scribble_map")
    @classmethod
    def _name_each_class(cls, values: dict[int, str] | None, known: ValidationInfo) -> Any:
        classes = known.data.get("classes")  # absent if they have a fault themselves
        if values is not None and classes is not None:
            if others := sorted(set(values.values()) - set(classes)):
                raise ValueError(f"{others} are not in classes")
            if absent := [name for name in classes if name not in values.values()]:
                raise ValueError(f"no value for {absent}")
        return values

    @field_validator("unlabelled")
    @classmethod
    def _is_apart(cls, value: int, known: ValidationInfo) -> int:
        right = known.data
        if {"classes", "label_map", "scribble_map"} <= right.keys():  # else their fault is told
            in_order = range(len(right["classes"]))
            if value in (right["scribble_map"] or right["label_map"] or in_order):
                raise ValueError(f"{value} is one: give that of unmarked pixels, or a scribble_map")
        return value

    @field_validator("volume_name")
    @classmethod
    def _has_a_subject(cls, pattern: str) -> str:
        try:
            fine = pattern == "" or "subject" in re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(one_line(error)) from error
        if not fine:
            raise ValueError("it has no group (?P<subject>...)")
        return pattern

    def layout(self) -> Layout:
        """The same with classes as numbers, and what is left out filled in."""
        names = self.label_map or dict(enumerate(self.classes))
        labels, scribbles = (
            {value: self.classes.index(name) for value, name in one.items()}
            for one in (names, self.scribble_map or names)
        )
        rest = self.model_dump(exclude={"classes", "label_map", "scribble_map"})
        return Layout(tuple(self.classes), labels, scribbles, **rest)


def _nearest(entry: str) -> str:
    """The known entry that is meant, itself or misspelt; "" if none is like it."""
    return next(iter(get_close_matches(entry, Entries.model_fields, n=1)), "")


def _explain(error: ValidationError, given: Mapping[str, Any]) -> dict[str, str]:
    """Entry -> what is wrong with it and what it must be; of several faults the first."""
    wrong: dict[str, str] = {}
    for fault in error.errors():
        entry = str(fault["loc"][0])
        if fault["type"] == "default_factory_not_called":
            continue  # for want of classes, which are told
        if fault["type"] == "extra_forbidden":
            hint = f", perhaps {near}" if (near := _nearest(entry)) else ""
            known = sorted(Entries.model_fields)
            wrong[entry] = f"unknown entry {entry}{hint}: known are {known}"
            continue
        must = Entries.model_fields[entry].description
        why = fault.get("ctx", {}).get("error", fault["msg"])
        wrong.setdefault(entry, f"{entry} = {given.get(entry)!r} {must} ({one_line(why)})")
    return wrong
