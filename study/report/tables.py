"""Tables 1-3 as Markdown, csv and LaTeX, short ones for the report, and the README's means.

The numbers are from `scores` (ours) and `paper` (printed).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scnlib.files import replace_text
from scnlib.records import Record
from study.experiments import RECIPES, without_recipe
from study.report import markdown
from study.report.ledger import list_runs, no_run_is_lost
from study.report.paper import group
from study.report.scores import (
    FIVE_FOLDS,
    FOOTNOTES,
    OWN_RECIPE,
    footnotes,
    interval_table,
    note_on_tests,
    number_text,
    seeds_mark,
    side_by_side,
    statistics_table,
    table_dataset,
    table_title,
)
from study.report.titles import ROWS, STRUCTURES, data_title, title
from study.report.uneven import REASONS, uneven_told
from study.report.verdicts import interval

_LATEX = {
    "±": r"$\pm$",
    "†": r"\textsuperscript{\dag}",
    "‡": r"\textsuperscript{\ddag}",
    "Δ": r"$\Delta$",
}


def write_tables(records: Sequence[Record], folder: Path, profile: str) -> list[Path]:
    """Writes table{1,2,3}.{md,csv,tex} and runs.txt to the folder and returns the paths.

    The csv holds plain numbers, one line a method; md and tex are for reading (tex needs booktabs).
    ValueError for a record of another profile, and as `no_run_is_lost`.
    """
    other = {record.run.profile.name for record in records} - {profile}
    if other:
        raise ValueError(
            f"tables of profile {profile} cannot hold runs of {', '.join(sorted(other))}"
        )
    no_run_is_lost(records, folder)
    written = [list_runs(records, folder)]
    for number in ROWS:
        page = _page(number, records, profile)
        texts = {
            "md": _markdown_text(*page),
            "csv": _csv_text(number, records, profile),
            "tex": _latex_text(*page),
        }
        for suffix, text in texts.items():
            written.append(folder / f"table{number}.{suffix}")
            replace_text(written[-1], text)
    return written


def table_text(number: int, records: Sequence[Record], profile: str) -> str:
    """A whole table as a Markdown page, as `write_tables` writes it."""
    return _markdown_text(*_page(number, records, profile))


def _page(
    number: int, records: Sequence[Record], profile: str
) -> tuple[str, dict[str, pd.DataFrame], str, list[str]]:
    """A table's title, its blocks, what stands below its tests, and what stands last."""
    tests = statistics_table(number, records, profile)
    blocks = _blocks(number, records, profile, tests)
    note = note_on_tests(number, records, profile, tests)
    return table_title(number, records, profile), blocks, note, footnotes(number)


def _blocks(
    number: int, records: Sequence[Record], profile: str, tests: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """A table for reading: heading to a frame of text, for Dice, 95HD, the runs and the tests."""
    table = side_by_side(number, records, profile)
    titles = _row_titles(table)
    found = {
        "Dice (%)": _quantity(table, "Dice", titles),
        "95HD (voxels)": _quantity(table, "95HD", titles),
        "95HD in mm, and the runs": _runs(table, titles),
    }
    intervals = interval_table(number, records, profile)
    if len(intervals):
        found["Means over patients, with 95% bootstrap intervals"] = _intervals(intervals)
    if len(tests):
        found["Tests against SCN"] = _tests(tests)
    return found


def _markdown_text(
    title: str, blocks: dict[str, pd.DataFrame], note: str, last: Sequence[str]
) -> str:
    """The whole table as a Markdown page."""
    parts = [f"# {title}"]
    for heading, frame in blocks.items():
        parts += [f"## {heading}", _markdown(frame)]
        if heading.startswith("Tests"):
            parts.append(note)
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in last)]) + "\n"


def _latex_text(title: str, blocks: dict[str, pd.DataFrame], note: str, last: Sequence[str]) -> str:
    r"""The whole table as LaTeX tables, to be \input (needs the package booktabs)."""
    parts = ["% needs \\usepackage{booktabs}", f"% {title}"]
    for heading, frame in blocks.items():
        layout = "l" + "r" * (len(frame.columns) - 1)
        caption = _escaped(f"{title}. {heading}.")
        body = frame.map(_escaped).rename(columns=_escaped)
        parts.append(
            body.to_latex(index=False, escape=False, caption=caption, column_format=layout)
        )
    return "\n".join([*parts, *(f"\\par {_escaped(text)}" for text in (*last, note))]) + "\n"


