"""The phantom as somebody's own folder: what is read back is what was written."""

from pathlib import Path

import numpy as np
import pytest

from scnlib.data import load_split
from scnlib.data.phantom import phantom_split
from study.lessons.nifti_folder import write_folder
from study.owndata.check import find_faults
from tests.study.run.test_notebooks_on_own_data import NOTEBOOKS, run_cells

SPLITS = ("train", "val", "test")


def test_a_folder_is_read_back_as_it_was(tmp_path: Path):
    cases = {split: phantom_split(split)[: 2 if split == "train" else 1] for split in SPLITS}
    write_folder(tmp_path / "hearts", cases)
    faults, _ = find_faults(tmp_path / "hearts")
    assert faults.count("error") == 0
    for split in SPLITS:
        read, written = load_split("hearts", tmp_path, split)[0], cases[split][0]
        assert read.classes == written.classes and read.volume == written.volume
        assert read.spacing == pytest.approx(written.spacing)
        kept = "scribble" if split == "train" else "label"
        np.testing.assert_array_equal(getattr(read, kept), getattr(written, kept))


def test_notebook_07_finds_the_fault_and_segments(capsys, monkeypatch):
    monkeypatch.chdir(NOTEBOOKS)
    left = run_cells("07_your_own_data")
    said = capsys.readouterr().out
    assert "exit code 0\n" in said and "exit code 1\n" in said
    assert left["code"] == 0 and left["given"].shape == left["result"].shape
    np.testing.assert_array_equal(left["given"].affine, left["result"].affine)
