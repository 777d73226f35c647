"""SCN's pseudo-labels while it trains: how right they are, and what they look like on a few slices.

    python -m study.lessons.growth --data DIR --out results/cpu/growth --iterations 1000

The training is the study's own (`scnlib.training.Training`), and nothing that is measured here acts
on it: masks are only compared with, in evaluation mode, and no random number is drawn from it.
Killed, it goes on. Where it stands is in OUT, in the end without the checkpoint:

growth.csv   a row for each iteration that was looked at, source and structure: the pixels that the
             source says are the structure, those of the truth, and those of both; tau; no scribble
             is counted, as its label is given
labels.npz   each source's labels on the slices that are shown, uint8; K where it says nothing
growth.json  the run, the data's sums, code, machine and packages
"""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from scnlib.checkpoint import CHECKPOINT
from scnlib.config import EarlierError, Run, differences
from scnlib.errors import one_line
from scnlib.files import held, replace_bytes, replace_text, sha256
from scnlib.methods.scn import SCN
from scnlib.paths import to_path
from scnlib.schema import of_earlier_version
from scnlib.training import Training
from study.commands import described, exit_code
from study.experiments import make_run
from study.lessons.walkthrough import Maps, Slice, added, candidates, gather, spread_slices

CALLED = {
    "prediction": "prediction",
    "PAP": "PAP's labels",
    "M": "trusted (M)",
    "votes": "added by votes",
}
SOURCES = tuple(CALLED)
COUNTED, SHOWN = 32, 2  # slices
EVERY = 50  # iterations
GROWTH = "growth.json"


@dataclass(frozen=True)
class Growth:
    """What `watch` has kept."""

    counts: pd.DataFrame  # growth.csv
    iterations: np.ndarray  # (T,) of the pictures
    labels: dict[str, np.ndarray]  # source -> (T, SHOWN, H, W) uint8, K where it says nothing
    facts: dict[str, Any]  # growth.json

    @property
    def classes(self) -> list[str]:
        """Names, background first."""
        return list(dict.fromkeys(self.counts["structure"]))


def said(maps: Maps) -> dict[str, Tensor]:
    """What each of `SOURCES` says of a slice's pixels, (H, W) long; K where it says nothing.

    prediction  argmax P
    PAP         argmax of the propagated probabilities, which L_PAP teaches everywhere
    M           the pseudo-labels of the trusted pixels, before the vote
    votes       the labels of the pixels that RSR's vote adds to M
    """
    K = len(maps.P)
    return {
        "prediction": maps.P.argmax(dim=0),
        "PAP": maps.Y_corr.argmax(dim=0),
        "M": torch.where(maps.before.confident, maps.before.labels, K)[0],
        "votes": torch.where(added(maps), maps.after.labels[0], K),
    }


def count(labels: Tensor, chosen: Slice) -> np.ndarray:
    """Pixels of labels, of the truth and of both by class, (K, 3) integer; without scribbles."""
    K = len(chosen.classes)
    free = chosen.scribble[0] == K
    pairs = [(labels == k, chosen.label[0] == k) for k in range(K)]
    return np.array([[int((x & free).sum()) for x in (a, b, a & b)] for a, b in pairs])


def tally(net: SCN, slices: Sequence[Slice]) -> dict[str, np.ndarray]:
    """`count` of each source, summed over slices."""
    total = {source: np.zeros((len(slices[0].classes), 3), int) for source in SOURCES}
    for one in slices:
        for source, labels in said(gather(net, one, "")).items():
            total[source] += count(labels, one)
    return total


def watch(run: Run, folder: Path, root: Path | None, every: int = EVERY) -> Growth:
    """Train `run`, a run of SCN, and look at its pseudo-labels every so many iterations.

    The last iteration is looked at, too. What a finished one has left is read. The slices counted
    are `COUNTED` of the training split, evenly spread over it; shown are the `SHOWN` validation
    slices whose smallest structure is largest. Raises as `scnlib.training.train`, and ValueError
    where no subject has both scribbles and masks, or the folder holds what another run has left.
    """
    if (folder / GROWTH).exists():
        return _finished_one(run, folder)
    counted = spread_slices("train", run, root, COUNTED)
    shown = candidates(run.dataset, root, run, SHOWN)
    training = Training(run, folder, root, torch.device("cpu"))
    assert isinstance(training.method, SCN)
    with held(folder):
        training.resume()
        rows, pictures = _so_far(folder, training.state.iteration)
        while True:
            iteration = training.state.iteration
            due = iteration % every == 0 or iteration == run.profile.iterations
            if due and iteration not in pictures and iteration:
                training.method.eval()
                rows += _rows(iteration, training.method, counted)
                pictures[iteration] = _pictures(training.method, shown)
                _keep(folder, rows, pictures)
                training.save()
            if iteration == run.profile.iterations:
                break
            training.advance()
        facts = training.facts() | {"run": asdict(run)}
        facts["files"] = {name: sha256(folder / name) for name in ("growth.csv", "labels.npz")}
        replace_text(folder / GROWTH, json.dumps(facts, indent=1, default=str) + "\n")
        (folder / CHECKPOINT).unlink(missing_ok=True)
        (folder / "progress.json").unlink(missing_ok=True)
    return read_growth(folder)


def _finished_one(run: Run, folder: Path) -> Growth:
    """What the folder holds; ValueError if that is of another run."""
    found = read_growth(folder)
    try:
        of = Run.from_json(json.dumps(found.facts["run"]))
    except EarlierError as error:
        raise of_earlier_version(folder / GROWTH, error) from error
    if what := differences(of, run):
        raise ValueError(
            f"{folder / GROWTH}: of another configuration ({what}); give another --out, or delete "
            f"{folder}"
        )
    return found


