"""What was aimed at and left out, and what is kept of what the paper states."""

from typing import Any

from study.report.left_undone import left_undone
from study.report.stated import stated_table
from tests.study.report.test_tables import record


def at(dice: float, method: str = "scn", seed: int = 0) -> Any:
    """A tested and validated run of that mean Dice (`record` adds 0.1 to LV)."""
    run = record(method, dice - 0.1 / 3, seed=seed)
    run.validation = {"best": {"dice": dice}}
    return run


def test_an_aim_is_reached_or_not() -> None:
    fine = [at(0.88), at(0.90, "full")]
    text = left_undone([at(0.86), at(0.89, "full")], [], fine, [])
    assert "- Aim: SCN at 88.5% Dice on ACDC at 256 x 256." in text
    assert "It has 88.0% (seed 0): not reached." in text
    assert "It is at -3.0 at 128 x 128 (seed 0), -2.0 at 256 x 256 (seed 0): not reached." in text
    assert "(seed 0): reached." in left_undone([], [], [at(0.885)], [])
    near = left_undone([], [], [at(0.89), at(0.90, "full")], [])
    assert "It is at -1.0 at 256 x 256 (seed 0): reached." in near


def test_what_has_no_run_or_one_seed_is_counted() -> None:
    text = left_undone([at(0.8), at(0.8, seed=1), at(0.7, "pce")], [], [at(0.8)], [])
    (line,) = [line for line in text.splitlines() if "Not trained at 256" in line]
    acdc, mscmr = line.split("; MSCMR ")
    assert (
        "PCE+CALE" in acdc and " SCN," not in acdc and " SCN," in mscmr and "PCE+CALE" not in mscmr
    )
    assert "1 of the tables' 2 rows have one seed." in text
    assert "On fold 1 nothing was trained" in text


def test_a_choice_ahead_by_more_than_seeds_differ_is_named() -> None:
    def variant(name: str, dice: float) -> Any:
        run = at(dice)
        run.run.variant = name
        return run

    runs = [at(0.80), at(0.81, seed=1)]
    within = left_undone(runs, [variant("softpap", 0.805), variant("short+nopap", 0.99)], [], [])
    assert (
        "of 1 choices of whole runs none lies above it by more (ahead at all: `softpap`" in within
    )
    assert "above it by more lie `softpap` +5.00 (seed 0)" in left_undone(
        runs, [variant("softpap", 0.85)], [], []
    )


def test_what_is_stated_stands_beside_what_is_kept() -> None:
    rows = {line.split(" | ")[0]: line for line in stated_table().splitlines()}
    assert rows["| image"] == "| image | 256 x 256 | 128 x 128 | 256 x 256 | 256 x 256 |"
    assert rows["| iterations"] == "| iterations | 30,000 | 3,000 | 6,000 | 30,000 |"
    for line in rows.values():
        said, *_, printed = [cell.strip() for cell in line.strip("| ").split(" | ")][1:]
        assert said == printed or printed in (
            "`paper`",
            "---",
            "one U-Net for all (DMPLS: two decoders; Fddseg: two of it)",
        )
