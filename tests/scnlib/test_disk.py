"""Disks that are full, folders that can't be written to, and files that may not be read: for real.

Each is one line that names the file; what was there before stays, and no part is left behind.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest

from scnlib import records
from scnlib.data import read_nifti
from scnlib.data.acdc import read_acdc
from scnlib.files import replace_bytes
from scnlib.paths import REPOSITORY
from tests import sample_record
from tests.unsharing import unshared

NOBODY = 65534

# A record is written with ever more room, from none at all to enough; then on a read-only disk.
FULL = """
import os, subprocess, sys
from pathlib import Path
from scnlib import records
from tests import sample_record

place = Path(sys.argv[1])
filler, folder = place / "filler", place / "run"
folder.mkdir()
(folder / "record.json").write_text("old")
filler.write_bytes(bytes(os.statvfs(place).f_bavail * 4096))
told, written = set(), False
while not written:
    try:
        sample_record.write(folder)
        written = True
    except ValueError as error:
        name, why = str(error).removeprefix(f"{folder}/").split(": ", 1)
        assert why.startswith("can't be written (No space left on device)"), error
        assert (folder / "record.json").read_text() == "old" and not list(folder.glob(".*")), error
        told.add(name)
        os.truncate(filler, filler.stat().st_size - 4096)
assert records.is_done(folder)
before = {path.name: path.read_bytes() for path in folder.iterdir()}
subprocess.run(["mount", "-o", "remount,ro", place], check=True)
try:
    sample_record.write(folder)
except ValueError as error:
    told.add(str(error).split(":")[1].split(" (")[1].rstrip(")"))
assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
print(*sorted(told), sep="|", end="")
"""


def test_a_full_or_read_only_disk_names_the_file_and_keeps_what_was_there(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    words = ["sh", "-c", mount, tmp_path, sys.executable, "-c", FULL, tmp_path]
    command = [*unshared("mount"), *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = "curve.csv|metrics.csv|predictions.h5|record.json"
    assert done.stdout == f"Read-only file system|{names}"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of somebody without any rights, who the test's process is for the time."""
    folder = Path(tempfile.mkdtemp()).resolve()
    user = os.geteuid()
    if user == 0:  # whom no mode stops
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(user)
    for path in folder.rglob("*"):
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_a_folder_without_permission_is_named_and_left_as_it_is(place: Path) -> None:
    run = place / "run"
    sample_record.write(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    run.chmod(0o500)
    with pytest.raises(ValueError, match=rf"{run}/\w+\.\w+: can't be written \(Permission denied"):
        sample_record.write(run, dice=0.5)
    with pytest.raises(ValueError, match=rf"{place}/run/checkpoint\.pt: .*Permission denied"):
        replace_bytes(run / "checkpoint.pt", b"new")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert records.is_done(run)


@pytest.mark.parametrize("name", ["a.nii.gz", "patient001_frame01.h5", "record.json", "curve.csv"])
def test_a_file_without_permission_is_named(place: Path, name: str) -> None:
    record = sample_record.write(place).folder
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), place / "a.nii.gz")
    with h5py.File(place / "patient001_frame01.h5", "w") as file:
        file["image"] = np.zeros((2, 4, 4), np.float32)
    (place / name).chmod(0)
    read = {".gz": read_nifti, ".h5": read_acdc}.get(Path(name).suffix)
    with pytest.raises((ValueError, OSError)) as told:
        read(place / name) if read else records.read(record)
    assert f"{place / name}" in str(told.value) and "ermission denied" in str(told.value)
    assert "\n" not in str(told.value)