def read_growth(folder: Path) -> Growth:
    """What `watch` has kept in a folder.

    Raises ValueError naming the file that is missing, unreadable or not what the run wrote.
    """
    path = folder / GROWTH
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        for name, expected in facts["files"].items():
            path = folder / name
            if sha256(path) != expected:
                raise ValueError("changed since its run")
        labels = dict(np.load(folder / "labels.npz"))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path}: {one_line(error)}; run the same command again if it was cut off, else "
            f"restore it from version control, or delete {folder} and watch the training again"
        ) from None
    return Growth(_read_counts(folder), labels.pop("iterations"), labels, facts)


def _read_counts(folder: Path) -> Any:
    """growth.csv, with names as they were written: "NA" is one, and "1" no number."""
    texts: Any = {"source": str, "structure": str}
    missing = {"tau": [""]}  # where the training diverged
    path = folder / "growth.csv"
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing)


def shares(growth: Growth) -> pd.DataFrame:
    """Precision and recall (fractions) by iteration, source and structure.

    Precision is nan where the source says nothing of the structure.
    """
    table = growth.counts.set_index(["iteration", "source", "structure"])
    return pd.DataFrame(
        {
            "precision": table["both"] / table["said"].where(table["said"] > 0),
            "recall": table["both"] / table["true"].where(table["true"] > 0),
        }
    )


def in_the_end(growth: Growth) -> pd.DataFrame:
    """Precision and recall (%) at the last look: a row a source, columns (quantity, structure)."""
    found: Any = 100 * shares(growth)
    table = found.xs(found.index[-1][0]).unstack("structure").reindex(list(SOURCES))
    names = [(q, name) for q in ("precision", "recall") for name in growth.classes[1:]]
    return table[names]


def growth_lines(growth: Growth) -> list[str]:
    """What the last look says of each source, as lines of Markdown; of votes also what all do.

    Each look's votes are of other pixels, and few: one look alone would be chance.
    """
    counts = growth.counts
    heart: Any = counts[counts["structure"] != growth.classes[0]]
    last = heart[heart["iteration"] == counts["iteration"].iloc[-1]]
    found = []
    for source in SOURCES:
        named, true, both = last.loc[last["source"] == source, ["said", "true", "both"]].sum()
        right = f"{both} of them ({100 * both / named:.0f}%) in the right structure; " * bool(named)
        found.append(
            f"**{CALLED[source]}**: {named} pixels said to be heart, {right}"
            f"{100 * both / true:.0f}% of the heart is found."
        )
    named, both = heart.loc[heart["source"] == "votes", ["said", "both"]].sum()
    if named:
        looks = len(growth.iterations)
        found[-1] += (
            f" In all {looks} looks: {named} pixels, {100 * both / named:.0f}% of them right."
        )
    return found


def _rows(iteration: int, net: SCN, slices: Sequence[Slice]) -> list[dict[str, Any]]:
    return [
        {"iteration": iteration, "tau": round(net.tau.value, 6), "source": source}
        | {"structure": name}
        | dict(zip(("said", "true", "both"), numbers.tolist(), strict=True))
        for source, counts in tally(net, slices).items()
        for name, numbers in zip(slices[0].classes, counts, strict=True)
    ]


def _pictures(net: SCN, slices: Sequence[Slice]) -> dict[str, np.ndarray]:
    found = [said(gather(net, one, "")) for one in slices]
    return {s: np.stack([one[s].numpy() for one in found]).astype(np.uint8) for s in SOURCES}


def _keep(folder: Path, rows: list[dict[str, Any]], pictures: dict[int, Any]) -> None:
    """Write growth.csv and labels.npz, each at once."""
    replace_text(folder / "growth.csv", pd.DataFrame(rows).to_csv(index=False))
    stacked = {s: np.stack([one[s] for one in pictures.values()]) for s in SOURCES}
    memory = io.BytesIO()
    np.savez_compressed(memory, allow_pickle=False, iterations=np.array([*pictures]), **stacked)
    replace_bytes(folder / "labels.npz", memory.getvalue())


def _so_far(folder: Path, iteration: int) -> tuple[list[dict[str, Any]], dict[int, Any]]:
    """The rows and pictures that a killed run has left, up to its checkpoint's iteration."""
    if not iteration or not (folder / "labels.npz").exists():
        return [], {}
    table = _read_counts(folder)
    kept = dict(np.load(folder / "labels.npz"))
    pictures = {
        int(t): {source: kept[source][i] for source in SOURCES}
        for i, t in enumerate(kept["iterations"])
        if t <= iteration and (table["iteration"] == t).any()
    }
    return table[table["iteration"].isin(list(pictures))].to_dict("records"), pictures


def main(words: list[str] | None = None) -> int:
    """Watch one training; 1 after one line for what can't be done."""
    parser = described("study.lessons.growth", __doc__)
    parser.add_argument("--dataset", default="acdc")
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--iterations", type=int, help="fewer than the profile has")
    parser.add_argument("--data", type=to_path, help="the data's folder")
    parser.add_argument("--out", type=to_path, required=True, help="a folder of its own")
    options = parser.parse_args(words)
    shorter = {} if options.iterations is None else {"iterations": options.iterations}

    def action() -> None:
        run = make_run(options.dataset, "scn", 0, options.profile, **shorter)
        watch(run, options.out, options.data)
        print(f"{options.out}: {run.profile.iterations} iterations, watched")

    return exit_code(action)


if __name__ == "__main__":
    sys.exit(main())
