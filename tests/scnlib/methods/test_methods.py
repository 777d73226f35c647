"""Every method of the study: a finite loss and gradients, a prediction, and nothing forgotten."""

import copy

import pytest
import torch
from torch import Tensor

from scnlib.methods import METHODS, Batch, Method, Now, get_method
from study.experiments import make_run
from study.report.titles import TITLES

K, SIZE = 4, 32


def build(
    name: str, seed: int = 0, classes: int = K, bf16: bool = False, variant: str = ""
) -> Method:
    torch.manual_seed(seed)
    run = make_run("phantom", name, variant=variant, size=SIZE)
    method = get_method(name)(run, classes, bf16)
    batch = batch_of()
    method.prepare(batch.image[:, 0], batch.scribble.clamp(max=classes))
    return method


def batch_of(scribbled: bool = True, seed: int = 0, whole: bool = False) -> Batch:
    """Two slices, scribbled or labelled as a whole; the last eight columns are padding."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(2, 1, SIZE, SIZE, generator=generator)
    label = torch.randint(0, K, (2, SIZE, SIZE), generator=generator)
    valid = torch.ones(2, SIZE, SIZE, dtype=torch.bool)
    valid[:, :, -8:] = False
    image[:, 0][~valid] = 0.0
    label[~valid] = K
    stroke = torch.rand(2, SIZE, SIZE, generator=generator) < 0.05
    scribble = torch.where(stroke & valid & scribbled, label, K)
    scribble = label if whole else scribble
    return Batch(image, scribble, valid, torch.arange(2), torch.eye(2, 3).expand(2, 2, 3))


def now(iteration: int = 0) -> Now:
    return Now(iteration, 10, torch.Generator().manual_seed(0))


def total_and_parts(method: Method, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The loss, with the same dropout at every call."""
    torch.manual_seed(1)
    total, parts = method.train().loss(batch, now())
    return total, {name: float(value) for name, value in parts.items()}


def all_finite(values: list[Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in values)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_loss_and_gradients_are_finite(name: str, bf16: bool) -> None:
    method = build(name, bf16=bf16)
    total, parts = method.loss(batch_of(), now())
    assert total.shape == () and total.dtype == torch.float32
    assert torch.isfinite(total) and total > 0
    total.backward()
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert all_finite(gradients)
    assert sum(int(g.abs().sum() > 0) for g in gradients) > len(gradients) / 2
    assert parts and all_finite([torch.as_tensor(part) for part in parts.values()])
    assert not any(isinstance(part, Tensor) and part.requires_grad for part in parts.values())


@pytest.mark.parametrize("classes", [2, K])
@pytest.mark.parametrize("name", METHODS)
def test_prediction_is_logits_of_every_class(name: str, classes: int) -> None:
    with torch.no_grad():
        logits = build(name, classes=classes).eval().predict(torch.rand(3, 1, SIZE, 2 * SIZE))
    assert logits.shape == (3, classes, SIZE, 2 * SIZE) and logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", METHODS)
def test_state_dict_holds_all_that_a_method_learns(name: str) -> None:
    trained, image = build(name), torch.rand(2, 1, SIZE, SIZE)
    optimiser = torch.optim.Adam(trained.parameters(), 1e-3)
    for iteration in range(2):
        trained.loss(batch_of(), now(iteration))[0].backward()
        optimiser.step()
        trained.after_step(now(iteration))
    other = build(name, seed=7)
    with torch.no_grad():
        assert not torch.equal(trained.eval().predict(image), other.eval().predict(image))
        other.load_state_dict(copy.deepcopy(trained.state_dict()))
        assert torch.equal(trained.predict(image), other.eval().predict(image))
    # And so does the next step.
    (a, a_parts), (b, b_parts) = (total_and_parts(m, batch_of()) for m in (trained, other))
    assert torch.equal(a, b) and a_parts == b_parts


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_batch_without_a_scribble_stays_finite(name: str, bf16: bool) -> None:
    method = build(name, bf16=bf16)
    optimiser = torch.optim.Adam(method.parameters(), 1e-3)
    for scribbled in (False, True):  # and the step after it learns
        total, parts = method.loss(batch_of(scribbled), now())
        assert torch.isfinite(total)
        if name != "full":
            assert (float(parts["pce"]) > 0) == scribbled
        optimiser.zero_grad()
        total.backward()
        assert all_finite([p.grad for p in method.parameters() if p.grad is not None])
        optimiser.step()
        assert all_finite(list(method.state_dict().values()))  # with BatchNorm's statistics


def test_the_parts_add_up_by_the_papers_weights() -> None:
    total, parts = total_and_parts(build("scn"), batch_of())
    expected = parts["pce"] + 0.3 * parts["pap"] + 0.25 * parts["rsr"] + 0.1 * parts["cacl"]
    assert float(total.detach()) == pytest.approx(expected, rel=1e-5)
    assert min(parts[name] for name in ("pce", "pap", "rsr", "cacl")) > 0
    assert 0 <= parts["share_M"] <= 1 and 0 < parts["tau"] < 1


def test_cale_is_scn_without_its_contrast() -> None:
    cale, scn = (total_and_parts(build(name), batch_of()) for name in ("cale", "scn"))
    shared = {name: value for name, value in scn[1].items() if name != "cacl"}
    assert cale[1] == shared
    assert float(cale[0].detach()) == pytest.approx(
        float(scn[0].detach()) - 0.1 * scn[1]["cacl"], rel=1e-5
    )


def test_methods_have_the_same_network_and_first_weights() -> None:
    nets = [build(name).state_dict() for name in METHODS]
    names = [name for name in nets[0] if name.startswith("net.")]
    assert len(names) > 100
    for net in nets[1:]:
        assert [name for name in net if name.startswith("net.")] == names
        assert all(torch.equal(net[name], nets[0][name]) for name in names)


def test_titles_are_told_apart_and_one_method_needs_masks() -> None:
    assert set(TITLES) <= set(METHODS)
    assert len({name for name, _ in TITLES.values()}) == len(TITLES)
    assert [name for name in METHODS if get_method(name).needs == "label"] == ["full"]
