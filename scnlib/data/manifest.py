"""Whether the data at hand are the published ones, by sha256 sums of their content.

The sums cover what the files hold, not how they are packed: of an h5 file the arrays, of a NIfTI
file the decompressed bytes. ``splits/{acdc,mscmr}_sha256.csv`` list those of the published sets.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scnlib.data import lists
from scnlib.data.cases import SPLITS
from scnlib.data.folders import ACDC, BUILT_IN, dataset_folder
from scnlib.data.volume import decompressed, is_nifti


def fingerprint(dataset: str, root: Path | None) -> dict[str, Any]:
    """One sum for a whole data set: {"dataset", "sha256", "published"}.

    sha256     of the sorted sums of the files, or of the generated arrays for the phantom; of an
               own set's with their names, as these say who is who and in which split
    published  True exactly if the files are all those of the published set, unchanged
    Reads every file once (seconds to a minute). Raises as load_split does.
    """
    if dataset == "phantom":
        sums = _phantom_sums()
    else:
        sums = file_sums(dataset, dataset_folder(dataset, root))
    named = dataset not in BUILT_IN  # the published names are in `published`
    lines = sorted(f"{name} {one}" if named else one for name, one in sums.items())
    total = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"dataset": dataset, "sha256": total, "published": sums == published(dataset)}


def file_sums(dataset: str, folder: Path) -> dict[str, str]:
    """File's path in the folder -> sha256 of its content, for all files a reader would take.

    Of MSCMR for all that are there, as a published set has no others.
    """
    if dataset in ACDC:
        from scnlib.data.acdc import read_arrays, spacings  # h5py is for these alone

        files = [p for p in sorted(folder.glob("*.h5")) if p.stem in spacings()]
        return {path.name: _array_sum(*read_arrays(path)) for path in files}
    if dataset == "mscmr":
        parts = ("train", "val", "TestSet", "test")
        files = [p for part in parts for p in sorted(folder.glob(f"{part}/*/*")) if is_nifti(p)]
    else:
        from scnlib.data.nifti import files_taken  # which asks this module for what is published

        files = files_taken(folder)
    return {
        path.relative_to(folder).as_posix().removesuffix(".gz"): _bytes_sum(decompressed(path))
        for path in files
    } | {path.name: _bytes_sum(path.read_bytes()) for path in folder.glob("dataset.toml")}


@cache
def published(dataset: str) -> dict[str, str]:
    """File -> sha256 of the published set; empty for others."""
    if dataset not in (*ACDC, "mscmr"):
        return {}
    name = "acdc" if dataset in ACDC else "mscmr"
    return {row["file"]: row["sha256"] for row in lists.published_rows(f"{name}_sha256.csv")}


def published_subjects(split: str) -> set[str]:
    """Stems of MSCMR's published images of a split."""
    place = f"{'TestSet' if split == 'test' else split}/images/"
    return {
        name.removeprefix(place).removesuffix(".nii")
        for name in published("mscmr")
        if name.startswith(place)
    }


@cache  # it is the same whenever it is drawn
def _phantom_sums() -> dict[str, str]:
    from scnlib.data.phantom import phantom_split

    cases = [case for split in SPLITS for case in phantom_split(split)]
    arrays = {case.volume: (case.image, case.scribble, case.label) for case in cases}
    return {key: _array_sum(*(a for a in some if a is not None)) for key, some in arrays.items()}


def _array_sum(*arrays: np.ndarray) -> str:
    """sha256 over shape, type and values (little-endian, C order) of each array in turn."""
    total = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(f"{array.shape} {array.dtype.str}\n".encode())
        total.update(array.data)
    return total.hexdigest()


def _bytes_sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
