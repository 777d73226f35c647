"""Segmenting NIfTI files: what is written lies exactly where the image lies."""

import errno
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.affines import from_matvec
from scipy.spatial.transform import Rotation

from scnlib import files, label_files, predict
from scnlib.data import read_nifti
from scnlib.evaluation import dice
from scnlib.inference import label_volume
from scnlib.methods import get_method
from scnlib.paths import REPOSITORY, RESULTS, results_root
from scnlib.weights import save_weights, trained_network
from study.experiments import make_run

SHAPE = (19, 14, 3)
ARRAY = np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)
TURN = Rotation.from_euler("zyx", [0.4, 0.3, -0.6]).as_matrix() @ np.diag([1.2, 1.3, 8.0])
AFFINES = {
    "RAS": from_matvec(np.diag([1.2, 1.3, 8.0]), [3, -40, 7]),
    "LPS": from_matvec(np.diag([-1.2, -1.3, 8.0]), [3, -40, 7]),
    "permuted": from_matvec(np.diag([1.2, 1.3, 8.0])[[2, 0, 1]], [0, 1, 2]),
    "oblique": from_matvec(TURN, [-10.5, 20, 31]),
}


NAMES = ("background", "RV", "MYO", "LV")


def weights(
    folder: Path,
    dataset: str = "clinic",
    classes: int = 4,
    method: str = "scn",
    names: tuple[str, ...] = (),
) -> Path:
    """A file of random weights that tell pixels apart, for a network of 16 x 16 pixels."""
    torch.manual_seed(1)
    run = make_run(dataset, method, size=16, batch=2)
    net = get_method(method)(run, classes).train()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        net.predict(torch.rand(8, 1, 16, 16))  # else BatchNorm knows no scale, and one class wins
    path = folder / f"{dataset}{classes}{method}.safetensors"
    save_weights(path, net, run, names or NAMES[:classes])
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


