"""The same methods at two image sizes, from records with known numbers."""

from study.report.full_report import report_text
from study.report.headlines import headlines
from study.report.resolution import pairs, sizes_table, sizes_told
from tests.study.report.test_headlines import NO_ROWS
from tests.study.report.test_tables import record

# `record` adds 0.1 to LV: the mean is a thirtieth more than the number given.
COARSE = [record("scn", 0.7), record("scn", 0.8, seed=1), record("full", 0.8)]
FINE = [record("full", 0.85, profile="night"), record("scn", 0.75, profile="night")]


def test_a_method_is_compared_over_the_seeds_that_both_sizes_have():
    scn, full = pairs(COARSE, FINE)
    assert (scn.method, scn.seeds, full.method) == ("scn", [0], "full")
    assert [round(value, 2) for value in (*scn.dice, *scn.hd95)] == [78.33, 73.33, 4.33, 5.33]


def test_the_line_names_data_seeds_and_both_numbers():
    text = sizes_told(COARSE, FINE)
    assert text.endswith("ACDC, seed 0: SCN 78.33 (73.33), Full supervision 88.33 (83.33).")
    assert text in headlines(COARSE, NO_ROWS, fine=FINE)
    assert sizes_told(COARSE, []) == "" and sizes_table(COARSE, []) == ""


def test_seeds_that_differ_are_said_where_they_do():
    fine = [
        *FINE,
        record("scn", 0.85, seed=1, profile="night"),
        record("box", 0.7, profile="night"),
    ]
    assert sizes_told(COARSE, fine).endswith(
        "ACDC, seed 0: SCN 83.33 (78.33) (seeds 0, 1), Full supervision 88.33 (83.33), "
        "PCE+box 73.33."
    )
    box = record("box", 0.8, seed=1, profile="night")
    assert "seeds 0, 1: SCN 83.33 (78.33)" in sizes_told(COARSE, [*fine, box])


def test_a_method_that_the_smaller_size_has_not_stands_alone():
    text = sizes_told(COARSE, [record("pce", 0.5, dataset="mscmr", seed=3)])
    assert text.endswith("MSCMR, seed 3: PCE 53.33.")


def test_the_table_has_the_printed_mean_of_the_table_that_has_the_row():
    rows = sizes_table([], [record(name, 0.5) for name in ("scn", "cale", "full")]).splitlines()[2:]
    cells = [[cell.strip() for cell in row.split("|")][2:7] for row in rows]
    assert [(name, printed) for name, _, _, _, printed in cells] == [
        ("PCE+CALE", "88.35"),
        ("SCN", "88.51"),
        ("Full supervision", ""),
    ]


def test_the_report_has_the_section_where_there_is_a_run(monkeypatch):
    monkeypatch.setattr("study.report.full_report.typical_step", lambda record: 0.1)
    heading = "## At the printed resolution"
    assert heading in report_text(COARSE, [], "cpu", fine=FINE)
    assert heading not in report_text(COARSE, [], "cpu")


def test_sizes_without_a_common_run_say_what_there_is():
    fine = [record("scn", 0.7, profile="night"), record("full", 0.8, profile="night")]
    text = sizes_told([record("scn", 0.6, seed=1)], fine)
    assert text.endswith("SCN 73.33, Full supervision 83.33.")
