"""What this study aimed at, how far it came, and what it left out."""

from collections.abc import Sequence

from scnlib.paths import SHORT
from scnlib.records import Record
from study.places import FINE
from study.report.left_out import best_by_seed, other_costs, part_costs
from study.report.means import difference, mean_dice, per_seed, seeds_text
from study.report.titles import OF_RIVALS, OWN_RIVALS, ROWS, SHARED, data_title, in_order, title

AIM = 88.5  # percent of Dice, SCN on ACDC's test patients
BEHIND = 1.5  # points that SCN may have less than full supervision


def left_undone(
    records: Sequence[Record],
    variants: Sequence[Record],
    fine: Sequence[Record],
    folds: Sequence[Record],
) -> str:
    """A list in Markdown.

    Args:
        records: the finished runs of profile `cpu`.
        variants: its departures from the protocol, short ones among them or not.
        fine: runs at the printed resolution.
        folds: runs on folds of ACDC, of any profile.
    """
    whole = [record for record in variants if not record.run.variant.startswith(SHORT)]
    fine_folds = [record for record in folds if record.run.profile.name == FINE]
    found = [
        _the_aim(fine),
        _behind(records, fine),
        _without_a_run(fine),
        "" if fine_folds else f"On fold 1 nothing was trained by `{FINE}`.",
        _one_seed(records),
        _best_choices(records, whole),
        "No method is tested by weights averaged over its training (USTM's teacher, which is such "
        "an average, only teaches). The largest connected part was tried for all of them, beside "
        "what they predict (notebook 08).",
    ]
    return "\n".join(f"- {text}" for text in found if text)


def _the_aim(fine: Sequence[Record]) -> str:
    """How far SCN came at the printed size."""
    seeds = per_seed(fine, "acdc").get("scn", {})
    if not seeds:
        return ""
    dice = 100 * mean_dice(fine, "acdc")["scn"]
    met = "reached" if dice >= AIM else "not reached"
    return (
        f"Aim: SCN at {AIM}% Dice on ACDC at 256 x 256. It has {dice:.1f}% "
        f"({seeds_text(sorted(seeds))}): {met}."
    )


def _behind(records: Sequence[Record], fine: Sequence[Record]) -> str:
    """How far SCN lies behind full supervision, at both sizes."""
    said, met = [], []
    for size, runs in (("128 x 128", records), ("256 x 256", fine)):
        points, seeds = difference(runs, "acdc", "full", "scn")
        if seeds:
            said.append(f"{points:+.1f} at {size} ({seeds_text(seeds)})")
            met.append(points >= -BEHIND)
    end = "reached" if met and met[-1] else "not reached"
    text = f"Aim: SCN within {BEHIND} points of full supervision on ACDC. It is at"
    return f"{text} {', '.join(said)}: {end}." if said else ""


def _without_a_run(fine: Sequence[Record]) -> str:
    """The tables' rows that were not trained at the printed size."""
    said = []
    for number, dataset in OF_RIVALS:
        rows = [*ROWS[number], *OWN_RIVALS, *(ROWS[3] if dataset == "acdc" else ())]
        missing = in_order(set(rows) - per_seed(fine, dataset).keys())
        if missing:
            said.append(f"{data_title(dataset)} {', '.join(map(title, missing))}")
    return f"Not trained at 256 x 256: {'; '.join(said)}." if said else ""


def _one_seed(records: Sequence[Record]) -> str:
    """How many rows of the tables are of one seed."""
    rows = [
        len(seeds)
        for dataset in ("acdc", "mscmr")
        for method, seeds in per_seed(records, dataset).items()
        if method not in SHARED
    ]
    return f"{rows.count(1)} of the tables' {len(rows)} rows have one seed." if 1 in rows else ""


def _best_choices(records: Sequence[Record], variants: Sequence[Record]) -> str:
    """Whether any open choice of SCN's would make a better row of its own."""
    seeds = list(best_by_seed(records, "acdc", "scn", "").values())
    tried = [*part_costs(records, variants, "acdc"), *other_costs(variants, records, "acdc")]
    if len(seeds) < 2 or not tried:
        return ""
    apart = max(seeds) - min(seeds)
    ahead = sorted((one for one in tried if one.points > 0), key=lambda one: -one.points)
    beyond = [one for one in ahead if one.points > apart]
    why = (
        f"above it by more lie {', '.join(map(str, beyond))}"
        if beyond
        else f"none lies above it by more (ahead at all: {', '.join(map(str, ahead)) or 'none'})"
    )
    return (
        "SCN has no row of its best choices: its default's seeds lie "
        f"{apart:.1f} points apart on ACDC's validation subjects, and of {len(tried)} choices of "
        f"whole runs {why}."
    )
