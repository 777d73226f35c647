"""Fixtures that several test files share."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from scnlib.paths import REPOSITORY
from study.run import command, planning
from tests.pretended import METHODS, PRETENDED, record_file, write_notebook

# What an example takes depends on the machine, and on what else it does.
settings.register_profile("study", deadline=None)
settings.load_profile("study")
os.environ.pop("SCN_STEP", None)  # how somebody wants their own trainings to run


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data: SCN_DATA, or a folder "data" in or beside the repository."""
    given = os.environ.get("SCN_DATA")
    places = [Path(given)] if given else [REPOSITORY / "data", REPOSITORY.parent / "data"]
    for place in places:
        if (place / "ACDC").is_dir() and (place / "MSCMR").is_dir():
            return place
    pytest.skip("the real data are not here: set SCN_DATA to the folder with ACDC and MSCMR")


@pytest.fixture
def few_subjects(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The training loop reads few subjects, on one thread."""
    import torch  # heavy: not for the tests that do without

    from tests import tiny_runs

    tiny_runs.serve(monkeypatch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# The browser


@pytest.fixture(scope="module")  # not longer: an open Playwright keeps asyncio's loop to itself
def browser() -> Iterator[Any]:
    from tests.browsing import CHROMIUM, FLAGS, api

    with api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser) -> Iterator[Any]:
    """A page without any network; an error of a script on it fails the test."""
    view = browser.new_page(viewport={"width": 900, "height": 760})
    view.set_default_timeout(60_000)
    problems: list[str] = []
    view.on("pageerror", lambda error: problems.append(str(error)))
    yield view
    view.close()
    assert not problems


# The runner


@pytest.fixture
def science(monkeypatch, tmp_path):
    """Stands for what the runner asks of scnlib: method names, records, data."""

    def read(folder):
        return SimpleNamespace(
            summary={"dice": {"mean": json.loads(record_file(folder).read_text())}}
        )

    def load_split(dataset, root, split):
        if not (root / dataset).is_dir():
            raise FileNotFoundError(f"{root / dataset}: there is no data set")
        masked = not (root / dataset / "scribbles only").exists()
        return [SimpleNamespace(label="a mask" if masked else None)]

    def finished(run, folder):
        if record_file(folder).exists() and record_file(folder).read_text() == "null":
            raise ValueError(f"{record_file(folder)}: of another configuration")

    records = SimpleNamespace(
        is_done=lambda folder: record_file(folder).exists(),
        read=read,
        finished=finished,
    )
    nothing = SimpleNamespace(KINDS=("protocol", "variants"), collect=lambda out, profile, kind: [])
    monkeypatch.setitem(sys.modules, "study.collected", nothing)
    sound = SimpleNamespace(lines={}, count=lambda kind: 0)
    check = SimpleNamespace(find_faults=lambda folder, profile: (sound, []))
    monkeypatch.setitem(sys.modules, "study.owndata.check", check)
    sums = SimpleNamespace(fingerprint=lambda dataset, root: {"sha256": "00", "published": True})
    monkeypatch.setitem(sys.modules, "scnlib.data.manifest", sums)
    methods = SimpleNamespace(METHODS=METHODS, get_method=METHODS.__getitem__)
    monkeypatch.setitem(sys.modules, "scnlib.methods", methods)
    monkeypatch.setitem(sys.modules, "scnlib.records", records)
    # What changes in the repository meanwhile is none of the test's business.
    monkeypatch.setattr("study.run.unchanged.REPOSITORY", tmp_path / "repository")
    monkeypatch.setattr("study.run.unchanged.RESULTS", tmp_path / "repository" / "results")
    monkeypatch.setattr("scnlib.data.load_split", load_split)


@pytest.fixture
def notebooks(tmp_path):
    """Notebooks with the right parameters that do nothing."""
    common = 'profile = "demo"\ndata = ""  # a folder\nout = ""\n'
    training = 'dataset = "phantom"\nmethod = "scn"\nseed: int = 0\nfp32 = False\nvariant = ""\n'
    for rule, name in planning.RULES.items():
        parameters = common + training * (rule == "train")
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", "pass", parameters)
    return tmp_path / "notebooks"


@pytest.fixture
def start(science, notebooks, tmp_path):
    """Start the study in this process, with those notebooks and results in tmp_path/out."""
    where = ["--notebooks", str(notebooks), "--out", str(tmp_path / "out")]
    return lambda *options: command.main([*where, *options])


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    script = tmp_path / "pretended.py"
    script.write_text(PRETENDED)
    (tmp_path / "broken").write_text("")
    monkeypatch.setattr(planning, "RUNNER", [sys.executable, str(script)])
    diary = tmp_path / "diary"

    def read() -> list[str]:
        lines = diary.read_text().split()
        diary.unlink()
        return lines

    return read
