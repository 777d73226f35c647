"""The README's findings: one a line, each with the few numbers that carry it.

What stands behind them, with ranges, seeds and p-values, is told by `headlines`, which
`results/REPRODUCIBILITY.md` and notebook 04 list. Every number and name is read from the records.
"""

from collections.abc import Sequence

import pandas as pd

from scnlib.records import Record
from study.report import amounts, headlines, left_out, lost_points, own_rival, sensitivity
from study.report.findings import ablation_steps
from study.report.means import mean_dice, seeds_text
from study.report.paper import paper_table
from study.report.resolution import pairs
from study.report.titles import data_title, title


def in_brief(
    records: Sequence[Record],
    lost: pd.DataFrame,
    short: Sequence[Record] = (),
    variants: Sequence[Record] = (),
    fine: Sequence[Record] = (),
) -> str:
    """The findings as a numbered list in Markdown; arguments as `headlines.headlines` takes them.

    One that no run at hand can tell is left out.
    """
    found = [
        _level(records, fine),
        _far(lost),
        own_rival.rival_in_brief(records, lost),
        _parts(records, variants),
        headlines.corners(short, records, variants),
        amounts.amounts_told(sensitivity.effects(short), data_title("acdc"), full=False),
        headlines.rows_ahead(records),
    ]
    return "\n".join(f"{i}. {text}" for i, text in enumerate(filter(None, found), 1))


def _level(records: Sequence[Record], fine: Sequence[Record]) -> str:
    """SCN beside the print and full supervision, and both at the printed size."""
    printed = {
        name: paper_table(i).loc["ours"]["Dice", "Mean"] for i, name in ((1, "acdc"), (2, "mscmr"))
    }
    ours = {name: mean_dice(records, name) for name in printed}
    each = [
        f"{100 * dice['scn']:.1f}% on {data_title(name)} ({printed[name]:.1f}% printed)"
        for name, dice in ours.items()
        if "scn" in dice
    ]
    if not each:
        return ""
    bound = [
        f"{100 * dice['full']:.1f}% on {data_title(name)}"
        for name, dice in ours.items()
        if "full" in dice
    ]
    text = f"**SCN has a mean Dice of {' and '.join(each)}**"
    text += f"; full supervision {', '.join(bound)}." if bound else "."
    return text + _at_printed_size(records, fine)


def _at_printed_size(records: Sequence[Record], fine: Sequence[Record]) -> str:
    said = []
    for pair in pairs(records, fine):
        if pair.method in ("scn", "full") and pair.dice[1] == pair.dice[1]:
            one, two = pair.dice
            who = f"{title(pair.method)} on {data_title(pair.dataset)}"
            said.append(f"{who} {one:.1f}% ({two:.1f}% at 128x128, {seeds_text(pair.seeds)})")
    return f" At 256x256: {', '.join(said)}." if said else ""


def _far(lost: pd.DataFrame) -> str:
    """Where SCN's gain over PCE lies."""
    found = lost_points.gains_of(lost)
    if not found:
        return ""
    each = ", ".join(f"{g.far:.1f} of {g.points:.1f} on {data_title(g.dataset)}" for g in found)
    kept = " and ".join(f"{g.pce:.1f}% ({g.scn:.1f}%)" for g in found)
    return (
        f"**SCN's gain over PCE lies far from the heart**: of its points in seed "
        f"{lost['seed'].min()}, {each} are floods over {lost_points.FAR:g} mm away. With only the "
        f"largest part kept, PCE (SCN) has {kept}."
    )


def _parts(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """What SCN's parts add beside the print, and which count when left out."""
    steps = [
        f"{step.two.removeprefix(f'{step.one}+')} {step.gain:+.1f} ({step.printed:+.1f} printed)"
        for step in ablation_steps(records)
    ]
    costs = left_out.costs(records, variants, "acdc")
    text = f"**What SCN's parts add** on ACDC, in points: {', '.join(steps)}." if steps else ""
    if costs:
        each = ", ".join(
            f"{c.name} {c.points:+.1f}" + " (one seed)" * (len(c.seeds) < 2) for c in costs
        )
        text += f" Left out, on validation patients: {each}." + left_out.without_shapes(costs)
    return text.strip()
