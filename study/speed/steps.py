"""The steps that are timed, on phantom slices in memory: the field's plain one, and each method's.

"plain" is the U-Net step as the field writes it: float32, contiguous, SGD, torch's cross-entropy
with an ignore index, the batch as it is, and the C library's own way with freed memory (so it has
to be timed before any other in a process). A method's step is the study's own, all of it: draws,
augmentation, losses, gradients, optimiser.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from scnlib.data.batches import TrainingSet
from scnlib.data.cases import Case
from scnlib.data.phantom import draw_subject
from scnlib.kernels import ElementDropout
from scnlib.methods import Now, get_method
from scnlib.optimiser import make_optimiser
from scnlib.provenance import bf16_supported
from scnlib.step import StaticStep, make_step
from scnlib.unet import UNet
from study.experiments import make_run

PLAIN = "plain"
WAYS = ("eager", "graph", "compiled", "compiled graph")  # a "graph" here is not compiled

Action = Callable[[], object]


@cache
def phantoms() -> list[Case]:
    """Six phantom subjects: some 40 to 60 slices, enough for a batch of 24."""
    return [draw_subject(number)[0] for number in range(1, 7)]


def plain_step(size: int, batch: int, device: torch.device) -> Action:
    """The field's U-Net step on `batch` images of size x size."""
    torch.manual_seed(0)
    net = UNet(4, "element")
    for layers in (block for block in net.encoder.blocks if isinstance(block, nn.Sequential)):
        for place, layer in enumerate(layers):
            if isinstance(layer, ElementDropout):
                layers[place] = nn.Dropout(layer.p)
    net = net.to(device).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    image = torch.rand(batch, 1, size, size, device=device)
    scribble = torch.full((batch, size, size), 4, device=device)
    scribble[:, ::16, ::16] = torch.randint(4, (batch, size // 16, size // 16), device=device)

    def step() -> None:
        optimiser.zero_grad()
        logits, _ = net.decoder(net.encoder(image))
        F.cross_entropy(logits, scribble, ignore_index=4).backward()
        optimiser.step()

    return step


def method_step(
    name: str, size: int, batch: int, device: torch.device, way: str, *, stride: int = 8
) -> Action:
    """A method's step, run in one of the `WAYS`; each call returns the way that it took.

    stride: of SCN's map.
    """
    torch.manual_seed(0)
    run = make_run("phantom", name, size=size, batch=batch, iterations=30_000)
    run = replace(run, scn=replace(run.scn, stride=stride))
    data = TrainingSet(run, phantoms(), device)
    kind = get_method(name)
    method = kind(run, data.classes, run.profile.bf16 and bf16_supported(device)).to(device)
    optimiser, _ = make_optimiser(method, run.profile)
    step = make_step("eager", method, data, optimiser)
    if way != "eager":
        compiler = "inductor" if "compiled" in way else None
        step = StaticStep(method, data, optimiser, compiler=compiler, recorded="graph" in way)
    method.train()
    method.prepare(data.images, data.scribbles)
    generator = torch.Generator().manual_seed(0)
    order: list[int] = []

    def act() -> str:
        nonlocal order
        # In the middle of a run, where ramps and warm-ups are over.
        now = Now(20_000, run.profile.iterations, generator)
        _, order = step(order, now)
        method.after_step(now)
        return step.kind

    return act


def timed(
    action: Action, device: torch.device, repeats: int = 5, inner: int = 1, warm: int = 2
) -> dict[str, float]:
    """Milliseconds a call: least and median of `repeats` blocks of `inner` calls after `warm`.

    The least is what the machine can do, also where other programs share it.
    """
    for _ in range(warm):
        action()
    _wait(device)
    blocks = []
    for _ in range(repeats):
        began = time.perf_counter()
        for _ in range(inner):
            action()
        _wait(device)
        blocks.append((time.perf_counter() - began) / inner * 1000)
    return {"least_ms": round(min(blocks), 3), "median_ms": round(float(np.median(blocks)), 3)}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def by_kernel(action: Action, device: torch.device, steps: int = 5) -> list[dict[str, Any]]:
    """The device's kernels (on a CPU torch's operators) by time: name, calls and ms a step."""
    kinds = [torch.profiler.ProfilerActivity.CPU]
    on_gpu = device.type == "cuda"
    if on_gpu:
        kinds = [torch.profiler.ProfilerActivity.CUDA]
    _wait(device)
    with torch.profiler.profile(activities=kinds) as profile:
        for _ in range(steps):
            action()
        _wait(device)
    rows = []
    for event in profile.key_averages():
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if spent:
            calls, ms = event.count / steps, round(spent / steps / 1000, 4)
            rows.append({"name": event.key[:120], "calls": calls, "ms": ms})
    return sorted(rows, key=lambda row: -row["ms"])
