"""What one choice is worth: validation Dice of the runs with it, beside those without, by seed.

A variant is a chain: "short128+nopap" departs in its last link from "short128", and is compared
with that alone, seed by seed.
"""

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np

from scnlib.config import Strokes
from scnlib.paths import SHORT
from scnlib.records import Record
from study.experiments import PRINTED_GRID
from study.report import markdown
from study.report.left_out import best_by_seed
from study.report.means import seeds_count
from study.report.titles import in_order, title

FILL = "background"  # the choice that is asked of every method
# What less or worse strokes cost is another question (`study.report.amounts`).
AMOUNTS = tuple(how for how in get_args(Strokes) if how != "all")
# What compared methods do otherwise in their public code.
PUBLIC = {
    "agreed": "no label where network and superpixels differ, as in public code",
    "swapped": "arguments as in public code, length without gradient",
    "swappedlength": "arguments as in public code, length as in its later versions",
    "halframp": "consistency weighs 0.29 in the end (0.26 in public code after 30,000 steps)",
}
# All that is asked of every method, or of compared ones.
OF_OTHERS = {
    FILL: "corners are background",
    "sgd": "SGD at 0.03",
    "sgd001": "SGD at 0.01, as in public code",
    "compensated": "a border costs as much as at 256 pixels",
    "nolength": "without the length of borders",
    "late": "averages from a tenth of the run on",
    "restunlabelled": "what no superpixel claims is unlabelled",
    **PUBLIC,
}
# SCN's open choices in words, as the picture names them.
MEANING = {
    "allrows": "all rows of C vote, not 128",
    "classmean": "CACL: mean over classes",
    "cold": "CACL: T = 0.07",
    "confidentpap": "PAP at sure pixels only",
    "connected": "masks: the part around the row's cell",
    "detachedmap": "PAP: no gradient through P",
    "detachedmeans": "CACL: no gradient through means",
    "fixedtau": "tau stays 0.85",
    "gated": "only masks that agree vote",
    "imagemeans": "CACL: means of an image",
    "logits": "PAP spreads logits",
    "maskmean": "RSR: divided by the pixels of M",
    "masks03": "masks cut at 0.3, not 0.5",
    "masks07": "masks cut at 0.7, not 0.5",
    "momentum099": "tau moves ten times as fast",
    "momentum09999": "tau moves a tenth as fast",
    "nearest": "scribbles resized by nearest",
    "nocacl": "without CACL's term",
    "nopap": "without PAP's term",
    "norsr": "without RSR's term",
    "noshape": "no masks vote",
    "onlycacl": "CACL's term alone",
    "onlypap": "PAP's term alone",
    "onlyrsr": "RSR's term alone",
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
BARE = ("", COARSE_GRID, PRINTED_GRID, SHORT)  # what a choice alone is tried beside
LITTLE = 2.0  # points of Dice; what moves a rival by less is not told by number


class Effect(NamedTuple):
    """Mean validation Dice (percent) by seed, without a choice and with it."""

    method: str
    base: str
    choice: str
    before: dict[int, float]
    after: dict[int, float]

    @property
    def alone(self) -> bool:
        """Whether no other choice stands beside it."""
        return self.base in BARE

    @property
    def named(self) -> str:
        """The choice with those that it stands beside, as in "late+background"."""
        grid = next(start for start in (*BARE[1:], "") if self.base.startswith(start))
        return f"{self.base.removeprefix(grid)}+{self.choice}".strip("+")

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
    these alone (but for the stride itself).
    """
    runs = {(r.run.method, r.run.variant) for r in short if r.run.dataset == dataset}
    found = []
    for method in in_order({method for method, _ in runs}):
        for variant in sorted(variant for name, variant in runs if name == method):
            base, _, choice = variant.rpartition("+")
            before, after = (best_by_seed(short, dataset, method, name) for name in (base, variant))
            effect = Effect(method, base, choice, before, after)
            coarse = (
                base == SHORT and not choice.startswith("stride") and (method, COARSE_GRID) in runs
            )
            found += [effect] if variant and effect.seeds and not coarse else []
    return found


def whole_effects(
    records: Sequence[Record], variants: Sequence[Record], dataset: str = "acdc"
) -> list[Effect]:
    """What each choice alone does to each method in whole runs.

    The protocol's runs stand beside the variants; short ones among these are left out.
    """
    whole = [r for r in variants if not r.run.variant.startswith(SHORT)]
    return [one for one in effects([*records, *whole], dataset) if not one.base]


def gain_told(one: Effect) -> str:
    """A method with the mean of its changes, and of how many seeds that is."""
    return f"{title(one.method)} {one.gain:+.1f} ({seeds_count(len(one.seeds))})"


def effects_table(found: Sequence[Effect]) -> str:
    """The effects as Markdown; empty where there are none."""
    head = ("method", "choice", "in words", "without (%)", "with (%)", "difference", "by seed")
    rows = []
    for effect in found:
        without, having = effect.means
        each = ", ".join(f"{change:+.1f}" for change in effect.changes)
        numbers = (f"{without:.1f}", f"{having:.1f}", f"{having - without:+.1f}", each)
        words = IN_WORDS.get(effect.choice, "")
        rows.append((title(effect.method), f"`{effect.named}`", words, *numbers))
    return markdown.table(head, rows) if rows else ""


def other_choices(found: Sequence[Effect]) -> list[Effect]:
    """The corners, and what compared methods do otherwise than their public code.

    All but SCN's `open_choices` and the amounts of strokes.
    """
    kept = [one for one in found if one.choice not in AMOUNTS]
    return [one for one in kept if one.method != "scn" or one.choice not in MEANING]
