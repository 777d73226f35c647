"""The study's own rival, PCE+box, beside SCN, and SCN with the same prior, in words.

Tests are those of the tables: each of the study's own rows is a question of its own, and its p is
adjusted for no other.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report import lost_points
from study.report.findings import run_key
from study.report.means import best_dice, mean_dice, seeds_count
from study.report.statistics import compare
from study.report.titles import data_title
from study.report.verdicts import interval, interval_with_seeds, p_text


def rival_told(records: Sequence[Record], lost: pd.DataFrame, fine: Sequence[Record] = ()) -> str:
    """The finding in short, with one part kept as well; "" where the rival has not been run.

    `lost` are rows of `lost_points.read_rows`, or none; `fine` the runs at the printed resolution.
    """
    if not (text := _alone(records, compare(records).to_dict("records"), full=False)):
        return ""
    kept = with_one_part(lost, full=False)
    text += f" With one part kept in both: {kept}." if kept else ""
    tests = compare(fine).to_dict("records") if fine else []
    printed = f" At 256x256: {listed}." if (listed := _listed(tests)) else ""
    return text + _on_validation(records, fine) + printed + _distance(tests)


def rival_in_brief(
    records: Sequence[Record], lost: pd.DataFrame, fine: Sequence[Record] = ()
) -> str:
    """The same without means, seeds, and intervals of one part kept; "" where it has not run."""
    tests = compare(records).to_dict("records")
    if not (apart := _listed(tests, seeds=False)):
        return ""
    kept = ", ".join(
        _tested(row, f"{100 * row['mean_difference']:+.2f}")
        for row in _of(_kept(lost), "box", "dice")
    )
    part = f" With one part kept in both: {kept}." if kept else ""
    text = f"{_named(tests)} has, in points to SCN, {apart}.{part}{_on_validation(records, fine)}"
    return text + _distance(compare(fine).to_dict("records") if fine else [], seeds=False)


def told_in_full(records: Sequence[Record]) -> str:
    """The same with 95HD, each pair's validation and the number formats, without one part kept."""
    tests = compare(records).to_dict("records")
    if not (text := _alone(records, tests, full=True)):
        return ""
    return text + _in_full(records, tests) + _combined(records, tests)


def with_one_part(lost: pd.DataFrame, full: bool = True) -> str:
    """The rival against SCN where the largest part is kept in both, on each data set; or ""."""
    tests = _kept(lost)
    for row in tests:
        mine: Any = lost[lost["dataset"] == row["dataset"]]
        seeds = [{*mine[mine["method"] == name]["seed"]} for name in (row["method"], "scn")]
        row["of_seeds"] = "" if seeds[0] == seeds[1] else " against ".join(map(_numbers, seeds))
    return _listed(tests, short=not full, unit="points" * full)


def _kept(lost: pd.DataFrame) -> list[Any]:
    """Tests against SCN where the largest part is kept in both."""
    return lost_points.against_scn(lost).to_dict("records") if len(lost) else []


def _numbers(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))


def _listed(tests: Sequence[Any], short: bool = True, unit: str = "", seeds: bool = True) -> str:
    """The rival's points to SCN, each with interval, p and `seeds`; these `short` or not."""
    return ("; " if unit else ", ").join(
        _tested(row, interval(row, 100, unit), f", {_seeds(row, short)}" * seeds)
        for row in _of(tests, "box", "dice")
    )


def _tested(row: Any, points: str, more: str = "") -> str:
    """A row's points to SCN, on which data set, its p, and a verdict where there is one."""
    return (
        f"{points} on {data_title(row['dataset'])} ({p_text(row['p_holm'])}{_verdict(row)}{more})"
    )


def _distance(fine: Sequence[Any], seeds: bool = True) -> str:
    """Where tests at the printed size tell the two apart by 95HD; "" where none does."""
    told = [row for row in _of(fine, "box", "hd95_voxel") if row["verdict"] in ("better", "worse")]
    each = [
        f"{row['verdict']} on {data_title(row['dataset'])} ({p_text(row['p_holm'])}"
        f"{f', {_seeds(row)}' * seeds})"
        for row in told
    ]
    return f" Its 95HD at 256x256 is {', '.join(each)}." if each else ""


def _verdict(row: Any) -> str:
    """A colon and the verdict, where it is more than that nothing is told apart."""
    return "" if row["verdict"] == "not significant" else f": {row['verdict']}"


def _alone(records: Sequence[Record], tests: Sequence[Any], full: bool) -> str:
    """The rival's mean Dice beside SCN's."""
    parts = _beside(records, "box", tests, full)
    return f"{_named(tests)} has {'; '.join(parts)}." if parts else ""


