"""What the campaigns found, in words."""

import json
from pathlib import Path

from scnlib.paths import RESULTS
from study.report.reliability import SENTENCES, reliability_lines

FOUND = {
    "damage": {"tries": 1080, "silent": 0, "files": {"h5": {"harmless": 7}, "weights": {}}},
    "kills": {"kills": 12, "in_a_checkpoint": 4, "in_a_record": 2, "runs": 3, "differing": 1},
    "troubles": {"tried": 2, "differing": 1, "troubles": {"disk full": {}, "no flock": {}}},
    "fuzz": {
        "examples": 5000,
        "minutes": 9.8,
        "differing": 0,
        "kinds": {"NIfTI": {}, "h5": {}},
        "found_and_mended": ["one", "other"],
    },
    "scores": {"pairs": 10000, "differing": 0},
    "mutants": {
        "tested": 1000,
        "killed": 998,
        "modules": {"a.py": {"survived": [{"reason": "equal"}, {"reason": ""}]}},
    },
    "determinism": {
        "run": "SCN",
        "differing": 0,
        **{
            dtype: {"two_threads_from_one": {"weights": 0.015, "voxels": 0.0, "dice_points": 0.25}}
            for dtype in ("float32", "bfloat16")
        },
    },
}


def test_each_campaign_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "reliability.json"
    assert reliability_lines(path) == []
    path.write_text(json.dumps(FOUND))
    damage, kills, troubles, fuzz, scores, mutants, determinism = reliability_lines(path)
    assert "of 1,080" in damage and "0 passed unnoticed, and 7 held" in damage
    assert (
        "3 were killed 12 times, 4 of them while a checkpoint" in kills
        and "1 ended otherwise" in kills
    )
    assert "1 of 2 come out as they should (disk full; no flock)" in troubles
    assert "5,000 were drawn at random for the readers (NIfTI, h5; 10 minutes" in fuzz
    assert "0 ended otherwise" in fuzz and "2 faults" in fuzz
    assert "of 10,000 random pairs of masks 0 have" in scores
    assert "998 of 1,000" in mutants and "1 of the other 2 change no result" in mutants
    assert "twice on one machine gives the same bytes" in determinism
    assert "in float32 by 1.5% of the largest weight, 0% of voxels and 0.25 points" in determinism
    assert "without AVX" not in determinism
    old = {"weights": 0.02, "voxels": 0.01, "dice_points": 0.5}
    FOUND["determinism"] |= {"differing": 1, "float32": {"two_threads_from_one": old}}
    FOUND["determinism"]["float32"]["without_avx_from_with"] = old
    path.write_text(json.dumps(FOUND))
    last = reliability_lines(path)[-1]
    assert "gives other bytes" in last
    assert last.endswith(
        "without AVX differs: in float32 by 2% of the largest weight, 1% of voxels and 0.5 points "
        "of Dice."
    )


def test_every_part_of_the_committed_file_is_told() -> None:
    path = RESULTS / "reliability.json"
    parts = json.loads(path.read_text())
    assert set(parts) <= set(SENTENCES) and len(reliability_lines(path)) == len(parts)
    assert all(part.get("silent", part.get("differing", 0)) == 0 for part in parts.values())
