"""DMPLS: two decoders, a random mixture of both as the target, and who gets a gradient."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from scnlib.methods.dice import soft_dice
from scnlib.methods.dmpls import DMPLS, SecondDecoder, draw_share, drop_channels, mixed_labels
from scnlib.unet import CHANNELS, UNet
from tests.drawn import pixels
from tests.scnlib.methods.test_methods import SIZE, K, batch_of, build, now, total_and_parts


def dmpls() -> DMPLS:
    method = build("dmpls")
    assert isinstance(method, DMPLS)
    return method


def test_mixture_by_hand() -> None:
    """Two pixels; the second turns at beta = 1/3, where 0.6 beta + 0.3 (1 - beta) = 0.4."""
    p1 = pixels([0.7, 0.2, 0.1], [0.6, 0.4, 0.0])
    p2 = pixels([0.1, 0.8, 0.1], [0.3, 0.4, 0.3])
    found = {beta: mixed_labels(p1, p2, beta).flatten().tolist() for beta in (0.3, 0.4, 0.6)}
    assert found == {0.3: [1, 1], 0.4: [1, 0], 0.6: [0, 0]}


@pytest.mark.parametrize("seed", range(3))
def test_ends_of_the_mixture_are_either_decoders_own_classes(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    p1, p2 = (torch.rand(2, K, 8, 8, generator=g).softmax(dim=1) for _ in range(2))
    assert torch.equal(mixed_labels(p1, p2, 1.0), p1.argmax(dim=1))
    assert torch.equal(mixed_labels(p1, p2, 0.0), p2.argmax(dim=1))
    assert torch.equal(mixed_labels(p1, p1, draw_share(g)), p1.argmax(dim=1))


def test_no_gradient_reaches_the_mixture() -> None:
    p = torch.rand(1, K, 2, 2).softmax(dim=1).requires_grad_()
    assert not mixed_labels(p, 1 - p, 0.4).requires_grad


def test_shares_are_uniform_and_come_from_the_given_generator() -> None:
    g = torch.Generator().manual_seed(0)
    shares = torch.tensor([draw_share(g) for _ in range(4000)])
    assert 0 <= float(shares.min()) and float(shares.max()) < 1
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(shares.var()) == pytest.approx(1 / 12, abs=0.005)
    assert draw_share(torch.Generator().manual_seed(0)) == float(shares[0])


def test_dice_to_the_mixture_has_the_right_gradient() -> None:
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, K, 2, 3, generator=g, dtype=torch.float64).requires_grad_()
    mixed = torch.randint(K, (2, 2, 3), generator=g)
    valid = torch.rand(2, 2, 3, generator=g) < 0.8
    assert gradcheck(lambda x: soft_dice(x.softmax(dim=1), mixed, valid=valid), (logits,))


def test_half_of_the_channels_are_dropped_whole_in_training_only() -> None:
    torch.manual_seed(0)
    features = [torch.ones(40, 100, 2, 2)]
    (dropped,) = drop_channels(features, True)
    values = dropped.flatten(2)
    assert torch.equal(values, values[:, :, :1].expand_as(values))  # all of a channel or none
    assert set(values.unique().tolist()) == {0.0, 2.0}
    assert float(values.mean()) == pytest.approx(1.0, abs=0.05)
    assert torch.equal(drop_channels(features, False)[0], features[0])


@pytest.mark.parametrize("bf16", [False, True])
def test_second_decoder_is_one_of_the_same_kind(bf16: bool) -> None:
    net, second = UNet(K, bf16=bf16).eval(), SecondDecoder(K, bf16).eval()
    with torch.no_grad():
        out = net(torch.rand(2, 1, SIZE, SIZE))
        assert second(out.encoder).shape == (2, K, SIZE, SIZE)
        assert second(out.encoder).dtype == torch.float32
        second.decoder.load_state_dict(net.decoder.state_dict())
        assert torch.equal(second(out.encoder), out.logits)
        second.train()
        assert not torch.equal(second(out.encoder), out.logits)


def test_levels_of_the_decoder_end_in_its_last_features() -> None:
    net = UNet(K).eval()
    with torch.no_grad():
        out = net(torch.rand(2, 1, SIZE, SIZE))
        levels = net.decoder.levels(out.encoder)
    assert [tuple(level.shape[1:]) for level in levels] == [
        (CHANNELS[level], SIZE >> level, SIZE >> level) for level in (3, 2, 1, 0)
    ]
    assert torch.equal(levels[-1], out.last)


def test_both_decoders_and_the_one_encoder_learn() -> None:
    method = dmpls()
    # Without their own weights: an encoder, and two decoders with as many.
    encoder, decoder, second = (
        sum(p.numel() for p in part.parameters())
        for part in (method.net.encoder, method.net.decoder, method.second)
    )
    assert second == decoder
    assert encoder + 2 * decoder == sum(p.numel() for p in method.parameters())
    method.loss(batch_of(), now())[0].backward()
    assert all(p.grad is not None for p in method.parameters())


def test_the_first_decoder_predicts() -> None:
    method, image = dmpls().eval(), torch.rand(2, 1, SIZE, SIZE)
    with torch.no_grad():
        before = method.predict(image)
        for p in method.second.parameters():
            p.zero_()
        assert torch.equal(method.predict(image), before)
        assert torch.equal(before, method.net(image).logits)


def test_both_decoders_are_asked_in_both_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch, g = dmpls(), batch_of(), torch.Generator().manual_seed(5)
    one, two = (torch.randn(2, K, SIZE, SIZE, generator=g) for _ in range(2))
    monkeypatch.setitem(method._modules, "net", lambda image: (one, [], None))
    monkeypatch.setitem(method._modules, "second", lambda features: two)
    _, parts = method.loss(batch, now())
    p1, p2 = one.softmax(dim=1), two.softmax(dim=1)
    target = mixed_labels(p1, p2, draw_share(now().generator))
    pce = [F.cross_entropy(x, batch.scribble, ignore_index=K) for x in (one, two)]
    assert float(parts["pce"]) == pytest.approx(float(sum(pce)) / 2, rel=1e-5)
    dice = [soft_dice(p, target, valid=batch.valid) for p in (p1, p2)]
    assert float(parts["dice"]) == pytest.approx(float(sum(dice)) / 2, rel=1e-5)


def test_loss_by_hand() -> None:
    """Both decoders alike, in evaluation: pCE + half of Dice to the network's own classes."""
    method, batch = dmpls().eval(), batch_of()
    method.second.decoder.load_state_dict(method.net.decoder.state_dict())
    with torch.no_grad():
        total, parts = method.loss(batch, now())
        logits = method.predict(batch.image)
    assert batch.scribble is not None
    p = logits.softmax(dim=1)
    at = batch.scribble < K
    picked = p.movedim(1, 3)[at].gather(1, batch.scribble[at][:, None])
    p, own = p.movedim(1, 3)[batch.valid], p.movedim(1, 3)[batch.valid].argmax(dim=1)
    dice = []
    for k in range(K):
        g = (own == k).float()
        size = p[:, k].square().sum() + g.sum()
        dice.append(float((2 * (p[:, k] * g).sum() + 1e-5) / (size + 1e-5)))
    pce, loss = float(-picked.log().mean()), 1 - sum(dice) / K
    assert float(parts["pce"]) == pytest.approx(pce, rel=1e-5)
    assert float(parts["dice"]) == pytest.approx(loss, rel=1e-5)
    assert float(total) == pytest.approx(pce + 0.5 * loss, rel=1e-5)
    assert 0 < loss < 1 and math.isfinite(pce)


