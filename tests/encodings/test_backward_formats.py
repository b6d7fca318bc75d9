"""Formats of the backward pass: every product against one that is written out in plain torch."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import (
    ENCODINGS,
    BlockFloat,
    Encoding,
    convert,
    derive_encoding,
    get_encoding,
    quantize,
    summarize,
)
from equinox.encodings.formats import FP32, SAMPLE
from equinox.encodings.functional import convolution, linear, matmul
from equinox.encodings.operands import Operands

#: As in a config: forward 4 bits, in the backward pass 9 bits of x, and bfloat16 of w.
ENTRY = {
    "base": "hbfp4_16",
    "gradient_rounding": "nearest",
    "x_backward": {"mantissa_bits": 9, "tile": [1, 8]},
    "w_backward": "bf16",
}
APART = get_encoding("apart", {"apart": ENTRY})


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Product(torch.autograd.Function):
    """x (rows, k) times w (m, k) transposed, with a format for each role and pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, encoding: Encoding) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.encoding = encoding
        return quantize(x, encoding.x) @ quantize(w, encoding.w).T

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, w), encoding = ctx.saved_tensors, ctx.encoding
        g = quantize(grad, encoding.grad)
        x_again, w_again = encoding.x_backward or encoding.x, encoding.w_backward or encoding.w
        return g @ quantize(w, w_again), g.T @ quantize(x, x_again), None


def agree(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> bool:
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


def test_a_config_gives_the_backward_pass_formats_of_its_own():
    plain = get_encoding("hbfp4_16")
    assert (APART.x, APART.w) == (plain.x, plain.w)
    assert APART.x_backward == BlockFloat(mantissa_bits=9, tile=(1, 8))
    assert APART.w_backward == get_encoding("bf16").w
    assert APART.operands == (plain.x, plain.w, APART.grad, APART.x_backward, APART.w_backward)


def test_a_format_of_the_backward_pass_starts_from_that_of_the_forward_pass():
    entry = {"base": "hbfp8_16", "x": {"tile": [1, 4]}, "x_backward": {"mantissa_bits": 12}}
    encoding = get_encoding("e", {"e": entry})
    assert encoding.x_backward == BlockFloat(mantissa_bits=12, tile=(1, 4))
    assert (encoding.w_backward, encoding.format_of("w_backward")) == (None, encoding.w)


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_that_come_along_read_the_same_operands_in_both_passes(name):
    encoding = get_encoding(name)
    assert encoding.operands == (encoding.x, encoding.w, encoding.grad, encoding.x, encoding.w)


def test_a_wrong_format_of_the_backward_pass_is_refused():
    with pytest.raises(ValueError, match="e: w_backward: no field 'bits' of BlockFloat"):
        derive_encoding("e", base="hbfp8_16", overrides={"w_backward": {"bits": 4}})


def test_only_an_encoding_without_any_rounding_is_fp32():
    narrow = derive_encoding("e", base="fp32", overrides={"w_backward": "bf16"})
    assert not narrow.is_fp32
    assert type(convert(nn.Linear(3, 2), narrow)) is not nn.Linear


def test_linear_rounds_for_each_pass():
    x, w, grad = (
        normal(0, 9, 20).requires_grad_(),
        normal(1, 7, 20).requires_grad_(),
        normal(2, 9, 7),
    )
    ours = linear(x, w, None, Operands(encoding=APART))
    theirs = Product.apply(x, w, APART)
    assert torch.equal(ours, theirs)
    for a, b in zip(*(torch.autograd.grad(y, (x, w), grad) for y in (ours, theirs)), strict=True):
        assert torch.equal(a, b)


def test_convolution_rounds_for_each_pass():
    x, w = normal(0, 3, 4, 6, 6).requires_grad_(), normal(1, 5, 4, 3, 3).requires_grad_()
    geometry: dict[str, Any] = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 1)}
    y = convolution(x, w, None, Operands(encoding=APART), groups=1, **geometry)
    assert torch.equal(
        y, torch.conv2d(quantize(x, APART.x), quantize(w, APART.w), None, **geometry)
    )
    grad = normal(2, *y.shape)
    xb = quantize(x, APART.format_of("x_backward")).requires_grad_()
    wb = quantize(w, APART.format_of("w_backward")).requires_grad_()
    again = torch.conv2d(xb, wb, None, **geometry)
    theirs = torch.autograd.grad(again, (xb, wb), quantize(grad, APART.grad))
    assert agree(torch.autograd.grad(y, (x, w), grad), theirs)


