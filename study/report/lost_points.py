"""Where the points of Dice are lost, and what the simplest prior gives back.

A prediction is mended step by step, each step with the truth's help, and the Dice that a step wins
is what that kind of fault had cost. The steps, in this order, so that their gains add up to what is
missing from 1:

far      foreground further than `FAR` mm, in its slice, from every true structure is removed
         (slices in which the truth has no structure at all are left to the next step)
absent   a structure in a slice where the truth has none of it is removed
missed   a structure in a slice where the prediction has none of it is filled in
border   every pixel within one pixel of a true border between classes is set right
rest     all other pixels are set right

Dice after the first step is *Dice near the heart*. It is an oracle, to describe and not to compete.
A prior needs no truth: the heart is one connected thing, so of all predicted foreground the largest
connected part of the volume is kept ("heart"), or of each structure its own ("parts").
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.segmentation import find_boundaries

from scnlib.data.cases import Case
from scnlib.evaluation import dice
from scnlib.files import replace_text
from scnlib.records import Record
from study.report.means import seeds_count, seeds_text
from study.report.statistics import compare
from study.report.titles import in_order, title
from study.report.verdicts import interval

FAR = 20.0  # mm
MENDINGS = ("far", "absent", "missed", "border", "rest")
PRIORS = ("heart", "parts")
VOXELS = ("voxels", "true_voxels")
FILE = "lost_points.csv"


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a boolean volume (n, H, W), over shared faces; itself if empty.

    Of several as large, the first in the order of the voxels.
    """
    numbered, count = ndimage.label(mask)  # pyright: ignore[reportGeneralTypeIssues]
    if count < 2:
        return mask
    sizes = np.bincount(numbered.ravel())
    return numbered == 1 + sizes[1:].argmax()


def keep_largest(labels: np.ndarray, prior: str) -> np.ndarray:
    """A label volume with the largest part of all structures together, or of each, kept.

    Args:
        labels: (n, H, W) integer, 0 background.
        prior: "heart" or "parts"; another is a `ValueError`.
    """
    if prior not in PRIORS:
        raise ValueError(f"unknown prior {prior!r}: choose one of {', '.join(PRIORS)}")
    if prior == "heart":
        return np.where(largest_part(labels > 0), labels, 0)
    kept = np.zeros_like(labels)
    for k in np.unique(labels[labels > 0]):
        kept[largest_part(labels == k)] = k
    return kept


def far_from(truth: np.ndarray, spacing: Sequence[float], limit: float = FAR) -> np.ndarray:
    """Pixels further than `limit` mm, within their slice, from every structure: bool (n, H, W).

    Nothing is far in a slice without a structure. Where the spacing is unknown, 1 mm a pixel.
    """
    step = [s if np.isfinite(s) else 1.0 for s in spacing[1:]]
    far = np.zeros(truth.shape, dtype=np.bool_)
    for z, labels in enumerate(truth):
        if labels.any():
            distance: Any = ndimage.distance_transform_edt(labels == 0, sampling=step)
            far[z] = distance > limit
    return far


def near_border(truth: np.ndarray) -> np.ndarray:
    """Pixels within one pixel of a border between classes, in the slice: bool (n, H, W)."""
    return np.stack([find_boundaries(labels, connectivity=1, mode="thick") for labels in truth])


def mended(prediction: np.ndarray, truth: np.ndarray, far: np.ndarray) -> Iterator[np.ndarray]:
    """The prediction after each of `MENDINGS`; the last is the truth. All (n, H, W) integer."""
    labels = np.where(far, 0, prediction)
    yield labels
    found, true = (_slices_with(volume) for volume in (labels, truth))
    labels = np.where(_at(found & ~true, labels), 0, labels)
    yield labels
    labels = np.where(_at(true & ~found, truth), truth, labels)
    yield labels
    yield np.where(near_border(truth), truth, labels)
    yield truth


def _slices_with(labels: np.ndarray) -> np.ndarray:
    """Which structure is in which slice: bool (n, 256), column 0 (background) False."""
    there = np.stack([np.bincount(one.ravel(), minlength=256)[:256] > 0 for one in labels])
    there[:, 0] = False
    return there


