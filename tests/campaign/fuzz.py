"""Strange files for the readers, drawn by Hypothesis: what they refuse is one line that names it.

    python -m tests.campaign.fuzz [--minutes 20] [--keep results/reliability.json]

For NIfTI, h5, dataset.toml and the split lists in turn: a sound file with fields of its header, its
arrays or its entries replaced, bytes changed, ends cut off. A reader must return, or raise
ValueError or OSError in one line with the file's name, with no more than MOST_MEMORY more.
Exit code 1 if one did otherwise; such a slice is not kept, but mended. Other slices add up.
"""

import argparse
import gzip
import json
import logging
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import nibabel as nib
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from scnlib.data import lists, read_nifti
from scnlib.data.acdc import read_acdc
from scnlib.data.layout import read_layout
from tests.campaign import keeping

BATCH = 100  # examples between two looks at the clock
MOST_MEMORY = 2 * 2**30  # bytes
SLOW_OR_LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
SHAPE = (6, 5, 3)
HEADER = nib.Nifti1Header.template_dtype

# --- bytes: what happens to any file --------------------------------------------------------------

EDIT = st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
EDITS = st.one_of(st.just([]), st.just([]), st.lists(EDIT, max_size=3))


def edited(content: bytes, edits: list[tuple[float, bytes]], end: float) -> bytes:
    """The content with some bytes replaced, each at a share of its length, and cut at another."""
    data = bytearray(content)
    for share, new in edits:
        place = int(share * len(data))
        data[place : place + len(new)] = new
    return bytes(data[: round(end * len(content))])


ENDS = st.one_of(*[st.just(1.0)] * 5, st.floats(0, 1))

# --- NIfTI ----------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(2**15), 2**15), st.floats(), st.sampled_from([0, -1, 32767, 1e38])
)
FIELDS = st.dictionaries(
    st.sampled_from(HEADER.names or ()), st.lists(NUMBERS, min_size=1), max_size=4
)


@st.composite
def nifti(draw: st.DrawFn) -> bytes:
    most = draw(st.sampled_from([4, 90]))  # labels or an image
    array = (
        (np.arange(90) % most)
        .reshape(SHAPE)
        .astype(draw(st.sampled_from(["i2", "u1", "f4", "f8"])))
    )
    image = nib.Nifti1Image(array, np.diag([1.5, 1.5, 8.0, 1.0]))
    header = image.header.structarr.copy()
    header["vox_offset"] = 352
    for name, values in draw(FIELDS).items():
        field = header[name]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flat = np.resize(np.asarray(values, dtype=float), field.shape or 1)
            if field.dtype.kind in "iuf":
                header[name] = flat.reshape(field.shape).astype(field.dtype)
            else:
                header[name] = bytes(int(abs(v)) % 256 if np.isfinite(v) else 0 for v in flat)
    content = edited(header.tobytes() + bytes(4) + array.tobytes(), draw(EDITS), draw(ENDS))
    packed = draw(st.sampled_from([False, False, False, True]))
    return edited(gzip.compress(content, mtime=0), draw(EDITS), draw(ENDS)) if packed else content


def read_label(path: Path) -> None:
    """Read it as the mask of an image that nothing is wrong with."""
    image = path.with_name("image.nii")
    if not image.exists():
        array = np.arange(90, dtype=np.float32).reshape(SHAPE)
        nib.save(nib.Nifti1Image(array, np.diag([1.5, 1.5, 8.0, 1.0])), image)
    read_nifti(image, label=path)


# --- h5 -------------------------------------------------------------------------------------------

TYPES = "?,i1,u1,<i4,>u8,f2,f4,>f8,c8,S3,V5,M8[s]".split(",")
NUMBERED = np.arange(90, dtype=np.uint8).reshape(SHAPE)
ARRAYS = {"image": NUMBERED / np.float32(90), "label": NUMBERED % 4, "scribble": NUMBERED % 5}
PACKING = st.sampled_from([{}, {}, {"compression": "gzip"}, {"shuffle": True, "fletcher32": True}])
SHAPES = st.one_of(st.just(SHAPE), st.lists(st.integers(0, 7), max_size=5).map(tuple))
VALUES = st.sampled_from([0, 1, 0.5, 3, 4, -1, 255, 1e9, 1e39, float("nan"), float("inf")])


