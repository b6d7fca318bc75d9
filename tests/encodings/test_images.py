"""Images whose channels are last in memory: the same values, and the network does not see it."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from equinox.encodings import (
    BlockFloat,
    Encoding,
    convert,
    derive_encoding,
    functional,
    images,
    quantize,
)
from equinox.encodings.images import (
    channels_last,
    in_usual_order,
    is_faster_channels_last,
    pads_beyond_kernel,
)
from equinox.encodings.number_formats import SAMPLE
from equinox.encodings.rounding import encode

SHAPES = st.tuples(
    st.integers(1, 4), st.integers(2, 40), st.integers(1, 20), st.integers(2, 20)
)  # fmt: skip


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view(torch.int32)


def last(x: Tensor) -> Tensor:
    return torch.full_like(x, torch.nan, memory_format=torch.channels_last)


@settings(deadline=None)
@given(shape=SHAPES)
@example(shape=(1, 16, 4, 4))
@example(shape=(2, 3, 17, 16))
@example(shape=(3, 65, 16, 33))
@example(shape=(1, 300, 2, 9))
def test_images_are_turned_and_turned_back(shape):
    x = normal(0, *shape)
    out = last(x)
    turned = channels_last(x, out)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(turned, x)
    back = in_usual_order(turned)
    assert back.is_contiguous()
    assert torch.equal(back, x)


@settings(deadline=None)
@given(shape=SHAPES, mantissa_bits=st.integers(2, 16), spread=st.integers(0, 90))
@example(shape=(3, 65, 16, 33), mantissa_bits=8, spread=1)
def test_images_are_rounded_as_they_are_turned(shape, mantissa_bits, spread):
    one_each = BlockFloat(mantissa_bits=mantissa_bits, tile=SAMPLE)
    x = normal(1, *shape) * torch.exp2(torch.linspace(-spread, spread, shape[0]).view(-1, 1, 1, 1))
    out = last(x)
    assert encode(x, one_each, None, out=out) is out
    assert torch.equal(bits(out), bits(quantize(x, one_each)))


@pytest.mark.parametrize("special", [torch.nan, torch.inf, -0.0, 1e-45, 3e-39, 3.4e38])
def test_special_values_are_rounded_as_they_are_turned(special):
    one_each = BlockFloat(tile=SAMPLE)
    x = normal(2, 4, 17, 5, 7)
    x[1] *= 1e-38
    x[2] = 0
    x[1:, 3, 2, 2] = special
    out = encode(x, one_each, None, out=last(x))
    assert torch.equal(bits(out), bits(quantize(x, one_each)))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_random_numbers_follow_positions_not_memory(threads):
    one_each = BlockFloat(mantissa_bits=4, tile=SAMPLE, rounding="stochastic")
    x = normal(3, 9, 20, 32, 16)
    expected = quantize(x, one_each, generator=torch.Generator().manual_seed(5))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    out = last(x)
    found = encode(x, one_each, torch.Generator().manual_seed(5), out=out)
    torch.set_num_threads(before)
    assert found is out
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("shape", "weight", "expected"),
    [
        ((2, 16, 32, 32), (16, 16, 3, 3), True),
        ((64, 512, 7, 7), (512, 512, 3, 3), False),  # few positions for so many weights
        ((2, 2, 6, 6), (16, 2, 3, 3), False),
        ((2, 4, 6, 6), (16, 2, 3, 3), True),
        ((2, 1, 28, 28), (8, 1, 3, 3), False),  # with one channel, both orders are the same
        ((2, 64, 1, 1), (1, 64, 1, 1), False),
        ((0, 16, 32, 32), (16, 16, 3, 3), False),
        ((2, 16, 32), (16, 16, 3), False),
    ],
)
def test_images_are_turned_where_convolutions_gain(shape, weight, expected):
    assert is_faster_channels_last(torch.zeros(shape), torch.zeros(weight)) is expected


def test_only_contiguous_float32_images_are_turned():
    x, weight = torch.zeros(2, 16, 32, 32), torch.zeros(16, 16, 3, 3)
    assert not is_faster_channels_last(x.double(), weight)
    assert not is_faster_channels_last(x.mT, weight)
    assert not is_faster_channels_last(last(x), weight)
    assert not is_faster_channels_last(x.to("meta"), weight)


def test_images_are_turned_for_onednn_only(monkeypatch):
    monkeypatch.setattr(images, "_HAS_ONEDNN", False)
    assert not is_faster_channels_last(torch.zeros(2, 16, 32, 32), torch.zeros(16, 16, 3, 3))


NEAREST = derive_encoding("near", base="hbfp8_16", overrides={"gradient_rounding": "nearest"})
GEOMETRIES = [
    (nn.Conv2d(8, 12, 3, padding=1), (3, 8, 14, 15)),
    (nn.Conv2d(8, 12, 5, stride=2, bias=False), (3, 8, 20, 17)),
    (nn.Conv2d(16, 32, 1), (4, 16, 9, 9)),
    (nn.Conv2d(16, 16, 3, groups=16, dilation=2), (2, 16, 20, 20)),
    (nn.ConvTranspose2d(12, 8, 4, stride=2, padding=1), (3, 12, 16, 16)),
]
ENCODINGS_TURNED = ["hbfp8_16", "hbfp4_16", "bfp8", "int8", "bf16", "apart"]


@pytest.mark.parametrize("name", ENCODINGS_TURNED)
@pytest.mark.parametrize(("layer", "shape"), GEOMETRIES)
def test_a_network_does_not_see_the_order(layer, shape, name, monkeypatch):
    apart = {"x_backward": {"mantissa_bits": 5}, "w_backward": {"mantissa_bits": 6}}
    encoding = (
        derive_encoding("apart", base="hbfp8_16", overrides=apart) if name == "apart" else name
    )
    turned = step(layer, shape, encoding)
    monkeypatch.setattr(functional, "is_faster_channels_last", lambda *_: False)
    usual = step(layer, shape, encoding)
    for a, b in zip(turned, usual, strict=True):
        assert a.is_contiguous()
        assert (a - b).abs().max() <= 2e-6 * b.abs().max()  # sums in another order


def step(
    layer: nn.Module, shape: tuple[int, ...], encoding: str | Encoding
) -> tuple[Tensor, Tensor, Tensor]:
    """Return output and gradients of the input and the weight for a given gradient."""
    model, x = convert(layer, encoding), normal(4, *shape).requires_grad_()
    y = model(x)
    return (y, *torch.autograd.grad(y, (x, model.weight), normal(5, *y.shape)))


def test_gradients_in_any_order_of_memory_are_turned():
    layer = convert(nn.Conv2d(8, 12, 3, padding=1), NEAREST)
    y = layer(normal(4, 3, 8, 14, 15))
    grad = normal(5, *y.shape)
    expected = torch.autograd.grad(y, layer.weight, grad, retain_graph=True)[0]
    width_first = grad.mT.contiguous().mT  # dense, neither contiguous nor channels last
    spread = torch.empty(3, 12, 14, 30)[..., ::2].copy_(grad)
    for other in (width_first, spread, grad.contiguous(memory_format=torch.channels_last)):
        assert not other.is_contiguous()
        found = torch.autograd.grad(y, layer.weight, other, retain_graph=True)[0]
        assert torch.equal(found, expected)
    one = torch.ones(()).expand(y.shape)
    found = torch.autograd.grad(y, layer.weight, one, retain_graph=True)[0]
    assert torch.equal(found, torch.autograd.grad(y, layer.weight, one.contiguous())[0])


def test_another_default_dtype_changes_nothing():
    layer, shape = GEOMETRIES[0]
    x = normal(4, *shape)
    expected = convert(layer, "hbfp8_16")(x), quantize(x.mT, BlockFloat())
    torch.set_default_dtype(torch.float64)
    try:
        found = convert(layer, "hbfp8_16")(x), quantize(x.mT, BlockFloat())
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_weight_whose_channels_are_last_decides_the_order_as_in_pytorch():
    layer, shape = GEOMETRIES[0]
    last_layer = convert(layer, "hbfp8_16").to(memory_format=torch.channels_last)
    x = normal(6, *shape)
    y = last_layer(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(y, convert(layer, "hbfp8_16")(x), rtol=0, atol=1e-6)


def test_convolutions_read_operands_whose_channels_are_last(monkeypatch):
    layouts = []
    convolve = torch.convolution

    def note(x: Tensor, *rest: object) -> Tensor:
        layouts.append(x.stride())
        return convolve(x, *rest)

    monkeypatch.setattr(torch, "convolution", note)
    layer, shape = GEOMETRIES[0]
    step(layer, shape, "hbfp8_16")
    step(layer, shape, "int8")
    assert [strides[1] for strides in layouts] == [1, 1]


@pytest.mark.parametrize(
    ("kernel", "padding", "dilation", "expected"),
    [(3, 1, 1, False), (1, 0, 1, False), (3, 2, 1, False), (3, 4, 2, False), (1, 1, 1, True),
     ((2, 1), (0, 2), (2, 2), True), ((1, 3), (1, 1), 1, True), (3, 5, 2, True)],
)  # fmt: skip
def test_padding_that_exceeds_the_kernel_is_told(kernel, padding, dilation, expected):
    layer = nn.Conv2d(2, 3, kernel, padding=padding, dilation=dilation)
    assert pads_beyond_kernel(layer.weight, layer.padding, layer.dilation) is expected


def test_a_kernel_that_reads_padding_alone_keeps_the_order_in_which_pytorch_survives(monkeypatch):
    # With channels last, nn.Conv2d itself ends the process here, once in some dozen times.
    layer = nn.Conv2d(6, 15, (2, 1), (2, 3), padding=(0, 2), dilation=(2, 2), groups=3)
    turned = []
    monkeypatch.setattr(functional, "in_usual_order", turned.append)
    x = normal(7, 2, 6, 5, 1)
    assert is_faster_channels_last(x, layer.weight)
    assert torch.allclose(convert(layer, "hbfp12_16")(x), layer(x), atol=0.02)
    assert not turned


def test_images_whose_channels_are_last_already_stay_so():
    layer, shape = GEOMETRIES[0]
    x = normal(6, *shape)
    y = convert(layer, "hbfp8_16")(x.contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(y, convert(layer, "hbfp8_16")(x), rtol=0, atol=1e-6)