def _at(slices: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The pixels of the structures in the slices that `slices` (n, 256) marks."""
    return slices[np.arange(len(labels))[:, None, None], labels]


def points_lost(record: Record, cases: Sequence[Case]) -> pd.DataFrame:
    """One row a volume and structure of a run that kept its predictions.

    Columns: dataset, method, seed, volume, subject, frame, structure, dice (of the prediction, a
    fraction), a column of Dice after each of `MENDINGS` but the last, Dice with each of `PRIORS`,
    nan where a structure is in neither mask; and `VOXELS`, the structure's voxels in the prediction
    after the second step (floods would hide how thick a wall is) and in the truth.

    Raises `ValueError` as `Record.prediction` does, and for a case without masks.
    """
    rows = []
    for case in cases:
        if case.label is None:
            raise ValueError(f"{case.source}: no masks to compare with; give a volume with labels")
        prediction, truth = record.prediction(case.volume), case.label
        volumes: dict[str, Any] = {"dice": prediction}
        steps = mended(prediction, truth, far_from(truth, case.spacing))
        volumes |= dict(zip(MENDINGS[:-1], steps, strict=False))
        volumes |= {prior: keep_largest(prediction, prior) for prior in PRIORS}
        run = record.run
        for k, structure in enumerate(case.classes[1:], start=1):
            row = {"dataset": run.dataset, "method": run.method, "seed": run.seed}
            row |= {"volume": case.volume, "subject": case.subject, "frame": case.frame}
            row |= {"structure": structure}
            row |= {name: dice(labels == k, truth == k) for name, labels in volumes.items()}
            counts = (np.count_nonzero(labels == k) for labels in (volumes["absent"], truth))
            row |= dict(zip(VOXELS, counts, strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def score_all(records: Sequence[Record], cases: Mapping[str, Sequence[Case]]) -> pd.DataFrame:
    """`points_lost` of every tested run with predictions whose data set is among `cases`."""
    kept = [r for r in records if r.run.dataset in cases and "predictions.h5" in r.files]
    frames = [points_lost(record, cases[record.run.dataset]) for record in kept]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows that were kept in a profile's folder; empty if there are none."""
    path = folder / FILE
    if not path.exists():
        return pd.DataFrame()
    # Names may look like numbers ("001") or like nothing ("NA"); only scores are missing by a gap.
    names = ("dataset", "method", "volume", "subject", "frame", "structure")
    gaps = {name: [""] for name in ("dice", *MENDINGS[:-1], *PRIORS, *VOXELS)}
    return pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=gaps)


def check_rows(rows: Any, records: Sequence[Record], folder: Path) -> None:
    """Refuse kept rows of a profile's folder that are not those of all its runs with predictions.

    A page made of a file that was cut off would only be shorter. Raises `ValueError` naming the
    file and the runs, unless the rows of each are of the volumes and structures of its metrics,
    with their Dice. A folder whose notebook 08 has still to run again may well hold other rows.
    """
    runs = {
        (r.run.dataset, r.run.method, r.run.seed): r for r in records if "predictions.h5" in r.files
    }
    found = dict(iter(rows.groupby(["dataset", "method", "seed"]))) if len(rows) else {}
    wrong = [
        "{}/{}/seed{}".format(*which)
        for which in sorted(runs.keys() | found.keys())
        if not (which in runs and which in found and _alike(found[which], runs[which].metrics))
    ]
    if wrong:
        raise ValueError(
            f"{folder / FILE}: its rows are not those of {', '.join(wrong)}: delete it "
            "and run notebook 08 again with the data, or restore it from version control"
        )


def _alike(rows: pd.DataFrame, metrics: pd.DataFrame) -> bool:
    """Whether both have the same Dice, which is kept with six decimals, of the same structures."""
    mine, theirs = (
        table.set_index(["volume", "structure"])["dice"].sort_index() for table in (rows, metrics)
    )
    same = mine.index.equals(theirs.index)
    return same and np.allclose(mine, theirs, rtol=0, atol=1.1e-6, equal_nan=True)


