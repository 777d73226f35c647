"""What goes to a borrowed machine and back, in pieces that pass where transfers are small."""

import json
import lzma
import shutil
import tarfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from scnlib.data import fingerprint, load_split
from scnlib.files import replace_bytes
from study.places import files_under

PIECE = "data.tar.xz"  # and a dot and a number
DATA = "fingerprint.json"  # of the whole data set, which only home has


def pack(options: Namespace) -> None:
    """Write the volumes to train and validate on as pieces of a tar.xz.

    Raises as `load_split` for missing or bad volumes, before anything is written.
    """
    splits = [load_split(options.dataset, options.data, split) for split in ("train", "val")]
    sources = sorted({Path(case.source) for cases in splits for case in cases})
    options.to.mkdir(parents=True, exist_ok=True)
    told, whole = options.to / DATA, options.to / PIECE
    told.write_text(json.dumps(fingerprint(options.dataset, options.data)))
    # A volume may be a link to another disk, which the machine has not.
    with tarfile.open(whole, "w:xz", preset=6, dereference=True) as archive:
        for path in dict.fromkeys(path for source in sources for path in _files(source)):
            archive.add(path, path.relative_to(options.data))
        archive.add(told, DATA)
    divide(whole.read_bytes(), whole, int(options.piece_mb * 2**20))
    told.unlink()
    whole.unlink()


def divide(content: bytes, path: Path, size: int) -> None:
    """Write the content as files of at most `size` bytes, path.00, path.01, ..."""
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    for number, part in enumerate(parts):
        replace_bytes(path.with_name(f"{path.name}.{number:02}"), part)
    for old in pieces_of(path)[len(parts) :]:
        old.unlink()


def pieces_of(path: Path) -> list[Path]:
    """What `divide` has written, in order."""
    return sorted(path.parent.glob(f"{path.name}.[0-9][0-9]"))


def joined(path: Path) -> bytes:
    """What `divide` was given; FileNotFoundError where no piece is."""
    if not (found := pieces_of(path)):
        raise FileNotFoundError(f"{path}.00: no such file: it was not made, or not carried over")
    return b"".join(piece.read_bytes() for piece in found)


def _files(source: Path) -> list[Path]:
    """A volume's file; of NIfTI the split's whole folder, as masks are files of their own."""
    if source.suffix == ".h5":
        return [source]
    split = source.parents[1]
    found = [path for path in files_under(split, "*") if path.is_file()]
    return found + list(split.parent.glob("dataset.toml"))


def unpack(pieces: Path, work: Path) -> Path:
    """The data's folder in `work`, unpacked from the pieces unless it is there.

    Raises FileNotFoundError where there are no pieces, ValueError where one is missing or damaged.
    """
    data = work / "data"
    if data.exists():
        return data
    whole, beside = work / PIECE, work / "unpacking"
    whole.write_bytes(joined(pieces / PIECE))
    shutil.rmtree(beside, ignore_errors=True)
    # Python 3.11 knows the filter from 3.11.4 on; the archive is of our own making.
    safe: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    try:
        with tarfile.open(whole) as archive:
            archive.extractall(beside, **safe)
    except (EOFError, lzma.LZMAError, tarfile.TarError) as error:
        found = len(pieces_of(pieces / PIECE))
        raise ValueError(
            f"{pieces / PIECE}: {found} pieces do not make the archive ({error}): carry all of them"
        ) from error
    whole.unlink()
    beside.rename(data)  # last: what is cut off here is unpacked again
    return data
