"""What one choice is worth, from short runs on validation subjects, a few minutes and seeds each.

A short run's variant is a chain: "short128+nopap" departs in its last link from "short128", and is
compared with that alone, seed by seed. After a whole run a difference can
be another one: `study.report.both_lengths` has those that were made in both.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
from scipy import stats

from scnlib.config import Strokes
from scnlib.paths import SHORT
from scnlib.records import Record
from study.experiments import PRINTED_GRID
from study.report import markdown
from study.report.left_out import best_by_seed
from study.report.means import seeds_count, seeds_text
from study.report.titles import data_title, in_order, title

FILL = "background"  # the choice that is asked of every method
# What less or worse strokes cost is another question (`study.report.amounts`).
AMOUNTS = tuple(how for how in get_args(Strokes) if how != "all")
# What compared methods do otherwise in their public code.
PUBLIC = {
    "throughout": "averages from the first step, as in public code",
    "agreed": "no label where network and superpixels differ, as in public code",
    "swapped": "arguments as in public code, length without gradient",
    "halframp": "consistency weighs 0.29 in the end (0.26 in public code after 30,000 steps)",
}
# All that is asked of every method, or of compared ones.
OF_OTHERS = {
    FILL: "corners are background",
    "sgd": "SGD at 0.03",
    "sgd001": "SGD at 0.01, as in public code",
    "compensated": "a border costs as much as at 256 pixels",
    "nolength": "without the length of borders",
    "restunlabelled": "what no superpixel claims is unlabelled",
    **PUBLIC,
}
# SCN's open choices in words, as the picture names them.
MEANING = {
    "allrows": "all rows of C vote, not 128",
    "classmean": "CACL: mean over classes",
    "confidentpap": "PAP at sure pixels only",
    "connected": "masks: the part around the row's cell",
    "detachedmap": "PAP: no gradient through P",
    "detachedmeans": "CACL: no gradient through means",
    "fixedtau": "tau stays 0.85",
    "gated": "only masks that agree vote",
    "imagemeans": "CACL: means of an image",
    "logits": "PAP spreads logits",
    "maskmean": "RSR: divided by the pixels of M",
    "nearest": "scribbles resized by nearest",
    "nocacl": "without CACL's term",
    "nopap": "without PAP's term",
    "norsr": "without RSR's term",
    "noshape": "no masks vote",
    "outside": "scale C after the softmax",
    "overwrite": "votes replace sure labels",
    "pcesum": "PCE summed, not averaged",
    "pixelmasks": "masks drawn at pixels, not cells",
    "projections": "C of two projections",
    "softpap": "PAP: soft targets",
    "strokesout": "strokes are not in M",
    "tau07": "tau starts at 0.7",
    "tau095": "tau starts at 0.95",
    "taumasks": "masks cut at tau, not 0.5",
    "unnormalised": "CACL: no unit length",
    "warm": "CACL: T = 0.5",
}
IN_WORDS = OF_OTHERS | MEANING
COARSE_GRID = f"{SHORT}+stride4"
# What SCN's choices are tried beside in short runs, the printed grid first.
GRIDS = {PRINTED_GRID: "128 px, 32 x 32 cells", COARSE_GRID: "64 px, 16 x 16 cells"}
LITTLE = 2.0  # points of Dice; what moves a rival by less is not told by number


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
    def gain(self) -> float:
        """The mean of `changes`."""
        return float(np.mean(self.changes))

    @property
    def apart(self) -> list[float]:
        """Points of each seed with the choice to the mean of all seeds without it."""
        usual = float(np.mean(list(self.before.values())))
        return [dice - usual for _, dice in sorted(self.after.items())]

    @property
    def beside(self) -> float:
        """The mean of `apart`."""
        return float(np.mean(self.apart))

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
    Where a method has short runs at stride 4, SCN's default there, what else was changed is told of
    these alone.
    """
    runs = {(r.run.method, r.run.variant) for r in short if r.run.dataset == dataset}
    found = []
    for method in in_order({method for method, _ in runs}):
        for variant in sorted(variant for name, variant in runs if name == method):
            base, _, choice = variant.rpartition("+")
            before, after = (best_by_seed(short, dataset, method, name) for name in (base, variant))
            effect = Effect(method, base, choice, before, after)
            coarse = base == SHORT and choice != "stride4" and (method, COARSE_GRID) in runs
            found += [effect] if variant and effect.seeds and not coarse else []
    return found


def whole_fills(
    records: Sequence[Record], variants: Sequence[Record], dataset: str = "acdc"
) -> list[Effect]:
    """What labelled corners do to each method in whole runs, which the protocol's stand beside.

    Short ones among the variants are left out.
    """
    return fills(whole_effects(records, variants, dataset))


