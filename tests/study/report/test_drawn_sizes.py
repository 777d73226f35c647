"""How large structures are drawn, by hand."""

from typing import Any

import numpy as np
import pandas as pd

from study.report.drawn_sizes import sizes, structures_told


def test_sizes_are_of_all_voxels_and_means_over_seeds() -> None:
    """RV: 12 and 8 drawn of 10 with seed 0, 30 of 10 with seed 1: (0 + 200) / 2 percent more."""
    each = [("scn", 0, "RV", 4, 8), ("scn", 0, "RV", 16, 12), ("scn", 1, "RV", 60, 20)]
    each += [("scn", 0, "LV", 0, 5), ("scn", 1, "LV", 5, 5), ("pce", 0, "RV", 3, 4)]
    names = ["method", "seed", "structure", "voxels", "true_voxels"]
    rows = pd.DataFrame(each, columns=names).assign(dataset="acdc")
    table = sizes(rows, "acdc")
    assert [*table.index] == ["PCE", "SCN"] and [*table.columns] == ["RV", "LV"]
    assert table.loc["SCN"].tolist() == [100, -50]
    assert table.loc["PCE", "RV"] == -25 and np.isnan(table.loc["PCE", "LV"])
    old: Any = rows.drop(columns="voxels")
    assert sizes(old, "acdc").empty and sizes(rows, "mscmr").empty
    assert sizes(rows.head(0), "acdc").empty


def test_sizes_are_told_of_those_that_learn_from_scribbles_beside_full_supervision() -> None:
    """Of rows by two optimisers the one by SGD; a data set with one such method is left out.

    So are rows that were kept without counts, and a row by Adam alone is told of.
    """
    drawn = {"scn": 11, "full": 10, "pce": 12, "ustm": 9, "dmpls": 90, "dmpls_sgd": 13}
    each = [("acdc", method, 0, "MYO", voxels, 10) for method, voxels in drawn.items()]
    each += [("mscmr", "scn", 0, "MYO", 8, 10), ("mscmr", "full", 0, "MYO", 10, 10)]
    names = ["dataset", "method", "seed", "structure", "voxels", "true_voxels"]
    rows = pd.DataFrame(each, columns=names)
    assert structures_told(rows) == (
        "**How large the structures come out**, in voxels more or fewer than are true in the "
        "slices that have them, without far floods: ACDC, 4 methods that learn from scribbles "
        "(rows (Adam) aside) MYO -10.0 to +30.0%, full supervision MYO +0.0%."
    )
    more = pd.concat([rows, rows.iloc[-2:-1].assign(method="pce", voxels=9)])
    assert structures_told(more).endswith(
        "; MSCMR, 2 methods that learn from scribbles MYO -20.0 to "
        "-10.0%, full supervision MYO +0.0%."
    )
    assert structures_told(rows.head(0)) == structures_told(rows.drop(columns="voxels")) == ""
    kept = more["dataset"] == "acdc"
    gaps = more.assign(**{name: more[name].where(kept) for name in ("voxels", "true_voxels")})
    assert sizes(gaps, "mscmr").empty and structures_told(gaps) == structures_told(rows)
    by_adam: Any = rows[rows["method"] != "dmpls_sgd"]
    told = structures_told(by_adam)
    assert "4 methods that learn from scribbles MYO -10.0 to +800.0%" in told
