"""Tables 1-3, the faults in the printed ones, and the README's block."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scnlib.evaluation import summary
from study.report import verdicts
from study.report.paper import paper_table, printed_inconsistencies, printed_mean
from study.report.readme import replace_block
from study.report.scores import (
    interval_table,
    note_on_tests,
    our_table,
    own_table,
    side_by_side,
    statistics_table,
    table_title,
)
from study.report.statistics import compare
from study.report.tables import means_tables, short_tables, table_text, write_tables
from study.report.titles import BESIDE, ROWS, TITLES, paper_row


def record(
    method: str,
    dice: float,
    seed: int = 0,
    dataset: str = "acdc",
    profile: str = "cpu",
    empty: bool = False,
) -> Any:
    """Six patients; Dice is `dice` (LV 0.1 more), 95HD 20 (1 - Dice) voxels, 1.5 mm a voxel."""
    rows = []
    for patient in range(6):
        for structure in ("RV", "MYO", "LV"):
            missed = empty and patient == 0 and structure == "RV"
            value = 0.0 if missed else dice + 0.1 * (structure == "LV")
            distance = 20 * (1 - value)
            rows.append(
                {
                    "volume": f"p{patient}_f1",
                    "subject": f"p{patient}",
                    "frame": "f1",
                    "structure": structure,
                    "dice": value,
                    "hd95_voxel": distance,
                    "hd95_mm": 1.5 * distance,
                    "empty_prediction": missed,
                    "empty_truth": False,
                }
            )
    metrics = pd.DataFrame(rows)
    settings = SimpleNamespace(name=profile, iterations=3000)
    run = SimpleNamespace(dataset=dataset, method=method, seed=seed, profile=settings, variant="")
    return SimpleNamespace(
        run=run,
        metrics=metrics,
        summary=summary(metrics),
        validation={"best": None},
        dtype="float32",
    )


def test_printed_tables_keep_the_papers_rows_and_numbers() -> None:
    first, second, third = (paper_table(number) for number in (1, 2, 3))
    assert list(first.index) == "PCE S2I MLoss RLoss MELoss USTM DMPLS Fddseg ours".split()
    assert list(second.index) == list(first.index)
    assert list(third.index) == ["PCE", "PCE+CALE", "PCE+CALE+CACL"]
    assert first.at["ours", ("Dice", "Mean")] == 88.51
    assert second.at["USTM", ("95HD", "MYO")] == 186.29
    assert third.at["PCE+CALE", ("95HD", "LV")] == 8.01
    assert not pd.concat([first, second, third]).isna().any(axis=None)
    assert (printed_mean(1, "scn"), printed_mean(3, "cale")) == (88.51, 88.35)
    assert math.isnan(printed_mean(1, "full")) and math.isnan(printed_mean(2, "cale"))
    with pytest.raises(ValueError, match="1, 2 and 3"):
        paper_table(4)


def test_every_method_has_a_title_and_a_place() -> None:
    shown = {method for rows in ROWS.values() for method in rows}
    assert shown == set(TITLES) - set(BESIDE)
    for number, rows in ROWS.items():
        printed = set(paper_table(number).index)
        ours = our_table(number, [])
        added = [method for method in rows if not paper_row(number, method)]
        assert len(ours) == len(rows) == len(printed) + len(added)
        assert added == [method for method in rows if method == "full"]


def test_the_studys_own_rival_stands_last_where_it_was_run() -> None:
    records = [record("box", 0.4), record("scn", 0.8)]
    assert list(side_by_side(1, records).index)[-1] == "PCE+box"
    assert "PCE+box" not in side_by_side(2, records).index
    assert "PCE+box" not in side_by_side(3, records).index


def test_a_method_by_its_own_recipe_is_the_papers_row_and_the_other_a_footnote() -> None:
    records = [record("dmpls", 0.1), record("dmpls_sgd", 0.8)]
    table = side_by_side(1, records)
    assert table.loc["DMPLS", ("Dice ours", "Mean")] == pytest.approx(100 * (0.8 + 0.1 / 3))
    assert table.loc["DMPLS", ("Dice paper", "Mean")] == 87.20
    assert table.index[-1] == "DMPLS (Adam)" and pd.isna(table["Dice paper", "Mean"].iloc[-1])
    text = means_tables(records, "cpu")
    assert "DMPLS (Adam)" not in text and "| DMPLS | 83.33 | 87.20 | -3.87 |" in text
    assert text.endswith("DMPLS: by their public code's SGD (by Adam: the full report).")


def test_what_the_paper_prints_on_the_other_data_set_alone_is_the_studys_own_here() -> None:
    names = ("scn", "cale", "mloss", "rloss_sgd")
    records = [record(name, 0.8 + k / 50, dataset="mscmr") for k, name in enumerate(names)]
    assert list(side_by_side(2, records).index)[-1] == "PCE+CALE"
    assert "PCE+CALE" not in side_by_side(1, [record("cale", 0.5)]).index, "Table 3 has it"
    tests = compare(records, metrics=["dice"]).set_index("method")
    assert tests.at["cale", "p_holm"] == tests.at["cale", "p"], "no rival of Table 2"
    assert tests.at["mloss", "p_holm"] == 2 * tests.at["mloss", "p"]
    assert "cale" not in set(verdicts.tests_against_scn(records)["method"])


def test_a_method_that_a_user_added_stands_below_the_papers() -> None:
    records = [record("pce", 0.4), record("mine", 0.5), record("scn", 0.8)]
    for number, titles in ((1, ["Full supervision", "mine"]), (3, ["PCE+CALE", "PCE+CALE+CACL"])):
        table = side_by_side(number, records)
        assert list(table.index)[-2:] == titles
    table = side_by_side(1, records)
    assert table.at["mine", ("Dice ours", "RV")] == pytest.approx(50)
    assert np.isnan(table.at["mine", ("Dice paper", "RV")])
    assert "mine" in statistics_table(1, records)["method"].tolist()
    assert "| mine " in short_tables(records, "cpu")


def test_an_own_data_set_has_a_table_of_its_own() -> None:
    records = [record("scn", dice, seed, "clinic") for seed, dice in enumerate((0.6, 0.7))]
    records += [record("mine", 0.5, 0, "clinic"), record("pce", 0.4)]
    table = own_table(records, "clinic")
    assert list(table.index) == ["SCN", "mine"]
    assert table.loc["SCN", ["seeds", "Dice RV", "Dice LV"]].tolist() == [
        "2",
        "65.00 ± 7.07",
        "75.00 ± 7.07",
    ]
    assert table.at["mine", "95HD RV"] == "10.00"
    assert own_table(records, "nowhere").empty


def test_faults_of_the_printed_numbers_are_found() -> None:
    found: Any = printed_inconsistencies()
    cells = {(str(row.where), str(row.quantity)): row for row in found.itertuples(index=False)}
    assert set(cells) == {
        ("Tables 1 and 2, RLoss", "all eight numbers"),
        ("Table 2, DMPLS", "95HD Mean"),
        ("Table 2, USTM", "95HD Mean"),
        ("Table 2, S2I", "95HD Mean"),
        ("Tables 1 and 3, SCN", "95HD RV"),
        ("Tables 1 and 3, SCN", "95HD MYO"),
        ("Table 1, MLoss", "95HD Mean"),
        ("Table 1, RLoss", "95HD Mean"),
    }
    pairs: Any = found.set_index(["where", "quantity"])[["printed", "other"]]
    assert pairs.loc[("Table 2, DMPLS", "95HD Mean")].tolist() == pytest.approx([6.15, 2.64])
    assert pairs.loc[("Table 2, S2I", "95HD Mean")].tolist() == pytest.approx(
        [94.29, 94.10], abs=5e-3
    )
    assert pairs.loc[("Tables 1 and 3, SCN", "95HD RV")].tolist() == [1.33, 1.38]


def test_our_numbers_stand_in_percent_and_in_voxels() -> None:
    table: Any = our_table(1, [record("pce", 0.6), record("full", 0.8)])
    row: Any = table.loc["PCE"]
    assert row["Dice", "RV"] == pytest.approx(60.0) and row["Dice", "LV"] == pytest.approx(70.0)
    assert row["Dice", "Mean"] == pytest.approx((60 + 60 + 70) / 3)
    assert row["95HD", "RV"] == pytest.approx(8.0) and row["95HD mm", "RV"] == pytest.approx(12.0)
    assert math.isnan(row["Dice spread", "RV"])
    assert row["Run"].to_dict() == {
        "volumes": 6,
        "empty": 0,
        "seeds": 1,
        "iterations": "3000",
        "profile": "cpu",
        "status": "run",
    }
    assert table.loc["Full supervision"]["Dice", "RV"] == pytest.approx(80.0)


def test_a_method_without_a_record_is_an_empty_row_marked_so() -> None:
    table: Any = side_by_side(2, [record("scn", 0.8, dataset="mscmr")])
    row: Any = table.loc["USTM"]
    assert row["Run", "status"] == "not run"
    assert math.isnan(row["Dice ours", "RV"]) and row["Dice paper", "RV"] == 72.63
    assert list(table.index)[-1] == "SCN"
    untested = record("scn", 0.8)
    untested.summary, untested.metrics = {}, pd.DataFrame()
    assert our_table(1, [untested]).at["SCN", ("Run", "status")] == "not run"
    assert statistics_table(1, [untested]).empty


def test_several_seeds_are_averaged_with_their_spread(tmp_path: Path) -> None:
    runs = [record("scn", 0.80), record("scn", 0.84, seed=1)]
    table: Any = side_by_side(3, runs)
    row: Any = table.loc["PCE+CALE+CACL"]
    assert row["Dice ours", "RV"] == pytest.approx(82.0)
    assert row["Dice spread", "RV"] == pytest.approx(2 * math.sqrt(2))
    assert row["Dice Δ", "RV"] == pytest.approx(82.0 - 87.81)
    assert row["95HD Δ", "RV"] == pytest.approx(3.6 - 1.38)
    assert row["Run", "seeds"] == 2
    write_tables(runs, tmp_path, "cpu")
    assert "82.00 ± 2.83" in (tmp_path / "table3.md").read_text(encoding="utf-8")


def test_runs_are_refused_twice_or_from_two_profiles(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        our_table(1, [record("scn", 0.8), record("scn", 0.8)])
    with pytest.raises(ValueError, match="different profiles"):
        our_table(1, [record("scn", 0.8), record("pce", 0.8, profile="paper")])
    with pytest.raises(ValueError, match="profile paper"):
        write_tables([record("scn", 0.8)], tmp_path, "paper")


def test_files_of_the_three_tables(tmp_path: Path) -> None:
    runs = [record("scn", 0.85), record("pce", 0.4, empty=True), record("full", 0.85)]
    paths = write_tables(runs, tmp_path / "tables", "cpu")
    names = {f"table{n}.{suffix}" for n in (1, 2, 3) for suffix in ("md", "csv", "tex")}
    assert {path.name for path in paths} == names | {"runs.txt"} and all(
        path.stat().st_size for path in paths
    )
    markdown = (tmp_path / "tables" / "table1.md").read_text(encoding="utf-8")
    assert markdown.startswith("# Table 1: all methods on ACDC, profile cpu\n")
    assert "| PCE† " in markdown and "| USTM (not run) " in markdown and "†: " in markdown
    assert "nan" not in markdown.lower() and "<NA>" not in markdown
    assert "no difference" in markdown  # full supervision has SCN's very numbers here
    csv: Any = pd.read_csv(tmp_path / "tables" / "table1.csv", index_col="method")
    assert csv.at["PCE", "empty"] == 1 and csv.at["SCN", "Dice ours RV"] == 85.0
    assert csv.at["SCN", "Dice difference RV"] == pytest.approx(85 - 87.81)
    assert csv.at["USTM", "status"] == "not run" and math.isnan(csv.loc["USTM", "seeds"])
    runs += [record("pce", 0.9, seed=1), record("scn", 0.86, seed=1)]  # seeds of two kinds: ‡
    write_tables(runs, tmp_path / "tables", "cpu")
    latex = (tmp_path / "tables" / "table1.tex").read_text(encoding="utf-8")
    assert r"\ddag" in latex
    assert latex.count(r"\begin{tabular}") == 5 and latex.isascii()
    assert r"PCE\textsuperscript{\dag} &" in latex and r"(\%)" in latex


def test_tables_are_not_made_again_without_a_run_they_had(tmp_path: Path) -> None:
    runs = [record("scn", 0.8), record("scn", 0.9, seed=1), record("pce", 0.4)]
    paths = write_tables(runs, tmp_path, "cpu")
    before = {path: path.read_text() for path in paths}
    with pytest.raises(
        ValueError, match=r"runs\.txt: .*\(acdc/pce/seed0, acdc/scn/seed1\).*delete"
    ):
        write_tables(runs[:1], tmp_path, "cpu")
    assert {path: path.read_text() for path in paths} == before
    write_tables([*runs, record("full", 0.9)], tmp_path, "cpu")  # one more is no loss
    with pytest.raises(ValueError, match="acdc/full/seed0"):
        write_tables(runs, tmp_path, "cpu")
    (tmp_path / "runs.txt").unlink()
    write_tables(runs[:1], tmp_path, "cpu")
    assert (tmp_path / "runs.txt").read_text() == "acdc/scn/seed0\n"


def test_the_demonstration_says_so_and_is_not_set_beside_the_paper(tmp_path: Path) -> None:
    runs = [record("scn", 0.8, dataset="phantom", profile="demo")]
    for number in (1, 2, 3):
        assert "no evidence" in table_title(number, runs, "demo")
        table: Any = side_by_side(number, runs, "demo")
        assert not any("paper" in str(name) or "Δ" in str(name) for name, _ in table.columns)
        assert table.iloc[-1 - (number == 1)]["Dice ours", "RV"] == pytest.approx(80.0)
    write_tables(runs, tmp_path, "demo")
    for path in tmp_path.glob("table*"):
        text = path.read_text(encoding="utf-8")
        assert "no evidence" in text and "phantom" in text and "88.51" not in text
    assert "no evidence" in table_title(1, [], "demo")
    assert "no evidence" not in table_title(1, [], "cpu")


def test_a_methods_mean_over_patients_has_an_interval() -> None:
    runs = [record("scn", 0.6), record("scn", 0.8, seed=1), record("full", 0.9, empty=True)]
    table: Any = interval_table(1, runs)
    assert table["method"].tolist() == ["SCN"] * 2 + ["Full supervision"] * 2
    assert table["metric"].tolist() == ["dice", "hd95_voxel"] * 2
    # All patients alike: a third more than 0.7, and no width. One whose RV is missed gives width.
    same, missed = table.iloc[0], table.iloc[2]
    assert [same["mean"], same["low"], same["high"]] == pytest.approx([0.7 + 0.1 / 3] * 3)
    assert missed["mean"] == pytest.approx(0.9 + 0.1 / 3 - 0.9 / 18)
    assert missed["low"] < missed["mean"] < missed["high"] <= 0.9 + 0.1 / 3 + 1e-9
    assert interval_table(2, runs).empty


def test_tests_of_a_table_are_adjusted_over_the_whole_data_set() -> None:
    runs = [record("scn", 0.8), record("pce", 0.4), record("cale", 0.7), record("mloss", 0.6)]
    runs += [record("full", 0.9), record("box", 0.75)]  # not the paper's: apart from the others
    third = statistics_table(3, runs)
    assert third["method"].tolist() == ["PCE", "PCE+CALE"] * 2
    assert third["p_holm"].to_numpy() == pytest.approx(3 * third["p"].to_numpy())
    assert statistics_table(2, runs).empty


def test_a_row_whose_seeds_tell_two_stories_is_marked() -> None:
    runs = [record("scn", 0.8, seed) for seed in (0, 1)]
    runs += [record("pce", dice, seed) for seed, dice in enumerate((0.78, 0.4))]
    runs += [record("mloss", dice, seed) for seed, dice in enumerate((0.78, 0.76))]
    dice = statistics_table(1, runs).query("metric == 'dice'").set_index("method")
    apart = {"PCE": 0.38, "MLoss": 0.02}
    assert dice["seeds_apart"].to_dict() == pytest.approx(apart)
    text = table_text(1, runs, "cpu")
    assert text.count("2 / 2 ‡") == 2, "PCE in Dice, and in 95HD"
    assert "‡: single seeds, of the method or of SCN, move the difference by over 5 points" in text
    once = [record("scn", 0.8), record("pce", 0.4)]
    assert "‡" not in table_text(1, once, "cpu")


def test_footnotes_tell_of_recipes_where_such_rows_stand() -> None:
    runs = [record("scn", 0.8), record("dmpls_sgd", 0.7)]
    first, second, third = (table_text(number, runs, "cpu") for number in (1, 2, 3))
    assert "trained by SGD" in first and "trained by SGD" in second and "SGD" not in third
    assert "five folds" in first and "five folds" not in second


def test_a_table_warns_of_one_seed_where_one_of_its_own_methods_has_one() -> None:
    runs = [record(m, 0.6, seed) for m in ("scn", "pce", "cale") for seed in (0, 1)]
    runs.append(record("mloss", 0.5))  # in Table 1 alone
    runs.append(record("pce", 0.5, dataset="mscmr"))
    warned = [
        number
        for number in ROWS
        if "one seed" in note_on_tests(number, runs, "cpu", statistics_table(number, runs))
    ]
    assert warned == [1, 2]


def test_the_short_table_has_the_spread_of_the_means_alone() -> None:
    runs = [record("scn", 0.6), record("scn", 0.8, seed=1), record("pce", 0.4)]
    lines = short_tables(runs, "cpu").splitlines()
    scn, pce = (next(line for line in lines if line.startswith(f"| {m} ")) for m in ("SCN", "PCE"))
    dice = [cell.strip() for cell in scn.split("|")[2:6]]
    # The means of the seeds are 70 for RV, and 63.33 and 83.33 over structures.
    assert dice == ["70.00 (87.81)", "70.00 (85.96)", "80.00 (91.76)", "73.33 ± 14.14 (88.51)"]
    assert "±" not in pce


def test_the_means_stand_with_the_printed_ones_their_difference_and_the_seeds() -> None:
    runs = [record("scn", 0.6), record("scn", 0.8, seed=1), record("cale", 0.7)]
    *tables, note = means_tables(runs, "cpu").split("\n\n")
    first, second = (table.splitlines() for table in tables)
    assert note == "By seed: SCN on ACDC 63.3, 83.3."
    # Means over structures are 63.33 and 83.33; 95HD is 20 (1 - Dice): 7.33 and 3.33.
    dice, hd95 = "73.33 ± 14.14 | 88.51 | -15.18", "5.3 ± 2.8"
    assert f"| SCN | {dice} | {hd95} | 2 |" in first
    assert first.index(next(line for line in first if line.startswith("| PCE+CALE | 73.33 |"))) == (
        first.index(f"| SCN | {dice} | {hd95} | 2 |") - 1
    )
    assert "| PCE |  | 68.02 |  |  | not run |" in first
    assert second[0].startswith("| MSCMR | Dice (%) ") and len(second) == 2 + len(ROWS[2])
    assert {line.count("|") for line in (*first, *second)} == {7}


def test_readme_block_goes_between_its_markers(tmp_path: Path) -> None:
    block = short_tables([record("scn", 0.8), record("pce", 0.4)], "cpu")
    assert "80.00 (87.81)" in block and "[table1](tables/table1.md)" in block
    assert "Table 2: all methods on MSCMR, profile cpu**\n\nNot run." in block
    readme = tmp_path / "README.md"
    before = "# Title\n<!-- tables:start -->\nold\n<!-- tables:end -->\n\nafter\n"
    readme.write_text(before, encoding="utf-8")
    replace_block(readme, block, "tables")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("# Title\n<!-- tables:start -->\n**Table 1")
    assert text.endswith("<!-- tables:end -->\n\nafter\n") and "\nold\n" not in text
    replace_block(readme, block, "tables")
    assert readme.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- tables:start --> only",
        "<!-- tables:end --> x <!-- tables:start -->",
        "<!-- tables:start --> <!-- tables:start --> <!-- tables:end -->",
    ],
)
def test_a_readme_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.md: needs the line"):
        replace_block(readme, "block", "tables")
    assert readme.read_text(encoding="utf-8") == text