def test_padding_never_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the networks say of it changes nothing; where all is padding, Dice has no gradient."""
    batch, method = batch_of(), dmpls()
    g = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, K, SIZE, SIZE, generator=g) for _ in range(2))

    def dice(noise: float, valid: Tensor) -> tuple[float, Tensor]:
        one, two = (x.clone().requires_grad_() for x in (first, second))
        outside = noise * torch.randn(2, K, SIZE, SIZE, generator=g) * ~valid[:, None]
        monkeypatch.setitem(method._modules, "net", lambda x: (one + outside, [], None))
        monkeypatch.setitem(method._modules, "second", lambda x: two + outside)
        unmarked = torch.full_like(valid, K, dtype=torch.long)
        total, parts = method.loss(replace(batch, scribble=unmarked, valid=valid), now())
        total.backward()
        assert one.grad is not None and not one.grad.movedim(1, 3)[~valid].any()
        return float(parts["dice"]), one.grad

    assert dice(0.0, batch.valid)[0] == pytest.approx(dice(9.0, batch.valid)[0], abs=1e-7)
    value, gradient = dice(9.0, torch.zeros_like(batch.valid))
    assert value == pytest.approx(0.0) and not gradient.any()


def test_the_share_is_drawn_anew_in_every_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    method, at, shares = dmpls(), now(), []

    def watched(p1: Tensor, p2: Tensor, beta: float) -> Tensor:
        shares.append(beta)
        return mixed_labels(p1, p2, beta)

    monkeypatch.setattr("scnlib.methods.dmpls.mixed_labels", watched)
    for _ in range(4):
        method.loss(batch_of(), at)
    g = now().generator
    assert shares == [draw_share(g) for _ in range(4)] and len(set(shares)) == 4
    assert total_and_parts(dmpls(), batch_of())[1] == total_and_parts(dmpls(), batch_of())[1]
