"""The README's findings: one a line, each with the few numbers that carry it.

What stands behind them, with ranges, seeds and p-values, is told by `headlines`, in the same order.
Every number and name is read from the records.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from scnlib.records import Record
from study.report import amounts, gain, headlines, left_out, own_rival, resolution
from study.report.findings import ablation_steps
from study.report.means import mean_dice, per_seed
from study.report.paper import printed_mean
from study.report.titles import OF_RIVALS, data_title, title
from study.report.worth import effects

AT_BOTH_SIZES = ("pce", "scn", "full", "box")  # told of here; all of them stand in the report
TERM = "'s term"  # a part whole, as `left_out` names it


def in_brief(
    records: Sequence[Record],
    lost: pd.DataFrame,
    short: Sequence[Record] = (),
    variants: Sequence[Record] = (),
    fine: Sequence[Record] = (),
) -> list[str]:
    """The findings in Markdown; arguments as `headlines.headlines` takes them.

    One that no run at hand can tell is left out.
    """
    found = [
        gain.gain_in_brief(gain.gains_of(lost), gain.of_all_seeds(records, gain.gains_of(lost))),
        own_rival.rival_in_brief(records, lost, fine),
        _parts(records, variants),
        headlines.corners(short, records, variants),
        amounts.amounts_told(effects(short), data_title("acdc"), full=False),
        headlines.rows_ahead(records, full=False),
        _at_both_sizes(records, fine),
    ]
    return [text for text in found if text]


def level(records: Sequence[Record], fine: Sequence[Record] = ()) -> str:
    """SCN's mean test Dice beside the print, and at the printed size; "" without SCN."""
    each = []
    for number, dataset in OF_RIVALS:
        ours = mean_dice(records, dataset)
        if "scn" in ours:
            printed = printed_mean(number, "scn")
            finer = mean_dice(fine, dataset).get("scn")
            once = ", one seed" * (len(per_seed(fine, dataset).get("scn", ())) == 1)
            more = "" if finer is None else f"; {100 * finer:.1f}% at 256x256{once}"
            where = f"on {data_title(dataset)} ({printed:.1f}% printed{more})"
            each.append(f"{100 * ours['scn']:.1f}% {where}")
    text = f"SCN has a mean Dice (overlap with the truth) of {' and '.join(each)}."
    return text if each else ""


def _at_both_sizes(records: Sequence[Record], fine: Sequence[Record]) -> str:
    """What more pixels and steps are worth."""
    pairs = [
        pair
        for pair in resolution.pairs(records, fine)
        if pair.method in AT_BOTH_SIZES and not np.isnan(pair.dice[1])
    ]
    if not pairs:
        return ""
    dice = _by_set([(p.dataset, p.method, p.dice) for p in pairs], "%")
    far = [(p.dataset, p.method, p.hd95) for p in pairs if p.method in ("scn", "full")]
    brackets = f"in brackets at 128x128, {resolution.length(records, fine)}; the same seeds"
    distances = f"; 95HD {_by_set(far)}" if far else ""
    return f"**At 256x256** ({brackets}) Dice is {dice}{distances}."


def _by_set(found: Sequence[tuple[str, str, tuple[float, float]]], unit: str = "") -> str:
    """Each method's numbers at both sizes, the small one's in brackets, a data set at a time."""
    sets: dict[str, list[str]] = {}
    for dataset, method, (fine, coarse) in found:
        numbers = f"{fine:.1f}{unit} ({coarse:.1f}{unit})"
        sets.setdefault(dataset, []).append(f"{_inside(title(method))} {numbers}")
    return "; ".join(f"on {data_title(name)} {', '.join(each)}" for name, each in sets.items())


def _inside(name: str) -> str:
    """A title inside a sentence: a capital alone, as of SCN, stays."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def _parts(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """What SCN's parts add beside the print, and what is lost without one."""
    steps = headlines.gains_by_part(ablation_steps(records), digits=1)
    costs = left_out.part_costs(records, variants, "acdc")
    shapes = left_out.without_shapes(costs)
    each = [
        f"{c.name.removesuffix(TERM)} {c.points:+.1f}" + " (one seed)" * (len(c.seeds) < 2)
        for c in costs
        if c.name.endswith(TERM) or not shapes  # what the shapes cost is said there
    ]
    said = [f"they add {steps}"] if steps else []
    said += [f"left out one at a time (validation), {', '.join(each)}"] if each else []
    if not said:
        return ""
    return f"**What SCN's parts are worth** on ACDC, in points: {'; '.join(said)}.{shapes}"
