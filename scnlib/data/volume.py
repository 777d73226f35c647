"""One NIfTI file: array, voxel sizes and affine, read by content whatever its name says."""

import gzip
import io
import unicodedata
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from scnlib.data.checks import MOST_VOXELS, check_size, log
from scnlib.errors import one_line

GZIP = b"\x1f\x8b"
MILLIMETRES = {1: 1000.0, 3: 0.001}  # NIfTI's codes for metre and micron; all else counts as mm
MOST_BYTES = 8 * MOST_VOXELS + 2**20  # of a file, decompressed


class Volume(NamedTuple):
    """Array, voxel sizes in mm in the order of its axes, and the affine.

    step  the scale factor of an array stored as scaled integers: its values are whole steps; else 0
    """

    array: np.ndarray
    spacing: np.ndarray
    affine: np.ndarray
    step: float = 0.0


def is_nifti(path: Path) -> bool:
    """Whether a file is a NIfTI by its name, in small letters or capitals, and not hidden."""
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.name.startswith(".")


def stem(path: Path) -> str:
    """File name without .nii or .nii.gz, its letters composed (Unicode NFC).

    Some file systems hand an e with an accent over as two characters, others as one.
    """
    name = path.name
    for ending in (".gz", ".nii"):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    return unicodedata.normalize("NFC", name)


def load_volume(path: Path) -> Volume:
    """Read a single-file NIfTI, plain or gzip by its content, whatever its name says.

    Trailing axes of length 1 are dropped. Where the header's voxel sizes contradict its affine,
    the affine's are taken, with a warning. Raises FileNotFoundError, or ValueError naming the file.
    """
    data = decompressed(path)
    image = _checked_image(path, data)
    try:
        array = np.asanyarray(image.dataobj)
    except Exception as error:  # numpy and nibabel let errors of every kind through here
        raise ValueError(
            f"{path}: voxel data incomplete ({one_line(error)}): copy it again"
        ) from error
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    stored = np.dtype(image.get_data_dtype())
    scaled = stored.kind in "iu" and array.dtype.kind == "f"
    step = abs(float(getattr(image.dataobj, "slope", 0.0))) if scaled else 0.0
    affine = np.asarray(image.affine, dtype=float)
    return Volume(array, _spacing(image, _written_sizes(image, data), path), affine, step)


def _written_sizes(image: nib.Nifti1Image, data: bytes) -> np.ndarray:
    """The first three voxel sizes as they stand in a file: nibabel makes 1 of a 0."""
    header = type(image.header).from_fileobj(io.BytesIO(data), check=False)
    return np.abs(np.asarray(header["pixdim"][1:4], dtype=float))


def _spacing(image: nib.Nifti1Image, written: np.ndarray, path: Path) -> np.ndarray:
    """Voxel sizes in mm, (3,): the header's, or its affine's where the two differ; nan if none."""
    sizes = np.asarray(image.header.get_zooms()[:3], dtype=float)
    sizes = np.pad(sizes, (0, 3 - len(sizes)), constant_values=np.nan)
    sizes = np.where(written > 0, sizes, np.nan)
    lengths = np.linalg.norm(np.asarray(image.affine, dtype=float)[:3, :3], axis=0)
    # Without an sform the affine is made of the very sizes.
    of_its_own = int(image.header["sform_code"]) > 0
    if of_its_own and (lengths > 0).all() and not np.allclose(sizes, lengths, rtol=0.01):
        log.warning(
            "%s: voxel sizes %s in the header contradict its affine: %s taken from there",
            *(path, sizes.round(4).tolist(), lengths.round(4).tolist()),
        )
        sizes = lengths
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        log.warning("%s: no valid voxel sizes in the header, distances in mm are unknown", path)
        return np.full(3, np.nan)
    return sizes * MILLIMETRES.get(int(image.header["xyzt_units"]) & 7, 1.0)


def load_image(path: Path) -> nib.Nifti1Image:
    """The file as nibabel has it, header and all (the voxels are not decoded yet).

    Raises as load_volume does.
    """
    return _checked_image(path, decompressed(path))


def _checked_image(path: Path, data: bytes) -> nib.Nifti1Image:
    image = _parse(path, data)
    voxels: Any = image.dataobj
    begin = int(voxels.offset)
    if begin < type(image.header).single_vox_offset:  # nibabel takes 0 as it stands
        raise ValueError(
            f"{path}: its header says that the voxels begin at byte {begin}, which is within the "
            "header: export it again"
        )
    check_size(image.shape, str(path))
    if not np.isfinite(np.asarray(image.affine)).all():
        raise ValueError(f"{path}: its affine holds nan or infinite values: export it again")
    return image


def decompressed(path: Path) -> bytes:
    """The bytes of a file, decompressed if they are gzip.

    Raises FileNotFoundError, or ValueError naming a folder, an empty or damaged file, or one that
    holds more than MOST_BYTES (no more than that is ever in memory).
    """
    check_is_file(path)
    check_bytes(path)
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path}: empty file: copy it again")
    if data.startswith(GZIP):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            # It begins as gzip, so that what Python calls "not a gzipped file" follows a whole one.
            later = str(error).startswith("Not a gzipped file")
            why = "other data after its end" if later else one_line(error)
            raise ValueError(f"{path}: damaged gzip data ({why}): copy it again") from error
    _check_count(len(data), path)
    return data


def check_is_file(path: Path) -> None:
    """Raises ValueError for a folder or a device, FileNotFoundError for what is not there."""
    if path.is_file():
        return
    if path.exists():
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        raise ValueError(f"{path}: {kind} where a file should be: move it out, or give its files")
    if path.is_symlink():
        raise FileNotFoundError(f"{path}: a link to {path.readlink()}, which is not there")
    raise FileNotFoundError(f"{path}: no such file")


def check_bytes(path: Path) -> None:
    """Raises ValueError for a file of more than MOST_BYTES, without reading it."""
    _check_count(path.stat().st_size, path)


def _check_count(count: int, path: Path) -> None:
    if count > MOST_BYTES:
        raise ValueError(f"{path}: holds more than {MOST_BYTES >> 20} MiB: crop it to the heart")


def _parse(path: Path, data: bytes) -> nib.Nifti1Image:
    size = {data[:4], data[3::-1]}  # the header's own size comes first, in either byte order
    kind = nib.Nifti2Image if (540).to_bytes(4, "little") in size else nib.Nifti1Image
    try:
        return kind.from_bytes(data)
    except Exception as error:  # nibabel lets errors of every kind through for bad headers
        raise ValueError(
            f"{path}: not a NIfTI file of one piece, plain or gzip ({one_line(error)}): "
            "export it again"
        ) from error
