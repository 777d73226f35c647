"""The short form of the fault campaign: no damage passes in silence."""

from pathlib import Path

from tests.campaign.damage import campaign


def test_no_damage_passes_in_silence(tmp_path: Path) -> None:
    counts = campaign(tmp_path, tries=12, seed=1)
    assert (counts["tries"], counts["silent"], len(counts["files"])) == (120, 0, 10)
    for kind, found in counts["files"].items():
        assert set(found) <= {"detected", "harmless"}, kind
        assert found["detected"], kind
