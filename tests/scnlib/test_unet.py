"""The U-Net: its size and shapes, memory layouts, bfloat16, and small batches."""

import pytest
import torch
from torch import Tensor, nn

from scnlib.correlation import correlation_map
from scnlib.kernels import ElementDropout
from scnlib.losses import partial_cross_entropy
from scnlib.provenance import bf16_supported
from scnlib.unet import CHANNELS, Encoder, UNet

K = 4
CPU = torch.device("cpu")


def net(bf16: bool = False) -> UNet:
    torch.manual_seed(0)
    return UNet(K, bf16=bf16)


def images(batch: int, size: int, seed: int = 1) -> Tensor:
    return torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(seed))


def test_number_of_weights() -> None:
    assert sum(p.numel() for p in net().parameters()) == 1_813_764


def test_levels_are_halved_by_their_largest_pixels() -> None:
    encoder = Encoder()
    encoder.blocks = nn.ModuleList(nn.Identity() for _ in CHANNELS)
    levels = encoder(torch.arange(256.0).view(1, 1, 16, 16))
    assert float(levels[1][0, 0, 0, 0]) == 17  # of 0, 1, 16 and 17


@pytest.mark.parametrize(
    ("kind", "layer"), [("channel", nn.Dropout2d), ("element", ElementDropout)]
)
def test_blocks_are_wsl4mis(kind: str, layer: type[nn.Module]) -> None:
    blocks = [list(block) for block in Encoder(kind).blocks if isinstance(block, nn.Sequential)]
    assert all(type(block[3]) is layer for block in blocks)
    assert [getattr(block[3], "p", None) for block in blocks] == [0.05, 0.1, 0.2, 0.3, 0.5]
    leaky = [one for block in blocks for one in block if isinstance(one, nn.LeakyReLU)]
    assert len(leaky) == 10 and all(one.negative_slope == 0.01 for one in leaky)


@pytest.mark.parametrize("classes", [2, 4, 5])
def test_classes_change_the_last_convolution_only(classes: int) -> None:
    # 3 x 3 x 16 weights and a bias a class.
    weights = sum(p.numel() for p in UNet(classes).parameters())
    assert weights - 1_813_764 == (classes - K) * (9 * 16 + 1)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 48), (64, 16)])
def test_output_shapes(height: int, width: int) -> None:
    with torch.no_grad():
        out = net().eval()(torch.rand(2, 1, height, width))
    assert out.logits.shape == (2, K, height, width) and out.logits.dtype == torch.float32
    assert out.last.shape == (2, CHANNELS[0], height, width)
    assert [tuple(f.shape) for f in out.encoder] == [
        (2, channels, height >> level, width >> level) for level, channels in enumerate(CHANNELS)
    ]


@pytest.mark.parametrize("size", [24, 40])
def test_a_size_that_is_no_multiple_of_16_is_refused(size: int) -> None:
    with torch.no_grad(), pytest.raises(RuntimeError, match="size"):
        net().eval()(images(1, size))


def test_four_memory_layouts_agree() -> None:
    x = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    outputs = []
    for net_format in (torch.contiguous_format, torch.channels_last):
        model = net().to(memory_format=net_format).eval()  # pyright: ignore[reportCallIssue]
        for input_format in (torch.contiguous_format, torch.channels_last):
            with torch.no_grad():
                outputs.append(model(x.contiguous(memory_format=input_format)))
    first = outputs[0]
    for other in outputs[1:]:
        torch.testing.assert_close(other.logits, first.logits, atol=1e-4, rtol=0)
        torch.testing.assert_close(other.last, first.last, atol=1e-4, rtol=0)
        # Cells are counted in the same order, however the features lie in memory.
        torch.testing.assert_close(
            correlation_map(other.encoder[3]), correlation_map(first.encoder[3]), atol=1e-4, rtol=0
        )


def test_map_does_not_depend_on_how_features_lie_in_memory() -> None:
    f = torch.randn(2, 8, 4, 6, generator=torch.Generator().manual_seed(0))
    other = f.contiguous(memory_format=torch.channels_last)
    assert other.stride() != f.stride()
    torch.testing.assert_close(correlation_map(other), correlation_map(f))


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bfloat16"])
def test_bottleneck_of_one_pixel_works_for_a_single_slice(bf16: bool) -> None:
    model = net(bf16=bf16).eval()
    x = images(3, 16)
    with torch.no_grad():
        together = model(x).logits
        alone = torch.cat([model(one[None]).logits for one in x])
    assert torch.isfinite(alone).all()
    torch.testing.assert_close(alone, together, atol=2e-2 if bf16 else 1e-5, rtol=0)
    if not bf16:
        assert torch.equal(alone.argmax(dim=1), together.argmax(dim=1))


@pytest.mark.parametrize("dropout", ["channel", "element"])
def test_dropout_is_off_in_evaluation_and_on_in_training(dropout: str) -> None:
    torch.manual_seed(0)
    model = UNet(K, dropout)
    x = images(2, 32)
    with torch.no_grad():
        assert not torch.equal(model(x).logits, model(x).logits)
        model.eval()
        assert torch.equal(model(x).logits, model(x).logits)


def step(bf16: bool) -> tuple[float, Tensor]:
    """A training step's loss and gradient, dropout off so that both types see the same network."""
    model = net(bf16=bf16)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    scribble = torch.randint(K, (4, 32, 32), generator=torch.Generator().manual_seed(2))
    logits = model(images(4, 32)).logits
    assert logits.dtype == torch.float32
    loss = partial_cross_entropy(logits, scribble)
    loss.backward()
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    assert all(g.dtype == torch.float32 for g in gradients)
    return float(loss.detach()), torch.cat(gradients)


@pytest.mark.skipif(not bf16_supported(CPU), reason="this CPU has no bfloat16 instructions")
def test_step_in_bfloat16_is_close_to_one_in_float32() -> None:
    loss, gradient = step(bf16=False)
    loss16, gradient16 = step(bf16=True)
    assert loss16 == pytest.approx(loss, rel=0.02)
    cosine = torch.nn.functional.cosine_similarity(gradient, gradient16, dim=0)
    assert float(cosine) > 0.95
    assert float(gradient16.norm()) == pytest.approx(float(gradient.norm()), rel=0.1)


def test_bf16_support_is_a_plain_answer() -> None:
    assert isinstance(bf16_supported(CPU), bool)
    assert bf16_supported(torch.device("meta")) is False
