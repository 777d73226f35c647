"""The paper's claims that the runs at hand can answer: what came out, the verdict, a likely cause.

Verdicts and numbers are computed from the records; the rules are told on the page that shows them
(`study.report.reproducibility`).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.experiments import RECIPES, without_recipe
from study.places import FINE
from study.report import causes, resolution
from study.report.findings import AblationStep, ablation_steps
from study.report.left_out import best_by_seed
from study.report.means import mean_dice, per_seed, seeds_text
from study.report.paper import group, paper_table, printed_mean
from study.report.scores import SPREAD, number_text, seeds_mark
from study.report.statistics import compare
from study.report.titles import (
    OF_RIVALS,
    ROWS,
    data_title,
    plain_title,
    row_title,
    title,
)
from study.report.uneven import odd_means
from study.report.verdicts import (
    ahead_of_scn,
    interval,
    interval_with_seeds,
    p_text,
    proven_leads,
    tests_against_scn,
)
from study.report.worth import LITTLE, PUBLIC, Effect, whole_effects

CLOSE = 1.0  # points of Dice
VERDICTS = {True: "holds", False: "does not hold", None: "undecided"}

Effects = dict[str, list[Effect]]  # by data set, of whole runs: what moves a method by much


class Claim(NamedTuple):
    """A claim of the paper, what came out, the verdict, and the likely cause where it fails."""

    claim: str
    here: str
    holds: bool | None  # None: undecided
    cause: str
    level: bool = False  # of how high Dice is; else it compares methods


def judge_claims(
    records: Sequence[Record], fine: Sequence[Record] = (), variants: Sequence[Record] = ()
) -> list[Claim]:
    """The paper's claims that the runs at hand can answer.

    `fine` are those at the printed size, `variants` those that depart from the protocol.
    """
    moved = {
        dataset: [
            one for one in whole_effects(records, variants, dataset) if abs(one.gain) >= LITTLE
        ]
        for dataset in ("acdc", "mscmr")
    }
    found = [*_levels(records, fine, moved), *_rivals(records, fine, moved)]
    return [*found, *_gains(records, fine), *_best(records, moved), *_significance(records)]


def claims_told(found: Sequence[Claim], where: str = "At this size") -> str:
    """How many claims hold `where`, of each kind, in a sentence; "" without one."""
    verbs = (("holds", "hold"), ("does not", "do not"), ("is undecided", "are undecided"))
    said = []
    whose = "the paper's"
    for kind, level in (("claimed Dice level", True), ("comparison", False)):
        judged = [claim.holds for claim in found if claim.level == level]
        counts = zip([judged.count(holds) for holds in VERDICTS], verbs, strict=True)
        each = ", ".join(f"{n} {verb[n != 1]}" for n, verb in counts)
        name = f"{len(judged)} {kind}{'s' * (len(judged) > 1)}"
        said += [f"of {'its' if said else whose} {name} {each}"] if judged else []
    return f"{where}, {'; '.join(said)}." if said else ""


def _levels(records: Sequence[Record], fine: Sequence[Record], moved: Effects) -> list[Claim]:
    """Printed mean Dice of SCN and of its baseline."""
    sized = {(pair.dataset, pair.method): pair for pair in resolution.pairs(records, fine)}
    found = []
    for number, dataset in OF_RIVALS:
        ours = mean_dice(records, dataset)
        for method in [name for name in ("scn", "pce") if name in ours]:
            printed = printed_mean(number, method)
            value = 100 * ours[method]
            seeds = [100 * dice for dice in per_seed(records, dataset)[method].values()]
            far_apart = max(seeds) - min(seeds) > SPREAD
            among = far_apart and min(seeds) <= printed <= max(seeds)
            lone = len(seeds) < 2 and _widest(records, method) > SPREAD
            pair = sized.get((dataset, method))
            found.append(
                Claim(
                    f"{title(method)} has {printed:.2f}% mean Dice on {data_title(dataset)}",
                    f"{value:.2f}%, {value - printed:+.2f}"
                    + (f"; by seed {min(seeds):.1f} to {max(seeds):.1f}" if among else "")
                    + _at_printed_size(pair, printed),
                    None if among or lone else bool(abs(value - printed) <= CLOSE),
                    causes.why_scn(pair, printed, dataset)
                    if method == "scn"
                    else causes.why_pce(far_apart, lone)
                    + causes.labelled_corners(moved[dataset], ["pce"]),
                    level=True,
                )
            )
    return found


def _widest(records: Sequence[Record], method: str) -> float:
    """Points of mean Dice between a method's seeds, on the data set where that is most."""
    seeds = [per_seed(records, dataset).get(method, {}).values() for dataset in ("acdc", "mscmr")]
    return max(100 * (max(dice) - min(dice)) for dice in seeds if dice)


