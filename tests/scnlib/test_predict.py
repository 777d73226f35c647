"""Segmenting NIfTI files: what is written lies exactly where the image lies."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.affines import from_matvec
from scipy.spatial.transform import Rotation

from scnlib import predict
from scnlib.config import make_run
from scnlib.data import read_nifti
from scnlib.evaluation import dice, label_volume
from scnlib.methods import METHODS
from scnlib.paths import RESULTS
from scnlib.weights import save_weights, trained_network

SHAPE = (19, 14, 3)
ARRAY = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
TURN = Rotation.from_euler("zyx", [0.4, 0.3, -0.6]).as_matrix() @ np.diag([1.2, 1.3, 8.0])
AFFINES = {
    "RAS": from_matvec(np.diag([1.2, 1.3, 8.0]), [3, -40, 7]),
    "LPS": from_matvec(np.diag([-1.2, -1.3, 8.0]), [3, -40, 7]),
    "permuted": from_matvec(np.diag([1.2, 1.3, 8.0])[[2, 0, 1]], [0, 1, 2]),
    "oblique": from_matvec(TURN, [-10.5, 20, 31]),
}


def weights(folder: Path, dataset: str = "clinic", classes: int = 4, method: str = "scn") -> Path:
    """A file of random weights that tell pixels apart, for a network of 16 x 16 pixels."""
    torch.manual_seed(1)
    run = make_run(dataset, method, size=16, batch=2)
    net = METHODS[method](run, classes).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        net.predict(torch.rand(8, 1, 16, 16))  # else BatchNorm knows no scale, and one class wins
    path = folder / f"{dataset}{classes}{method}.safetensors"
    save_weights(path, net, run)
    return path


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights(tmp_path_factory.mktemp("weights"))


def write(path: Path, array: np.ndarray = ARRAY, affine: np.ndarray = AFFINES["RAS"]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def load(path: Path) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_filename(path)


def scn(*words: object) -> int:
    return predict.main([str(word) for word in words])


def expected(path: Path, file: Path, axis: int = 2) -> np.ndarray:
    """The plain array through the network, without any NIfTI code on the way back."""
    net = trained_network(path)
    array = np.moveaxis(np.asarray(load(file).dataobj), axis, 0).astype(np.float32)
    array = np.minimum(array, np.percentile(array, 99))
    image = (array - array.min()) / np.ptp(array)
    return np.moveaxis(label_volume(net.predict, image, 16, 2), 0, axis)


@pytest.mark.parametrize("name", AFFINES)
def test_label_maps_lie_where_their_image_lies(tmp_path: Path, clinic: Path, name: str):
    path = write(tmp_path / "a.nii.gz", affine=AFFINES[name])
    assert scn(path, "--out", tmp_path / "out", "--weights", clinic) == 0
    image, labels = (
        load(path),
        load(tmp_path / "out" / "a_scn.nii.gz"),
    )
    np.testing.assert_array_equal(labels.affine, image.affine)
    assert (labels.shape, labels.get_data_dtype()) == (SHAPE, np.uint8)
    for key in ("pixdim", "qform_code", "sform_code", "xyzt_units", "srow_x", "quatern_b"):
        np.testing.assert_array_equal(labels.header[key], image.header[key])
    result = np.asarray(labels.dataobj)
    np.testing.assert_array_equal(result, expected(clinic, path))
    assert len(np.unique(result)) > 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_may_lie_on_any_axis(tmp_path: Path, clinic: Path, axis: int):
    path = write(tmp_path / "a.nii", np.ascontiguousarray(np.moveaxis(ARRAY, 2, axis)))
    assert scn(path, "--out", tmp_path, "--weights", clinic, "--slice-axis", axis) == 0
    result = np.asarray(load(tmp_path / "a_scn.nii.gz").dataobj)
    np.testing.assert_array_equal(result, expected(clinic, path, axis))
    plain = expected(clinic, write(tmp_path / "b.nii"))
    np.testing.assert_array_equal(np.moveaxis(result, axis, 2), plain)


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 2), (4, 1)])
def test_form_codes_units_and_trailing_axes_are_kept(tmp_path: Path, clinic: Path, codes):
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        image = kind(ARRAY[..., None], AFFINES["oblique"])
        image.set_qform(AFFINES["oblique"], codes[0])
        image.set_sform(AFFINES["oblique"], codes[1])
        image.header.set_xyzt_units("micron")
        image.header["cal_max"], image.header["descrip"] = 500, b"a scanner"
        nib.save(image, tmp_path / "a.nii.gz")
        scn(tmp_path / "a.nii.gz", "--out", tmp_path, "--weights", clinic, "--overwrite")
        labels = kind.from_filename(tmp_path / "a_scn.nii.gz")
        assert labels.shape == (*SHAPE, 1)
        assert (int(labels.header["qform_code"]), int(labels.header["sform_code"])) == codes
        np.testing.assert_array_equal(
            labels.affine, kind.from_filename(tmp_path / "a.nii.gz").affine
        )
        assert labels.header.get_xyzt_units()[0] == "micron" and labels.header["cal_max"] == 0
        assert labels.header["descrip"] == b"a scanner"


def test_slices_of_acdc_weights_are_rows_first_as_in_training(tmp_path: Path, clinic: Path):
    acdc = weights(tmp_path, "acdc")
    upright = write(tmp_path / "a.nii.gz")
    turned = write(tmp_path / "b.nii.gz", np.ascontiguousarray(ARRAY.swapaxes(0, 1)))
    scn(upright, "--out", tmp_path, "--weights", acdc)
    result = np.asarray(load(tmp_path / "a_scn.nii.gz").dataobj)
    np.testing.assert_array_equal(result.swapaxes(0, 1), expected(acdc, turned))


def test_classes_are_written_with_the_values_of_the_label_map(tmp_path: Path, clinic: Path, capsys):
    toml = tmp_path / "dataset.toml"
    names = 'classes = ["background", "scar"]\nunlabelled = 9\nslice_axis = 1\n[label_map]\n'
    two = weights(tmp_path, classes=2)
    path = write(tmp_path / "a.nii.gz")
    classes = expected(two, path, axis=1)
    for value, dtype in ((7, np.uint8), (600, np.uint16)):
        toml.write_text(f'{names}0 = "background"\n{value} = "scar"\n{value + 1} = "scar"\n')
        words = (path, "--out", tmp_path, "--weights", two, "--layout", toml, "--overwrite")
        assert scn(*words) == 0
        labels = load(tmp_path / "a_scn.nii.gz")
        assert labels.get_data_dtype() == dtype
        np.testing.assert_array_equal(np.asarray(labels.dataobj), classes * dtype(value))
    assert scn(path, "--out", tmp_path, "--weights", clinic, "--layout", toml) == 1
    assert "know 4 classes and the layout has 2" in capsys.readouterr().err


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, clinic: Path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    write(folder / "a.nii.gz")
    write(folder / "b.nii.gz", np.stack([ARRAY, ARRAY], axis=-1))
    (folder / "c.nii.gz").write_bytes(b"no image")
    write(folder / "d.nii")
    (folder / "notes.txt").touch()
    assert scn(folder, tmp_path / "gone.nii.gz", "--out", out, "--weights", clinic) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a_scn.nii.gz", "d_scn.nii.gz"]
    complaints = capsys.readouterr().err.splitlines()
    for found, words in zip(
        complaints,
        ("b.nii.gz: .three axes", "c.nii.gz: .not a NIfTI", "gone.nii.gz: .no such", "failed: 3"),
        strict=True,
    ):
        assert all(word in found for word in words.split(" ."))


def test_without_options_the_repositorys_results_are_meant(tmp_path: Path, monkeypatch):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predict, "weights_file", lambda *where: asked.append(where) or where[0])
    scn("none.nii.gz", "--out", "o")
    scn("none.nii.gz", "--out", "o", "--results", "mine")
    assert [place for place, *_ in asked] == [RESULTS, tmp_path / "mine"]


def test_nothing_is_overwritten_unless_asked(tmp_path: Path, clinic: Path, capsys):
    path = write(tmp_path / "a.nii.gz")
    words = ("--out", tmp_path, "--weights", clinic)
    (tmp_path / "a_scn.nii.gz").write_bytes(b"precious")
    assert scn(path, *words) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "a_scn.nii.gz").read_bytes() == b"precious"
    assert scn(tmp_path, *words, "--overwrite") == 0  # a folder's own results are no images
    assert load(tmp_path / "a_scn.nii.gz").shape == SHAPE
    assert scn(path, tmp_path / "a_scn.nii.gz", *words, "--overwrite") == 1
    assert "is one of the images" in capsys.readouterr().err
    assert scn(path, write(tmp_path / "more" / "a.nii"), *words, "--overwrite") == 1
    assert "use two --out" in capsys.readouterr().err


def test_weights_that_do_not_serve_are_one_line(tmp_path: Path, capsys):
    path = write(tmp_path / "a.nii.gz")
    for file, words in [
        (tmp_path / "gone.safetensors", "no weights there"),
        (path, "not a safetensors file"),
        (weights(tmp_path, method="pce"), "not SCN's weights"),
    ]:
        assert scn(path, "--out", tmp_path / "out", "--weights", file) == 1
        (text,) = capsys.readouterr().err.splitlines()
        assert text.startswith(f"error: {file}: ") and words in text
    assert not (tmp_path / "out").exists()


def test_committed_weights_serve_without_data(tmp_path: Path):
    path = write(tmp_path / "a.nii.gz")
    assert scn(path, "--out", tmp_path) == 0
    assert load(tmp_path / "a_scn.nii.gz").shape == SHAPE


@pytest.mark.parametrize("dataset", ["mscmr"])  # others' weights promise nothing here
def test_hearts_are_found_in_the_published_files(data_root: Path, tmp_path: Path, dataset: str):
    file = RESULTS / "weights" / f"{dataset}.safetensors"
    if not file.exists():
        pytest.skip(f"{file.name} is not committed yet")
    folder = data_root / "MSCMR" / "MSCMR_dataset" / "val"
    path = sorted((folder / "images").iterdir())[-1]
    assert scn(path, "--out", tmp_path, "--weights", file) == 0
    name = path.name.removesuffix(".nii.gz")
    case = read_nifti(path, label=folder / "labels" / f"{name}_manual.nii.gz")
    labels = np.asarray(load(tmp_path / f"{name}_scn.nii.gz").dataobj)
    found = np.moveaxis(labels, 2, 0)
    assert case.label is not None
    assert np.mean([dice(found == k, case.label == k) for k in (1, 2, 3)]) > 0.5
