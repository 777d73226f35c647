"""What SCN's loss hands to the equations: every option arrives, and padding nowhere."""

from dataclasses import fields, replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from scnlib.confidence import Pseudo
from scnlib.config import SCNOptions
from scnlib.correlation import correlation_map
from scnlib.methods.base import Batch, Now
from scnlib.methods.scn import SCN, draw_cells
from scnlib.unet import CHANNELS
from study.experiments import make_run

K, B, SIZE = 4, 2, 64
# Few rows and a threshold that half of the pixels pass: M has gaps for masks to fill.
BASE = SCNOptions(tau=0.7, rows=8)
OTHER: dict[str, Any] = {
    "stride": 4,
    "scale_inside": False,
    "projections": True,
    "propagate": "logits",
    "detach_propagated": True,
    "pap_target": "soft",
    "pap_pixels": "confident",
    "rows": 0,
    "mask_threshold": None,
    "mask_grid": "pixels",
    "connected": True,
    "gate": "corrmatch",
    "scribbles_confident": False,
    "overwrite": True,
    "region_mean": "mask",
    "tau": 0.45,
    "tau_momentum": 0.0,
    "temperature": 0.5,
    "normalise": False,
    "means_over": "image",
    "detach_means": True,
    "contrast_mean": "classes",
    "pce_sum": True,
    "lambda1": 2.0,
    "lambda2": 2.0,
    "lambda3": 2.0,
    "lambda4": 2.0,
}


def outputs(seed: int = 0) -> tuple[Tensor, list[Tensor], Tensor]:
    """Logits, encoder features and last features (16 channels) as a network might give them."""
    g = torch.Generator().manual_seed(seed)

    def smooth(channels: int, level: int) -> Tensor:
        coarse = torch.randn(B, channels, 3, 3, generator=g)
        side = SIZE // 2**level
        return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")

    def rough(channels: int, level: int) -> Tensor:
        maps = smooth(channels, level)
        return maps + 0.7 * torch.randn(maps.shape, generator=g)

    # Small features, so that rows of C are not all of one cell; rough ones, for masks in parts.
    encoder = [(0.2 * rough(c, level)).requires_grad_() for level, c in enumerate(CHANNELS)]
    return (3 * smooth(K, 0)).requires_grad_(), encoder, smooth(16, 0).requires_grad_()


def batch(valid: Tensor | None = None) -> Batch:
    scribble = torch.full((B, SIZE, SIZE), K)
    for c in range(K):
        scribble[:, 16 * c + 6, 8 : 24 + 6 * c] = c
    valid = torch.ones_like(scribble, dtype=torch.bool) if valid is None else valid
    scribble = torch.where(valid, scribble, K)
    image = torch.zeros(B, 1, SIZE, SIZE)
    return Batch(image, scribble, valid, torch.arange(B), torch.eye(2, 3).expand(B, 2, 3))


def trained_on(
    options: SCNOptions, given: Batch, seed: int = 0
) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
    """The loss, and its gradients for logits, encoder features and last features."""
    method = SCN(replace(make_run("phantom", "scn", size=SIZE), scn=options), K)
    logits, encoder, last = outputs(seed)
    method._modules["net"] = lambda x: (logits, encoder, last)  # type: ignore[assignment]
    total, _ = method.loss(given, Now(0, 10, torch.Generator().manual_seed(0)))
    total.backward()
    zero = [torch.zeros_like(f) if f.grad is None else f.grad for f in (logits, *encoder, last)]
    return total.detach(), zero[0], zero[1:-1], zero[-1]


def test_every_option_has_an_alternative_here() -> None:
    assert set(OTHER) == {field.name for field in fields(SCNOptions)}


@pytest.mark.parametrize("name", OTHER)
def test_each_option_changes_the_loss_or_its_gradient(name: str) -> None:
    total, on_logits, on_encoder, on_last = trained_on(BASE, batch())
    other = trained_on(replace(BASE, **{name: OTHER[name]}), batch())
    same = [torch.equal(total, other[0]), torch.equal(on_logits, other[1])]
    same += [torch.equal(a, b) for a, b in zip(on_encoder, other[2], strict=True)]
    assert not all([*same, torch.equal(on_last, other[3])])
    assert torch.isfinite(other[0])


def test_propagated_logits_become_probabilities() -> None:
    """Of features all alike C is uniform, and mixes all cells: the mean, then the softmax."""
    options = SCNOptions(propagate="logits")
    method = SCN(replace(make_run("phantom", "scn", size=SIZE), scn=options), K)
    logits, encoder, _ = outputs()
    alike = [torch.zeros_like(f) for f in encoder]
    Y_corr = method.propagated(alike, logits, logits.softmax(dim=1))
    expected = logits.mean(dim=(2, 3)).softmax(dim=1)[:, :, None, None].expand_as(Y_corr)
    torch.testing.assert_close(Y_corr, expected)


