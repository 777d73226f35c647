"""How votes enlarge the trusted region, on the grid and in the image."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scnlib.confidence import Pseudo, confident_pixels
from scnlib.propagation import cast_votes, dominant_class, grid_labels, refine, refine_image
from tests.drawn import bits, cells, row

K = 4


# Equation 8


def test_refine_by_hand() -> None:
    labels = cells(2, 2, 0, 0)
    out, confident = refine(labels, bits("1100")[:, 0], bits("1110"))
    # The mask's cells in M are both of class 2; cell 2 is outside M and takes it, cell 3 is free.
    assert out.tolist() == [[2, 2, 2, 0]]
    assert confident.tolist() == [[True, True, True, False]]
    assert labels.tolist() == [[2, 2, 0, 0]]  # the argument is left alone


def test_refine_as_printed_overwrites_trusted_labels() -> None:
    labels, confident, masks = cells(2, 2, 3, 0), bits("1110")[:, 0], bits("1111")
    # G = {2: 2, 3: 1}, so that 2 wins: the text keeps the 3 in M, the print does not.
    assert refine(labels, confident, masks)[0].tolist() == [[2, 2, 3, 2]]
    assert refine(labels, confident, masks, overwrite=True)[0].tolist() == [[2, 2, 2, 2]]


def test_mask_without_overlap_does_nothing() -> None:
    labels, confident = cells(1, 0, 0, 0), bits("1000")[:, 0]
    for overwrite in (False, True):
        out = refine(labels, confident, bits("0110"), overwrite=overwrite)
        assert torch.equal(out[0], labels) and torch.equal(out[1], confident)


def test_nothing_trusted_changes_nothing() -> None:
    labels, confident = cells(1, 0, 3, 2), bits("0000")[:, 0]
    out = refine(labels, confident, bits("1111"), overwrite=True)
    assert torch.equal(out[0], labels) and not out[1].any()


def test_mask_without_overlap_does_not_hide_an_earlier_vote() -> None:
    # Row 1 covers cell 2 as well, and has the higher index, but no vote.
    out, _ = refine(cells(1, 0, 0, 0), bits("1000")[:, 0], bits("1010 0011"))
    assert out.tolist() == [[1, 0, 1, 0]]


def test_highest_row_wins_where_masks_meet() -> None:
    labels, confident = cells(1, 2, 0), bits("110")[:, 0]
    assert refine(labels, confident, bits("101 011"))[0].tolist() == [[1, 2, 2]]
    assert refine(labels, confident, bits("011 101"))[0].tolist() == [[1, 2, 1]]


def test_later_rows_do_not_see_what_earlier_rows_wrote() -> None:
    # Row 0 gives class 1 to cell 1. Row 1 touches cells 1 and 2 only: none was in M at first.
    out, confident = refine(cells(1, 0, 0), bits("100")[:, 0], bits("110 011"))
    assert out.tolist() == [[1, 1, 0]]
    assert confident.tolist() == [[True, True, False]]


def test_gate_by_hand() -> None:
    labels, confident = cells(1, 1, 2, 0), bits("1110")[:, 0]
    # Mask 1111: 3 of its 4 cells are in M (.75), 2 of these 3 are of class 1 (.67).
    assert refine(labels, confident, bits("1111"), gate=0.6)[0].tolist() == [[1, 1, 2, 1]]
    assert refine(labels, confident, bits("1111"), gate=0.7)[0].tolist() == [[1, 1, 2, 0]]
    # Mask 1001: 1 of its 2 cells is in M (.5), and all of that is class 1.
    assert refine(labels, confident, bits("1001"), gate=0.6)[0].tolist() == [[1, 1, 2, 0]]
    assert refine(labels, confident, bits("1001"), gate=0.4)[0].tolist() == [[1, 1, 2, 1]]


def test_gate_compares_strictly() -> None:
    # 2 of the mask's 4 cells are in M, both of class 1; then 2 of its 3, of two classes.
    half, mixed = (cells(1, 1, 0, 0), bits("1111")), (cells(1, 2, 0, 0), bits("1110"))
    for labels, mask in (half, mixed):
        for gate, acts in ((0.5, False), (0.49, True)):
            assert bool(refine(labels, bits("1100")[:, 0], mask, gate=gate)[1][0, 2]) == acts


def test_the_labels_type_stays() -> None:
    for dtype in (torch.uint8, torch.int32, torch.int64):
        out, _ = refine(cells(2, 2, 0, 0).to(dtype), bits("1100")[:, 0], bits("1110"))
        assert out.dtype == dtype and out.tolist() == [[2, 2, 2, 0]]


def slow_refine(
    labels: Tensor, confident: Tensor, masks: Tensor, overwrite: bool, gate: float | None
) -> tuple[Tensor, Tensor]:
    """The same with a loop over images, rows and cells."""
    out, trusted = labels.clone(), confident.clone()
    for b in range(len(labels)):
        for mask in masks[b]:
            inside = [i for i in range(len(mask)) if mask[i]]
            votes = [int(labels[b, i]) for i in inside if confident[b, i]]
            if not votes:
                continue
            winner = max(sorted(set(votes)), key=votes.count)
            if gate is not None and not (
                len(votes) > gate * len(inside) and votes.count(winner) > gate * len(votes)
            ):
                continue
            for i in inside:
                if overwrite or not confident[b, i]:
                    out[b, i], trusted[b, i] = winner, True
    return out, trusted


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    B, R, N = draw(st.integers(1, 2)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    labels = torch.randint(K, (B, N), generator=generator)
    share = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    confident = torch.rand(B, N, generator=generator) < share
    return labels, confident, torch.rand(B, R, N, generator=generator) < 0.5


@given(scenes(), st.booleans(), st.sampled_from([None, 0.3, 0.7]))
@settings(max_examples=150)
def test_refine_equals_the_loops(
    scene: tuple[Tensor, Tensor, Tensor], overwrite: bool, gate: float | None
) -> None:
    labels, confident, masks = scene
    out, trusted = refine(labels, confident, masks, overwrite=overwrite, gate=gate)
    expected = slow_refine(labels, confident, masks, overwrite, gate)
    assert torch.equal(out, expected[0]) and torch.equal(trusted, expected[1])
    assert out.dtype == labels.dtype
    assert (trusted | ~confident).all()  # M only grows
    assert torch.equal(out[~trusted], labels[~trusted])
    if not overwrite:
        assert torch.equal(out[confident], labels[confident])


@given(scenes(), st.integers(0, 1000))
@settings(max_examples=50)
def test_votes_do_not_depend_on_the_order_of_rows(
    scene: tuple[Tensor, Tensor, Tensor], seed: int
) -> None:
    labels, confident, masks = scene
    order = torch.randperm(masks.shape[1], generator=torch.Generator().manual_seed(seed))
    winner, count = dominant_class(labels, confident, masks)
    shuffled = dominant_class(labels, confident, masks[:, order])
    assert torch.equal(winner[:, order], shuffled[0]) and torch.equal(count[:, order], shuffled[1])
    # Which cells change does not depend on it either; only who wins where masks meet does.
    voted, changed = cast_votes(labels, confident, masks)
    assert not (changed & confident).any()
    again, changed_again = cast_votes(labels, confident, masks[:, order])
    assert torch.equal(changed, changed_again)
    alone = changed & (masks.sum(dim=1) == 1)
    assert torch.equal(voted[alone], again[alone])


# To the grid and back


def test_grid_labels_by_hand() -> None:
    labels = torch.tensor([[[1, 1, 0, 0], [2, 3, 3, 3]]])
    confident = torch.tensor([[[True, True, True, False], [True, False, True, False]]])
    on_grid, trusted = grid_labels(Pseudo(labels, confident), (1, 2), K)
    # Left cell: 3 of 4 trusted, 1 1 2 -> 1. Right cell: 2 of 4 is not more than half.
    assert trusted.tolist() == [[True, False]]
    assert int(on_grid[0, 0]) == 1


def test_refine_image_brings_votes_to_the_untrusted_pixels_of_a_cell() -> None:
    labels = torch.tensor([[[1, 1, 0, 3], [1, 0, 0, 0]]])
    confident = torch.tensor([[[True, True, False, True], [True, False, False, False]]])
    refined = refine_image(Pseudo(labels, confident), bits("11"), (1, 2), K)
    # The left cell (3 of 4 trusted) votes 1; the right one is not in M and takes it, but for its
    # trusted pixel of class 3. The left cell is in M: its last pixel stays as it is.
    assert refined.labels.tolist() == [[[1, 1, 1, 3], [1, 0, 1, 1]]]
    assert refined.confident.tolist() == [[[True, True, True, True], [True, False, True, True]]]
    printed = refine_image(Pseudo(labels, confident), bits("11"), (1, 2), K, overwrite=True)
    assert printed.labels.tolist() == [[[1, 1, 1, 1], [1, 1, 1, 1]]]
    assert printed.confident.all()


def test_cells_need_not_be_square() -> None:
    labels = torch.tensor([[[1, 1, 1, 0, 0, 0]] * 2])
    pseudo = Pseudo(labels, labels == 1)
    refined = refine_image(pseudo, bits("11"), (1, 2), K)  # cells of 2 x 3 pixels
    assert refined.labels.tolist() == [[[1] * 6] * 2]
    turned = Pseudo(labels.transpose(1, 2), (labels == 1).transpose(1, 2))
    assert refine_image(turned, bits("11"), (2, 1), K).labels.tolist() == [[[1, 1]] * 6]


def test_refine_image_knows_the_gate() -> None:
    labels, confident = row(1, 1, 2, 0), row(True, True, True, False)
    for gate, last in ((None, 1), (0.6, 1), (0.7, 0)):  # as in test_gate_by_hand
        refined = refine_image(Pseudo(labels, confident), bits("1111"), (1, 4), K, gate=gate)
        assert refined.labels.tolist() == [[[1, 1, 2, last]]]


@given(st.integers(0, 10_000), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_refine_image_never_changes_scribbles(seed: int, overwrite: bool, trusted: bool) -> None:
    g = torch.Generator().manual_seed(seed)
    P = (3 * torch.randn(2, K, 4, 6, generator=g)).softmax(dim=1)
    scribble = torch.randint(K + 3, (2, 4, 6), generator=g).clamp(max=K)
    valid = torch.rand(2, 4, 6, generator=g) < 0.8
    pseudo = confident_pixels(
        *P.max(dim=1), 0.5, P.shape[1], scribble if trusted else None, valid=valid
    )
    masks = torch.rand(2, 3, 6, generator=g) < 0.5
    scribbled = scribble < K
    refined = refine_image(pseudo, masks, (2, 3), K, free=valid & ~scribbled, overwrite=overwrite)
    assert torch.equal(refined.labels[scribbled], pseudo.labels[scribbled])
    assert torch.equal(refined.confident[scribbled], pseudo.confident[scribbled])
    assert not (refined.confident & ~valid).any()
    assert (refined.confident | ~pseudo.confident).all()
    assert refined.labels.min() >= 0 and refined.labels.max() < K
    if trusted:
        assert torch.equal(refined.labels[scribbled], scribble[scribbled])
    if not overwrite:
        kept = pseudo.confident
        assert torch.equal(refined.labels[kept], pseudo.labels[kept])
