"""The learning rate: StepLR and the polynomial, also across a restart."""

import numpy as np
import pytest
import torch

from scnlib.config import Profile
from scnlib.methods.base import Method
from scnlib.training import make_optimiser
from study.experiments import PROFILES, make_run


class Nothing(Method):
    """A method with one number to learn."""

    def __init__(self) -> None:
        super().__init__(make_run("phantom", "pce"), 4)
        self.number = torch.nn.Parameter(torch.zeros(1))


def rates(profile: Profile, stop: int | None = None) -> list[float]:
    """The rate of every step; with `stop`, saved and taken up again before that step."""
    method = Nothing()
    optimiser, schedule = make_optimiser(method, profile)
    used = []
    for step in range(profile.iterations):
        if step == stop:
            kept = optimiser.state_dict(), schedule.state_dict()
            optimiser, schedule = make_optimiser(method, profile)
            optimiser.load_state_dict(kept[0])
            schedule.load_state_dict(kept[1])
        used.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return used


def test_momentum_and_weight_decay_are_those_of_the_profile() -> None:
    """WSL4MIS's SGD; Adam's decay is the profile's too."""
    (group,) = make_optimiser(Nothing(), make_run("acdc", "dmpls_sgd").profile)[0].param_groups
    assert (group["momentum"], group["weight_decay"], group["lr"]) == (0.9, 1e-4, 0.01)
    (group,) = make_optimiser(Nothing(), Profile(name="a", weight_decay=0.02))[0].param_groups
    assert group["weight_decay"] == 0.02 and "momentum" not in group


def test_poly_rate_goes_on_without_a_jump() -> None:
    """lr (1 - t/T)^0.9, where the step counted from 0 uses its own index."""
    profile = Profile(name="poly", optimiser="sgd", lr=0.01, schedule="poly", iterations=30_000)
    used = rates(profile, stop=15_000)
    assert used[0] == 0.01
    assert used[15_000] == pytest.approx(0.005358867, abs=1e-9)
    assert used[15_001] == pytest.approx(0.005358546, abs=1e-9)
    assert used[29_999] == pytest.approx(9.3452e-07, rel=1e-4)
    index = np.arange(30_000)
    assert np.allclose(used, 0.01 * (1 - index / 30_000) ** 0.9, rtol=1e-6, atol=0)


@pytest.mark.parametrize("stop", [15_000, 23_999, 24_000, 24_001])
def test_step_rate_goes_on_without_a_jump(stop: int) -> None:
    """The paper's 1e-3, times the profile's factor in the run's last fifth."""
    paper = PROFILES["paper"]
    used = rates(paper, stop)
    expected = [1e-3 * paper.lr_factor ** (step // 24_000) for step in range(30_000)]
    assert np.allclose(used, expected, rtol=1e-12, atol=0)