def losses(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Points of Dice (percent) by method: what it has, what each fault costs, what a prior gives.

    A row a method by title, in the tables' order. Columns: Dice, near the heart, the five of
    `MENDINGS` (they add up to 100 - Dice), and Dice with each prior. Means over volumes, then over
    structures, then over seeds; volumes where a structure is in neither mask are left out.
    """
    found: dict[str, pd.Series] = {}
    rows = _of(rows, dataset)
    columns = ["dice", *MENDINGS[:-1], *PRIORS]
    for method in in_order(set(rows["method"])):
        part: Any = rows[rows["method"] == method]
        means = part.groupby(["seed", "structure"])[columns].mean().groupby("seed").mean()
        mean = 100 * means.mean()
        after = [mean["dice"], *(mean[step] for step in MENDINGS[:-1]), 100.0]
        row = {"Dice": mean["dice"], "near the heart": mean["far"]}
        row |= dict(zip(MENDINGS, np.diff(after), strict=True))
        row |= {f"with {prior}": mean[prior] for prior in PRIORS}
        found[title(method)] = pd.Series(row | {"seeds": part["seed"].nunique()})
    return pd.DataFrame(found).T


def _of(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    found: Any = rows[rows["dataset"] == dataset] if len(rows) else rows
    return found


def against_scn(rows: pd.DataFrame) -> pd.DataFrame:
    """Every method with one part kept ("heart") against SCN with the same, by patient, in Dice.

    Columns as `study.report.statistics.compare` gives them.
    """
    return compare(rows.assign(dice=rows["heart"]), metrics=["dice"])


def keep(records: Sequence[Record], cases: Mapping[str, Sequence[Case]], folder: Path) -> Path:
    """Write `score_all`'s rows to a profile's folder; rows of other data sets stay as they are."""
    old, new = read_rows(folder), score_all(records, cases)
    if len(old):
        new = pd.concat([old[~old["dataset"].isin(list(cases))], new], ignore_index=True)
        # Rows that were kept without sizes leave gaps, which would make all of them fractions.
        new = new.astype(dict.fromkeys({*VOXELS} & {*new.columns}, "Int64"))
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / FILE, new.to_csv(index=False, float_format="%.6f", lineterminator="\n"))
    return folder / FILE


def sentences(rows: pd.DataFrame, dataset: str) -> list[str]:
    """What the prior is worth on a data set, as lines of Markdown: PCE with it, and SCN.

    Numbers are of the seeds that kept predictions; intervals are 95% bootstrap over patients, and
    the test is adjusted for the paper's methods of the data set.
    """
    tests: Any = against_scn(_of(rows, dataset))
    tests = tests[tests["method"] == "pce"]
    table = losses(rows, dataset)
    if tests.empty or title("scn") not in table.index:
        return []
    row: Any = tests.iloc[0]
    pce, scn = table.loc[title("pce")], table.loc[title("scn")]
    return [
        f"PCE loses {pce['far']:.1f} points far from the heart, SCN {scn['far']:.1f}; near the "
        f"heart PCE has {pce['near the heart']:.1f} and SCN {scn['near the heart']:.1f}.",
        f"PCE with only the largest connected part kept: {pce['with heart']:.1f} (alone "
        f"{pce['Dice']:.1f}); SCN with the same: {scn['with heart']:.1f} (alone "
        f"{scn['Dice']:.1f}). Of PCE {seeds_count(int(row['seeds']))}, of SCN "
        f"{row['reference_seeds']}. Difference by patients {interval(row, 100)}, "
        f"p = {row['p_holm']:.2g} with Holm's adjustment: {row['verdict']}.",
        *_beside_full(rows, dataset),
    ]


def _beside_full(rows: pd.DataFrame, dataset: str) -> list[str]:
    """Full supervision's points to SCN, and how many more SCN loses by each fault, over the seeds
    of both; nothing without such."""
    mine: Any = _of(rows, dataset)
    scns, fulls = (set(mine.loc[mine["method"] == name, "seed"]) for name in ("scn", "full"))
    seeds = sorted(scns & fulls)
    if not seeds:
        return []
    shared: Any = rows[rows["seed"].isin(seeds)]
    table = losses(shared, dataset)
    scn, full = table.loc[title("scn")], table.loc[title("full")]
    each = ", ".join(f"{name} {scn[name] - full[name]:+.1f}" for name in MENDINGS)
    return [
        f"Full supervision has {full['Dice'] - scn['Dice']:+.1f} points to SCN "
        f"({seeds_text(seeds)}); so much more does SCN lose by each fault: {each}."
    ]