def _at_printed_size(pair: resolution.BothSizes | None, printed: float) -> str:
    """What the same seeds have at the printed size, and at the smaller one, if they were run."""
    if pair is None:
        return ""
    fine, coarse = map(number_text, pair.dice)
    near = " (close to the print)" * (abs(pair.dice[0] - printed) <= CLOSE)
    text = f"; at 256 x 256 (profile `{FINE}`) {fine}%{near}, {seeds_text(pair.seeds)}"
    return f"{text} (the same at 128 x 128: {coarse}%)" if coarse else text


def _rivals(records: Sequence[Record], fine: Sequence[Record], moved: Effects) -> list[Claim]:
    """The printed mean Dice of the compared methods but PCE, a data set a row."""
    found = []
    for number, dataset in OF_RIVALS:
        apart, by_adam = _to_the_print(records, number, dataset)
        if not apart:
            continue
        here = ", ".join(f"{title(method)} {points:+.2f}" for method, points in apart.items())
        adam = ", ".join(f"{plain_title(m)} {points:+.2f}" for m, points in by_adam.items())
        here += f"; by Adam, as the paper has it: {adam}" if adam else ""
        sized, behind = _at_both_sizes(records, fine, number, dataset)
        explained = {one.method for one in moved[dataset] if one.choice in PUBLIC and one.gain < 0}
        above = [title(m) for m, points in apart.items() if points > CLOSE and m not in explained]
        odd = odd_means(records, dataset)
        why = [f"{title(m)} {kind} {values}" for (m, kind), values in odd.items() if m in apart]
        found.append(
            Claim(
                f"the other rows of Table {number} on {data_title(dataset)}",
                f"to the print: {here}{sized}",
                all(abs(points) <= CLOSE for points in apart.values()),
                "not known; smaller images and a shorter training, as with SCN"
                + (f", but for {', '.join(behind)}" if behind else "")
                + causes.labelled_corners(moved[dataset], list(apart))
                + causes.public_ways(moved[dataset], list(apart))
                + (f"; far above the print, unexplained: {', '.join(above)}" if above else "")
                + (f"; means of unlike parts: {'; '.join(why)}" if why else "")
                + causes.printed_in_doubt(number, list(apart)),
                level=True,
            )
        )
    return found


def _at_both_sizes(
    records: Sequence[Record], fine: Sequence[Record], number: int, dataset: str
) -> tuple[str, list[str]]:
    """How far the rows are from the print at the printed size, the same seeds at the smaller one in
    brackets; and those that are lower there, in words."""
    said, behind = [], []
    for pair in resolution.pairs(records, fine):
        if pair.dataset != dataset or pair.method not in set(ROWS[number]) - {"pce", "scn", "full"}:
            continue
        printed = printed_mean(number, pair.method)
        at_fine, at_coarse = (dice - printed for dice in pair.dice)
        same = "" if np.isnan(at_coarse) else f"{at_coarse:+.2f} at 128 x 128, "
        said.append(f"{title(pair.method)} {at_fine:+.2f} ({same}{seeds_text(pair.seeds)})")
        fine_hd, coarse_hd = pair.hd95
        floods = f": 95HD is {fine_hd:.1f} voxels in place of {coarse_hd:.1f}, it floods more"
        why = f"lower at 256 x 256{floods if fine_hd - coarse_hd > SPREAD else ''}"
        behind += [f"{title(pair.method)} ({why})"] * (at_fine < at_coarse)
    where = f"; at 256 x 256 (profile `{FINE}`): "
    return f"{where}{', '.join(said)}" if said else "", behind