def _named(tests: Sequence[Any]) -> str:
    """What the rival is, after the finding in bold: whether tests tell it apart from SCN."""
    verdicts = {row["verdict"] for row in _of(tests, "box", "dice")}
    name = (
        "PCE with a box isn't told apart from SCN by test Dice"
        if verdicts <= {"not significant"}
        else "PCE with a box in place of SCN"
    )
    return (
        f"**{name}**: PCE that also learns background outside a box around a slice's foreground "
        "strokes (PCE+box)"
    )


def _combined(records: Sequence[Record], tests: Sequence[Any]) -> str:
    """What the prior adds to SCN; "" where the two were not trained together."""
    parts = _beside(records, "scn_box", tests, full=True)
    return f" SCN with the same box (SCN+box): {'; '.join(parts)}." if parts else ""


def _of(tests: Sequence[Any], method: str, metric: str) -> list[Any]:
    return [row for row in tests if (row["method"], row["metric"]) == (method, metric)]


def _seeds(row: Any, short: bool = False) -> str:
    """How many seeds are compared, or which; `short` where it was said in full before."""
    if row.get("of_seeds"):
        return f"seeds {row['of_seeds']}"
    seeds = row["seeds"] if short else seeds_count(row["seeds"])
    same = row["seeds"] == row["reference_seeds"]
    against = f"{seeds_count(row['seeds'])} against {row['reference_seeds']}"
    return f"{seeds} each" if same else against


def _beside(records: Sequence[Record], method: str, tests: Sequence[Any], full: bool) -> list[str]:
    """A method's mean Dice on each data set, its points to SCN, and the verdict where one is."""
    parts = []
    for row in _of(tests, method, "dice"):
        ours = 100 * mean_dice(records, row["dataset"])[method]
        verdict = f"{p_text(row['p_holm'])}: {row['verdict']}, " if full else ""
        if not full and row["verdict"] != "not significant":
            verdict = f"{row['verdict']}, "
        seeds = _seeds(row) + (interval_with_seeds(row, 100) if full else "")
        apart = f"{interval(row, 100, 'points')} to SCN ({verdict}{seeds})"
        parts.append(f"{ours:.2f}% on {data_title(row['dataset'])}, {apart}")
    return parts


def _pairs(records: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The rival's runs, each with SCN's on the same data set with the same seed."""
    known = {run_key(record): record for record in records}
    return [
        (rival, known[dataset, "scn", seed])
        for (dataset, method, seed), rival in known.items()
        if method == "box" and (dataset, "scn", seed) in known
    ]


def _on_validation(records: Sequence[Record], fine: Sequence[Record]) -> str:
    """The rival's points to SCN on validation subjects, for each data set and at both sizes."""
    finer = _validated(fine)
    said = [
        f"{points:+.1f} on {data_title(name)}"
        + (f" ({finer[name]:+.1f} at 256x256)" if name in finer else "")
        for name, points in _validated(records).items()
    ]
    return f" On validation {', '.join(said)}." if said else ""


def _validated(records: Sequence[Record]) -> dict[str, float]:
    """The same by data set, as the mean over pairs of seeds."""
    apart: dict[str, list[float]] = {}
    for rival, scn in _pairs(records):
        best, other = rival.validation["best"], scn.validation["best"]
        if best and other:
            points = 100 * (best["dice"] - other["dice"])
            apart.setdefault(rival.run.dataset, []).append(points)
    return {name: float(np.mean(points)) for name, points in apart.items()}


def _in_full(records: Sequence[Record], tests: Sequence[Any]) -> str:
    """The rival's 95HD, what the two have on validation subjects, and how they were computed."""
    apart = [_tested(row, interval(row, 1, "voxels")) for row in _of(tests, "box", "hd95_voxel")]
    text = f" In 95HD it is {'; '.join(apart)}. It is tested apart from the paper's rows."
    kinds: dict[str, list[str]] = {}
    for rival, scn in _pairs(records):
        run = f"{data_title(rival.run.dataset)} seed {rival.run.seed}"
        kinds.setdefault(f"{rival.dtype} against {scn.dtype}", []).append(run)
        if rival.validation["best"] and scn.validation["best"]:
            where = f"{data_title(rival.run.dataset)}, seed {rival.run.seed}"
            text += f" Best validation Dice, {where}: {best_dice(rival):.2f}%, SCN "
            text += f"{best_dice(scn):.2f}%."
    each = "; ".join(f"{kind} ({', '.join(runs)})" for kind, runs in sorted(kinds.items()))
    return text + f" Number formats, PCE+box against SCN: {each}." * bool(kinds)