@st.composite
def h5(draw: st.DrawFn) -> bytes:
    with tempfile.TemporaryFile() as place:
        with h5py.File(place, "w") as file:
            odd = draw(st.sets(st.sampled_from(sorted(ARRAYS))))
            for name, array in ARRAYS.items():
                if name in odd:
                    _fill(draw, file, name)
                else:
                    file.create_dataset(name, data=array, **draw(PACKING))
        place.seek(0)
        content = place.read()
    return edited(content, draw(EDITS), draw(ENDS))


def _fill(draw: st.DrawFn, file: h5py.File, name: str) -> None:
    kind = draw(
        st.sampled_from(["array"] * 6 + ["sparse", "group", "soft", "external", "text", ""])
    )
    if kind == "array":
        kinds = st.one_of(st.sampled_from(["f4", "u1"]), st.sampled_from(TYPES))
        values = np.resize(np.asarray(draw(st.lists(VALUES, min_size=1, max_size=4))), draw(SHAPES))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dtype = np.dtype(draw(kinds))
            if dtype.kind == "V":
                file.create_dataset(name, data=np.zeros(values.shape, dtype))
            elif dtype.kind == "M":
                file.create_dataset(name, data=np.zeros(values.shape, "i8"), dtype="u8")
            else:
                file.create_dataset(name, data=values.astype(dtype))
    elif kind == "sparse":  # a header that promises much, with nothing behind it
        shape = draw(st.lists(st.integers(1, 2**20), min_size=1, max_size=4))
        file.create_dataset(name, tuple(shape), "f8", chunks=tuple(min(n, 16) for n in shape))
    elif kind == "group":
        file.create_group(name)
    elif kind == "soft":
        file[name] = h5py.SoftLink(draw(st.sampled_from(["/image", "/nowhere"])))
    elif kind == "external":
        file[name] = h5py.ExternalLink("/etc/passwd", "/image")
    elif kind == "text":
        file[name] = draw(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
        )


# --- dataset.toml ---------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TEXTS = st.one_of(st.sampled_from(["background", "RV", "LV", "", "(", "(?P<subject>a)"]), ANY_TEXT)
PLAIN = st.one_of(st.integers(), st.booleans(), st.floats(), TEXTS)
NAMES = st.just(["background", "RV", "LV"])
VALUE_MAP = st.just({"0": "background", "200": "RV", "500": "LV"})
MAPS = st.one_of(VALUE_MAP, st.dictionaries(st.one_of(st.integers().map(str), TEXTS), TEXTS), PLAIN)
ENTRIES = st.fixed_dictionaries(
    {"classes": st.one_of(NAMES, NAMES, NAMES, st.lists(TEXTS, max_size=5), PLAIN)},
    optional={
        "label_map": MAPS,
        "scribble_map": MAPS,
        "unlabelled": st.one_of(st.integers(0, 5), PLAIN),
        "slice_axis": st.one_of(st.integers(-1, 4), PLAIN),
        "arrays_fit": st.one_of(st.booleans(), PLAIN),
        "volume_name": st.one_of(st.just("(?P<subject>.*)"), PLAIN),
        "other": PLAIN,
    },
)


@st.composite
def toml(draw: st.DrawFn) -> bytes:
    lines = [f"{name} = {_toml(value)}" for name, value in draw(ENTRIES).items()]
    text = "\n".join(draw(st.permutations(lines)))
    return edited(text.encode(), draw(EDITS), draw(ENDS))


