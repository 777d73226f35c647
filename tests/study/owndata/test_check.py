"""The check of an own data set: every fault in one go, a line each, and the exit code."""

import os
from pathlib import Path
from unittest import mock

import nibabel as nib
import numpy as np
import pytest

from scnlib.data import load_split
from scnlib.data.manifest import file_sums
from study.owndata import check
from tests.scnlib.data.test_nifti import IMAGE, MASK, SCRIBBLE, TOML, ZOOMS, save, tree
from tests.scnlib.test_predict import LIES

AFFINE = np.diag([*ZOOMS, 1.0])
TRAIN = "train/labels/subject1_DE_scribble.nii.gz"
VAL = "val/labels/subject9_DE_manual.nii.gz"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound data set: eight subjects to train on, two to validate and two to test on."""
    folder = tree(tmp_path / "clinic", {"train": 8, "val": 2, "test": 2})
    for number, path in enumerate(sorted(folder.glob("*/images/*"))):
        save(path, IMAGE + np.int16(number))
    (folder / "dataset.toml").write_text(TOML)
    return folder


def report(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = check.main([str(folder)])
    return code, capsys.readouterr().out.splitlines()


def line(lines: list[str], *words: str) -> str:
    """The one line with all the words."""
    (found,) = [text for text in lines if all(word in text for word in words)]
    return found


def test_a_sound_set_is_summed_up(folder: Path, capsys):
    code, lines = report(folder, capsys)
    assert code == 0 and lines[-1] == "0 errors, 0 warnings"
    assert "8 volumes of 8 subjects, 24 slices, 8 scribbles, 0 masks" in line(lines, "train ")
    counts = [8 * int((SCRIBBLE == k).sum()) for k in range(4)]
    marks = line(lines, "scribbled pixels")
    assert "background {}, RV {}, MYO {}, LV {};".format(*counts) in marks
    assert f"{sum(counts) / (8 * SCRIBBLE.size):.2%} labelled" in marks


def test_a_pattern_of_names_that_fits_none_hides_nothing_else(folder: Path, capsys):
    (folder / "dataset.toml").write_text(TOML + "volume_name = '(?P<subject>b.)'\n")
    save(folder / TRAIN, SCRIBBLE, np.diag([-0.75, 0.8, 5.0, 1.0]))
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "subject1_DE", "another affine")
    assert len([text for text in lines if "subject2_DE.nii.gz" in text and "error" in text]) == 1
    assert not [text for text in lines if "do not fill a batch" in text]


def test_many_faults_are_all_told_at_once_each_with_its_file(folder: Path, capsys):
    labels, images = folder / "train" / "labels", folder / "train" / "images"
    (folder / "dataset.toml").write_text(TOML + "colour = 1\nslice_axis = 7\n")
    save(labels / "subject1_DE_scribble.nii.gz", MASK)
    save(labels / "subject2_DE_scribble.nii.gz", SCRIBBLE[:, :, :2] + np.uint16(7))
    save(labels / "subject3_DE_scribble.nii.gz", SCRIBBLE, np.diag([-0.75, 0.8, 5.0, 1.0]))
    (labels / "subject4_DE_scribble.nii.gz").unlink()
    (images / "subject5_DE.nii.gz").write_bytes(b"")
    save(labels / "subject77_DE_scribble.nii.gz", SCRIBBLE)
    (images / "notes.txt").touch()
    save(folder / VAL, SCRIBBLE)
    (folder / "validation").mkdir()
    code, lines = report(folder, capsys)
    assert code == 1
    for words in [
        ("error", "dataset.toml", "colour"),
        ("error", "dataset.toml", "slice_axis = 7"),
        ("error", "subject1_DE_scribble", "full mask"),
        ("error", "subject2_DE_scribble", "share one grid"),
        ("error", "subject2_DE_scribble", "unknown values"),
        ("error", "subject3_DE_scribble", "another affine"),
        ("error", "no scribble for", "subject4_DE.nii.gz"),
        ("error", "subject5_DE.nii.gz", "empty file"),
        ("error", "subject77", "image is missing"),
        ("warning", "notes.txt"),
        ("error", VAL, "this is a scribble"),
        ("warning", "validation", "not read"),
    ]:
        assert str(folder) in line(lines, *words)
    errors, warnings = (sum(text.startswith(k) for text in lines) for k in ("error", "warning"))
    assert lines[-1] == f"{errors} errors, {warnings} warnings"


@pytest.mark.parametrize(
    ("path", "array", "affine", "complaint"),
    [
        (TRAIN, (SCRIBBLE < 4) * SCRIBBLE, None, "unlabelled was written as background"),
        (TRAIN, SCRIBBLE + np.float32(0.5), None, "not whole numbers"),
        (TRAIN, SCRIBBLE, np.diag([1.5, 0.8, 5.0, 1.0]), "voxel sizes"),
        (VAL, MASK + np.uint16(9), None, "unknown values"),
        ("train/images/subject1_DE.nii.gz", np.stack([IMAGE] * 2, -1), None, "three axes"),
        ("train/images/subject1_DE.nii", IMAGE, None, "there is also"),
        ("test/images/subject99_DE.nii.gz", IMAGE, None, "the same image as"),
    ],
)
def test_each_error_is_told_and_gives_code_1(folder, capsys, path, array, affine, complaint):
    save(folder / path, array, affine)
    code, lines = report(folder, capsys)
    assert code == 1
    assert line(lines, "error", f"{folder / path}".removesuffix(".gz"), complaint)


def test_a_name_in_two_splits_is_a_warning_as_names_may_start_anew(folder: Path, capsys):
    save(folder / "test/images/subject1_DE.nii.gz", IMAGE + np.int16(99))
    save(folder / "test/labels/subject1_DE_manual.nii.gz", MASK)
    code, lines = report(folder, capsys)
    assert code == 0
    assert line(lines, "warning", "test/images/subject1_DE.nii.gz: also in the train split")


def test_a_class_that_nobody_scribbled_is_an_error(folder: Path, capsys):
    for path in (folder / "train" / "labels").iterdir():
        save(path, np.where(SCRIBBLE == 0, 4, SCRIBBLE).astype(np.uint16))
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "background is never scribbled")


def test_a_mask_beside_some_scribbles_only_is_an_error(folder: Path, capsys):
    (folder / TRAIN).rename(folder / TRAIN.replace("scribble", "manual"))
    save(folder / TRAIN.replace("scribble", "manual"), MASK)
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "subject1_DE.nii.gz", "a mask but no scribble")
    assert len([text for text in lines if "a scribble but no mask" in text]) == 7


def test_what_training_bears_is_a_warning(folder: Path, capsys):
    turned = AFFINE[[1, 0, 2, 3]]  # the first axis runs where the second does elsewhere
    save(folder / "val/images/subject9_DE.nii.gz", IMAGE + np.int16(60), turned)
    save(folder / VAL, MASK, turned)
    save(folder / TRAIN, np.full_like(SCRIBBLE, 4))
    nearly = np.where(np.arange(SCRIBBLE.size).reshape(SCRIBBLE.shape) % 9, MASK, 4)
    save(folder / TRAIN.replace("subject1", "subject2"), nearly.astype(np.uint16))
    save(folder / "test/images/subject3_late.nii.gz", IMAGE + np.int16(50))
    save(folder / "test/labels/subject3_late_manual.nii.gz", MASK)
    code, lines = report(folder, capsys)
    assert code == 0
    for words in [
        ("subject9_DE.nii.gz", "lie otherwise"),
        (TRAIN, "nothing is scribbled"),
        ("subject2_DE_scribble", "write unlabelled = ", "if it is a mask"),
        ("3 of 24 slices have no stroke of a structure", "box and scn_box"),
        ("subject3_late", "subject subject3 is in the train split too"),
    ]:
        assert line(lines, "warning", *words)
    assert lines[-1] == "0 errors, 5 warnings"


def test_unmarked_pixels_that_are_read_as_a_class_are_told_with_their_value(folder: Path, capsys):
    """0 where nobody drew, 1 the background's strokes, 2 to 4 the structures'."""
    for path in folder.glob("train/labels/*"):
        save(path, np.where(SCRIBBLE == 4, 0, SCRIBBLE + 1).astype(np.uint16))
    text = line(report(folder, capsys)[1], TRAIN)
    assert "most of it 0: if nobody drew that, write unlabelled = 0 in dataset.toml" in text
    values = '0 = "background"\n1 = "RV"\n2 = "MYO"\n3 = "LV"\n'
    marks = '1 = "background"\n2 = "RV"\n3 = "MYO"\n4 = "LV"\n'
    names = 'classes = ["background", "RV", "MYO", "LV"]\nunlabelled = 0\n'
    (folder / "dataset.toml").write_text(f"{names}[label_map]\n{values}[scribble_map]\n{marks}")
    assert report(folder, capsys)[1][-1] == "0 errors, 0 warnings"


def test_slices_of_unlike_width_are_told(folder: Path, capsys):
    image, label = folder / "val/images/subject9_DE.nii.gz", folder / VAL
    for zoom, told in ((1.4, False), (1.6, True)):
        wide = np.diag([zoom, zoom, 1, 1]) @ AFFINE
        save(image, IMAGE + np.int16(60), wide)
        save(label, MASK, wide)
        code, lines = report(folder, capsys)
        assert code == 0 and any("mm wide" in text for text in lines) is told
    sides = [n * size for n, size in zip(IMAGE.shape[:2], ZOOMS, strict=False)]
    text = line(lines, "mm wide")
    assert f"slices are {max(sides):.0f} mm wide (subject" in text
    assert f"to {1.6 * max(sides):.0f} mm wide (subject9_DE.nii.gz)" in text


def test_oblique_planes_of_one_kind_are_no_mixture(folder: Path, capsys):
    """Short-axis planes turn from heart to heart, and their names (RAS, PSR, ..) with them."""
    for number, path in enumerate(sorted(folder.glob("*/images/*"))):
        c, s = np.cos(np.radians(30 + 4 * number)), np.sin(np.radians(30 + 4 * number))
        turn = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        (label,) = folder.glob(f"*/labels/{path.name.removesuffix('.nii.gz')}_*")
        for file in (path, label):
            save(file, np.asarray(nib.Nifti1Image.from_filename(file).dataobj), turn @ AFFINE)
    assert report(folder, capsys)[1][-1] == "0 errors, 0 warnings"


def test_slices_on_the_wrong_axis_are_noted(folder: Path, capsys):
    (folder / "dataset.toml").write_text(TOML + "slice_axis = 0\n")
    code, lines = report(folder, capsys)
    assert code == 0 and line(lines, "warning", "subject1_DE.nii.gz", "slice_axis = 0 seems wrong")


def test_a_batch_that_a_profile_does_not_fill_is_told(folder: Path, capsys):
    for kept, kind, words in ((6, "warning", "(24 of profile paper)"), (3, "error", "12 of")):
        for number in range(kept + 1, 9):
            for path in folder.glob(f"train/*/subject{number}_*"):
                path.unlink()
        code, lines = report(folder, capsys)
        assert words in line(lines, kind, f"{3 * kept} readable slices do not fill a batch")
        assert code == (kind == "error")


@pytest.mark.parametrize(("profile", "errors"), [("demo", 0), ("cpu", 0), ("paper", 1)])
def test_the_profile_in_use_is_asked(folder: Path, capsys, profile: str, errors: int):
    for path in folder.glob("train/*/subject8_*"):  # 21 slices left: 12 a batch, and 24 of "paper"
        path.unlink()
    assert check.main([str(folder), "--profile", profile]) == errors
    said = capsys.readouterr().out
    assert ("do not fill a batch (24 of profile paper)" in said) == bool(errors)
    assert "warning" not in said.replace("0 warnings", "")


def test_two_files_of_one_volume_and_one_name_for_all_are_told(folder: Path, capsys):
    save(folder / "test/images/subject20.nii.gz", IMAGE + np.int16(88))
    save(folder / "test/images/subject20_volume.nii.gz", IMAGE + np.int16(89))
    for path in sorted(folder.glob("val/*/*")):
        path.rename(path.with_name(path.name.replace("subject", "T1_")))
    for number in (1, 2):
        save(folder / f"val/images/T1_a{number}.nii.gz", IMAGE + np.int16(100 + number))
        save(folder / f"val/labels/T1_a{number}_manual.nii.gz", MASK)
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "subject20_volume.nii.gz", "as subject20.nii.gz is")
    assert line(lines, "warning", "all 4 volumes are taken for subject T1")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", ["subject30_DE.nii", os.fsdecode(b"subject30_\xff\xfe.nii")])
def test_whatever_a_file_is_the_others_are_checked(folder: Path, capfd, lie, name):
    data = nib.Nifti1Image(IMAGE, AFFINE).to_bytes()
    (folder / "val" / "images" / name).write_bytes(LIES[lie](data))
    save(folder / "val" / "labels" / f"{name.removesuffix('.nii')}_manual.nii.gz", MASK)
    save(folder / "test/images/subject1_DE.nii.gz", IMAGE + np.int16(99))
    code = check.main([str(folder)])
    lines = capfd.readouterr().out.splitlines()
    assert code == 1 and line(lines, "error", "images/subject30")
    assert line(lines, "warning", "subject1_DE.nii.gz", "in the train split")  # of a later file


def test_a_name_that_is_not_utf8_is_an_error_for_check_and_training(folder: Path):
    name = os.fsdecode(b"p\xff1_ED")
    save(folder / "train" / "images" / f"{name}.nii.gz", IMAGE + np.int16(88))
    save(folder / "train" / "labels" / f"{name}_scribble.nii.gz", SCRIBBLE)
    faults, _ = check.find_faults(folder)
    assert [text for text, kind in faults.lines.items() if kind == "error"] == [
        rf"{folder}/train/images/'p\udcff1_ED.nii.gz': its name is not UTF-8: rename it",
        rf"{folder}/train/labels/'p\udcff1_ED_scribble.nii.gz': its name is not UTF-8: rename it",
    ]
    with pytest.raises(ValueError, match=r"images/'p\\udcff1_ED.*not UTF-8"):
        load_split("clinic", folder.parent, "train")


def test_an_error_that_no_reader_foresaw_is_told_with_its_file(folder: Path, capsys, monkeypatch):
    def broken(path, **more):
        raise MemoryError("Unable to allocate 27 PiB")

    monkeypatch.setattr("study.owndata.inspection.read_nifti", broken)
    code, lines = report(folder, capsys)
    assert code == 1
    assert "MemoryError: Unable to allocate" in line(lines, "error", "images/subject1_DE.nii.gz")


@pytest.mark.parametrize("toml", ["classes = [", TOML + "unlabelled = 3\n", "unlabelled = 4\n"])
def test_without_a_sound_description_the_files_are_checked_all_the_same(folder, capsys, toml):
    (folder / "dataset.toml").write_text(toml)
    save(folder / VAL, MASK[:, :, :2])
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "dataset.toml")
    assert line(lines, "error", VAL, "share one grid") and line(lines, "values were not checked")


def test_ctrl_c_leaves_one_line(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(check, "find_faults", mock.Mock(side_effect=KeyboardInterrupt))
    assert check.main([str(tmp_path)]) == 130
    assert capsys.readouterr() == ("", "stopped\n")


def test_a_name_the_runner_would_not_take_and_no_folder_are_errors(tmp_path: Path, capsys):
    (tmp_path / "acdc").mkdir()
    (tmp_path / "my set").mkdir()
    for name, complaint in [("acdc", "built-in"), ("my set", "rename it"), ("gone", "no such")]:
        code, lines = report(tmp_path / name, capsys)
        assert code == 1 and line(lines, "error", f"{tmp_path / name}: ", complaint)


def test_a_link_is_judged_by_its_own_name(folder: Path, tmp_path: Path, capsys):
    target = folder.rename(tmp_path / "Raw Hearts (2024)")
    (tmp_path / "mine").symlink_to(target)
    assert report(tmp_path / "mine", capsys)[0] == 0


@pytest.mark.parametrize("what", ["dataset.toml", "train/images"])
def test_what_may_not_be_read_is_told_in_a_line(folder: Path, capsys, monkeypatch, what: str):
    def denied(self: Path, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text" if what.endswith("toml") else "iterdir", denied)
    assert check.main([str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.endswith(": Permission denied: allow reading it\n") and error.count("\n") == 1


def test_a_file_that_no_reader_takes_is_in_no_sum(folder: Path, capsys):
    """A training goes on where a spare scribble was put beside the others."""
    before = file_sums("clinic", folder)
    spare = folder / TRAIN.replace("_scribble", "_scribble_old")
    spare.write_bytes(b"")
    (folder / "train" / "old").mkdir()
    (folder / "train" / "old" / "bad.nii.gz").write_bytes(b"")
    assert file_sums("clinic", folder) == before and before[TRAIN.removesuffix(".gz")]
    code, lines = report(folder, capsys)
    assert code == 0 and line(lines, "warning", spare.name, "left aside")
    save(folder / TRAIN, np.where(SCRIBBLE == 1, 2, SCRIBBLE))
    assert file_sums("clinic", folder) != before


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        ('["mean", "RV"]', "mean is what"),
        ('["background", "RV", "mean"]', "mean is what"),
        ('["RV", "MYO", "LV", "background"]', "background is not the first"),
        ('["RV", "BG"]', "background is not the first"),
    ],
)
def test_a_class_that_scores_would_mistake_is_an_error(folder: Path, capsys, classes, why):
    (folder / "dataset.toml").write_text(f"classes = {classes}\n")
    code, lines = report(folder, capsys)
    assert code == 1 and line(lines, "error", "dataset.toml", why)
