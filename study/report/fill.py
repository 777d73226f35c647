"""Labels that nobody drew: the corners that a rotation brings in, labelled as background."""

from collections.abc import Sequence

import numpy as np

from scnlib.records import Record
from study.experiments import PRINTED_GRID
from study.report.means import seeds_text
from study.report.titles import data_title, title
from study.report.worth import FILL, LITTLE, Effect, effects, gain_told, whole_effects


def whole_fills(
    records: Sequence[Record], variants: Sequence[Record], dataset: str = "acdc"
) -> list[Effect]:
    """What labelled corners do to each method in whole runs, which the protocol's stand beside.

    Short ones among the variants are left out.
    """
    return fills(whole_effects(records, variants, dataset))


def fills(found: Sequence[Effect]) -> list[Effect]:
    """Each method's effect of labelling the corners that a rotation brings in, and nothing else.

    Not at the printed grid of short runs, at which SCN has no rival.
    """
    alone = [one for one in found if one.choice == FILL and one.alone]
    return [one for one in alone if one.base != PRINTED_GRID]


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
    each = each or f" ({seeds_text(effect.seeds)})" * (effect.seeds != [0])
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


def leads_over_pce(found: dict[str, Effect]) -> tuple[float, float, list[int]]:
    """SCN's lead over PCE without and with labelled corners, and the seeds of both that it is of.

    nan without such seeds.
    """
    pce, scn = found.get("pce"), found.get("scn")
    seeds = sorted(set(pce.seeds) & set(scn.seeds)) if pce and scn else []
    if not (pce and scn and seeds):
        return float("nan"), float("nan"), []
    before, after = (
        float(np.mean([mine[seed] - theirs[seed] for seed in seeds]))
        for mine, theirs in ((scn.before, pce.before), (scn.after, pce.after))
    )
    return before, after, seeds


def lead_over_pce(found: dict[str, Effect]) -> str:
    """The same in a sentence; "" where there are no seeds of both."""
    before, after, seeds = leads_over_pce(found)
    with_them = f"{before:.1f} points without and {after:.1f} with them"
    return f"SCN's lead over PCE is {with_them} ({seeds_text(seeds)})." if seeds else ""
