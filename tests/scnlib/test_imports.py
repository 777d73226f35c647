"""What an import loads: nobody waits for what is not used."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("use", "spared"),
    [
        ("import scnlib", ("torch", "numpy")),
        ("from scnlib.data import read_nifti", ("h5py", "scnlib.data.phantom", "scnlib.data.acdc")),
        ("import scnlib.data.batches", ("skimage", "scnlib.methods.ustm", "h5py")),
        ("import scnlib.optimiser", ("skimage", "scnlib.methods.pce", "scnlib.losses")),
        ("import scnlib.checkpoint", ("skimage", "scnlib.methods.pce", "scnlib.losses")),
        ("from scnlib.methods.scn import SCN", ("skimage", "scnlib.methods.ustm")),
        ("import scnlib.methods.superpixels", ("scnlib.methods.scn", "scnlib.correlation")),
    ],
)
def test_an_import_spares_what_it_does_not_need(use: str, spared: tuple[str, ...]) -> None:
    code = f"{use}\nimport sys\nprint(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = ended.stdout.split()
    assert "scnlib" in loaded
    assert not set(spared) & set(loaded)
