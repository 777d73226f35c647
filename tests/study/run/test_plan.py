"""run_all.sh: options, and what is left to do."""

import json

import pytest

from scnlib.paths import run_folder
from study.experiments import make_run
from study.run import command, graph, running
from tests import sample_record
from tests.pretended import METHODS, write_notebook, write_record


@pytest.mark.parametrize(
    "options",
    [
        ["--profile", "gpu"],
        ["--seeds", "-1"],
        ["--seeds", "one"],
        ["--jobs", "two"],
        ["--step", "fast"],
        ["--prof", "cpu"],
    ],
)
def test_wrong_usage_is_one_line(options, capsys):
    with pytest.raises(SystemExit) as ended:
        command.parse(options)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_kind_of_step_can_be_asked_for_and_a_wrong_one_is_told_them(capsys):
    from scnlib.step import STEPS  # with torch, which no other test here needs

    assert tuple(command.STEP_KINDS) == STEPS
    for step in STEPS:
        assert command.parse(["--step", step]).step == step
    assert command.parse([]).step == "auto"
    with pytest.raises(SystemExit):
        command.parse(["--step", "fast"])
    said = capsys.readouterr().err
    assert all(step in said for step in STEPS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--methods", "scm"], "unknown method 'scm': choose from pce, s2l"),
        (["--datasets", "../up"], "a name has letters, digits, - and _ only"),
        (["--datasets", "acdc"], "data set 'acdc' needs --data DIR"),
        (["--jobs", "0"], "--jobs must be 1 or more"),
        (["--data", "/nowhere"], "--data /nowhere: there is no such folder"),
        (["--on", "moon"], "--on moon: neither local nor slurm"),
        (["--profile", "cpu", "--retrain"], "--retrain needs --data DIR, and --out DIR"),
        (["--profile", "paper"], "no --data DIR to train with"),
        (["--profile", "cpu", "--data", "{tmp}"], "there is no data set"),
        (["--variant", "odd"], "unknown variant 'odd': choose from short"),
    ],
)
def test_wrong_values_end_before_anything_starts(
    options, says, start, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(running, "run_graph", lambda *_: pytest.fail("something was started"))
    assert start(*[word.format(tmp=tmp_path) for word in options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1


def test_only_trainings_without_a_record_are_left(start, tmp_path, capsys):
    write_record(tmp_path / "out/demo/phantom/scn/seed0")
    assert start("--methods", "pce,scn", "full", "--seeds", "0", "1", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "demo: 1 of 6 trainings have their record",
        "would run 03_training_phantom_pce_seed0",
        "would run 03_training_phantom_full_seed0",
        "would run 03_training_phantom_pce_seed1",
        "would run 03_training_phantom_scn_seed1",
        "would run 03_training_phantom_full_seed1",
        "would run 01_data_exploration",
        "would run 02_correlation_and_propagation",
        "would run 02b_on_a_heart",
        "would run 04_tables_and_figure",
        "would run 04b_figure_and_failures",
        "would run 05_open_choices",
        "would run 06_your_own_scribbles",
        "would run 07_your_own_data",
        "would run 08_where_points_are_lost",
    ]
    assert not (tmp_path / "out/.study").exists()


def test_without_data_nothing_is_trained_and_skips_are_named(start, tmp_path, capsys):
    write_record(tmp_path / "out/cpu/acdc/scn/seed0")
    assert start("--profile", "cpu", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "cpu: 1 of 23 trainings have their record",
        "skipped 01_data_exploration: no --data",
        "skipped 02b_on_a_heart: no --data",
        "skipped 03_training: no --data",
        "would run 02_correlation_and_propagation",
        "would run 04_tables_and_figure",
        "would run 04b_figure_and_failures",
        "would run 05_open_choices",
        "would run 06_your_own_scribbles",
        "would run 07_your_own_data",
        "would run 08_where_points_are_lost",
    ]


def test_methods_that_learn_from_masks_are_left_out_where_there_are_none(start, tmp_path, capsys):
    (tmp_path / "data/clinic").mkdir(parents=True)
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "clinic"]
    for masked in (True, False):
        if not masked:
            (tmp_path / "data/clinic/scribbles only").touch()
        assert start(*options, "--methods", "pce", "full", "--dry-run") == 0
        lines = capsys.readouterr().out.splitlines()
        assert ("would run 03_training_clinic_full_seed0" in lines) == masked
        said = "skipped full on clinic: there are no masks to train on"
        assert (said in lines) == (not masked)
        assert "would run 03_training_clinic_pce_seed0" in lines
    assert start(*options, "--methods", "full", "--dry-run") == 1
    assert "full on clinic: full supervision needs masks" in capsys.readouterr().err


def test_two_trainings_of_one_name_are_refused(start, tmp_path, capsys, monkeypatch):
    for name in ("box", "scn_box"):
        monkeypatch.setitem(METHODS, name, METHODS["scn"])
    for name in ("clinic", "clinic_scn"):
        (tmp_path / "data" / name).mkdir(parents=True)
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--dry-run"]
    options += ["--datasets", "clinic", "clinic_scn"]
    assert start(*options, "--methods", "box", "scn_box") == 1
    assert capsys.readouterr().err == (
        "error: scn_box on clinic and box on clinic_scn would both be called "
        "clinic_scn_box_seed0: rename a data set\n"
    )
    assert start(*options, "--methods", "box") == 0


def test_a_variant_is_trained_in_its_own_folder(start, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(running, "_run_all", lambda options, jobs, *_: seen.extend(jobs))
    assert start("--methods", "scn", "--variant", "nopap") == 0
    assert seen[0].parameters["variant"] == "nopap"
    assert seen[0].output.name == "03_training_phantom_scn_seed0_nopap.ipynb"
    folder = tmp_path / "out/demo/variants/nopap/phantom/scn/seed0"
    assert seen[0].watch == folder / "progress.json"
    assert seen[0].name in {job.rule: job.needs for job in seen}["choices"]


def test_a_place_that_cannot_be_written_to_is_one_line(start, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert start("--methods", "pce", "--out", str(tmp_path / "file" / "out")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and str(tmp_path / "file") in error
    assert error.count("\n") == 1


def test_notebooks_get_the_parameters_of_the_command_line(start, tmp_path, monkeypatch):
    (tmp_path / "data/acdc").mkdir(parents=True)
    seen = []
    monkeypatch.setattr(running, "_run_all", lambda options, jobs, *_: seen.extend(jobs))
    options = ["--profile", "cpu", "--data", str(tmp_path / "data"), "--datasets", "acdc"]
    assert start(*options, "--methods", "scn", "--seeds", "3", "--fp32") == 0
    common = {"profile": "cpu", "data": str(tmp_path / "data"), "out": str(tmp_path / "out")}
    training = {"dataset": "acdc", "method": "scn", "seed": 3, "fp32": True, "variant": ""}
    assert seen[0].parameters == common | training
    assert all(job.parameters == common for job in seen[1:])
    assert seen[0].output == tmp_path / "out/cpu/notebooks/03_training_acdc_scn_seed3.ipynb"
    assert seen[0].watch == tmp_path / "out/cpu/acdc/scn/seed3/progress.json"
    assert "--step" not in [word for job in seen for word in job.command(True)]
    assert {job.rule: job.needs for job in seen[1:]} == {
        "explore": [],
        "correlation": [],
        "heart": [seen[0].name],
        "tables": [seen[0].name, "08_where_points_are_lost"],
        "pictures": [seen[0].name],
        "choices": [seen[0].name],
        "scribbles": [],
        "own": [],
        "losses": [seen[0].name],
    }


def test_the_kind_of_step_goes_to_what_trains_and_to_no_notebooks_text(
    start, tmp_path, monkeypatch
):
    plans = []
    monkeypatch.setattr(running, "_run_all", lambda options, jobs, *_: plans.append(jobs))
    assert start("--methods", "scn") == start("--methods", "scn", "--step", "eager") == 0
    before, after = plans
    assert [job.parameters for job in after] == [job.parameters for job in before]
    for job, other in zip(after, before, strict=True):
        asked = ["--step", "eager"] if job.rule == "train" else []
        assert job.command(False) == [*other.command(False), *asked]


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--fp32"]])
def test_a_record_that_cannot_be_taken_is_named_before_anything_starts(
    options, start, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(running, "run_graph", lambda *_: pytest.fail("something was started"))
    for method in ("scn", "full"):
        write_record(tmp_path / f"out/demo/phantom/{method}/seed0", None)
    assert start(*options) == 1
    where = tmp_path / "out/demo/phantom/scn/seed0/record.json"
    says = f"error: {where}: of another configuration (and 1 more such records)\n"
    assert capsys.readouterr().err == says
    # Not asked for, to be forgotten, or only to be shown: no error.
    assert start("--methods", "pce", "--dry-run") == 0
    monkeypatch.setattr("scnlib.paths.RESULTS", tmp_path / "out")
    assert start("--retrain", "--dry-run") == 0
    (tmp_path / "out/demo").rename(tmp_path / "out/cpu")
    assert start("--profile", "cpu", "--dry-run") == 0


@pytest.mark.parametrize("name", ["record.json", "curve.csv", "metrics.csv", "predictions.h5"])
@pytest.mark.parametrize("variant", ["", "sgd"])
def test_a_damaged_record_stops_the_study_before_any_table(
    name, variant, notebooks, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(running, "run_graph", lambda *_: pytest.fail("something was started"))
    out = tmp_path / "out"
    for method in ("scn", "pce"):
        departure = variant if method == "pce" else ""
        folder = run_folder(out, "cpu", "acdc", method, 0, departure)
        sample_record.write(folder, make_run("acdc", method, 0, "cpu", departure))
    with (folder / name).open("ab") as file:
        file.write(b"\n]")
    assert command.main(["--profile", "cpu", "--out", str(out), "--notebooks", str(notebooks)]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {folder / name}: ")
    assert not (out / "cpu" / "tables").exists()


@pytest.mark.parametrize("ended", ["error", "cut off", "whole"])
def test_a_notebook_that_failed_after_its_record_is_run_again(ended, start, tmp_path, capsys):
    write_record(tmp_path / "out/demo/phantom/pce/seed0")
    name = "03_training_phantom_pce_seed0"
    path = write_notebook(tmp_path / f"out/demo/notebooks/{name}.ipynb", "pass")
    book = json.loads(path.read_text())
    for cell in book["cells"]:
        cell["execution_count"] = None if ended == "cut off" else 1
    if ended == "error":
        error = {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": []}
        book["cells"][-1]["outputs"] = [error]
    path.write_text(json.dumps(book))
    assert start("--methods", "pce", "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "demo: 1 of 1 trainings have their record"
    assert (f"would run {name}" in lines) == (ended != "whole")


@pytest.mark.parametrize(("writable", "expected"), [(True, "home/.cache"), (False, "work/cache")])
def test_snakemake_has_a_cache_where_the_home_folder_cannot_be_written_to(
    writable, expected, tmp_path, monkeypatch
):
    home, asked = tmp_path / "home", []
    home.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setattr(graph.os, "access", lambda *given: asked.append(given) or writable)
    found = graph._environment([], 1, tmp_path / "work")["XDG_CACHE_HOME"]
    assert (found, asked) == (str(tmp_path / expected), [(home, graph.os.W_OK)])