def _toml(value: Any) -> str:
    """A value as TOML writes it, near enough: JSON's strings, and tables in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


# --- split lists ----------------------------------------------------------------------------------


def split_list() -> st.SearchStrategy[bytes]:
    content = (lists.PLACE / "acdc.csv").read_bytes()
    return st.builds(edited, st.just(content), EDITS, ENDS)


def read_list(path: Path) -> None:
    lists.published_rows.cache_clear()
    (path.parent / "sums.csv").write_bytes((SPLITS / "sums.csv").read_bytes())
    with mock.patch.object(lists, "PLACE", path.parent):
        found = lists.published_rows(path.name)
    lists.published_rows.cache_clear()
    if found != lists.published_rows(path.name):
        raise AssertionError("another list was read")


SPLITS = lists.PLACE

# --- all of them ----------------------------------------------------------------------------------

Kind = tuple[str, Callable[[], st.SearchStrategy[bytes]], Callable[[Path], Any]]
KINDS: dict[str, Kind] = {
    "NIfTI": ("a.nii", nifti, read_nifti),
    "NIfTI mask": ("a.nii", nifti, read_label),
    "h5": ("patient001_frame01.h5", h5, read_acdc),
    "split list": ("acdc.csv", split_list, read_list),
    "dataset.toml": ("dataset.toml", toml, read_layout),
}


def outcome(path: Path, read: Callable[[Path], Any]) -> str:
    """ "read", "refused", or what is wrong with how the reader took the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except (ValueError, OSError) as error:
        text = str(error)
        good = str(path) in text and "\n" not in text
        return "refused" if good else f"vague: {type(error).__name__}: {text[:300]}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {str(error)[:300]}"
    return "read"


def fuzz(kind: str, folder: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Draw files of a kind for so long, in processor's time; outcomes counted, each fault once."""
    name, strategy, read = KINDS[kind]
    path = folder / name
    counts = {"examples": 0, "read": 0, "refused": 0}
    faults: dict[str, str] = {}

    def once(content: bytes) -> None:
        path.write_bytes(content)
        found = outcome(path, read)
        counts["examples"] += 1
        if found in counts:
            counts[found] += 1
        else:
            faults.setdefault(found, content[:2000].hex())

    began, batch = time.process_time(), 0
    options = settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=SLOW_OR_LARGE,
    )
    while time.process_time() - began < seconds:
        seeded(1_000_003 * seed + batch)(options(given(strategy())(once)))()
        batch += 1
    return {**counts, "minutes": round((time.process_time() - began) / 60, 1), "faults": faults}


# --- slices ---------------------------------------------------------------------------------------

# What such files found, each mended and with a test of its own.
FOUND = [
    "h5: a traceback for a name that is not UTF-8",
    "NIfTI: vox_offset 0 in a file of one piece had the header read as voxels",
]


def campaign(folder: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Fuzz all readers for a share of the minutes each; `faults` lists what they did wrong."""
    seconds = 60 * minutes / len(KINDS)
    now = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, resource.RLIM_INFINITY))
    kinds = {kind: fuzz(kind, folder, seconds, seed) for kind in KINDS}
    faults = {kind: part.pop("faults") for kind, part in kinds.items()}
    return {
        "slices": 1,
        "examples": sum(part["examples"] for part in kinds.values()),
        "minutes": round(sum(part["minutes"] for part in kinds.values()), 1),
        "differing": sum(map(len, faults.values())),
        "kinds": kinds,
        "faults": {kind: found for kind, found in faults.items() if found},
        "found_and_mended": FOUND,
    }


def added(earlier: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The slices before and this one as one."""
    kinds = {
        kind: {name: round(value + earlier["kinds"][kind][name], 1) for name, value in row.items()}
        for kind, row in part["kinds"].items()
    }
    sums = {
        name: round(earlier[name] + part[name], 1) for name in ("slices", "examples", "minutes")
    }
    return part | sums | {"kinds": kinds}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.campaign.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="of the processor, in all")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    earlier = keeping.read(options.keep).get("fuzz")
    with tempfile.TemporaryDirectory() as folder:
        seed = earlier["slices"] if earlier else 0
        part = campaign(Path(folder), options.minutes, seed)
    print(json.dumps(part, indent=1))
    if part["differing"]:
        return 1
    part = keeping.signed(added(earlier, part) if earlier else part)
    if options.keep:
        keeping.put(options.keep, {"fuzz": part})
    return 0


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # readers and nibabel would tell each oddity
    sys.exit(main())
