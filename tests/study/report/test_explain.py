"""From a number to the records behind it."""

from typing import Any

import pandas as pd
import pytest

from scnlib.paths import RESULTS, run_folder
from study.experiments import make_run
from study.report import lost_points
from study.report.explain import main, matching, where_it_stands
from study.report.facts import Fact, facts
from tests import sample_record
from tests.study.report.test_tables import record

FACTS = [
    Fact("Table 1, SCN, Dice ours RV", 84.2196, []),
    Fact("Table 1, SCN, Dice difference RV", -0.4251, []),
    Fact("Table 1, PCE, Dice ours RV", 84.3, []),
    Fact("Table 2, PCE, Dice ours RV", float("nan"), []),
    Fact("Table 1, SCN, Dice MYO (profile cpu, seeds 0, 1, 2)", 80.0, []),
    Fact("Table 2, SCN, Dice MYO (profile cpu, seeds 0, 1, 2)", 81.0, []),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("84.22", [0]),
        ("84.2%", [0]),
        ("84.3", [2]),
        ("84", [0, 2]),
        ("0.43", [1]),
        ("-0.43", [1]),
        ("\u22120.43", [1]),
        ("+0.43", []),
        ("84.23", []),
        ("Table 1, SCN, Dice ours RV", [0]),
        ("scn rv", [0, 1]),
        ("pce RV", [2]),
        ("Table 2, SCN, Dice MYO", [5]),
        ("scn myo", [4, 5]),
        ("table 3", []),
    ],
)
def test_numbers_go_by_their_decimals_and_cells_by_their_words(query, found):
    assert matching(query, FACTS) == [FACTS[k] for k in found]


def test_a_number_is_found_whole_in_the_texts(tmp_path):
    (tmp_path / "a.md").write_text("4.2\n14.2 and 4.21\n(4.2%)\n4.2.1\n-4.2.\n")
    assert where_it_stands("4.2", [tmp_path / "a.md"]) == [
        f"{tmp_path / 'a.md'}:{number}" for number in (1, 3, 5)
    ]


METRICS = pd.DataFrame(
    {
        "volume": ["a_ED"] * 3,
        "subject": "a",
        "frame": "ED",
        "structure": ["RV", "MYO", "LV"],
        "dice": [0.5, 0.6, 0.7],
        "hd95_voxel": [1.0, 2.0, 3.0],
        "hd95_mm": [2.0, 4.0, 6.0],
        "empty_prediction": False,
        "empty_truth": False,
    }
)


def test_a_number_leads_to_record_code_data_and_command(tmp_path, capsys):
    for seed, dice in ((0, 0.7), (1, 0.8)):
        folder = run_folder(tmp_path, "demo", "phantom", "pce", seed)
        sample_record.write(folder, make_run("phantom", "pce", seed), metrics=METRICS, dice=dice)
    folder = run_folder(tmp_path, "demo", "phantom", "pce", 0, "sgd")
    sample_record.write(folder, make_run("phantom", "pce", 0, variant="sgd"), tested=False)
    assert main(["80.0", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Dice mean of pce on phantom, seed 1, profile demo: 80.0000" in text
    assert f"{tmp_path}/demo/phantom/pce/seed1/record.json" in text and "code abc then def" in text
    assert "data phantom sha256 00" in text
    assert "./run_all.sh --profile demo --methods pce --seeds 1 --retrain --out again" in text
    assert main(["75.00", "--out", str(tmp_path)]) == 0  # a mean leads to both of its runs
    text = capsys.readouterr().out
    assert text.count("record.json") % 2 == 0 and "seed0" in text and "seed1" in text
    assert main(["71.23", "--out", str(tmp_path)]) == 1
    assert "error: 71.23: no number or cell of the records" in capsys.readouterr().err


def test_every_cell_of_ours_leads_to_a_record(capsys):
    if not any(RESULTS.glob("cpu/*/*/seed*/record.json")):
        pytest.skip("no committed record yet")
    for cell in ("Table 1, SCN, Dice ours RV", "Table 2, PCE, 95HD ours Mean"):
        assert main([cell]) == 0
        assert "record.json" in capsys.readouterr().out


def test_a_difference_of_short_runs_leads_to_both(tmp_path, capsys):
    for variant, best in (("short", 0.25), ("short+background", 0.5)):
        folder = run_folder(tmp_path, "cpu", "acdc", "pce", 0, variant)
        run = make_run("acdc", "pce", 0, "cpu", variant)
        sample_record.write(folder, run, tested=False, best=best)
    assert main(["short", "runs", "background", "difference", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "short runs, background, pce on acdc, mean validation Dice, difference: 25.0000" in text
    for variant in ("short", "short+background"):
        assert f"{tmp_path}/cpu/sensitivity/{variant}/acdc/pce/seed0/record.json" in text
        assert f"--variant {variant} --retrain" in text


def test_what_compares_runs_is_known_by_its_words_and_leads_to_both() -> None:
    runs = [record("scn", dice, seed) for seed, dice in enumerate((0.8, 0.7))]
    runs += [record("pce", dice, seed) for seed, dice in enumerate((0.5, 0.5))]
    runs += [record("cale", 0.7)]
    for run in runs:
        run.validation = {}
    known = {fact.text: fact for fact in facts(runs, [])}
    both = known["mean Dice of SCN minus PCE on acdc, seeds 0, 1 (profile cpu)"]
    assert both.value == pytest.approx(25) and len(both.records) == 4
    one = known["mean Dice of SCN minus PCE on acdc, seed 1 (profile cpu)"]
    assert one.value == pytest.approx(20) and len(one.records) == 2
    step = "Table 3, from PCE to PCE+CALE, mean Dice on acdc, seed 0 (profile cpu)"
    assert known[step].value == pytest.approx(20)
    test = "PCE minus SCN on acdc, mean over patients, Dice: difference (profile cpu)"
    assert known[test].value == pytest.approx(-25)
    untested = record("scn", 0.8)
    untested.summary, untested.validation = {}, {}
    lost = lost_points.read_rows(RESULTS / "cpu")  # rows that outlived their runs
    assert not [fact for fact in facts([untested], [], lost=lost) if "lost" in fact.text]
    one: Any = lost[(lost["dataset"] == "mscmr") | (lost["seed"] == 0)]
    one = one[(one["dataset"] == "acdc") | (one["seed"] > 0)]  # a set without the lowest seed
    known = {fact.text: fact for fact in facts(runs, [], lost=one)}
    far = known["lost points of PCE minus SCN on acdc, seed 0: far (profile cpu)"]
    assert [record.run.seed for record in far.records] == [0, 0], "of the seeds that rows are of"
    assert not [text for text in known if "on mscmr, seed 0" in text]
