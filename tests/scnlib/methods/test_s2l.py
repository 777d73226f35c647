"""S2L: the averaged prediction by hand, its passes, how it follows a slice, and a restart."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scnlib.augment import warp_image
from scnlib.methods import Batch, Now
from scnlib.methods.s2l import S2L, pass_due
from scnlib.unet import Output
from study.experiments import make_run
from tests.tiny_runs import tiny, whole_and_broken

K, SIZE = 4, 16


class Stub(nn.Module):
    """A network whose probability of class 1 is the image, and of class 0 the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.modes: list[tuple[bool, bool, int]] = []

    def forward(self, x: Tensor) -> Output:
        self.modes.append((self.training, torch.is_grad_enabled(), len(x)))
        P = torch.cat([1 - x, x, torch.zeros_like(x), torch.zeros_like(x)], dim=1)
        return Output(self.scale * P.clamp(min=1e-9).log(), [], x)


def stubbed(batch: int = 2, variant: str = "") -> S2L:
    method = S2L(make_run("phantom", "s2l", variant=variant, size=SIZE, batch=batch), K)
    method.net = Stub()  # pyright: ignore[reportAttributeAccessIssue]
    return method.train()


def now(iteration: int, iterations: int = 100) -> Now:
    return Now(iteration, iterations, torch.Generator().manual_seed(0))


def batch_of(
    scribble: Tensor, affine: Tensor | None = None, index: tuple[int, ...] = (0,)
) -> Batch:
    B = len(scribble)
    return Batch(
        image=torch.full((B, 1, *scribble.shape[1:]), 0.5),
        scribble=scribble,
        valid=torch.ones_like(scribble, dtype=torch.bool),
        index=torch.tensor(index),
        affine=torch.eye(2, 3).expand(B, 2, 3) if affine is None else affine,
    )


# The passes


@pytest.mark.parametrize("iterations", [30_000, 3_000, 600, 101])
def test_forty_passes_evenly_spaced_after_a_tenth_of_the_run(iterations: int) -> None:
    due = [i for i in range(iterations) if pass_due(i, iterations, throughout=False)]
    assert len(due) == 40
    assert due[0] == -(-iterations // 10)
    gaps = {b - a for a, b in pairwise(due)}
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(("iterations", "due"), [(1, []), (4, [1, 2, 3]), (10, list(range(1, 10)))])
def test_short_run_has_a_pass_at_every_step(iterations: int, due: list[int]) -> None:
    assert [i for i in range(iterations) if pass_due(i, iterations, throughout=False)] == due


@pytest.mark.parametrize(("iterations", "first"), [(30_000, 682), (3_000, 69), (600, 14)])
def test_passes_throughout_come_as_often_and_from_the_start(iterations: int, first: int) -> None:
    due = [i for i in range(iterations) if pass_due(i, iterations, throughout=True)]
    late = [i for i in range(iterations) if pass_due(i, iterations, throughout=False)]
    gaps = {b - a for a, b in pairwise([0, *due])}
    assert due[0] == first and max(gaps) - min(gaps) <= 1
    # 40 in nine tenths of the run are 44 in all of it; the last would come after the last step.
    assert len(due) == 43 and len([i for i in due if i > iterations / 10]) == len(late) - 1
    assert not any(pass_due(i, 1, throughout=True) for i in range(1))


def test_average_from_zero_is_sure_of_nothing_before_the_eighth_pass() -> None:
    """Always as sure as can be of class 1: after n passes A is 1 - 0.8^n, above 0.8 from 8 on."""
    method = stubbed()
    batch = batch_of(torch.full((1, 2, 2), K))
    sums = []
    for n in range(1, 10):
        method.update(torch.ones(1, 2, 2))
        sums.append(float(method.average[0, 1, 0, 0]))
        labelled = bool((method.pseudo_labels(batch) == 1).all())
        assert labelled == (n >= 8)
    assert sums == pytest.approx([1 - 0.8**n for n in range(1, 10)], abs=2e-3)


def test_pseudo_labels_wait_for_the_end_of_the_warm_up() -> None:
    method = stubbed()
    method.average = torch.ones(1, K, 2, 2, dtype=torch.float16)
    batch = batch_of(torch.tensor([[[0, K], [K, K]]]))
    assert method.loss(batch, now(9))[1]["share_pseudo"] == 0
    assert float(method.loss(batch, now(10))[1]["share_pseudo"]) == 0.75


def test_average_by_hand() -> None:
    method = stubbed(variant="late")
    first = torch.full((3, 2, 2), 0.5)
    second = torch.tensor([0.75, 0.25, 1.0])[:, None, None].expand(3, 2, 2)
    for iteration in range(10):
        method.every(now(iteration), first)
    assert method.average.numel() == 0  # nothing is kept before a tenth of the run
    method.every(now(10), first)
    assert method.average.shape == (3, K, 2, 2) and method.average.dtype == torch.float16
    assert torch.allclose(method.average[:, 1].float(), first, atol=1e-3)
    method.every(now(11), second)
    assert torch.allclose(method.average[:, 1].float(), first, atol=1e-3)  # none is due
    method.update(second)
    expected = torch.tensor([0.2 * 0.75 + 0.4, 0.2 * 0.25 + 0.4, 0.2 * 1.0 + 0.4])
    for y in range(2):
        for x in range(2):
            assert torch.allclose(method.average[:, 1, y, x].float(), expected, atol=1e-3)
    assert torch.allclose(method.average.float().sum(dim=1), torch.ones(3, 2, 2), atol=2e-3)


def test_pass_is_made_in_evaluation_mode_in_chunks_and_draws_nothing() -> None:
    method, at = stubbed(batch=2), now(10)
    states = torch.get_rng_state(), at.generator.get_state()
    method.every(at, torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(1)))
    assert method.net.modes == [(False, False, 2), (False, False, 2), (False, False, 1)]
    assert method.training and method.net.training
    assert not method.average.requires_grad
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[1], at.generator.get_state())
    method.eval().update(torch.rand(5, 4, 4))
    assert not method.training