def _csv_text(number: int, records: Sequence[Record], profile: str) -> str:
    """The numbers of `side_by_side`, one line a method, and what they were computed on."""
    table = side_by_side(number, records, profile)
    table.columns = [
        name if quantity == "Run" else f"{quantity} {name}".replace("Δ", "difference")
        for quantity, name in table.columns
    ]
    dataset = table_dataset(number, records, profile)
    demo = profile == "demo" or dataset == "phantom"
    table.insert(0, "dataset", dataset)
    table["remark"] = "demonstration, no evidence" if demo else ""
    return table.to_csv(index_label="method", float_format="%.4f", lineterminator="\n")


def short_tables(records: Sequence[Record], profile: str) -> str:
    """Tables 1-3 by structure as Markdown: ours (the paper's), or "Not run."."""
    parts = []
    for number in ROWS:
        table = side_by_side(number, records, profile)
        parts.append(f"**{table_title(number, records, profile)}**")
        if set(group(table, "Run")["status"]) == {"not run"}:
            parts.append("Not run.")
            continue
        parts.append(_markdown(_short(table)))
        parts.append(
            f"In full, with intervals and tests: [table{number}](tables/table{number}.md)."
        )
    first, *others = FOOTNOTES
    notes = ["Ours (paper). " + first.split(" Δ")[0], *others, OWN_RECIPE, FIVE_FOLDS]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)])


def means_tables(records: Sequence[Record], profile: str) -> str:
    """The README's tables, a data set each: means alone, with the printed ones and the seeds.

    PCE+CALE, a row of Table 3, stands before SCN in the table of the same data set. A method under
    a recipe that is not its own is a footnote.
    """
    parts, recipes = [], set()
    shared = {title(without_recipe(method)): title(method) for method in RECIPES}
    for number in (1, 2):
        table = side_by_side(number, records, profile)
        if number == 1:
            cale = side_by_side(3, records, profile).loc[["PCE+CALE"]]
            place = list(table.index).index("SCN")
            table = pd.concat([table.iloc[:place], cale, table.iloc[place:]])
        name = data_title(table_dataset(number, records, profile))
        parts.append(_means(table.drop(index=list(shared), errors="ignore"), name))
        recipes |= {shared[row] for row in table.index if row in shared}
    rows = ", ".join(row for row in shared.values() if row in recipes)
    recipe = f"{rows}: by their public code's SGD (by Adam: the full report)." if rows else ""
    last = " ".join(text for text in (recipe, uneven_told(records, REASONS[:1])) if text)
    return "\n\n".join([*parts, last] if last else parts)


def _means(table: pd.DataFrame, name: str) -> str:
    """One table of means as Markdown."""
    lines = []
    rows: Any = table.iterrows()
    for method, row in rows:
        cells: list[str] = [method]
        printed, apart = row["Dice paper", "Mean"], row["Dice Δ", "Mean"]
        dice, hd95 = (
            number_text(row[f"{name} ours", "Mean"], row[f"{name} spread", "Mean"], digits=digits)
            for name, digits in (("Dice", 2), ("95HD", 1))  # a tenth of a voxel is told by no mask
        )
        cells += [dice, number_text(printed), number_text(apart, sign=True), hd95]
        seeds = row["Run", "seeds"]
        cells.append("not run" if pd.isna(seeds) else str(seeds))
        lines.append(cells)
    head = (name, "Dice (%)", "printed", "Δ", "95HD", "seeds")
    return markdown.table(head, lines, numbers=True)


def _row_titles(table: pd.DataFrame) -> list[str]:
    """Row titles, with a dagger where a mask was empty and 'not run' where there is no record."""
    titles = []
    for method, run in zip(table.index, group(table, "Run").to_dict("records"), strict=True):
        absent = run["status"] == "not run"
        mark = " (not run)" if absent else "†" if run["empty"] > 0 else ""
        titles.append(f"{method}{mark}")
    return titles


