"""One NIfTI file: array, voxel sizes and affine, read by content whatever its name says."""

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from scnlib.data.checks import log, one_line

GZIP = b"\x1f\x8b"
MILLIMETRES = {1: 1000.0, 3: 0.001}  # NIfTI's codes for metre and micron; all else counts as mm


class Volume(NamedTuple):
    """Array as stored, voxel sizes in mm in the order of its axes, and the affine."""

    array: np.ndarray
    spacing: np.ndarray
    affine: np.ndarray


def load_volume(path: Path) -> Volume:
    """Read a single-file NIfTI, plain or gzip by its content, whatever its name says.

    Trailing axes of length 1 are dropped. Raises FileNotFoundError, or ValueError naming the file.
    """
    image = load_image(path)
    try:
        array = np.asanyarray(image.dataobj)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: voxel data incomplete ({one_line(error)}): copy it again"
        ) from error
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    unit = MILLIMETRES.get(int(image.header["xyzt_units"]) & 7, 1.0)
    spacing = np.asarray(image.header.get_zooms()[:3], dtype=float) * unit
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        log.warning("%s: no valid voxel sizes in the header, distances in mm are unknown", path)
        spacing = np.full(3, np.nan)
    return Volume(array, spacing, np.asarray(image.affine, dtype=float))


def load_image(path: Path) -> nib.Nifti1Image:
    """The file as nibabel has it, header and all (the voxels are not decoded yet).

    Raises as load_volume does.
    """
    return _parse(path, decompressed(path))


def decompressed(path: Path) -> bytes:
    """The bytes of a file, decompressed if they are gzip.

    Raises FileNotFoundError, or ValueError naming an empty or damaged file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path}: empty file: copy it again")
    try:
        return gzip.decompress(data) if data.startswith(GZIP) else data
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip data ({one_line(error)}): copy it again") from error


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
