"""Which runs are found under a folder of results, and what stops the search."""

import re
from pathlib import Path

import pytest

from scnlib.paths import run_folder
from study.collected import KINDS, Kind, collect
from study.experiments import make_run
from study.places import TAKEN, files_under, is_name
from tests.sample_record import write


def place(out: Path, method: str, seed: int = 0, variant: str = "", profile: str = "demo") -> Path:
    folder = run_folder(out, profile, "phantom", method, seed, variant)
    write(folder, make_run("phantom", method, seed, profile, variant), tested=not variant)
    return folder


def test_collect_takes_the_runs_of_one_profile(tmp_path: Path) -> None:
    for method, seed in (("scn", 1), ("scn", 0), ("pce", 0)):
        place(tmp_path, method, seed)
    place(tmp_path, "full", profile="cpu")
    place(tmp_path, "pce", variant="factor03")
    found = collect(tmp_path, "demo")
    assert [(r.run.method, r.run.seed) for r in found] == [("pce", 0), ("scn", 0), ("scn", 1)]
    assert [r.run.variant for r in found] == ["", "", ""]
    departures = collect(tmp_path, "demo", "variants")
    assert [(r.run.method, r.run.variant) for r in departures] == [("pce", "factor03")]
    assert [r.run.method for r in collect(tmp_path, "cpu")] == ["full"]
    assert collect(tmp_path, "cpu", "variants") == []
    assert collect(tmp_path, "paper") == collect(tmp_path / "none", "demo") == []


def test_a_run_on_a_fold_is_of_a_kind_of_its_own(tmp_path: Path) -> None:
    for dataset, variant in (("acdc_fold1", ""), ("acdc", ""), ("acdc_fold2", "sgd")):
        run = make_run(dataset, "scn", variant=variant)
        write(run_folder(tmp_path, "demo", dataset, "scn", 0, variant), run, tested=not variant)
    kinds = {kind: [r.run.dataset for r in collect(tmp_path, "demo", kind)] for kind in KINDS}
    expected = {"protocol": ["acdc"], "variants": ["acdc_fold2"], "folds": ["acdc_fold1"]}
    assert kinds == expected | {"sensitivity": []} and not is_name("folds")


def test_a_data_set_may_be_called_as_a_kind_of_runs_is(tmp_path: Path) -> None:
    assert is_name("protocol") and not is_name("sensitivity")
    write(run_folder(tmp_path, "demo", "protocol", "scn", 0), make_run("protocol", "scn"))
    assert len(collect(tmp_path, "demo")) == 1


def test_collect_does_not_mind_what_the_folder_is_called(tmp_path: Path) -> None:
    place(tmp_path / "variants", "pce")
    assert len(collect(tmp_path / "variants", "demo")) == 1


@pytest.mark.parametrize("name", TAKEN)
def test_a_method_may_be_called_as_a_page_is(tmp_path: Path, name: str) -> None:
    place(tmp_path, name)
    assert [record.run.method for record in collect(tmp_path, "demo")] == [name]
    place(tmp_path, name, variant="sgd")
    assert [record.run.method for record in collect(tmp_path, "demo", "variants")] == [name]


def test_a_data_set_may_lie_on_another_disk(tmp_path: Path) -> None:
    place(tmp_path / "disk", "scn")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "phantom").symlink_to(tmp_path / "disk" / "demo" / "phantom")
    (found,) = collect(tmp_path, "demo")
    assert found.folder == run_folder(tmp_path, "demo", "phantom", "scn", 0)


def test_files_are_found_at_any_depth_in_any_folder(tmp_path: Path) -> None:
    """Links and folders whose names are patterns or hidden."""
    folder = tmp_path / "a [b] *"
    paths = [folder / "x.txt", folder / ".c" / "x.txt", folder / "d" / "e" / "x.txt"]
    for path in [*paths, tmp_path / "f" / "x.txt", folder / "d" / "x.md"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "g").symlink_to(tmp_path / "f")
    assert files_under(folder, "x.txt") == sorted([*paths, folder / "g" / "x.txt"])
    assert files_under(folder, "*.md") == [folder / "d" / "x.md"]
    assert files_under(tmp_path / "nowhere", "x.txt") == []


@pytest.mark.parametrize(
    ("variant", "kind"), [("", "protocol"), ("sgd", "variants"), ("short+sgd", "sensitivity")]
)
def test_collect_refuses_what_is_damaged_or_lost(tmp_path: Path, variant: str, kind: Kind) -> None:
    place(tmp_path, "scn", variant=variant)
    whole = place(tmp_path, "pce", variant=variant)
    kept = {path: path.read_bytes() for path in whole.iterdir()}
    for path, content in kept.items():
        for damaged in (content + b"\n", content[:-1], None):
            if damaged is None:
                path.unlink()
            elif path.name != "record.json":
                path.write_bytes(damaged)
            else:
                path.write_bytes(damaged[:50])
            with pytest.raises(ValueError, match=re.escape(f"{path}: ")):
                collect(tmp_path, "demo", kind)
            path.write_bytes(content)
    assert len(collect(tmp_path, "demo", kind)) == 2
    place(tmp_path, "pce", 1, variant=variant).rename(whole.with_name("seed2"))
    with pytest.raises(ValueError, match=r"seed2/record\.json: of .*pce/seed1: move it there"):
        collect(tmp_path, "demo", kind)


@pytest.mark.parametrize("variant", ["short", "short+stride4", "short128", "short128+nopap"])
def test_short_runs_stand_apart_from_whole_ones(variant: str) -> None:
    folder = run_folder(Path(), "cpu", "acdc", "scn", 0, variant)
    assert folder == Path("cpu/sensitivity", variant, "acdc/scn/seed0")


def test_a_run_in_progress_is_no_damage(tmp_path: Path) -> None:
    folder = place(tmp_path, "scn")
    (folder / "record.json").unlink()
    (folder / "checkpoint.pt").touch()
    assert collect(tmp_path, "demo") == []
