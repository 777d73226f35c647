"""The optimiser and the schedule that a run's profile names."""

import torch

from scnlib.config import Profile
from scnlib.methods import Method


def make_optimiser(
    method: Method, profile: Profile
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The profile's optimiser and its schedule, stepped once an iteration.

    "step" is StepLR: times `lr_factor` every iterations / lr_steps. "poly" is lr (1 - t/T)^0.9,
    where step t, counted from 0, uses index t.
    """
    rate, decay, total = profile.lr, profile.weight_decay, profile.iterations
    weights = list(method.parameters())
    fused = all(w.device.type in ("cpu", "cuda") for w in weights)  # one pass over the weights
    if profile.optimiser == "adam":
        optimiser = torch.optim.Adam(weights, rate, weight_decay=decay, fused=fused)
    else:
        optimiser = torch.optim.SGD(weights, rate, momentum=0.9, weight_decay=decay, fused=fused)
    if profile.schedule == "step":
        step = max(1, round(total / profile.lr_steps))
        return optimiser, torch.optim.lr_scheduler.StepLR(optimiser, step, profile.lr_factor)
    return optimiser, torch.optim.lr_scheduler.PolynomialLR(optimiser, total, power=0.9)
