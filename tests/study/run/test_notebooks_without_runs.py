"""Notebooks 04, 04b, 05 and 08 for someone who has trained nothing: the committed results, said."""

from pathlib import Path
from typing import Any

import IPython.display
import pytest

from scnlib.paths import RESULTS
from study.collected import collect
from study.report import committed, display
from tests.study.run.test_notebooks_on_own_data import NOTEBOOKS, run_cells

FEW = {("acdc", "pce", 0), ("acdc", "scn", 0), ("mscmr", "scn", 0), ("mscmr", "pce", 0)}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the cells display, as text; the committed records are few, which is quicker."""

    def some(*where: Any, **kind: Any) -> list[Any]:
        runs = collect(*where, **kind)
        return [r for r in runs if (r.run.dataset, r.run.method, r.run.seed) in FEW]

    texts: list[str] = []

    def keep(*objects: Any, **_: Any) -> None:
        for thing in objects:
            texts.append(thing["text/plain"] if isinstance(thing, dict) else str(_text(thing)))

    monkeypatch.setattr(committed, "collect", some)
    monkeypatch.setattr(IPython.display, "display", keep)
    monkeypatch.setattr(display, "display", keep)
    monkeypatch.chdir(NOTEBOOKS)  # as Jupyter does
    return texts


def _text(thing: Any) -> Any:
    return getattr(thing, "data", thing)


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_pictures_are_the_committed_ones(profile: str, shown: list[str], tmp_path: Path) -> None:
    run_cells("04b_figure_and_failures", profile=profile, out=str(tmp_path))
    said = [text for text in shown if text.startswith("**Not from here:**")]
    assert [text.split(",")[0].removeprefix("**Not from here:** ") for text in said] == [
        "Fig. 2 of ACDC",
        "The worst test volumes of each method on acdc",
        "The worst test volumes of each method on mscmr",
        "The worst volumes of rows of unlike parts on acdc",
        "The worst volumes of rows of unlike parts on mscmr",
    ]
    assert sum(text in said_by_file(said) for text in shown) == 5
    assert not list(tmp_path.rglob("*.png"))  # nothing is kept as if it were one's own


def said_by_file(said: list[str]) -> set[str]:
    """The alternative texts of the pictures that the sentences announce."""
    return {
        text.removeprefix("**Not from here:** ").split(", as the study drew")[0] for text in said
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("04_tables_and_figure", "# Table 1: all methods on ACDC, profile cpu"),
        ("05_open_choices", "in one run each, which may be chance: RSR's term"),
    ],
)
def test_tables_are_the_committed_ones(
    name: str, content: str, shown: list[str], tmp_path: Path
) -> None:
    run_cells(name, out=str(tmp_path))
    assert any("committed records of profile cpu" in text for text in shown)
    assert any(content in text for text in shown)
    assert not list(tmp_path.rglob("table*"))


def test_lost_points_are_the_committed_ones(
    shown: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (RESULTS / "cpu" / "growth" / "growth.json").exists():
        pytest.skip("results/cpu/growth, which section 4 shows, is not committed yet")
    run_cells("08_where_points_are_lost", out=str(tmp_path))
    assert (
        "No predictions to compare in profile demo: the committed ones" in capsys.readouterr().out
    )
    assert any("points of mean Dice" in text for text in shown)