def test_the_two_projections_are_two() -> None:
    options = SCNOptions(projections=True)
    method = SCN(replace(make_run("phantom", "scn", size=SIZE), scn=options), K)
    _, encoder, _ = outputs()
    one, other = method.compared(encoder)
    assert one.shape == other.shape and not torch.equal(one, other)


def test_nothing_is_asked_of_padding() -> None:
    """No loss has a gradient there (P detached in Y_corr, of which padding is a part)."""
    valid = torch.ones(B, SIZE, SIZE, dtype=torch.bool)
    valid[:, :, 48:] = False
    options = replace(BASE, detach_propagated=True, tau=0.0, tau_momentum=1.0)  # all would be in M
    _, on_logits, _, on_last = trained_on(options, batch(valid))
    for gradient in (on_logits, on_last):
        outside = gradient.movedim(1, 3)[~valid]
        inside = gradient.movedim(1, 3)[valid]
        assert not outside.any() and inside.any()


def pseudo_labels(method: SCN, C: Tensor, P: Tensor, given: Batch) -> Pseudo:
    """What the method makes of the map C (B, N, N), with as many rows of it as its options say."""
    generator = torch.Generator().manual_seed(0)
    cells = draw_cells(len(C), C.shape[1], method.run.scn.rows, generator)
    rows = C.gather(1, cells[:, :, None].expand(-1, -1, C.shape[2]))
    return method.pseudo_labels(rows, cells, *P.max(dim=1), given)


def test_padding_is_never_in_m() -> None:
    valid = torch.rand(B, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) < 0.7
    logits, encoder, _ = outputs()
    method = SCN(replace(make_run("phantom", "scn", size=SIZE), scn=BASE), K)
    pseudo = pseudo_labels(
        method, correlation_map(*method.compared(encoder)), logits.softmax(dim=1), batch(valid)
    )
    assert pseudo.confident.any() and not pseudo.confident[~valid].any()


def test_scribbles_are_written_in_also_where_they_are_not_trusted() -> None:
    given = batch()
    logits, encoder, _ = outputs()
    options = replace(BASE, scribbles_confident=False)
    method = SCN(replace(make_run("phantom", "scn", size=SIZE), scn=options), K)
    pseudo = pseudo_labels(
        method, correlation_map(*method.compared(encoder)), logits.softmax(dim=1), given
    )
    drawn = given.scribble < K
    assert torch.equal(pseudo.labels[drawn], given.scribble[drawn])


def grown(
    mask_grid: Literal["cells", "pixels"], connected: bool, sure: tuple[slice, slice]
) -> Tensor:
    """The cells, (8, 8) bool, that get class 2 whole, where the pixels `sure` (of cell 9) have it.

    Row 9 of C is at home in cells 9 and 45, every other row in its own cell alone; scribbles: none.
    """
    options = SCNOptions(stride=4, rows=0, mask_grid=mask_grid, connected=connected)
    method = SCN(replace(make_run("phantom", "scn", size=32), scn=options), K)
    C = torch.eye(64)
    C[9, [9, 45]] = 0.5
    P = torch.full((1, K, 32, 32), 0.2)
    P[:, 0] = 0.4
    P[0, :, *sure] = torch.tensor([0.01, 0.01, 0.97, 0.01])[:, None, None]
    valid = torch.ones(1, 32, 32, dtype=torch.bool)
    unmarked = torch.full((1, 32, 32), K)
    given = Batch(P[:, :1], unmarked, valid, torch.arange(1), torch.eye(2, 3)[None])
    pseudo = pseudo_labels(method, C[None], P, given)
    trusted = pseudo.confident & (pseudo.labels == 2)
    assert torch.equal(trusted, pseudo.confident)
    return trusted[0].unfold(0, 4, 4).unfold(1, 4, 4).all(dim=(2, 3))


def test_where_masks_are_made_and_which_part_they_keep() -> None:
    whole, pixel = (slice(4, 8), slice(4, 8)), (slice(5, 6), slice(6, 7))
    cases: list[tuple[Literal["cells", "pixels"], tuple[slice, slice]]]
    cases = [("cells", whole), ("pixels", whole), ("pixels", pixel)]
    for mask_grid, sure in cases:
        assert grown(mask_grid, False, sure).flatten().nonzero().flatten().tolist() == [9, 45]
        assert grown(mask_grid, True, sure).flatten().nonzero().flatten().tolist() == [9]
    # One pixel of sixteen puts no cell of the grid into M.
    assert not grown("cells", False, pixel).any()


def test_pap_over_confident_pixels_asks_nothing_of_others() -> None:
    """With every other loss off, logits outside M have no gradient: Y_corr is a target."""
    alone = {"lambda1": 0.0, "lambda3": 0.0, "lambda4": 0.0, "rows": 1, "tau": 0.9}
    _, everywhere, _, _ = trained_on(replace(BASE, **alone), batch())
    _, inside, _, _ = trained_on(replace(BASE, **alone, pap_pixels="confident"), batch())
    asked, few = (g.abs().sum(dim=1) > 0 for g in (everywhere, inside))
    assert asked.all() and few.any() and not few.all()
