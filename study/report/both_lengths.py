"""Do short runs say what whole ones say? The choices that runs of both lengths were made with."""

from collections.abc import Sequence
from typing import NamedTuple

from scnlib.records import Record
from study.experiments import RECIPES, without_recipe
from study.report import markdown
from study.report.left_out import best_by_seed
from study.report.means import seeds_text
from study.report.sensitivity import finest
from study.report.titles import title
from study.report.worth import GRIDS, IN_WORDS, LITTLE, Effect, effects

# No variants in whole runs, where they are rows: one of Table 3, and those of `RECIPES`.
WITHOUT_CACL, BY_SGD = "nocacl", "sgd001"


class BothLengths(NamedTuple):
    """What one choice does to a method in short runs and in whole ones."""

    short: Effect
    whole: Effect

    @property
    def points(self) -> tuple[float, float]:
        """Mean points of validation Dice over pairs of one seed: in short runs, in whole ones."""
        return self.short.gain, self.whole.gain

    @property
    def told_alike(self) -> bool:
        """Whether the two lie within `LITTLE` points of each other."""
        return abs(self.points[0] - self.points[1]) <= LITTLE


def both_lengths(
    short: Sequence[Record],
    records: Sequence[Record],
    variants: Sequence[Record],
    dataset: str = "acdc",
) -> list[BothLengths]:
    """The choices of both lengths, the largest effect in whole runs first."""
    whole = {
        (one.method, one.choice): one
        for one in effects([*records, *variants], dataset)
        if not one.base
    }
    rows = [("scn", WITHOUT_CACL, "cale"), *((without_recipe(m), BY_SGD, m) for m in RECIPES)]
    for method, choice, row in rows:
        before, after = (best_by_seed(records, dataset, name, "") for name in (method, row))
        if before.keys() & after.keys():
            whole[method, choice] = Effect(method, "", choice, before, after)
    found = [
        BothLengths(one, whole[one.method, one.choice])
        for one in finest(effects(short, dataset))
        if one.alone and (one.method, one.choice) in whole
    ]
    return sorted(found, key=lambda both: -abs(both.points[1]))


def lengths_table(found: Sequence[BothLengths]) -> str:
    """The choices as Markdown, each with its seeds; empty where there are none."""
    rows = []
    for both in found:
        words = IN_WORDS.get(both.short.choice, "")
        grids = (GRIDS.get(both.short.base, ""), "")
        each = [
            f"{points:+.1f} ({', '.join(filter(None, (grid, seeds_text(effect.seeds))))})"
            for points, effect, grid in zip(both.points, both, grids, strict=True)
        ]
        rows.append((title(both.short.method), f"`{both.short.choice}`", words, *each))
    head = ("method", "choice", "in words", "in short runs", "in whole runs")
    return markdown.table(head, rows) if rows else ""


def lengths_told(found: Sequence[BothLengths]) -> str:
    """How far short runs stand in for whole ones; "" where no choice has both lengths."""
    if not found:
        return ""
    alike = [both for both in found if both.told_alike]
    moved = sum(max(map(abs, both.points)) > LITTLE for both in alike) or "none"
    apart = [both for both in found if not both.told_alike]
    named = [
        f"{title(both.short.method)} `{both.short.choice}` "
        f"{both.points[0]:+.1f} short and {both.points[1]:+.1f} whole"
        for both in apart
    ]
    text = (
        f"**Do short runs say what whole ones say?** Of {len(found)} choices that both were made "
        f"with (ACDC, validation), {len(alike)} do the same within {LITTLE:g} points "
        f"({moved} of these moves either by more)"
    )
    return f"{text}; the others: {'; '.join(named)}." if named else f"{text}."
