"""Watching SCN's pseudo-labels: counts by hand, a training left alone, killed and gone on with."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from scnlib.checkpoint import CHECKPOINT
from scnlib.confidence import Pseudo
from scnlib.config import ComparedOptions
from scnlib.files import sha256
from scnlib.training import Training
from study.lessons import growth, growth_figures, walkthrough
from study.lessons.walkthrough import Maps, Slice
from tests.tiny_runs import CPU, cases, serve, tiny

RUN = tiny("scn", size=32, iterations=4)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch):
    serve(monkeypatch)
    monkeypatch.setattr(walkthrough, "load_split", lambda dataset, root, split: cases(split))
    monkeypatch.setattr(growth, "COUNTED", 3)


def by_hand() -> tuple[Maps, Slice]:
    """A 2 x 2 slice of background (0) and a structure (1); its first pixel is a scribble."""
    P = torch.tensor([[[0.9, 0.4], [0.2, 0.8]], [[0.1, 0.6], [0.8, 0.2]]])
    Y_corr = torch.tensor([[[0.9, 0.9], [0.1, 0.1]], [[0.1, 0.1], [0.9, 0.9]]])
    labels = torch.tensor([[[0, 1], [1, 0]]])
    before = Pseudo(labels, torch.tensor([[[True, False], [True, False]]]))
    after = Pseudo(torch.tensor([[[0, 1], [1, 1]]]), torch.tensor([[[True, False], [True, True]]]))
    nothing = torch.zeros(1, 1, 2, 2)
    maps = Maps("", nothing[0], torch.zeros(1, 1), P, Y_corr, 0.7, before, after)
    scribble, label = torch.tensor([[[0, 2], [2, 2]]]), torch.tensor([[[0, 1], [1, 0]]])
    return maps, Slice("", nothing, scribble, label, ("background", "heart"), nothing)


def test_what_a_source_says_and_how_much_of_it_is_right():
    maps, chosen = by_hand()
    said = growth.said(maps)
    assert said["prediction"].tolist() == [[0, 1], [1, 0]]
    assert said["PAP"].tolist() == [[0, 0], [1, 1]]
    assert said["M"].tolist() == [[0, 2], [1, 2]]  # 2: nothing
    assert said["votes"].tolist() == [[2, 2], [2, 1]]
    # Said, true, both; the scribbled pixel is not counted. Truth there: 0 once, 1 twice.
    assert growth.count(said["prediction"], chosen).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert growth.count(said["PAP"], chosen).tolist() == [[1, 1, 0], [2, 2, 1]]
    assert growth.count(said["M"], chosen).tolist() == [[0, 1, 0], [1, 2, 1]]
    assert growth.count(said["votes"], chosen).tolist() == [[0, 1, 0], [1, 2, 0]]


def test_watching_leaves_the_training_as_it_is(few, tmp_path: Path):
    found = growth.watch(RUN, tmp_path / "watched", None, every=2)
    alone = Training(RUN, tmp_path / "alone", None, CPU)
    while alone.state.iteration < RUN.profile.iterations:
        alone.advance()
    assert found.iterations.tolist() == [2, 4]
    assert found.facts["validation"]["curve"] == alone.state.validated["curve"]
    assert set(found.counts["tau"]) > {round(alone.method.tau.value, 6)}  # pyright: ignore
    assert not (tmp_path / "watched" / CHECKPOINT).exists()


def test_the_last_iteration_is_looked_at_however_few_there_are(few, tmp_path: Path):
    assert growth.watch(RUN, tmp_path / "g", None, every=3).iterations.tolist() == [3, 4]
    assert growth.watch(RUN, tmp_path / "h", None, every=9).iterations.tolist() == [4]


def test_what_another_run_has_left_is_not_taken_for_this_ones(few, tmp_path: Path):
    growth.watch(RUN, tmp_path, None, every=4)
    assert growth.watch(RUN, tmp_path, None, every=4).iterations.tolist() == [4], "read"
    other = replace(RUN, compared=ComparedOptions(s2l_passes="late"))
    growth.watch(other, tmp_path, None)  # has no part in it
    longer = tiny("scn", size=32, iterations=6)
    with pytest.raises(ValueError, match=r"growth\.json: of another .*iterations is 4, not 6"):
        growth.watch(longer, tmp_path, None)


def test_what_was_watched_before_an_option_came_is_refused_with_the_command_that_rewrites_it(
    few, tmp_path: Path
):
    growth.watch(RUN, tmp_path, None, every=2)
    path = tmp_path / growth.GROWTH
    facts = json.loads(path.read_text())
    del facts["run"]["scn"]["stride"]
    path.write_text(json.dumps(facts))
    with pytest.raises(ValueError) as error:
        growth.watch(RUN, tmp_path, None, every=2)
    said = f"{path}: of an earlier version (scn has no stride): "
    assert str(error.value) == f"{said}python -m study.migrate {tmp_path} rewrites it"


def test_a_killed_one_goes_on_to_the_same_bytes(few, tmp_path: Path, monkeypatch):
    growth.watch(RUN, tmp_path / "whole", None, every=1)
    advance, left = Training.advance, iter([True, True, True])

    def killed(training: Training) -> None:
        if not next(left, False):
            raise KeyboardInterrupt
        advance(training)

    monkeypatch.setattr(Training, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        growth.watch(RUN, tmp_path / "killed", None, every=1)
    # Two looks were kept, and a third whose checkpoint never came.
    late = pd.read_csv(tmp_path / "killed" / "growth.csv")
    late.tail(1).assign(iteration=4).to_csv(
        tmp_path / "killed" / "growth.csv", mode="a", header=False, index=False
    )
    monkeypatch.setattr(Training, "advance", advance)
    growth.watch(RUN, tmp_path / "killed", None, every=1)
    whole, gone_on = ((tmp_path / n / "growth.csv").read_bytes() for n in ("whole", "killed"))
    assert whole == gone_on


@pytest.mark.parametrize("name", ["growth.csv", "labels.npz", "growth.json"])
def test_a_changed_file_is_named(few, tmp_path: Path, name: str):
    growth.watch(RUN, tmp_path / "g", None, every=4)
    with (tmp_path / "g" / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=rf"{name}.*restore it"):
        growth.read_growth(tmp_path / "g")


def test_a_structure_may_be_called_as_nothing_is(tmp_path: Path):
    """Names stay text; tau alone may be missing, where a training has diverged."""
    row = {"iteration": 2, "tau": float("nan"), "source": "PAP"}
    rows = [row | {"structure": s, "said": 3, "true": 4, "both": 2} for s in ("background", "NA")]
    growth._keep(tmp_path, rows, {2: dict.fromkeys(growth.SOURCES, np.zeros((1, 2, 2), np.uint8))})
    kept, _ = growth._so_far(tmp_path, 2)
    assert [one["structure"] for one in kept] == ["background", "NA"]
    sums = {name: sha256(tmp_path / name) for name in ("growth.csv", "labels.npz")}
    (tmp_path / growth.GROWTH).write_text(json.dumps({"files": sums}))
    found = growth.read_growth(tmp_path)
    assert found.classes == ["background", "NA"]
    assert found.counts["said"].tolist() == [3, 3]
    assert found.counts["tau"].isna().tolist() == [True, True]


def test_shares_are_nan_where_nothing_is_said():
    row = {"iteration": 5, "tau": 0.8, "source": "votes"}
    counts = pd.DataFrame(
        [
            row | {"structure": "RV", "said": 0, "true": 4, "both": 0},
            row | {"structure": "LV", "said": 4, "true": 8, "both": 2},
        ]
    )
    found = growth.shares(growth.Growth(counts, np.array([5]), {}, {}))
    assert np.isnan(found.loc[(5, "votes", "RV"), "precision"])
    assert found.loc[(5, "votes", "RV"), "recall"] == 0
    assert found.loc[(5, "votes", "LV")].tolist() == [0.5, 0.25]


def test_the_end_is_told_from_the_last_look():
    rows = [
        {"iteration": t, "tau": 0.8, "source": source, "structure": name}
        | {"said": said, "true": 10, "both": both}
        for t, both in ((5, 0), (10, 4))
        for source in growth.SOURCES
        for name, said in (("background", 9), ("RV", 8), ("LV", 4))
    ]
    found = growth.Growth(pd.DataFrame(rows), np.array([5, 10]), {}, {})
    end = growth.in_the_end(found)
    assert list(end.columns) == [
        (q, name) for q in ("precision", "recall") for name in ("RV", "LV")
    ]
    assert end.loc["votes"].tolist() == [50, 100, 40, 40]
    assert growth.growth_lines(found)[1] == (
        "**PAP's labels**: 12 pixels said to be heart, 8 of them (67%) in the right structure; "
        "40% of the heart is found."
    )
    assert growth.growth_lines(found)[-1].endswith(" In all 2 looks: 24 pixels, 33% of them right.")


def test_the_figures_show_every_source_and_a_film_is_small(few, tmp_path: Path):
    found = growth.watch(RUN, tmp_path / "g", None, every=1)
    chosen = walkthrough.candidates("phantom", None, RUN, growth.SHOWN)
    axes = growth_figures.draw_shares(found).axes
    assert len(axes) == 6 and len(axes[0].lines) == len(growth.SOURCES)
    strip = growth_figures.draw_strip(found, chosen[0], 0, most=3)
    assert len(strip.axes) == 12
    film = growth_figures.write_gif(found, chosen[1], 1, tmp_path / "film.gif")
    assert film.read_bytes()[:3] == b"GIF" and film.stat().st_size < growth_figures.MOST_FILM_BYTES


def test_a_full_disk_keeps_the_film_before(tmp_path: Path, monkeypatch):
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    path, chosen = tmp_path / "film.gif", by_hand()[1]
    path.write_bytes(b"before")
    found = growth.Growth(pd.DataFrame(), np.arange(2), {}, {})
    monkeypatch.setattr(growth_figures, "_frame", lambda *_: Image.new("L", (2, 2)))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ValueError, match=r"film\.gif: can't be written \(No space left"):
        growth_figures.write_gif(found, chosen, 0, path)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_frames_are_denser_in_the_beginning_and_end_with_the_last():
    found = growth.Growth(pd.DataFrame(), np.arange(60), {}, {})
    shown = growth_figures.frames(found, 6)
    assert shown[0] == 0 and shown[-1] == 59 and len(shown) <= 7
    assert np.all(np.diff(shown, 2) >= 0)
