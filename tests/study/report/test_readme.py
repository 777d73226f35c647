"""The README says what the records say, and its commands exist."""

import json
import re
import shutil
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from scnlib.methods import METHODS
from scnlib.paths import REPOSITORY, RESULTS, run_folder
from study.collected import KINDS, collect
from study.experiments import make_run
from study.places import README
from study.report import full_report, lost_points, own_rival, readme
from study.report.claims import answers
from study.report.ledger import list_runs
from study.report.tables import write_tables
from study.report.titles import ROWS, data_title
from study.run.command import parse
from tests import sample_record
from tests.committed_runs import committed_runs


def test_numbers_are_those_of_the_records(tmp_path):
    copy = tmp_path / "README.md"
    shutil.copy(README, copy)
    readme.main(copy)
    assert copy.read_text() == README.read_text(), "run python -m study.report.readme and commit"


def test_reports_are_those_of_the_records(tmp_path):
    tables = [f"table{number}.{kind}" for number in ROWS for kind in ("md", "csv", "tex")]
    pages = [f"night/tables/{name}" for name in ("runs.txt", *tables)]
    pages += ["cpu/REPORT.md", "REPRODUCIBILITY.md", "night/REPORT.md"]
    copy = tmp_path / "results"
    shutil.copytree(RESULTS, copy, ignore=shutil.ignore_patterns("*.ipynb", "*.png", "*.gif"))
    written = readme.write_reports(copy)
    assert written == [copy / page for page in pages]
    for path in {*written, *copy.rglob("runs.txt")}:
        assert path.read_text() == (RESULTS / path.relative_to(copy)).read_text(), REDO_REPORT


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = README.read_text()
    assert len(text.encode()) < 9_000
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (REPOSITORY / link).exists(), link


REDO_REPORT = "run python -m study.report.readme and commit"
REDO = "run ./run_all.sh --profile cpu --data DIR and commit"


def test_the_tables_are_those_of_the_records(tmp_path):
    for path in write_tables(committed_runs(), tmp_path, "cpu"):
        committed = RESULTS / "cpu" / "tables" / path.name
        assert path.read_text() == committed.read_text(), REDO


@pytest.mark.parametrize(
    ("dataset", "variant", "kind"),
    [
        ("acdc", "", "protocol"),
        ("acdc", "stride4", "variants"),
        ("acdc", "short+stride4", "sensitivity"),
        ("acdc_fold3", "", "folds"),
    ],
)
def test_a_report_is_not_written_without_a_run_it_had(tmp_path, dataset, variant, kind):
    made = [run_folder(tmp_path, "cpu", dataset, "scn", seed, variant) for seed in (0, 1)]
    for seed, folder in enumerate(made):
        sample_record.write(folder, make_run(dataset, "scn", seed, "cpu", variant=variant))
    list_runs(collect(tmp_path, "cpu", kind), tmp_path / "cpu" / readme.LISTED[kind])
    shutil.rmtree(made[1])
    with pytest.raises(ValueError, match=rf"runs\.txt: .*{dataset}/scn/seed1"):
        readme.write_reports(tmp_path)
    assert not (tmp_path / "cpu" / "REPORT.md").exists()


def test_no_report_is_written_where_another_profile_has_lost_a_run(tmp_path):
    for profile in ("cpu", "paper"):
        folder = run_folder(tmp_path, profile, "acdc", "scn", 0)
        sample_record.write(folder, make_run("acdc", "scn", 0, profile))
        list_runs(collect(tmp_path, profile), tmp_path / profile / "tables")
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r"paper.*runs\.txt: .*acdc/scn/seed0"):
        readme.write_reports(tmp_path)
    assert not (tmp_path / "cpu" / "REPORT.md").exists()


def test_no_report_is_written_of_lost_points_that_were_cut_off(tmp_path):
    folder = run_folder(tmp_path, "cpu", "acdc", "scn", 0)
    sample_record.write(folder, make_run("acdc", "scn", 0, "cpu"))
    list_runs(collect(tmp_path, "cpu"), tmp_path / "cpu" / "tables")
    with pytest.raises(ValueError, match=r"cpu.lost_points\.csv: .*acdc/scn/seed0: delete it"):
        readme.write_reports(tmp_path)
    assert not (tmp_path / "cpu" / "REPORT.md").exists()


def test_a_run_is_listed_with_its_best_and_its_last_validation(monkeypatch):
    monkeypatch.setattr(full_report, "typical_step", lambda record: 0.1)
    curve = [{"iteration": 10, "dice": 0.75}, {"iteration": 20, "dice": 0.5}]
    run: Any = make_run("acdc", "pce")
    shared: Any = {"run": run, "summary": {"dice": {"mean": 0.625}}}
    found: list[Any] = [
        SimpleNamespace(**shared, validation={"curve": curve, "best": curve[0]}),
        SimpleNamespace(**shared, validation={"curve": [], "best": None}),
    ]
    text = full_report.runs_table(found, [])
    assert "| acdc PCE, seed 0 | 75.00 | 10 | 50.00 | 62.50 | 0.100 |" in text
    assert "| acdc PCE, seed 0 | none | last | none | 62.50 | 0.100 |" in text


