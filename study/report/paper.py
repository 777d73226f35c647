"""The numbers printed in the paper's Tables 1-3, and where they disagree with each other."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.report.titles import ROWS, STRUCTURES, check_number, paper_row

# Columns have two decimals: their mean and the printed mean may differ by 0.005 each by rounding.
_ROUNDING = 0.0101


@cache
def paper_table(number: int) -> pd.DataFrame:
    """A printed table: the paper's rows in its order, columns ("Dice" | "95HD", structure).

    Dice in percent; 95HD in the unit that the paper does not state (voxels, most likely).
    Read once, not to be written into. ValueError for another number than 1, 2, 3.
    """
    check_number(number)
    printed = pd.read_csv(Path(__file__).with_name("paper_tables.csv"), encoding="utf-8")
    printed = printed[printed["table"] == number]
    blocks = {
        quantity: printed.pivot(index="method", columns="structure", values=column)
        for quantity, column in (("Dice", "dsc"), ("95HD", "hd95"))
    }
    rows = [paper_row(number, method) for method in ROWS[number] if paper_row(number, method)]
    columns = pd.MultiIndex.from_product([list(blocks), list(STRUCTURES)])
    return pd.concat(blocks, axis=1).reindex(index=rows, columns=columns)


def printed_mean(number: int, method: str) -> float:
    """The printed mean Dice of a method in a table, in percent; nan where that has no such row."""
    table, row = paper_table(number), paper_row(number, method)
    return float(table.loc[row, ("Dice", "Mean")]) if row in table.index else float("nan")


def group(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The columns under one name of a table with two-level columns."""
    return pd.DataFrame(table[name])


def printed_inconsistencies() -> pd.DataFrame:
    """Where the printed numbers cannot all be right: columns where, quantity, printed, other, note.

    Checked from the numbers themselves: rows that are the same on two data sets, means that are not
    the mean of their columns, a model with two values on one data set, and rows that are better
    than the full model, which is said to have the best average Dice and 95HD.
    """
    tables = {number: paper_table(number) for number in ROWS}
    found = [*_repeated(tables), *_wrong_means(tables)]
    found += [*_two_values(tables[1], tables[3]), *_claims(tables[1])]
    return pd.DataFrame(found, columns=["where", "quantity", "printed", "other", "note"])


def repeated_rows() -> list[str]:
    """Printed rows whose numbers are the same on ACDC and on MSCMR."""
    one, two = paper_table(1), paper_table(2)
    return [
        str(row) for row in one.index.intersection(two.index) if one.loc[row].equals(two.loc[row])
    ]


def _repeated(tables: dict[int, pd.DataFrame]) -> list[tuple]:
    found = []
    for row in repeated_rows():
        where, note = f"Tables 1 and 2, {row}", "the same on ACDC and on MSCMR"
        first, second = (tables[number].loc[row, ("Dice", "Mean")] for number in (1, 2))
        found.append((where, "all eight numbers", first, second, note))
    return found


def _wrong_means(tables: dict[int, pd.DataFrame]) -> list[tuple]:
    found = []
    for number, table in tables.items():
        for quantity in ("Dice", "95HD"):
            block = group(table, quantity)
            means: Any = block[list(STRUCTURES[:3])].mean(axis=1)
            for row in block.index[np.abs(block["Mean"] - means) > _ROUNDING]:
                where = f"Table {number}, {row}"
                note = "printed mean is not the mean of its three columns"
                found.append((where, f"{quantity} Mean", block["Mean"][row], means[row], note))
    return found


def _two_values(first: pd.DataFrame, third: pd.DataFrame) -> list[tuple]:
    note = "one model on one data set has two values"
    found = []
    for one, three in (("ours", "PCE+CALE+CACL"), ("PCE", "PCE")):
        values, others = first.loc[one], third.loc[three]
        for quantity, structure in first.columns[values.to_numpy() != others.to_numpy()]:
            cell, where = (quantity, structure), f"Tables 1 and 3, {one.replace('ours', 'SCN')}"
            found.append((where, f"{quantity} {structure}", values[cell], others[cell], note))
    return found


def _claims(table: pd.DataFrame) -> list[tuple]:
    """Rows of Table 1 that beat the full model ("ours"), said to be the best on average."""
    found = []
    note = "better than SCN, which is said to be the best on average"
    for quantity, sign in (("Dice", 1), ("95HD", -1)):
        values: Any = group(table, quantity)["Mean"]
        for row in values.index[values * sign > values["ours"] * sign]:
            where = f"Table 1, {row}"
            found.append((where, f"{quantity} Mean", values[row], values["ours"], note))
    return found
