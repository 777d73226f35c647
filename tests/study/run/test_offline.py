"""Once installed, the study needs no network: tables, a prediction and a notebook without any."""

import subprocess
import sys
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np

from scnlib.data.phantom import SPACING, draw_subject
from scnlib.paths import REPOSITORY
from study.places import README
from tests.unsharing import unshared

# Within a network of its own that has no way out. A notebook's kernel is spoken to over the
# loopback, which is down there at first: SIOCSIFFLAGS sets IFF_UP.
ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_one:
    fcntl.ioctl(any_one, 0x8914, struct.pack("16sH14x", b"lo", 1))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
TABLES = """
from scnlib.paths import RESULTS
from study.collected import collect
from study.report.tables import means_tables
print(means_tables(collect(RESULTS, "cpu"), "cpu"))
"""
OUTSIDE = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=5)"


def alone(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run this Python with these arguments, and without a network."""
    command = [*unshared("net"), sys.executable, "-c", ALONE, *map(str, words)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


def test_there_is_no_network() -> None:
    tried = alone("-c", OUTSIDE)
    assert tried.returncode == 1 and "Network is unreachable" in tried.stderr


def test_tables_are_made() -> None:
    made = alone("-c", TABLES)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() in README.read_text()


def test_an_image_is_segmented(tmp_path: Path) -> None:
    image = np.moveaxis(draw_subject(33)[0].image, 0, 2)
    nib.save(nib.Nifti1Image(image, np.diag([*SPACING[::-1], 1.0])), tmp_path / "heart.nii.gz")
    made = alone("-m", "scnlib.predict", tmp_path / "heart.nii.gz", "--out", tmp_path)
    assert made.returncode == 0, made.stderr
    labels = nib.Nifti1Image.from_filename(tmp_path / "heart_scn.nii.gz")
    assert labels.shape == image.shape


def test_a_notebook_is_executed(tmp_path: Path) -> None:
    source = REPOSITORY / "notebooks" / "02_correlation_and_propagation.ipynb"
    options = ["-p", "profile", "demo", "-p", "out", tmp_path]
    made = alone("-m", "study.run.notebook", source, tmp_path / "executed.ipynb", *options)
    assert made.returncode == 0, made.stderr
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    assert any(cell.get("outputs") for cell in cells)