def test_pass_leaves_the_network_as_it_was() -> None:
    method = S2L(make_run("phantom", "s2l", size=SIZE), K).train()
    before = {name: value.clone() for name, value in method.net.state_dict().items()}
    method.update(torch.rand(3, SIZE, SIZE))
    after = method.net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


# The pseudo-labels


def test_loss_by_hand() -> None:
    """The network says 1/2 for classes 0 and 1; sure and unlabelled are pixels 1 and 3."""
    method = stubbed()
    scribble = torch.tensor([[[0, K], [K, K]]])
    batch = batch_of(scribble)
    total, parts = method.loss(batch, now(10))
    ln2 = 0.693147
    assert float(total.detach()) == pytest.approx(ln2, abs=1e-5)
    assert (parts["pseudo"], parts["share_pseudo"]) == (0, 0)  # no pass has been made
    method.average = torch.zeros(1, K, 2, 2, dtype=torch.float16)
    method.average[0, 1] = torch.tensor([[0.9, 0.9], [0.79, 0.0]])
    method.average[0, 0] = 1 - method.average[0, 1]
    expected = torch.tensor([[[K, 1], [K, 0]]])
    assert torch.equal(method.pseudo_labels(batch), expected)
    total, parts = method.loss(batch, now(10))
    assert float(parts["pseudo"]) == pytest.approx(ln2, abs=1e-5)
    assert float(parts["share_pseudo"]) == 0.5
    assert float(total.detach()) == pytest.approx(1.5 * ln2, abs=1e-5)
    batch.valid[0, 0, 1] = False  # padding is never supervised
    assert torch.equal(method.pseudo_labels(batch), torch.tensor([[[K, K], [K, 0]]]))


def test_pseudo_labels_turn_with_the_slice() -> None:
    """x' = -y, y' = x in the grid of the output: a quarter turn; and a slice of its own each."""
    method = stubbed(variant="late")
    corner = torch.zeros(4, 4)
    corner[0, 1:3] = 1.0
    method.update(torch.stack([torch.zeros(4, 4), corner]))
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    batch = batch_of(
        torch.full((3, 4, 4), K),
        torch.stack([torch.eye(2, 3), quarter, torch.eye(2, 3)]),
        index=(1, 1, 0),
    )
    labels = method.pseudo_labels(batch)
    turned = warp_image(corner[None, None], quarter[None])[0, 0].round()
    assert not torch.equal(turned, corner)
    assert turned.long().tolist() in [torch.rot90(corner, k).long().tolist() for k in (1, 3)]
    assert torch.equal(labels, torch.stack([corner, turned, torch.zeros(4, 4)]).long())


# A restart


@pytest.mark.usefixtures("few_subjects")
@pytest.mark.parametrize("stop", [1, 2, 7])
def test_resumed_run_equals_an_unbroken_one(stop: int, tmp_path: Path) -> None:
    """Stopped before the first pass, and between passes."""
    run = tiny("s2l", iterations=12, validations=1, size=SIZE)
    whole, stopped, broken = whole_and_broken(run, tmp_path, stop, steps=11)
    assert (stopped.method.state_dict()["average"].numel() > 0) == (stop > 1)  # `late`: from 3 on
    a, b = whole.method.state_dict(), broken.method.state_dict()
    assert a.keys() == b.keys() and a["average"].shape == (len(whole.data.images), K, SIZE, SIZE)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert torch.equal(whole.generator.get_state(), broken.generator.get_state())


def test_average_of_any_size_is_loaded_and_prediction_does_without() -> None:
    method, other = (S2L(make_run("phantom", "s2l", size=SIZE), K) for _ in range(2))
    method.update(torch.rand(3, SIZE, SIZE))
    state = method.state_dict()
    assert set(S2L.memory) <= set(state)
    other.load_state_dict(state)
    assert torch.equal(other.average, method.average)
    kept = {name: value for name, value in state.items() if name not in S2L.memory}
    fresh = S2L(make_run("phantom", "s2l", size=SIZE), K)
    missing, unexpected = fresh.load_state_dict(kept, strict=False)
    assert (missing, unexpected) == (["average"], [])
    image = torch.rand(1, 1, SIZE, SIZE)
    with torch.no_grad():
        assert torch.equal(fresh.eval().predict(image), method.eval().predict(image))
