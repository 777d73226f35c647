"""A predicted label map as a file: on the grid of its image, and with its origin in the header."""

import gzip
import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.nifti1 import Nifti1Extension

from scnlib.data.volume import check_bytes, load_image
from scnlib.files import replace_bytes, sha256


def like(image: nib.Nifti1Image, array: np.ndarray) -> nib.Nifti1Image:
    """`array` as a NIfTI image of the same kind, with the shape, affine and header of `image`."""
    header = image.header.copy()
    header.set_data_dtype(array.dtype)
    header["cal_min"] = header["cal_max"] = 0  # the image's window would hide the labels
    return type(image)(array.reshape(image.shape), image.affine, header)


def origin_of(path: Path, weights: Path, values: dict[str, int], axis: int) -> str:
    """What a label map depends on, as JSON text: sha256 of image and weights, and the options.

    Raises ValueError for an image that is too large to be read.
    """
    check_bytes(path)
    return json.dumps(
        {
            "program": "scnlib.predict",
            "image_sha256": sha256(path),
            "weights_sha256": sha256(weights),
            "slice_axis": axis,
            "values": values,
        }
    )


def is_written(target: Path, origin: str) -> bool:
    """Whether `target` is there already and tells of this origin.

    Raises ValueError if it is there and does not, as it is then not ours to replace.
    """
    if not os.path.lexists(target):
        return False
    try:
        notes = [e.get_content() for e in load_image(target).header.extensions]
    except ValueError:
        notes = []
    if origin.encode() not in [n.encode() if isinstance(n, str) else n for n in notes]:
        raise ValueError(f"{target}: there already, of other images or weights: give --overwrite")
    return True


def write_labels(image: nib.Nifti1Image, origin: str, path: Path) -> None:
    """Write a gzipped NIfTI whole or not at all; raises as `scnlib.files.replace_bytes`.

    The origin goes into the header, as a comment that viewers pass over.
    """
    image.header.extensions.append(Nifti1Extension("comment", origin.encode()))
    replace_bytes(path, gzip.compress(image.to_bytes(), mtime=0))
