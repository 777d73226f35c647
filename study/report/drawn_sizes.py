"""How large each structure is drawn where it is, beside the truth: no border says so."""

from typing import Any

import pandas as pd

from study.experiments import RECIPES, without_recipe
from study.report.lost_points import VOXELS
from study.report.titles import NAMES, data_title, in_order, title


def sizes(rows: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """How much too large (percent; too small: below 0) each structure is drawn, by method.

    rows: of `lost_points.read_rows`. A row a method by title, in the tables' order, a column a
    structure: all its voxels in all volumes over those of the truth, less 1, without what is over
    `lost_points.FAR` mm away or in a slice that has none of it; means over seeds. Empty for rows
    that were kept without `VOXELS`.
    """
    if rows.empty or not {*VOXELS} <= {*rows.columns}:
        return pd.DataFrame()
    mine: Any = rows[rows["dataset"] == dataset]
    mine = mine.dropna(subset=[*VOXELS])
    if mine.empty:
        return pd.DataFrame()
    total: Any = mine.groupby(["method", "seed", "structure"], sort=False)[[*VOXELS]].sum()
    ratio = 100 * (total["voxels"] / total["true_voxels"] - 1)
    table: Any = ratio.groupby(["method", "structure"], sort=False).mean().unstack(sort=False)
    table = table.loc[in_order(set(mine["method"]))]
    return table.rename(index=title).rename_axis(index=None, columns=None)


def structures_told(rows: pd.DataFrame) -> str:
    """What learning from scribbles does to sizes, on each data set with several such methods.

    The range over these and full supervision; "" for no data set. Of methods with rows by two
    optimisers that by Adam is left out.
    """
    each = [f"{data_title(name)}, {told}" for name in NAMES if (told := _told(sizes(rows, name)))]
    if not each:
        return ""
    return (
        "**How large the structures come out**, in voxels more or fewer than are true in the "
        f"slices that have them, without far floods: {'; '.join(each)}."
    )


def _told(table: pd.DataFrame) -> str:
    full = title("full")
    twice = [title(without_recipe(name)) for name in RECIPES if title(name) in table.index]
    ours = table.drop(index=[full, *twice], errors="ignore")
    if len(ours) < 2:
        return ""
    low, high = ours.min(), ours.max()
    ranges = [f"{name} {low[name]:+.1f} to {high[name]:+.1f}%" for name in ours]
    aside = " (rows (Adam) aside)" * (len(ours) < len(table.drop(index=full, errors="ignore")))
    told = f"{len(ours)} methods that learn from scribbles{aside} {', '.join(ranges)}"
    if full in table.index:
        its = [f"{name} {percent:+.1f}%" for name, percent in table.loc[full].items()]
        told += f", {full.lower()} {', '.join(its)}"
    return told
