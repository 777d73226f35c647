"""The commands of notebook 07's real example, as they stand there."""

import os
import subprocess
import sys

import nbformat
import nibabel as nib
import numpy as np

from scnlib.paths import REPOSITORY


def worked_example() -> str:
    book = nbformat.read(REPOSITORY / "notebooks" / "07_your_own_data.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in book.cells)
    return text.split("as if it were your own")[1].split("```")[1]


def test_the_worked_example_with_raw_nifti_runs(data_root, tmp_path):
    """The block of commands after "as if it were your own", line by line, as it stands there."""
    block = worked_example()
    lines = block.removeprefix("bash").replace("DIR/", f"{data_root}/").strip().splitlines()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    def run(command: str) -> subprocess.CompletedProcess[str]:
        words = ["bash", "-c", command]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)

    for line in lines:
        command = line.replace(".venv/bin/python", sys.executable)
        done = run(command)
        if "study.owndata" in command:
            assert done.returncode == 1 and "arrays_fit" in done.stdout + done.stderr
            with (tmp_path / "own" / "hearts" / "dataset.toml").open("a") as layout:
                layout.write("arrays_fit = true\n")
            assert run(command).returncode == 0
        else:
            assert done.returncode == 0, done.stderr
    images = sorted((tmp_path / "own" / "hearts" / "val" / "images").glob("*.nii.gz"))
    assert len(images) == 5
    for image in images:
        stem = image.name.removesuffix(".nii.gz")
        made = nib.Nifti1Image.from_filename(tmp_path / "segmented" / f"{stem}_scn.nii.gz")
        given = nib.Nifti1Image.from_filename(image)
        assert made.shape == given.shape
        np.testing.assert_array_equal(made.affine, given.affine)
        assert set(np.unique(made.get_fdata())) <= {0, 1, 2, 3}
