"""The three choices of blocks: golden products of a step, golden arrays, narrow from wide."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import (
    BlockFloat,
    Encoding,
    convert,
    derive_encoding,
    get_encoding,
    quantize,
    wide_weights,
)
from equinox.encodings.formats import SAMPLE
from equinox.encodings.functional import convolution, linear, matmul
from equinox.encodings.operands import Operands
from tests.encodings.test_golden import arrays

GOLDEN = json.loads((Path(__file__).parent / "golden" / "blocks.json").read_text())
TILES = {"sample": [2, 3], "tile": [2, 3], "reduction": [1, 3]}


def read(rows: list[str]) -> Tensor:
    return torch.tensor([[float(value) for value in row.split()] for row in rows])


def encoding_of(blocks: str, mantissa_bits: int = 4, tile: list[int] | None = None) -> Encoding:
    choices = {"blocks": blocks, "tile": tile or TILES[blocks], "mantissa_bits": mantissa_bits}
    return derive_encoding(
        blocks, base="hbfp8_16", overrides=choices | {"gradient_rounding": "nearest"}
    )


@pytest.mark.parametrize(
    ("kernel", "blocks"),
    # Both operands of matmul are activations, thus have the same blocks.
    [
        *itertools.product(["linear", "convolution"], TILES),
        ("matmul", "tile"),
        ("matmul", "reduction"),
    ],
)
def test_the_three_products_of_a_step_are_the_golden_ones(blocks, kernel):
    operands = Operands(encoding=encoding_of(blocks))
    x, w, g = (read(GOLDEN["inputs"][name]) for name in "xwg")
    x.requires_grad_()
    w.requires_grad_()
    if kernel == "linear":
        y = linear(x, w, None, operands)
    elif kernel == "matmul":
        y = matmul(x, w.mT, operands)
    else:  # of kernel 1: a product of channels
        one = (1,)
        y = convolution(
            x[:, :, None], w[:, :, None], None, operands,
            stride=one, padding=(0,), dilation=one, groups=1,
        )[:, :, 0]  # fmt: skip
    y.backward(g)
    golden = {name: read(rows) for name, rows in GOLDEN["results"][blocks].items()}
    assert torch.equal(y, golden["y"])
    assert torch.equal(x.grad, golden["grad_x"])
    assert torch.equal(w.grad, golden["grad_w"])


def test_the_choices_differ():
    results = [GOLDEN["results"][blocks] for blocks in TILES]
    for product in ("y", "grad_x", "grad_w"):
        assert len({str(result[product]) for result in results}) == 3


@pytest.mark.parametrize("mantissa_bits", [4, 8, 12])
def test_operands_of_a_convolution_are_the_golden_arrays(mantissa_bits):
    act, weight = (torch.from_numpy(arrays()[f"in/{name}"]) for name in (ACTIVATION, WEIGHT))
    golden = {
        key: torch.from_numpy(arrays()[f"floor/{name}/{mantissa_bits}/{blocks}"])
        for key, name, blocks in (
            ("sample", ACTIVATION, "rows"), ("tile", ACTIVATION, "24"), ("w", WEIGHT, "24"),
        )
    }  # fmt: skip
    for blocks in ("sample", "tile"):
        operands = Operands(encoding=encoding_of(blocks, mantissa_bits, [24, 24]))
        assert torch.equal(operands.x(act), golden[blocks])
        assert torch.equal(operands.grad(act), golden[blocks])
        assert torch.equal(operands.w(weight), golden["w"])


ACTIVATION, WEIGHT = "act4d_5x6x7x7", "convw_32x16x3x3"


def test_weights_are_rounded_to_narrow_once_and_from_wide():
    torch.manual_seed(0)
    model = convert(nn.Linear(30, 20), "hbfp8_16")
    optimizer = wide_weights(torch.optim.SGD(model.parameters(), lr=0.1), "hbfp8_16")
    x = torch.randn(9, 30)
    y = model(x)
    y.square().sum().backward()
    before, grad = model.weight.detach().clone(), model.weight.grad.clone()
    optimizer.step()
    # The wide copy is what is stored, and what the next update starts from.
    wide = quantize(before.add(grad, alpha=-0.1), BlockFloat(mantissa_bits=16))
    assert torch.equal(model.weight, wide)
    narrow = quantize(wide, BlockFloat(mantissa_bits=8))
    assert not torch.equal(narrow, wide)
    expected = quantize(x, BlockFloat(mantissa_bits=8, tile=SAMPLE)) @ narrow.T + model.bias
    assert torch.allclose(model(x), expected, atol=1e-6)


def test_rounding_to_wide_and_then_to_narrow_is_not_rounding_to_narrow():
    # With 4 bits and a largest value of 1 the step is 1/4; with 8 bits, 1/64. 0.3765 is nearer
    # to 1/2, but its wide copy, 3/8, is a tie that goes to 1/2 too; 0.3735 is nearer to 1/4.
    x = torch.tensor([1.0, 0.3735])
    wide = quantize(x, BlockFloat(mantissa_bits=8, tile=None))
    narrow = BlockFloat(mantissa_bits=4, tile=None)
    assert quantize(x, narrow).tolist() == [1.0, 0.25]
    assert quantize(wide, narrow).tolist() == [1.0, 0.5]


def test_each_role_is_rounded_to_its_own_format():
    entry = {
        "base": "hbfp8_16", "x": {"mantissa_bits": 3}, "w": "bf16",
        "grad": {"mantissa_bits": 12, "rounding": "nearest", "tile": [1, 4]},
    }  # fmt: skip
    encoding = get_encoding("mixed", {"mixed": entry})
    x, w, g = (read(GOLDEN["inputs"][name]) for name in "xwg")
    x.requires_grad_()
    w.requires_grad_()
    y = linear(x, w, None, Operands(encoding=encoding))
    y.backward(g)
    xq = quantize(x, BlockFloat(mantissa_bits=3, tile=SAMPLE))
    gq = quantize(g, BlockFloat(mantissa_bits=12, tile=(1, 4)))
    wq = w.detach().bfloat16().float()
    assert torch.equal(y, xq @ wq.T)
    assert torch.equal(x.grad, gq @ wq)
    assert torch.equal(w.grad, gq.T @ xq)