def test_the_program_itself_warns_of_slices_on_another_axis(tmp_path: Path, clinic: Path):
    array = np.random.default_rng(0).integers(0, 900, (9, 128, 128)).astype(np.int16)
    path = write(tmp_path / "a.nii", array, np.diag([8, 1.4, 1.4, 1]))
    words = [str(path), "--out", str(tmp_path), "--weights", str(clinic)]
    done = subprocess.run(
        [sys.executable, "-m", "scnlib.predict", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"{path}: slice_axis = 2 seems wrong" in done.stderr
    assert "for predict, --slice-axis 0" in done.stderr


def test_the_byte_order_of_a_file_does_not_change_its_labels(tmp_path: Path, clinic: Path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(ARRAY.dtype)
    nib.save(nib.Nifti1Image(ARRAY, AFFINES["RAS"], header), tmp_path / "big.nii")
    assert (tmp_path / "big.nii").read_bytes()[:4] == (348).to_bytes(4, "big")
    little = write(tmp_path / "little.nii")
    assert scn(tmp_path / "big.nii", little, "--out", tmp_path, "--weights", clinic) == 0
    result = np.asarray(load(tmp_path / "big_scn.nii.gz").dataobj)
    np.testing.assert_array_equal(result, expected(clinic, little))
    np.testing.assert_array_equal(result, np.asarray(load(tmp_path / "little_scn.nii.gz").dataobj))


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


@pytest.mark.parametrize("dataset", ["acdc", "acdc_fold1", "phantom"])
def test_slices_of_weights_whose_data_are_arrays_are_rows_first_as_in_training(
    tmp_path: Path, clinic: Path, dataset: str
):
    acdc = weights(tmp_path, dataset)
    upright = write(tmp_path / "a.nii.gz")
    turned = write(tmp_path / "b.nii.gz", np.ascontiguousarray(ARRAY.swapaxes(0, 1)))
    scn(upright, "--out", tmp_path, "--weights", acdc)
    result = np.asarray(load(tmp_path / "a_scn.nii.gz").dataobj)
    np.testing.assert_array_equal(result.swapaxes(0, 1), expected(acdc, turned))


def test_maps_of_other_weights_or_values_are_not_taken_for_these(tmp_path: Path, clinic, capsys):
    path, other = write(tmp_path / "a.nii.gz"), weights(tmp_path, "ward")
    toml = tmp_path / "dataset.toml"
    names = trained_network(clinic).names
    turned = "".join(f'{k} = "{name}"\n' for k, name in enumerate([names[0], *names[:0:-1]]))
    toml.write_text(f"classes = {list(names)!r}\nunlabelled = 9\n[label_map]\n{turned}")
    assert scn(path, "--out", tmp_path, "--weights", clinic) == 0
    for words in (["--weights", other], ["--weights", clinic, "--layout", toml]):
        assert scn(path, "--out", tmp_path, *words) == 1
        assert "of other images or weights" in capsys.readouterr().err


def test_classes_are_written_with_the_values_of_the_label_map(tmp_path: Path, clinic: Path, capsys):
    toml = tmp_path / "dataset.toml"
    names = 'classes = ["background", "scar"]\nunlabelled = 9\nslice_axis = 1\n[label_map]\n'
    two = weights(tmp_path, classes=2, names=("nothing", "scar"))
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
    assert (
        "know RV, MYO, LV and the layout's classes are background, scar" in capsys.readouterr().err
    )


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path, clinic: Path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    write(folder / "a.nii.gz")
    write(folder / "b.nii.gz", np.where(ARRAY > 800, np.nan, 1.0))
    (folder / "c.nii.gz").write_bytes(b"no image")
    write(folder / "d.nii")
    (folder / "notes.txt").touch()
    assert scn(folder, tmp_path / "gone.nii.gz", "--out", out, "--weights", clinic) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a_scn.nii.gz", "d_scn.nii.gz"]
    complaints = capsys.readouterr().err.splitlines()
    for found, words in zip(
        complaints,
        ("b.nii.gz: .holds nan", "c.nii.gz: .not a NIfTI", "gone.nii.gz: .no such", "failed: 3"),
        strict=True,
    ):
        assert all(word in found for word in words.split(" ."))


def test_structures_go_by_name_in_whatever_order_the_layout_has_them(tmp_path, clinic):
    path, toml = write(tmp_path / "a.nii.gz"), tmp_path / "dataset.toml"
    toml.write_text('classes = ["bg", "LV", "fat", "MYO", "RV"]\n')
    assert scn(path, "--out", tmp_path, "--weights", clinic, "--layout", toml) == 0
    found = np.asarray(load(tmp_path / "a_scn.nii.gz").dataobj)
    np.testing.assert_array_equal(found, np.array([0, 4, 3, 1])[expected(clinic, path)])


def test_weights_that_know_what_the_layout_does_not_are_refused(tmp_path, clinic, capsys):
    path, toml = write(tmp_path / "a.nii.gz"), tmp_path / "dataset.toml"
    for classes in ('["background", "RV", "LV", "myo"]', '["MYO", "air", "RV", "LV"]'):
        toml.write_text(f"classes = {classes}\n")
        assert scn(path, "--out", tmp_path / "out", "--weights", clinic, "--layout", toml) == 1
        assert "the weights know MYO and" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


LIES = {
    "too large": lambda data: data[:42] + struct.pack("<3h", 32767, 32767, 32767) + data[48:],
    "no affine": lambda data: data[:280] + struct.pack("<f", np.nan) + data[284:],
    "cut": lambda data: data[:-9],
    "one byte": lambda data: data[:1],
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", ["b.nii", os.fsdecode(b"b\xff\xfe.nii"), "b\n.nii"])
def test_whatever_a_file_is_the_others_are_done(tmp_path, clinic, capfd, lie, name):
    folder, out = tmp_path / "in", tmp_path / "out"
    for good in ("a.nii", "c.nii"):
        write(folder / good)
    (folder / name).write_bytes(LIES[lie]((folder / "a.nii").read_bytes()))
    assert scn(folder, "--out", out, "--weights", clinic) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a_scn.nii.gz", "c_scn.nii.gz"]
    error, failed = capfd.readouterr().err.splitlines()
    assert error.startswith("error: ") and failed.startswith("failed: 1 of 3")


def test_a_file_too_large_is_refused_unread(tmp_path, clinic, capsys, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "out"
    for good in ("a.nii", "c.nii"):
        write(folder / good)
    with open(folder / "b.nii", "wb") as file:
        file.truncate(2**36)  # takes no room on the disk
    read, summed = Path.read_bytes, mock.Mock(wraps=label_files.sha256)

    def read_bytes(path: Path) -> bytes:
        assert path.name != "b.nii"
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(label_files, "sha256", summed)
    assert scn(folder, "--out", out, "--weights", clinic) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a_scn.nii.gz", "c_scn.nii.gz"]
    error, _ = capsys.readouterr().err.splitlines()
    assert error == f"error: {folder / 'b.nii'}: holds more than 513 MiB: crop it to the heart"
    assert folder / "b.nii" not in [call.args[0] for call in summed.call_args_list]


def test_a_name_in_other_bytes_is_segmented(tmp_path: Path, clinic: Path, capfd):
    write(tmp_path / os.fsdecode(b"a\xff.nii"))
    assert scn(tmp_path, "--out", tmp_path / "out", "--weights", clinic) == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == [os.fsdecode(b"a\xff_scn.nii.gz")]


def test_what_is_taken_of_a_folder_and_what_is_left_is_told(tmp_path: Path, clinic: Path, capsys):
    folder = tmp_path / "in"
    for name in ("patient001_frame01", "patient001_frame01_gt", "p1", "p1_scribble", "q-label"):
        write(folder / f"{name}.nii.gz")
    for name in ("Segmentation-12", "label_01", "mask", "mask_p1", "masked_1"):  # a mask, but one
        write(folder / f"{name}.nii.gz")
    write(folder / "patient001_4d.nii.gz", np.stack([ARRAY, ARRAY], axis=-1))
    write(folder / "more" / "p5.nii.gz")
    (folder / "p1.nii.gz").rename(folder / "P2.NII.GZ")
    (folder / "p3.nrrd").touch()
    assert scn(folder, "--out", tmp_path / "out", "--weights", clinic) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "patient001_frame01_scn.nii.gz",
        "P2_scn.nii.gz",
        "masked_1_scn.nii.gz",
    }
    left = [t for t in capsys.readouterr().out.splitlines() if t.startswith("left aside")]
    for text, (name, why) in zip(
        left,
        [
            ("Segmentation-12.nii.gz", "labels by its name"),
            ("label_01.nii.gz", "labels by its name"),
            ("mask.nii.gz", "labels by its name"),
            ("mask_p1.nii.gz", "labels by its name"),
            ("more", "a folder within"),
            ("p1_scribble.nii.gz", "labels by its name"),
            ("p3.nrrd", "not NIfTI"),
            ("patient001_4d.nii.gz", "a series of 2 volumes"),
            ("patient001_frame01_gt.nii.gz", "labels by its name"),
            ("q-label.nii.gz", "labels by its name"),
        ],
        strict=True,
    ):
        assert text.startswith(f"left aside: {folder / name}: {why}")
    # What is given by its own name is segmented, whatever that is.
    assert scn(folder / "p1_scribble.nii.gz", "--out", tmp_path / "out", "--weights", clinic) == 0


def test_a_folder_of_masks_alone_says_why_nothing_is_done(tmp_path: Path, clinic: Path, capsys):
    write(tmp_path / "in" / "a_gt.nii.gz")
    assert scn(tmp_path / "in", "--out", tmp_path / "out", "--weights", clinic) == 1
    (text,) = capsys.readouterr().err.splitlines()
    assert "no NIfTI file" in text and "a_gt.nii.gz: labels by its name" in text


def test_a_folder_without_images_or_rights_does_not_stop_the_others(
    tmp_path: Path, clinic: Path, capsys, monkeypatch
):
    folders = [tmp_path / name for name in ("empty", "full", "shut")]
    for folder in folders:
        folder.mkdir()
    write(tmp_path / "full" / "a.nii")
    listed = Path.iterdir

    def iterdir(path: Path):  # as for all but root, whom nothing is forbidden
        if path.name == "shut":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert scn(*folders, "--out", tmp_path / "out", "--weights", clinic) == 1
    assert (tmp_path / "out" / "a_scn.nii.gz").exists()
    empty, shut = capsys.readouterr().err.splitlines()
    assert empty.startswith(f"error: {tmp_path / 'empty'}: no NIfTI file in this folder")
    assert shut.startswith(f"error: {tmp_path / 'shut'}: can't be read (Permission denied)")
    assert scn(folders[0], folders[2], "--out", tmp_path / "none", "--weights", clinic) == 1
    assert "Permission denied" in capsys.readouterr().err and not (tmp_path / "none").exists()


def test_an_interrupted_call_goes_on_where_it_stopped(tmp_path, clinic, capsys, monkeypatch):
    for name in "abc":
        write(tmp_path / f"{name}.nii.gz")
    words, segment = (tmp_path, "--out", tmp_path / "out", "--weights", clinic), predict.segment

    def stop(net, path, *more):
        if path.name == "b.nii.gz":
            raise KeyboardInterrupt
        return segment(net, path, *more)

    monkeypatch.setattr(predict, "segment", stop)
    assert scn(*words) == 130
    assert "stopped after 1 of 3" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_scn.nii.gz"]
    monkeypatch.setattr(predict, "segment", segment)
    assert scn(*words) == 0
    assert "a_scn.nii.gz: there already" in capsys.readouterr().out
    first = (tmp_path / "out" / "a_scn.nii.gz").read_bytes()
    # Of another image, or by another option, it is not the same label map.
    assert scn(*words, "--slice-axis", 0) == 1
    write(tmp_path / "a.nii.gz", ARRAY + np.int16(1))
    assert scn(*words) == 1
    assert "a_scn.nii.gz: there already, of other images or weights" in capsys.readouterr().err
    assert (tmp_path / "out" / "a_scn.nii.gz").read_bytes() == first


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path, clinic, capsys, monkeypatch):
    write(tmp_path / "a.nii.gz")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(files.os, "replace", mock.Mock(side_effect=full))
    assert scn(tmp_path / "a.nii.gz", "--out", tmp_path / "out", "--weights", clinic) == 1
    assert list((tmp_path / "out").iterdir()) == []
    error, _ = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {tmp_path / 'a.nii.gz'}: ") and "No space left" in error


def test_a_tilde_is_the_home_folder(tmp_path: Path, clinic: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.nii.gz")
    assert scn("~/a.nii.gz", "--out=~/x", f"--weights=~/{clinic.name}") == 1
    (tmp_path / clinic.name).write_bytes(clinic.read_bytes())
    assert scn("~/a.nii.gz", "--out=~/x", f"--weights=~/{clinic.name}") == 0
    assert (tmp_path / "x" / "a_scn.nii.gz").exists() and not (tmp_path / "~").exists()


def test_a_tilde_that_names_no_user_is_a_letter(tmp_path: Path, clinic: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "~a.nii.gz")
    assert scn("~a.nii.gz", "--out", "~o.d", "--weights", clinic) == 0
    assert (tmp_path / "~o.d" / "~a_scn.nii.gz").exists()
    assert results_root("~o.d") == tmp_path / "~o.d"


def test_without_options_the_repositorys_results_are_meant(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.nii.gz")
    assert scn("a.nii.gz", "--out", "o") == 0
    assert f"{RESULTS / 'weights' / 'acdc.safetensors'}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "looked_for"),
    [
        (["--results", "mine"], "mine/cpu/acdc"),
        (["--profile", "nonsense"], "nonsense/acdc"),
        (["--results", "mine", "--dataset", "mscmr"], "mine/cpu/mscmr"),
    ],
)
def test_other_weights_than_those_asked_for_are_not_taken(
    tmp_path: Path, monkeypatch, capsys, words: list[str], looked_for: str
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.nii.gz")
    assert scn("a.nii.gz", "--out", "o", *words) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert f"{looked_for}/scn/seed0/weights.safetensors: no weights there" in error


def test_an_interruption_while_the_images_are_sought_is_one_line(
    tmp_path: Path, clinic: Path, monkeypatch, capsys
):
    monkeypatch.setattr(predict, "find_images", mock.Mock(side_effect=KeyboardInterrupt))
    assert scn(tmp_path, "--out", tmp_path / "o", "--weights", clinic) == 130
    assert capsys.readouterr().err == "stopped before the first image\n"


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
    clean, ended = tmp_path / "clean", tmp_path / "ended"
    for folder in (clean, ended):
        folder.mkdir()
    (ended / "record.json").touch()
    for file, words in [
        (tmp_path / "gone.safetensors", "no weights there"),
        (path, "give a run's weights.safetensors"),
        (clean, "a folder; give a file of weights"),
        (ended / "weights.safetensors", "the record of this run is there and its weights are not"),
        (weights(tmp_path, method="pce"), "not SCN's weights"),
    ]:
        assert scn(path, "--out", tmp_path / "out", "--weights", file) == 1
        (text,) = capsys.readouterr().err.splitlines()
        assert text.startswith(f"error: {file}: ") and words in text
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path, clinic: Path, capsys):
    path = write(tmp_path / "a.nii.gz")
    (tmp_path / "out").touch()
    for out in (tmp_path / "out", tmp_path / "out" / "deeper"):
        assert scn(path, "--out", out, "--weights", clinic) == 1
        (text,) = capsys.readouterr().err.splitlines()
        assert text.startswith(f"error: {out}: a file is where this folder should be")


@pytest.mark.parametrize("program", ["scnlib.predict", "study.owndata", "study.run.command"])
def test_ctrl_c_while_the_libraries_load_leaves_no_traceback(tmp_path: Path, program: str):
    for name in ("numpy", "nbformat"):  # stands for the first library that is loaded
        (tmp_path / f"{name}.py").write_text("import os\nos.kill(os.getpid(), 2)\n")
    words = ["--dry-run"] * (program == "study.run.command")  # lest it begin in earnest
    done = subprocess.run(
        [sys.executable, "-m", program, *words],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_a_closed_pipe_ends_it_without_a_traceback(tmp_path: Path, clinic: Path):
    paths = [write(tmp_path / f"{name}.nii.gz") for name in "ab"]
    words = [*map(str, paths), "--out", str(tmp_path / "out"), "--weights", str(clinic)]
    with subprocess.Popen(
        [sys.executable, "-m", "scnlib.predict", *words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", -signal.SIGPIPE)


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


def test_an_image_given_twice_is_segmented_once_and_two_of_one_name_are_told(
    tmp_path: Path, clinic: Path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(Path("a.nii.gz"))
    twice = ["a.nii.gz", tmp_path / "a.nii.gz"]
    assert scn(*twice, "--out", "out", "--weights", clinic) == 0
    assert "1 images" in capsys.readouterr().out
    Path("other").mkdir()
    write(Path("other/a.nii"))
    assert scn(*twice, "other/a.nii", "--out", "two", "--weights", clinic) == 1
    assert "other/a.nii would be written to two/a_scn.nii.gz too" in capsys.readouterr().err
    assert not Path("two/a_scn.nii.gz").exists()


def test_thousands_of_images_are_given_their_places_at_once(tmp_path: Path) -> None:
    images = [tmp_path / f"{n}.nii.gz" for n in range(3000)]
    before = time.process_time()
    targets = predict.targets_of(images, tmp_path / "out")
    assert targets[images[7]] == tmp_path / "out" / "7_scn.nii.gz" and len(targets) == 3000
    assert time.process_time() - before < 5, "each was compared with all others: 150 s"
