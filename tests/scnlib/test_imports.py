"""What an import loads, as nobody waits for what is not used, and which names users may rely on."""

import importlib
import subprocess
import sys

import pytest

from scnlib.paths import REPOSITORY

FILE_FORMATS = ("nibabel", "h5py")


@pytest.mark.parametrize(
    ("use", "spared"),
    [
        ("import scnlib", ("torch", "numpy")),
        ("import scnlib.data", ("torch", *FILE_FORMATS)),
        (
            "from scnlib.data import read_nifti",
            ("torch", "h5py", "scnlib.data.phantom", "scnlib.data.acdc"),
        ),
        ("from scnlib.data import read_acdc", ("torch", "nibabel", "pydantic")),
        ("import scnlib.data.batches", ("skimage", "scnlib.methods.ustm", *FILE_FORMATS)),
        ("from scnlib.data import stack", FILE_FORMATS),
        ("import scnlib.inference", FILE_FORMATS),
        ("import scnlib.evaluation", FILE_FORMATS),
        ("import scnlib.step", FILE_FORMATS),
        ("import scnlib.optimiser", ("skimage", "scnlib.methods.pce", "scnlib.losses")),
        ("import scnlib.checkpoint", ("skimage", "h5py", "pandas", "scnlib.losses")),
        ("from scnlib.methods.scn import SCN", ("skimage", "scnlib.methods.ustm")),
        (
            "import scnlib.methods.superpixels",
            ("scnlib.methods.box", "scnlib.methods.pce", "scnlib.methods.scn", "scnlib.losses"),
        ),
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


@pytest.mark.parametrize(
    "name",
    [
        "scnlib.data.Case",
        "scnlib.data.fingerprint",
        "scnlib.data.is_there",
        "scnlib.data.load_split",
        "scnlib.data.read_acdc",
        "scnlib.data.read_nifti",
        "scnlib.data.sets_in",
        "scnlib.data.stack",
        "scnlib.correlation.correlation_map",
        "scnlib.evaluation.evaluate",
        "scnlib.losses.entropy",
        "scnlib.losses.gated_crf",
        "scnlib.losses.mumford_shah",
        "scnlib.losses.soft_dice",
        "scnlib.methods.METHODS",
        "scnlib.methods.scn.SCN",
        "scnlib.predict.main",
        "scnlib.propagation.ConfidenceThreshold",
        "scnlib.training.train",
        "scnlib.unet.UNet",
    ],
)
def test_a_name_that_users_rely_on_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("module", ["scnlib.data", "scnlib.losses"])
def test_a_name_that_is_nowhere_is_an_error_as_of_any_module(module: str) -> None:
    with pytest.raises(AttributeError, match=f"'{module}' has no attribute 'read_dicom'"):
        _ = importlib.import_module(module).read_dicom
