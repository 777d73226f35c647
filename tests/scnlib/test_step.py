"""A step's cost: the same numbers from fewer operations, and no wait for the device."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from scnlib.data.batches import TrainingSet
from scnlib.data.phantom import phantom_split
from scnlib.methods import METHODS, get_method
from scnlib.methods.base import Batch, Method, Now
from scnlib.methods.scn import SCN
from study.experiments import make_run
from tests.scnlib.reference_step import scn_loss
from tests.tiny_runs import without_dropout

K = 4
# A name for each kind of step whose loss is a function of tensors alone.
KINDS = {get_method(name): name for name in METHODS}
PURE = [name for kind, name in KINDS.items() if kind.loss is Method.loss]


def drawn_batch(method: str, padding: str = "unlabelled", device: str = "cpu") -> Batch:
    """An augmented batch of the phantom, 64 x 64, with some rotated slices in it."""
    run = make_run("phantom", method, batch=6, padding=padding)
    data = TrainingSet(run, phantom_split("train")[:4], torch.device(device))
    return data.draw([], torch.Generator().manual_seed(1))[0]


def gradients(loss: Tensor, method: Method) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(method.parameters())))


@pytest.mark.parametrize("padding", ["unlabelled", "background"])
@pytest.mark.parametrize("absent", [None, 2])
def test_scn_gives_the_numbers_of_the_equations_written_out(
    padding: str, absent: int | None
) -> None:
    """Also where nobody scribbled a class; tau is low, so that M has gaps and edges."""
    batch = drawn_batch("scn", padding)
    if absent is not None:
        missing = torch.where(batch.scribble == absent, K, batch.scribble)
        batch = replace(batch, scribble=missing)
    run = make_run("phantom", "scn")
    run = replace(run, scn=replace(run.scn, tau=0.5))
    torch.manual_seed(0)
    method = without_dropout(SCN(run, K))
    assert isinstance(method, SCN)
    now = Now(0, 10, torch.Generator().manual_seed(0))
    cells = method.draw(batch.image.shape, now)["cells"]
    expected = scn_loss(method, batch, cells)
    found, parts = method.objective(batch, {"cells": cells})
    assert 0.02 < float(parts["share_M"]) < 0.98
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    theirs, ours = gradients(expected, method), gradients(found, method)
    scale = max(float(g.abs().max()) for g in theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert float((one - other).abs().max()) < 1e-5 * scale


@pytest.mark.parametrize("name", PURE)
def test_a_step_has_no_break_and_reads_no_number(name: str) -> None:
    """`fullgraph` fails where a value is read, or a shape depends on one.

    `aot_eager` traces the loss's gradients before it runs them, too.
    """
    method = get_method(name)(make_run("phantom", name), K).train()
    batch = drawn_batch(name)
    slices = torch.arange(6)  # as if they were the training set
    method.prepare(batch.image[:, 0], batch.scribble.to(torch.uint8))
    batch = replace(batch, index=slices)
    drawn = method.draw(batch.image.shape, Now(0, 10, torch.Generator().manual_seed(0)))
    torch.compiler.reset()
    compiled = torch.compile(method.objective, fullgraph=True, backend="aot_eager")
    torch.manual_seed(3)
    found, parts = compiled(batch, drawn)
    found.backward()
    assert torch.isfinite(found.detach()) and parts


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", PURE)
def test_a_step_never_waits_for_the_gpu(name: str) -> None:
    method = get_method(name)(make_run("phantom", name), K).to("cuda").train()
    data = TrainingSet(
        make_run("phantom", name, batch=6), phantom_split("train")[:4], torch.device("cuda")
    )
    method.prepare(data.images, data.scribbles)
    generator = torch.Generator().manual_seed(1)
    for mode in ("default", "error"):  # the first step may: it loads kernels
        torch.cuda.set_sync_debug_mode(mode)
        try:
            batch, _ = data.draw([], generator)
            method.loss(batch, Now(0, 10, generator))[0].backward()
        finally:
            torch.cuda.set_sync_debug_mode("default")