def test_the_lists_are_of_the_committed_runs(tmp_path):
    for kind in KINDS:
        folder = readme.LISTED[kind]
        path = list_runs(committed_runs("cpu", kind), tmp_path / folder)
        assert path.read_text() == (RESULTS / "cpu" / folder / path.name).read_text(), REDO_REPORT


def test_the_executed_notebooks_say_what_the_records_say():
    found, variants = committed_runs(), committed_runs("cpu", "variants")
    said = executed("04_tables_and_figure")
    for record in found:
        assert f"{record.run.dataset}/{record.run.method}/seed{record.run.seed}" in said
    for sentence in answers(found, variants, "cpu"):
        assert sentence in said, REDO
    page = (RESULTS / "REPRODUCIBILITY.md").read_text()
    told = page.split("## Findings\n\n")[1].split("\n\n")[0]
    assert told in said, "notebook 04 lists the page's findings"
    said = executed("05_open_choices")
    assert f"{len(variants)} such runs have finished, and {len(found)} of the protocol." in said
    for record in variants:
        best = round(100 * record.validation["best"]["dice"], 2)
        run = record.run
        ours = rf"\| {re.escape(run.variant)} .*\| {run.method} +\| +{run.seed} \| +{best:g} "
        assert re.search(ours, said), run.variant


def test_the_executed_notebook_on_lost_points_says_what_the_rows_say():
    said, rows = executed("08_where_points_are_lost"), lost_points.read_rows(RESULTS / "cpu")
    for dataset in ("acdc", "mscmr"):
        for text in lost_points.sentences(rows, dataset):
            assert f"{data_title(dataset)}: {text}" in said, REDO
    assert own_rival.told_in_full(committed_runs()) in said, REDO


def executed(name: str) -> str:
    """All that the committed copy of a notebook displays as text."""
    path = RESULTS / "cpu" / "notebooks" / f"{name}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    shown = [out.get("data", {}) for cell in cells for out in cell.get("outputs", [])]
    return "\n".join(data[kind] for data in shown for kind in data if kind.startswith("text/"))


def test_the_hours_of_all_trainings_are_those_of_their_typical_steps(monkeypatch):
    monkeypatch.setattr(full_report, "typical_step", lambda record: record.step_s)
    profile = SimpleNamespace(iterations=3_000)
    runs: list[Any] = [
        SimpleNamespace(run=SimpleNamespace(seed=seed, profile=profile), step_s=step)
        for seed, step in ((0, 1.2), (0, 2.4), (1, 9.0))
    ]
    (line,) = full_report.training_time(runs)
    assert (
        "The 2 trainings of seed 0 behind the tables: 3 hours" in line
    )  # 1 and 2; seed 1 is not asked for
    assert full_report.training_time(runs[2:]) == []


def test_what_the_demo_found_is_kept(tmp_path):
    runs = {"pce": 0.5, "scn": 0.75, "dmpls_sgd": 0.25}
    for method, dice in runs.items():
        folder = run_folder(tmp_path, "demo", "phantom", method, 0)
        sample_record.write(folder, make_run("phantom", method), dice=dice)
    assert full_report.phantom_line(tmp_path / "phantom.json") == []
    readme.keep_phantom(tmp_path)
    (line,) = full_report.phantom_line(tmp_path / "phantom.json")
    assert line.endswith("PCE 50.0, DMPLS 25.0, SCN 75.0. Not above PCE: DMPLS.")


def test_the_demo_found_nothing_of_methods_that_are_gone():
    assert json.loads((RESULTS / "phantom.json").read_text())["dice"].keys() <= METHODS.keys()


def test_no_measured_number_stands_outside_the_markers():
    text = README.read_text()
    for name in ("answer", "tables", "findings", "numbers"):
        text = re.sub(rf"<!-- {name}:start -->.*<!-- {name}:end -->", "", text, flags=re.S)
    # A score or a time has decimals or a unit; protocol values and versions have their own words.
    assert not re.findall(r"\b\d+\.\d+ ?(?:%|points|Dice|minutes|seconds|s\b)", text)


def test_a_changed_number_is_noticed(tmp_path):
    if not any(readme.RESULTS.glob("cpu/*/*/seed*/record.json")):
        pytest.skip("no committed record yet")
    copy = tmp_path / "README.md"
    text = README.read_text()
    start = text.index("<!-- tables:start -->")
    copy.write_text(text[:start] + re.sub(r"(\d\d)\.(\d\d)", r"99.\2", text[start:], count=1))
    assert copy.read_text() != text
    readme.main(copy)
    assert copy.read_text() == text


def test_commands_are_accepted():
    lines = re.findall(r"^\./run_all\.sh ?([^#\n]*)", README.read_text(), flags=re.M)
    assert len(lines) >= 5
    for line in lines:
        if "--help" not in line:
            parse(line.split())


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_named_files_and_modules_exist(document):
    text = (REPOSITORY / document).read_text()
    names = re.findall(r"`((?:scnlib|study|tests|notebooks|results/cpu)/[\w/]*(?:\.\w+)?)`", text)
    for name in set(names) - {"scnlib/methods/mine.py"}:
        assert re.search("[A-Z]{4}", name) or (REPOSITORY / name).exists(), name
    for module in re.findall(r"python -m ((?:scnlib|study)[\w.]*)", text):
        assert find_spec(module), module
    assert len(names) > 2