def whole_effects(
    records: Sequence[Record], variants: Sequence[Record], dataset: str = "acdc"
) -> list[Effect]:
    """What each choice alone does to each method in whole runs; arguments as in `whole_fills`."""
    whole = [r for r in variants if not r.run.variant.startswith(SHORT)]
    return [one for one in effects([*records, *whole], dataset) if not one.base]


def fills(found: Sequence[Effect]) -> list[Effect]:
    """Each method's effect of labelling the corners that a rotation brings in.

    Not at the printed grid of short runs, at which SCN has no rival.
    """
    return [one for one in found if one.choice == FILL and one.base != PRINTED_GRID]


def why_unlabelled(found: Sequence[Effect]) -> str:
    """Why the tables leave the corners unlabelled, from `whole_fills`; "" unless SCN loses by them.

    One fill serves all methods: the one that is fairer to the rivals, unless SCN loses by it.
    """
    points = {one.method: one for one in found}
    if "scn" not in points or points["scn"].gain >= 0:
        return ""
    lifted = [gain_told(one) for one in found if one.gain >= LITTLE]
    losing = [gain_told(one) for name in ("scn", "cale", "full") if (one := points.get(name))]
    return (
        "The tables have one fill for all methods. It would be background, which some rivals' "
        "public code has, if SCN lost nothing by it. On ACDC labelled corners change "
        f"{', '.join(losing)}. Lifted by {LITTLE:g} points or more are "
        f"{', '.join(lifted) or 'none'}."
    )


def gain_told(one: Effect) -> str:
    """A method with the mean of its changes, and of how many seeds that is."""
    return f"{title(one.method)} {one.gain:+.1f} ({seeds_count(len(one.seeds))})"


def open_choices(found: Sequence[Effect], grid: str = "") -> list[Effect]:
    """What the paper leaves open, in SCN at a grid of `GRIDS`: from the worst choice to the best.

    Without one at the first of `grids_of`. Each beside the mean of all the default's seeds: beside
    one seed's run a choice would look as good as that seed is bad.
    """
    grid = grid or next(iter(grids_of(found)), "")
    ours = [one for one in _of_scn(found) if one.base == grid]
    return sorted(ours, key=lambda one: one.beside)


def grids_of(found: Sequence[Effect]) -> list[str]:
    """The grids that SCN's open choices were tried at, the printed one first."""
    bases = {one.base for one in _of_scn(found)}
    return [grid for grid in GRIDS if grid in bases]


def finest(found: Sequence[Effect]) -> list[Effect]:
    """Of an open choice that was tried at two grids, the one at the printed grid alone."""
    printed = {one.choice for one in _of_scn(found) if one.base == PRINTED_GRID}
    return [
        one
        for one in found
        if one.method != "scn" or one.choice not in printed or one.base == PRINTED_GRID
    ]


def _of_scn(found: Sequence[Effect]) -> list[Effect]:
    return [one for one in found if one.method == "scn" and one.choice in MEANING]


def effects_table(found: Sequence[Effect]) -> str:
    """The effects as Markdown; empty where there are none."""
    head = ("method", "choice", "in words", "without (%)", "with (%)", "difference", "by seed")
    rows = []
    for effect in found:
        without, having = effect.means
        each = ", ".join(f"{change:+.1f}" for change in effect.changes)
        numbers = (f"{without:.1f}", f"{having:.1f}", f"{having - without:+.1f}", each)
        words = IN_WORDS.get(effect.choice, "")
        rows.append((title(effect.method), f"`{effect.choice}`", words, *numbers))
    return markdown.table(head, rows) if rows else ""


def other_choices(found: Sequence[Effect]) -> list[Effect]:
    """The corners, and what compared methods do otherwise than their public code.

    All but SCN's `open_choices` and the amounts of strokes.
    """
    kept = [one for one in found if one.choice not in AMOUNTS]
    return [one for one in kept if one.method != "scn" or one.choice not in MEANING]


def choices_table(found: Sequence[Effect]) -> str:
    """SCN's open choices as Markdown, with what each says; "" for none.

    The best at the first of `grids_of` comes first. For each grid: points to the default, and by
    seed where there are several.
    """
    grids = grids_of(found)
    tried = [{one.choice: one for one in reversed(open_choices(found, grid))} for grid in grids]
    names = dict.fromkeys(name for choices in tried for name in choices)
    rows = [
        (f"`{name}`", MEANING[name], *(_points(choices.get(name)) for choices in tried))
        for name in names
    ]
    head = ("choice", "in words", *(GRIDS[grid] for grid in grids))
    return markdown.table(head, rows) if rows else ""


def _points(one: Effect | None) -> str:
    """Points to the mean of the default, and those of each seed where there are several."""
    if one is None:
        return ""
    each = ", ".join(f"{points:+.1f}" for points in one.apart)
    return f"{one.beside:+.1f}" + f" ({each})" * (len(one.apart) > 1)


