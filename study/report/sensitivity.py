"""What one choice is worth, from short runs on validation subjects, a few minutes and seeds each.

A short run's variant is a chain: "short+stride4+nopap" departs in its last link from
"short+stride4", and is compared with that alone, seed by seed. What comes out orders choices; how
large a difference is after a whole run only a whole run tells.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from scnlib.config import Strokes
from scnlib.records import Record
from study.report import markdown
from study.report.left_out import best_by_seed
from study.report.means import seeds_text
from study.report.titles import data_title, in_order, title

FILL = "background"  # the choice that is asked of every method
# What less or worse strokes cost is another question (`study.report.amounts`).
AMOUNTS = tuple(how for how in get_args(Strokes) if how != "all")
EDGE = 5.0  # points; a choice that does more is marked at the axis's end, with its number
BEFORE, AFTER = "#0072B2", "#D55E00"


class Effect(NamedTuple):
    """Mean validation Dice (percent) by seed, without a choice and with it."""

    method: str
    base: str
    choice: str
    before: dict[int, float]
    after: dict[int, float]

    @property
    def seeds(self) -> list[int]:
        """The seeds of both."""
        return sorted(self.before.keys() & self.after.keys())

    @property
    def changes(self) -> list[float]:
        """Points of Dice that the choice adds, seed by seed."""
        return [self.after[seed] - self.before[seed] for seed in self.seeds]

    @property
    def means(self) -> tuple[float, float]:
        """Mean Dice over the common seeds, without and with the choice."""
        without, having = (
            float(np.mean([dice[seed] for seed in self.seeds]))
            for dice in (self.before, self.after)
        )
        return without, having


def effects(short: Sequence[Record], dataset: str = "acdc") -> list[Effect]:
    """What each choice did to each method, in the tables' order and then by name.

    A variant of one name is compared with the runs without a variant, if they are among these.
    """
    runs = {(r.run.method, r.run.variant) for r in short if r.run.dataset == dataset}
    found = []
    for method in in_order({method for method, _ in runs}):
        for variant in sorted(variant for name, variant in runs if name == method):
            base, _, choice = variant.rpartition("+")
            before, after = (best_by_seed(short, dataset, method, name) for name in (base, variant))
            effect = Effect(method, base, choice, before, after)
            found += [effect] if variant and effect.seeds else []
    return found


def whole_fills(
    records: Sequence[Record], variants: Sequence[Record], dataset: str = "acdc"
) -> list[Effect]:
    """What labelled corners do to each method in whole runs, which the protocol's stand beside."""
    return fills(effects([*records, *variants], dataset))


def fills(found: Sequence[Effect]) -> list[Effect]:
    """Each method's effect of labelling the corners that a rotation brings in."""
    return [effect for effect in found if effect.choice == FILL]


def open_choices(found: Sequence[Effect]) -> list[Effect]:
    """What the paper leaves open, in SCN: from the worst choice to the best."""
    others = (FILL, "stride4", *AMOUNTS)
    ours = [one for one in found if one.method == "scn" and one.choice not in others]
    return sorted(ours, key=lambda one: float(np.mean(one.changes)))


def effects_table(found: Sequence[Effect]) -> str:
    """The effects as Markdown; empty where there are none."""
    head = ("method", "choice", "without (%)", "with (%)", "difference", "by seed", "seeds")
    rows = []
    for effect in found:
        without, having = effect.means
        each = ", ".join(f"{change:+.1f}" for change in effect.changes)
        numbers = (f"{without:.1f}", f"{having:.1f}", f"{having - without:+.1f}", each)
        rows.append((title(effect.method), f"`{effect.choice}`", *numbers, str(len(effect.seeds))))
    return markdown.table(head, rows) if rows else ""


def told_of_corners(short: Sequence[Record], dataset: str = "acdc") -> str:
    """A sentence or two on the corners: whom they lift, and what is left of SCN's lead over PCE."""
    found = {effect.method: effect for effect in fills(effects(short, dataset))}
    if not found:
        return ""
    profile = short[0].run.profile
    parts = [filled(effect) for effect in found.values()]
    text = (
        f"**Labels that nobody drew, in short runs** ({data_title(dataset)}, {profile.size} pixels,"
        f" {profile.iterations} iterations, validation): with a rotation's corners labelled as "
        f"background, mean Dice goes from {'; '.join(parts)}."
    )
    lead = lead_over_pce(found)
    return text + (f" {lead}" if lead else "")