@pytest.mark.parametrize("blocks", ["tile", "reduction"])
def test_products_of_activations_read_both_in_the_format_of_x(blocks):
    choices = {"tile": [1, 16], "blocks": blocks, "gradient_rounding": "nearest"}
    finer = {"mantissa_bits": 10, "tile": [1, 8]}
    encoding = derive_encoding(
        "e", base="hbfp4_16", overrides=choices | {"x_backward": finer, "w": "fp32"}
    )
    left, right = normal(0, 2, 5, 20).requires_grad_(), normal(1, 2, 20, 6).requires_grad_()
    y = matmul(left, right, Operands(encoding=encoding))
    grad = normal(2, 2, 5, 6)
    ours = torch.autograd.grad(y, (left, right), grad)
    for i in range(2):
        a, b, g = left[i], right[i].T, grad[i]
        assert torch.allclose(y[i], quantize(a, encoding.x) @ quantize(b, encoding.x).T, atol=1e-6)
        if blocks == "reduction":
            of_a = quantize(g, encoding.grad) @ quantize(b.T, encoding.x_backward).T
            of_b = quantize(g.T, encoding.grad) @ quantize(a.T, encoding.x_backward).T
        else:
            g = quantize(g, encoding.grad)
            of_a, of_b = (
                g @ quantize(b, encoding.x_backward),
                g.T @ quantize(a, encoding.x_backward),
            )
        assert agree((ours[0][i], ours[1][i].T), (of_a, of_b))


def recurrent(layer: nn.RNNBase, x: Tensor, encoding: Encoding) -> Tensor:
    """Return the outputs of a layer of LSTM or GRU, product by product."""
    w_ih, w_hh, b_ih, b_hh = layer.all_weights[0]
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    outputs = []
    for row in x.unbind(0):
        of_x, of_h = (
            Product.apply(row, w_ih, encoding) + b_ih,
            Product.apply(h, w_hh, encoding) + b_hh,
        )
        if isinstance(layer, nn.LSTM):
            i, f, g, o = (of_x + of_h).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        else:
            (r, z, n), (r_h, z_h, n_h) = of_x.chunk(3, -1), of_h.chunk(3, -1)
            n, z = (n + (r + r_h).sigmoid() * n_h).tanh(), (z + z_h).sigmoid()
            h = (1 - z) * n + z * h
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize(
    "encoding", [APART, get_encoding("n", {"n": ENTRY | {"x_backward": "fp32"}})]
)
def test_recurrent_layers_round_for_each_pass(kind, encoding):
    torch.manual_seed(0)
    native, x = kind(5, 6), normal(0, 4, 3, 5).requires_grad_()
    converted = convert(native, encoding)
    results = []
    for layer, y in ((converted, converted(x)[0]), (native, recurrent(native, x, encoding))):
        inputs = [x, *layer.parameters()]
        results.append((y, *torch.autograd.grad(y.sin().sum(), inputs)))
    assert agree(*results)


def test_formats_of_the_backward_pass_leave_the_forward_pass_alone():
    model = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4))
    as_forward = replace(APART, x_backward=None, w_backward=None)
    same, other = (convert(model, encoding) for encoding in (as_forward, APART))
    x = normal(0, 5, 20)
    assert torch.equal(same(x), other(x))
    gradients = []
    for net in (same, other):
        net(x).square().sum().backward()
        gradients.append(net[0].weight.grad)
    assert not torch.equal(*gradients)


def test_a_backward_pass_may_round_stochastically_where_the_forward_one_does_not():
    stochastic = {"rounding": "stochastic"}
    entry = ENTRY | {"x_backward": stochastic, "w_backward": stochastic}
    encoding = get_encoding("s", {"s": entry})
    x, w = normal(0, 40, 24).requires_grad_(), normal(1, 30, 24).requires_grad_()
    ours, theirs = (torch.Generator().manual_seed(5) for _ in range(2))
    y = linear(x, w, None, Operands(encoding=encoding, generator=ours))
    assert torch.equal(y, quantize(x, encoding.x) @ quantize(w, encoding.w).T)
    assert torch.equal(ours.get_state(), theirs.get_state())
    grad = quantize(normal(2, 40, 30), encoding.grad)
    grad_x, grad_w = torch.autograd.grad(y, (x, w), grad)
    assert torch.equal(grad_x, grad @ quantize(w, encoding.w_backward, generator=theirs))
    assert torch.equal(grad_w, grad.T @ quantize(x, encoding.x_backward, generator=theirs))


def test_a_summary_has_a_row_for_each_format_of_the_backward_pass():
    model = convert(nn.Linear(20, 6), APART)
    summary = summarize(model, normal(0, 5, 20), loss=lambda y: y.square().sum())
    noise = summary.set_index("operand")["signal_to_noise_db"]
    assert set(noise.index) == {"x", "w", "grad", "x_backward"}  # no gradient of x is asked for
    assert noise["x_backward"] > noise["x"] + 20


def test_storage_is_apart_from_what_products_read():
    entry = {"base": "hbfp8_16", "w_backward": "fp32", "storage": {"mantissa_bits": 12}}
    encoding = get_encoding("e", {"e": entry})
    assert (encoding.w_backward, encoding.storage.mantissa_bits) == (FP32, 12)
    assert encoding.x.tile == SAMPLE