def told_of_choices(found: Sequence[Effect]) -> str:
    """Which choices chance alone would hardly bring about, by grid; "" without any."""
    return "\n\n".join(
        [*(_beyond_chance(found, grid) for grid in grids_of(found)), *_both_grids(found)]
    )


def _beyond_chance(found: Sequence[Effect], grid: str) -> str:
    ranked = open_choices(found, grid)
    usual = default_dice(ranked)
    beyond = [one for one in ranked if abs(one.beside) > chance(usual, len(one.apart))]
    said = [f"`{one.choice}` {_words(one)}" for one in reversed(beyond)]
    counts = sorted({len(one.apart) for one in ranked})
    widths = [f"{chance(usual, n):.1f} ({seeds_count(n)})" for n in counts]
    return (
        f"**SCN's open choices, in short runs of {GRIDS[grid]}**: the default has "
        f"{np.mean(usual):.1f}% over {len(usual)} seeds. By chance the mean of others of its runs "
        f"lies within {' or '.join(widths)} points of that: a 95% prediction interval, so that "
        f"about {0.05 * len(ranked):.1f} of {len(ranked)} choices lie beyond it by chance. "
        f"Beyond it: {', '.join(said) or 'none'}."
    )


def _both_grids(found: Sequence[Effect]) -> list[str]:
    """How alike the choices rank at two grids; empty where fewer than three were tried at both."""
    ours: list[dict[str, float]] = [
        {one.choice: one.beside for one in open_choices(found, grid)} for grid in grids_of(found)
    ]
    both = [name for name in ours[0] if name in ours[1]] if len(ours) == 2 else []
    if len(both) < 3:
        return []
    rank: Any = stats.spearmanr([[choices[name] for choices in ours] for name in both])
    return [
        f"Of the {len(both)} choices tried at both grids the ranks agree with a correlation of "
        f"{rank.statistic:+.2f} (Spearman; 1 is the same order, 0 none)."
    ]


def chance(usual: Sequence[float], seeds: int) -> float:
    """Half of the 95% prediction interval for the mean of `seeds` further runs like these.

    t * s * sqrt(1 / seeds + 1 / n), in the unit of `usual`; infinite for fewer than two runs.
    """
    n = len(usual)
    if n < 2:
        return float("inf")
    t = float(stats.t.ppf(0.975, n - 1))
    return t * float(np.std(usual, ddof=1)) * (1 / seeds + 1 / n) ** 0.5


def default_dice(found: Sequence[Effect]) -> list[float]:
    """Dice of the default's runs, of the choice that has most of them to stand beside."""
    return list(max((one.before for one in found), key=len).values())


def told_of_left_out(found: Sequence[Effect]) -> str:
    """What SCN has without one of its losses in short runs; "" where none was so run."""
    names = ("nopap", "norsr", "nocacl")
    parts = []
    for grid in grids_of(found):
        chosen = [one for one in open_choices(found, grid) if one.choice in names]
        each = ", ".join(f"{MEANING[one.choice]} {_words(one)}" for one in chosen)
        parts += [f"at {GRIDS[grid]} {each}"] if each else []
    if not parts:
        return ""
    return (
        "**In short runs**, points to the mean of the default's seeds (section 10): "
        f"{'; '.join(parts)}."
    )


def _words(one: Effect) -> str:
    return f"{one.beside:+.1f} ({seeds_count(len(one.apart))})"


def told_of_corners(short: Sequence[Record], dataset: str = "acdc") -> str:
    """A sentence or two on the corners: whom they lift, and what is left of SCN's lead over PCE."""
    found = {effect.method: effect for effect in fills(effects(short, dataset))}
    if not found:
        return ""
    profile = next(r.run.profile for r in short if not r.run.variant.startswith(PRINTED_GRID))
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


def above_scn(found: Sequence[Effect]) -> dict[str, str]:
    """The rivals whose mean is clearly above SCN's with the choice and not above it without.

    Both in words, over the seeds that both have, of the choice alone. Full supervision and PCE+CALE
    are no rivals.
    """
    alone = [one for one in found if not one.base and one.method not in ("cale", "full")]
    ours = next((one for one in alone if one.method == "scn"), None)
    said = {}
    for rival in alone:
        seeds = sorted(set(rival.seeds) & set(ours.seeds)) if ours else []
        if not ours or not seeds:
            continue
        (mine, after), (theirs, other) = (
            tuple(np.mean([dice[seed] for seed in seeds]) for dice in (one.before, one.after))
            for one in (ours, rival)
        )
        if theirs <= mine and other - after >= LITTLE:
            said[rival.method] = f"{other:.1f} to SCN's {after:.1f}, {seeds_text(seeds)}"
    return said


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