def filled(effect: Effect) -> str:
    """One method's means in words, and its seeds' changes where there are several."""
    (before, after), changes = effect.means, effect.changes
    each = f" (by seed {', '.join(f'{c:+.1f}' for c in changes)})" if len(changes) > 1 else ""
    return f"{title(effect.method)} {before:.1f} to {after:.1f}{each}"


def above_scn(found: Sequence[Effect]) -> list[Effect]:
    """The effects after which a rival's mean is above SCN's after the same choice, the best first.

    Full supervision is none.
    """
    ours = [one.means[1] for one in found if one.method == "scn"]
    above = [one for one in found if ours and one.method != "full" and one.means[1] > ours[0]]
    return sorted(above, key=lambda one: -one.means[1])


def lead_over_pce(found: dict[str, Effect]) -> str:
    """SCN's lead over PCE without and with labelled corners, over the seeds of both."""
    if not {"pce", "scn"} <= found.keys():
        return ""
    pce, scn = found["pce"], found["scn"]
    seeds = sorted(set(pce.seeds) & set(scn.seeds))
    if not seeds:
        return ""
    before, after = (
        np.mean([getattr(scn, when)[seed] - getattr(pce, when)[seed] for seed in seeds])
        for when in ("before", "after")
    )
    with_them = f"{before:.1f} points without and {after:.1f} with them"
    return f"SCN's lead over PCE is {with_them} ({seeds_text(seeds)})."


def picture(found: Sequence[Effect], heading: str) -> Figure:
    """Left, each method with corners unlabelled and labelled; right, SCN's open choices, sorted.

    A small mark is a seed, a large one the mean. The grey band is how far SCN's own seeds lie from
    their mean: what stays within it can be chance.
    """
    left, right = fills(found), open_choices(found)
    height = 1.6 + 0.36 * max(len(left), len(right), 3)
    figure, (fill, open_) = plt.subplots(1, 2, figsize=(11.5, height), layout="constrained")
    _fills(fill, sorted(left, key=lambda one: one.means[1]))
    _choices(open_, right)
    figure.suptitle(heading, fontsize=11)
    look: Any = {"ls": "none", "color": "black"}
    handles = [
        Line2D([], [], marker="o", ms=9, mfc=BEFORE, **look, label="corners unlabelled"),
        Line2D([], [], marker="s", ms=9, mfc=AFTER, **look, label="corners labelled background"),
        Line2D([], [], marker="D", ms=8, mfc="black", **look, label="choice minus default, mean"),
        Line2D([], [], marker=".", **look, label="a seed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    plt.close(figure)
    return figure


def _fills(axes: Axes, found: Sequence[Effect]) -> None:
    for y, effect in enumerate(found):
        axes.plot(effect.means, [y, y], color="#999999", lw=1.5, zorder=1)
        for mark, colour, dice, mean in zip(
            "os", (BEFORE, AFTER), (effect.before, effect.after), effect.means, strict=True
        ):
            axes.plot(mean, y, mark, ms=9, mfc=colour, mec="black", zorder=2)
            each = [dice[seed] for seed in effect.seeds]
            axes.plot(each, [y] * len(each), ".", color="black", ms=4, zorder=3)
    axes.set_yticks(range(len(found)), [title(effect.method) for effect in found])
    axes.set(xlabel="mean validation Dice (%)", title="what fills a rotation's corners")
    axes.set_ylim(-0.5, max(len(found), 1) - 0.5)
    axes.grid(axis="x", alpha=0.3)


def _choices(axes: Axes, found: Sequence[Effect]) -> None:
    axes.axvline(0, color="black", lw=0.8)
    if found:
        own = np.array([*max(found, key=lambda one: len(one.before)).before.values()])
        axes.axvspan(*(own - own.mean())[[own.argmin(), own.argmax()]], color="#dddddd", zorder=0)
    for y, effect in enumerate(found):
        axes.plot(effect.changes, [y] * len(effect.changes), ".", color="black", ms=4)
        mean = float(np.mean(effect.changes))
        if abs(mean) <= EDGE:
            axes.plot(mean, y, "D", ms=8, color="black")
            continue
        sign = float(np.sign(mean))
        axes.plot(sign * EDGE, y, "<" if sign < 0 else ">", ms=9, color="black")
        side = "left" if sign < 0 else "right"
        axes.text(sign * (EDGE - 0.4), y, f"{mean:+.1f}", ha=side, va="center")
    axes.set_yticks(range(len(found)), [effect.choice for effect in found])
    axes.set(xlabel="points of mean validation Dice", title="SCN, one choice changed")
    axes.set_xlim(-EDGE - 0.5, EDGE + 0.5)
    axes.set_ylim(-0.5, max(len(found), 1) - 0.5)
    axes.grid(axis="x", alpha=0.3)
