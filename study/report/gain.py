"""Where SCN's gain over PCE lies, and what one part kept leaves of it, from lost points."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from scnlib.records import Record
from study.report.lost_points import FAR, against_scn, losses
from study.report.means import difference, per_seed, seeds_count, seeds_text
from study.report.statistics import compare
from study.report.titles import NAMES, data_title, in_print, title
from study.report.verdicts import tests_against_scn
from study.report.worth import LITTLE

RUIN = 5.0  # points of Dice; a prior that costs a run more has taken the heart away


class Gain(NamedTuple):
    """What SCN gains over PCE on a data set: points of mean Dice, how many of them lie far from the
    heart, the Dice of both (percent) with only the largest part kept, and of which seeds it is."""

    dataset: str
    points: float
    far: float
    pce: float
    scn: float
    seeds: list[int]


def floods(records: Sequence[Record], lost: pd.DataFrame, full: bool = False) -> str:
    """What SCN's gain consists of, and which runs the prior ruins.

    Where `full`, these by name.
    """
    text = headline(lost, of_all_seeds(records, gains_of(lost)), _beaten_by_all(records))
    if not text:
        return ""
    taken, runs = ruined(lost)
    adam = sum("(Adam)" in name for name in taken)
    if taken and (full or adam < len(taken)):  # a footnote's ruin is for those who read in full
        which = "all" if adam == len(taken) else f"{adam} of them"
        text += f" Keeping one part ruins {len(taken)} of {runs} runs, {which} in rows (Adam)"
        text += f": {', '.join(taken)}." if full else "."
    return text


def headline(
    rows: pd.DataFrame,
    overall: Mapping[str, str] | None = None,
    beaten_by_all: Mapping[str, int] | None = None,
) -> str:
    """`gain_in_brief`, and whom SCN then still beats, on each data set with rows of PCE and SCN.

    "" without such rows. The comparisons are of all seeds among the rows; `beaten_by_all` is how
    many rows SCN beats there as they are, by data set.
    """
    found = gains_of(rows)
    if not (text := gain_in_brief(found, overall)):
        return ""
    by_all = beaten_by_all or {}
    beaten = [_beaten(rows, gain.dataset, by_all.get(gain.dataset)) for gain in found]
    return (
        f"{text} Of the runs that kept predictions, SCN then significantly beats "
        f"{' and '.join(beaten)}."
    )


def gain_in_brief(found: Sequence[Gain], overall: Mapping[str, str] | None = None) -> str:
    """Where SCN's gain over PCE lies, and what one part kept leaves of it; "" for none.

    `found` is what `gains_of` found, `overall` as in `gains_told`.
    """
    if not found:
        return ""
    pce, scn = (
        " and ".join(f"{getattr(gain, method):.1f}%" for gain in found) for method in ("pce", "scn")
    )
    return (
        f"**{where_it_lies(found)}**: {gains_told(found, overall)} are floods"
        f" over {FAR:g} mm away; with only the largest connected part kept, PCE then has "
        f"{pce}, SCN {scn}."
    )


def gains_of(rows: pd.DataFrame) -> list[Gain]:
    """SCN's gain on each data set, over the seeds of which the rows have both methods."""
    found = []
    for dataset in NAMES if len(rows) else ():
        mine: Any = rows[rows["dataset"] == dataset]
        pces, scns = (set(mine.loc[mine["method"] == name, "seed"]) for name in ("pce", "scn"))
        if seeds := sorted(pces & scns):
            table = losses(mine[mine["seed"].isin(seeds)], dataset)
            pce, scn = table.loc[title("pce")], table.loc[title("scn")]
            points, far = scn["Dice"] - pce["Dice"], pce["far"] - scn["far"]
            found.append(Gain(dataset, points, far, pce["with heart"], scn["with heart"], seeds))
    return found


def gains_told(found: Sequence[Gain], overall: Mapping[str, str] | None = None) -> str:
    """Of the points gained on each data set, how many lie far from the heart, and in which seeds.

    `overall` is what `of_all_seeds` says by data set.
    """
    return ", ".join(
        f"{gain.far:.1f} of {gain.points:.1f}{' points' * (gain is found[0])} on "
        f"{data_title(gain.dataset)} "
        f"({_which(gain.seeds)}{(overall or {}).get(gain.dataset, '')})"
        for gain in found
    )


def where_it_lies(found: Sequence[Gain]) -> str:
    """The finding's name: what it says is so where most of each gain is far from the heart."""
    most = all(0 < gain.points < 2 * gain.far for gain in found)
    return "SCN's gain over PCE lies far from the heart" if most else "Where SCN gains on PCE"


def of_all_seeds(records: Sequence[Record], found: Sequence[Gain]) -> dict[str, str]:
    """For each data set where more seeds of both tell otherwise: SCN's points over PCE in all of
    them, and which place PCE's seed has where the gain is of one."""
    said = {}
    for one in found:
        gain, shared = difference(records, one.dataset, "pce", "scn")
        if len(shared) <= len(one.seeds) or abs(gain - one.points) < LITTLE:
            continue
        seeds, rank = per_seed(records, one.dataset)["pce"], ""
        if len(one.seeds) == 1 and one.seeds[0] in seeds:
            above = sum(dice > seeds[one.seeds[0]] for dice in seeds.values())
            rank = f", PCE's {f'number {above + 1}' if above else 'best'} of {len(seeds)}"
        said[one.dataset] = f"{rank}; {gain:.1f} over all"
    return said


def _which(seeds: Sequence[int]) -> str:
    return seeds_count(len(seeds)) if len(seeds) > 1 else seeds_text(seeds)


def ruined(rows: pd.DataFrame) -> tuple[list[str], int]:
    """The runs that keeping one part costs more than `RUIN` points of mean Dice, by name, and of
    how many.

    Their flood is the largest part.
    """
    run = ["dataset", "method", "seed"]
    means: Any = rows.groupby([*run, "structure"])[["dice", "heart"]].mean()
    means = 100 * means.groupby(run).mean()
    lost: Any = (means["dice"] - means["heart"]).sort_values(ascending=False)
    return [
        f"{title(method)} on {data_title(dataset)} (-{points:.0f})"
        for (dataset, method, _), points in lost[lost > RUIN].items()
    ], len(means)


def wins(rows: pd.DataFrame, dataset: str) -> tuple[int, int, int]:
    """How many of the paper's rows SCN beats significantly in Dice as they are, with one part kept
    in both, and how many there are; of all seeds among these rows."""
    mine: Any = rows[rows["dataset"] == dataset]
    mine = mine[mine["method"].isin([m for m in set(mine["method"]) if in_print(m, dataset)])]
    found = [compare(mine, metrics=["dice"]), against_scn(mine)]
    alone, kept = (tests["verdict"].tolist().count("worse") for tests in found)
    return alone, kept, len(found[0])


def _beaten(rows: pd.DataFrame, dataset: str, of_all: int | None) -> str:
    """How many rows SCN beats with the prior on a data set, as they are, and over all seeds."""
    alone, kept, count = wins(rows, dataset)
    more = "" if of_all in (None, alone) else f", {of_all} over all seeds"
    return f"{kept} of {count} on {data_title(dataset)} ({alone} as they are{more})"


def _beaten_by_all(records: Sequence[Record]) -> dict[str, int]:
    """How many rows SCN beats significantly in Dice over all seeds, as they are, by data set."""
    tests: Any = tests_against_scn(records)
    dice = tests[tests["metric"] == "dice"]
    groups = dice.groupby("dataset", sort=False)
    return {str(name): rows["verdict"].tolist().count("worse") for name, rows in groups}
