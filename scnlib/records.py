"""What a run leaves behind, and how it is read back.

A run's folder holds curve.csv, if it was tested metrics.csv and perhaps predictions.h5, and,
written last, record.json with the sha256 of the others. A run is done exactly if its record is
there and its hashes hold.
"""

import io
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from scnlib import schema
from scnlib.config import EarlierError, Run, differences
from scnlib.files import replace_bytes, replace_text, sha256

FILES = ("curve.csv", "metrics.csv", "predictions.h5")  # what a record's run leaves beside it


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Record:
    """One finished run, as record.json tells it.

    Times are in seconds, memory in MB (2**20 bytes), Dice a fraction in 0..1.
    """

    run: Run
    code_version: str
    data: dict[str, Any]
    versions: dict[str, str]
    hardware: str
    dtype: str
    threads: int
    parameters: int
    seconds_training: float
    seconds_evaluation: float
    seconds_per_step: float
    images_per_second: float
    peak_memory_mb: float
    validation: dict[str, Any]  # curve: list of {iteration, dice}; best and last: one of them
    summary: dict[str, Any]  # see `scnlib.evaluation.summary`; empty for a variant
    files: dict[str, str]  # name of a file beside the record, sha256
    notes: list[str] = field(default_factory=list)
    # Each process that took part, in order: the iterations done `before` it, its code_version,
    # hardware, dtype, threads and versions. Above, code_version names all of them, and the others
    # tell of the last one that trained.
    processes: list[dict[str, Any]] = field(default_factory=list)
    step: str = "eager"  # how its steps ran (`scnlib.step`), of several "one then the other"
    folder: Path = Path()

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """metrics.csv: one row a volume and structure (empty for a variant); read once, not to be
        written into.

        Names stay text, so that 001 is not 1 and NA is not missing.
        """
        path = self.folder / "metrics.csv"
        if not path.exists():
            return pd.DataFrame()
        texts = ("volume", "subject", "frame", "structure")
        missing = {name: [""] for name in ("dice", "hd95_voxel", "hd95_mm")}
        return pd.read_csv(
            path, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=missing
        )

    @property
    def curve(self) -> pd.DataFrame:
        """curve.csv: the losses, tau and the share of M, means over ten iterations."""
        return pd.read_csv(self.folder / "curve.csv")

    def prediction(self, volume: str) -> np.ndarray:
        """The label volume (n, H, W) uint8 predicted for a test volume, on its own grid.

        Raises `ValueError` naming the file if the run kept none, or none of that volume.
        """
        path = self.folder / "predictions.h5"
        if not path.exists():
            raise ValueError(
                f"{path}: not there, this run kept no predictions: train it again by "
                "./run_all.sh --out"
            )
        # Of its bytes: HDF5 would lock the file, which not every file system can.
        with h5py.File(io.BytesIO(path.read_bytes()), "r") as file:
            if volume not in file:
                raise ValueError(f"{path}: holds no volume {volume}: take one of its metrics.csv")
            return np.asarray(file[volume])


def write(
    folder: Path,
    *,
    curve: pd.DataFrame,
    metrics: pd.DataFrame | None,
    predictions: dict[str, np.ndarray],
    **content: Any,
) -> Record:
    """Write a run's files, each whole or not at all, and last its record; `content` as in `Record`.

    Raises `ValueError` naming the file that can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"curve.csv": curve.to_csv(index=False, float_format="%.6g").encode()}
    if metrics is not None:
        files["metrics.csv"] = metrics.to_csv(index=False, float_format="%.6f").encode()
    if predictions:
        files["predictions.h5"] = _packed(predictions)
    for name, bytes_ in files.items():
        replace_bytes(folder / name, bytes_)
    content |= {"files": {name: sha256(folder / name) for name in files}}
    replace_text(folder / "record.json", schema.to_text(content))
    return read(folder)


def _packed(predictions: dict[str, np.ndarray]) -> bytes:
    """predictions.h5: a data set for each volume, named as that."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for volume, labels in predictions.items():
            file.create_dataset(volume, data=labels, compression="gzip", compression_opts=9)
    return memory.getvalue()


def read(folder: str | Path) -> Record:
    """Read a run's record and check the files beside it.

    Raises `ValueError` naming the file that is missing, unreadable or changed since the run.
    """
    folder = Path(folder)
    path = folder / "record.json"
    if not path.exists():
        raise ValueError(f"{path}: no such record; the run has not finished: let it run to its end")
    try:
        record = Record(**schema.from_text(path.read_text(encoding="utf-8")), folder=folder)
    except EarlierError as error:
        raise schema.of_earlier_version(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path}: not a readable record ({schema.why(error)}); {mend(folder)}"
        ) from error
    for name, expected in record.files.items():
        if not (folder / name).exists():
            raise ValueError(f"{folder / name}: missing, but in record.json; {mend(folder)}")
        if sha256(folder / name) != expected:
            raise ValueError(f"{folder / name}: changed since its run; {mend(folder)}")
    return record


def mend(folder: Path) -> str:
    """What to do about a run's folder that is damaged."""
    return f"restore {folder} from version control, or delete it to train the run again"


def is_done(folder: str | Path) -> bool:
    """Whether a run's record is there and its hashes hold."""
    try:
        read(folder)
    except ValueError:
        return False
    return True


def finished(run: Run, folder: Path) -> Record | None:
    """The record in `folder` if it is of this very run; None if there is none.

    Raises `ValueError` naming the file if it is of another configuration or damaged.
    """
    if not (folder / "record.json").exists():
        return None
    record = read(folder)
    if what := differences(record.run, run):
        raise ValueError(
            f"{folder / 'record.json'}: of another configuration ({what}); "
            f"delete {folder}, or train into another folder (--out)"
        )
    return record