def _to_the_print(
    records: Sequence[Record], number: int, dataset: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Points of mean Dice from the print of each rival but PCE: of the rows that are the paper's,
    and of those under the shared recipe where the row has its own."""
    ours = mean_dice(records, dataset)
    apart, by_adam = {}, {}
    for row in ROWS[number]:
        if row in ("pce", "scn", "full"):
            continue
        printed = printed_mean(number, row)
        if row in ours:
            apart[row] = 100 * ours[row] - printed
        if row in RECIPES and (adam := without_recipe(row)) in ours:
            by_adam[adam] = 100 * ours[adam] - printed
    return apart, by_adam


def _gains(records: Sequence[Record], fine: Sequence[Record]) -> list[Claim]:
    """What Table 3 says that the parts add."""
    sized = {(step.one, step.two): step for step in ablation_steps(fine)}
    methods = {row_title(3, method): method for method in ROWS[3]}
    dice = per_seed(records, "acdc")
    found = []
    for step in ablation_steps(records):
        one, two = methods[step.one], methods[step.two]
        both = [r for r in records if r.run.dataset == "acdc" and r.run.method in (one, two)]
        both = [r for r in both if r.run.seed in step.seeds]
        (row,) = compare(both, one, metrics=["dice"]).to_dict("records")
        sign = {"better": 1, "worse": -1}.get(row["verdict"], 0)  # of the ranks
        decided = sign * step.gain > 0
        each = ", ".join(f"{100 * (dice[two][s] - dice[one][s]):+.2f}" for s in step.seeds)
        which = seeds_text(step.seeds) + (f": {each}" if len(step.seeds) > 1 else "")
        found.append(
            Claim(
                f"{step.two} is {'above' if step.printed > 0 else 'below'} {step.one} on ACDC "
                f"({step.printed:+.2f} points)",
                f"{step.gain:+.2f} points ({which}); over patients {interval(row, 100, 'points')}, "
                f"{p_text(row['p_holm'])}{interval_with_seeds(row, 100)}"
                + _step_at_printed_size(sized.get((step.one, step.two))),
                sign * step.printed > 0 if decided else None,
                "the printed gain is smaller than what seeds differ by here"
                if abs(step.printed) < CLOSE
                else "",
            )
        )
    return found


def _step_at_printed_size(step: AblationStep | None) -> str:
    """What the step is worth at the printed size, if it was run."""
    if step is None:
        return ""
    where = f"at 256 x 256 (profile `{FINE}`)"
    return f"; {where} {step.gain:+.2f} points ({seeds_text(step.seeds)})"


def _best(records: Sequence[Record], moved: Effects) -> list[Claim]:
    """SCN before all rivals in mean Dice, and in mean 95HD. PCE+CALE, a part of it, is none."""
    tests = tests_against_scn(records)
    tests = tests[tests["method"] != "cale"] if len(tests) else tests
    found = []
    for metric, word in (("dice", "Dice"), ("hd95_voxel", "95HD")):
        mine: Any = tests[tests["metric"] == metric] if len(tests) else tests
        if not len(mine):
            continue
        ahead = ahead_of_scn(mine)
        better, ranks = proven_leads(ahead)
        names = [_where(row) for row in ahead.to_dict("records")]
        same = [r for r in mine.to_dict("records") if r["verdict"].startswith("no")]
        close = [name for name in map(_where, same) if name not in names]
        whole = mine["dataset"].nunique() == 2
        found.append(
            Claim(
                f"SCN has the best mean {word} on both sets",
                f"ahead of it, PCE+CALE not counted: {', '.join(names) or 'none'}; behind it and "
                f"not told apart: {', '.join(close) or 'none'}"
                + (_close_by_adam(records) + _ahead_by_public_code(records, moved))
                * (metric == "dice"),
                None if (names and not better) or not whole else not names,
                f"significant leads: {better or 'none'}"
                + (f"; SCN has the better ranks in {ranks} of {len(ahead)}" if ranks else "")
                + _ahead_in_print(word),
            )
        )
    return found


def _close_by_adam(records: Sequence[Record]) -> str:
    """Rivals whose row is trained otherwise and that by Adam, as printed, come close to SCN."""
    said = []
    for _, dataset in OF_RIVALS:
        ours = mean_dice(records, dataset)
        for method in [name for name in map(without_recipe, RECIPES) if name in ours]:
            points = 100 * (ours[method] - ours["scn"]) if "scn" in ours else -np.inf
            if points > -CLOSE:
                once = " (one seed)" * (len(per_seed(records, dataset)[method]) < 2)
                said.append(f"{plain_title(method)} on {data_title(dataset)} {points:+.2f}{once}")
    return f"; by Adam, as the paper has it: {', '.join(said)}" if said else ""


def _ahead_by_public_code(records: Sequence[Record], moved: Effects) -> str:
    """Rivals that another way of their public code brings ahead of SCN on validation subjects."""
    said = []
    for dataset, choices in moved.items():
        ours = best_by_seed(records, dataset, "scn", "")
        for one in [one for one in choices if one.choice in PUBLIC]:
            seeds = sorted(one.after.keys() & ours.keys())
            pair = [float(np.mean([dice[s] for s in seeds])) for dice in (one.after, ours) if seeds]
            if pair and pair[0] > pair[1]:
                where = f"{title(one.method)} on {data_title(dataset)}"
                said.append(f"{where} {pair[0]:.1f} to SCN's {pair[1]:.1f}% ({seeds_text(seeds)})")
    return f"; as in public code, ahead on validation: {', '.join(said)}" if said else ""


def _where(row: Any) -> str:
    """A row of the tests: method, data set, and that it has one seed."""
    once = " (one seed)" * (row["seeds"] < 2)
    return f"{row_title(1, row['method'])} on {data_title(row['dataset'])}{once}"


def _ahead_in_print(word: str) -> str:
    """Whose printed mean is better than SCN's in Table 1 or 2; "" for none."""
    said = []
    for number, dataset in OF_RIVALS:
        means: Any = group(paper_table(number), word)["Mean"] * (1 if word == "Dice" else -1)
        ahead = [str(row) for row in means.index[means > means["ours"]]]
        said += [f"{' and '.join(ahead)} on {data_title(dataset)}"] if ahead else []
    return f"; in the print, too, ahead of it: {', '.join(said)}" if said else ""


def _significance(records: Sequence[Record]) -> list[Claim]:
    """SCN significantly before all others in Dice."""
    tests = tests_against_scn(records)
    if not len(tests):
        return []
    claimed: Any = tests[(tests["metric"] == "dice") & (tests["method"] != "cale")]
    proven, of = _counted(claimed)
    more, of_more = _counted(tests)
    ahead = ahead_of_scn(tests)
    lost = len(ahead) - ahead["verdict"].tolist().count("worse")
    won = [row for row in claimed.to_dict("records") if row["verdict"] == "worse"]
    once, apart = sum(row["seeds"] < 2 for row in won), sum(map(bool, map(seeds_mark, won)))
    return [
        Claim(
            "SCN's lead is significant (p < 0.05, test not named)",
            f"in {proven} of {of} comparisons of Dice ({more} of {of_more} with 95HD and PCE+CALE)",
            proven == of,
            f"of the {of_more - more} others SCN has no lead in {lost}; twenty and "
            "fifteen test patients tell few small differences apart; of those in Dice that are "
            f"significant, {once} are of one seed of the rival, and {apart} of seeds over "
            f"{SPREAD:g} points apart",
        ),
    ]


def _counted(tests: pd.DataFrame) -> tuple[int, int]:
    """In how many of the comparisons SCN is significantly better, and how many there are."""
    return tests["verdict"].tolist().count("worse"), len(tests)