def _quantity(table: pd.DataFrame, quantity: str, titles: list[str]) -> pd.DataFrame:
    """Paper, ours and difference of each structure side by side, as text."""
    columns: dict[str, list[str]] = {"Method": titles}
    compared = f"{quantity} paper" in table.columns.get_level_values(0)
    for structure in STRUCTURES:
        ours = zip(
            table[f"{quantity} ours", structure],
            table[f"{quantity} spread", structure],
            strict=True,
        )
        if compared:
            columns[f"{structure} paper"] = [
                number_text(v) for v in table[f"{quantity} paper", structure]
            ]
        columns[f"{structure} ours"] = [number_text(value, spread) for value, spread in ours]
        if compared:
            difference = table[f"{quantity} Δ", structure]
            columns[f"{structure} Δ"] = [number_text(value, sign=True) for value in difference]
    return pd.DataFrame(columns)


def _runs(table: pd.DataFrame, titles: list[str]) -> pd.DataFrame:
    frame = group(table, "95HD mm").map(number_text).rename(columns=lambda name: f"{name} mm")
    run = group(table, "Run").astype(object)
    frame = pd.concat([frame, run.where(run.notna(), "").astype(str)], axis=1)
    frame.insert(0, "Method", titles)
    return frame


def _intervals(intervals: pd.DataFrame) -> pd.DataFrame:
    """The intervals as text, a row a method; Dice in percent."""
    rows: dict[str, dict[str, str]] = {}
    for row in intervals.to_dict("records"):
        dice = row["metric"] == "dice"
        mean, low, high = ((100.0 if dice else 1.0) * row[name] for name in ("mean", "low", "high"))
        text = "" if pd.isna(mean) else f"{mean:.2f} [{low:.2f}, {high:.2f}]"
        name = "Dice (%)" if dice else "95HD (voxels)"
        rows.setdefault(row["method"], {"Method": row["method"]})[name] = text
    return pd.DataFrame(list(rows.values()))


def _tests(tests: pd.DataFrame) -> pd.DataFrame:
    """The comparisons as text, seen from SCN; Dice in percent like everywhere in the tables."""
    from_scn = {"better": "SCN worse", "worse": "SCN better"}
    rows = []
    for row in tests.to_dict("records"):
        dice = row["metric"] == "dice"
        undefined = pd.isna(row["p"])
        rows.append(
            {
                "Method": row["method"],
                "Metric": "Dice (%)" if dice else "95HD (voxels)",
                "Seeds": f"{row['seeds']} / {row['reference_seeds']} {seeds_mark(row)}".strip(),
                "Patients": str(row["patients"]),
                "Dropped": str(row["dropped"]),
                "Difference": "" if undefined else interval(row, 100 if dice else 1),
                "p": "" if undefined else f"{row['p']:.3g}",
                "p (Holm)": "" if undefined else f"{row['p_holm']:.3g}",
                "SCN against it": from_scn.get(row["verdict"], row["verdict"]),
            }
        )
    return pd.DataFrame(rows)


def _short(table: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, list[str]] = {"Method": _row_titles(table)}
    for quantity in ("Dice", "95HD"):
        for structure in STRUCTURES:
            spread = table[f"{quantity} spread", structure]
            spread = spread if structure == "Mean" else [float("nan")] * len(table)  # too wide
            pairs = zip(table[f"{quantity} ours", structure], spread, strict=True)
            ours = [number_text(value, spread) for value, spread in pairs]
            if f"{quantity} paper" in table.columns.get_level_values(0):
                printed = [number_text(value) for value in table[f"{quantity} paper", structure]]
                ours = [f"{a} ({b})" if b else a for a, b in zip(ours, printed, strict=True)]
            columns[f"{quantity} {structure}"] = [text.strip() for text in ours]
    return pd.DataFrame(columns)


def _markdown(frame: pd.DataFrame) -> str:
    align = ["left"] + ["right"] * (len(frame.columns) - 1)
    return frame.to_markdown(index=False, disable_numparse=True, colalign=align)


def _escaped(text: str) -> str:
    for plain, latex in {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", **_LATEX}.items():
        text = text.replace(plain, latex)
    return text
