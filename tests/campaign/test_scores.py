"""The short form: the study's scores are those of two others."""

import numpy as np
import pytest

from tests.campaign import scores


def test_scores_are_those_of_two_others() -> None:
    found = scores.campaign(pairs=150, seed=1)
    assert found["differing"] == 0
    assert sum(found[filling] for filling in ("both filled", "one empty", "both empty")) == 150
    assert min(found["both filled"] - 90, found["one empty"], found["both empty"]) > 0


@pytest.mark.parametrize("fault", ["dice", "hd95"])
def test_a_wrong_score_is_counted(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(scores, fault)
    monkeypatch.setattr(scores, fault, lambda *given: right(*given) * 1.001)
    assert scores.campaign(pairs=20, seed=1)["differing"] > 10


def test_pairs_are_of_every_kind() -> None:
    rng = np.random.default_rng(0)
    for kind in scores.KINDS:
        made = [scores.mask(kind, (4, 9, 8), rng) for _ in range(5)]
        assert all(a.shape == (4, 9, 8) and a.dtype == bool for a in made)
        assert any(a.any() for a in made) == (kind != "empty")
    pairs = [scores.pair(rng) for _ in range(60)]
    assert any(np.array_equal(one, other) and one.any() for one, other, _ in pairs)
    assert len({spacing for _, _, spacing in pairs}) > 10
