"""Inputs at the edges of float32, in every layout and type: kernels against reference, by bits."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from equinox.encodings import ENCODINGS, BlockFloat, Fixed, Float, quantize, reference
from equinox.encodings.formats import Format
from equinox.encodings.random_bits import draw_key
from tests.encodings.test_rounding import any_bits, normal, same_bits

SMALLEST, TINY, LARGEST = 2.0**-149, 2.0**-126, torch.finfo(torch.float32).max
#: Put into a matrix of ordinary values, each where it is the largest of its block and elsewhere.
VALUES = {
    "nan": [math.nan, -math.nan],
    "infinities": [math.inf, -math.inf],
    "signed_zeros": [0.0, -0.0],
    "subnormals": [SMALLEST, -SMALLEST, 3 * SMALLEST, TINY - SMALLEST],
    "smallest_normal": [TINY, -TINY, 1.5 * TINY],
    "largest": [LARGEST, -LARGEST, LARGEST / 2],
    "powers_of_two": [1.0, -2.0, 0.5, 1024.0, 2.0**-20],
    "beside_powers_of_two": [1 + 2.0**-23, 1 - 2.0**-24, -2 - 2.0**-22],
    "ties": [k / 128 for k in (1, 3, 5, 127, -129, 383)],
}


def matrix(corner: str) -> Tensor:
    """Return (27, 70): tiles whose other values are ordinary, tiny, zero, or the corner's alone."""
    values = VALUES[corner]
    x = normal(len(corner), 27, 70)
    x[:, 24:48] *= 1e-39
    x[:, 48:64] = 0
    for i, value in enumerate(values * 5):
        x[(7 * i) % 27, (13 * i) % 70] = value
    x[25:, 64:] = torch.tensor((values * 12)[:12]).view(2, 6)
    return x


def other_matrices() -> dict[str, Tensor]:
    constant = {
        f"all {value}": torch.full((25, 33), value) for value in (0.0, -0.0, SMALLEST, TINY)
    }
    return constant | {
        "any_bits": any_bits(3, 30, 70),
        "powers": torch.exp2(torch.arange(-149, 127).float()).reshape(12, 23),
        "halves": torch.arange(-200, 200).reshape(20, 20) / 2,
        "steps": torch.arange(-260, 260).reshape(20, 26) / 64,
        "one_value": torch.tensor([[1.3]]),
        "column": normal(1, 60, 1), "row": normal(2, 1, 60),
    }  # fmt: skip


MATRICES = {corner: matrix(corner) for corner in VALUES} | other_matrices()


def elsewhere(x: Tensor) -> Tensor:
    """Return `x` in memory that is not aligned to more than a value."""
    return torch.cat([torch.zeros(3), x.flatten()])[3:].view(x.shape)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda x: x,
    "unaligned": elsewhere,
    "transposed": lambda x: x.T.contiguous().T,
    "every_other": lambda x: torch.stack([x, x + 1], -1)[..., 0],
    "part_of_rows": lambda x: torch.cat([x, x], 1)[:, : x.shape[1]],
    "expanded": lambda x: x[:1].expand(5, -1),
    "vector": lambda x: x.flatten(),
    "four_dims": lambda x: x[: x.shape[0] // 2 * 2].reshape(-1, 2, 1, x.shape[1]),
    "channels_last": lambda x: (
        x.reshape(-1, x.shape[1], 1, 1)
        .expand(-1, -1, 2, 2)
        .contiguous(memory_format=torch.channels_last)
    ),
}

FORMATS = {
    f"{encoding.name}.{role}": encoding.format_of(role)
    for encoding in ENCODINGS.values()
    for role in ("x", "w")
    if role == "w" or encoding.x != encoding.w
}
FORMATS["half"] = Float(exponent_bits=5, mantissa_bits=11)
FORMATS["bits24"] = BlockFloat(mantissa_bits=24, tile=(5, 3), exponent_bits=5)
FORMATS["ceil"] = BlockFloat(exponent_rule="ceil")


@pytest.mark.parametrize("name", FORMATS)
def test_every_corner_in_every_layout_has_the_bits_of_the_reference(name):
    number_format = replace(FORMATS[name], rounding="nearest")
    for (corner, x), (layout, lay_out) in itertools.product(MATRICES.items(), LAYOUTS.items()):
        given = lay_out(x)
        before = given.clone()
        expected = reference.quantize(given, number_format)
        assert same_bits(quantize(given, number_format), expected), (corner, layout)
        assert same_bits(given, before), (corner, layout)


@pytest.mark.parametrize("name", FORMATS)
def test_every_corner_is_rounded_stochastically_as_by_the_reference(name):
    number_format = replace(FORMATS[name], rounding="stochastic")
    for corner, x in MATRICES.items():
        generator = torch.Generator().manual_seed(7)
        key = draw_key(torch.Generator().manual_seed(7))
        rounded = quantize(x, number_format, generator=generator)
        assert same_bits(rounded, reference.quantize(x, number_format, key)), corner


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_round_to_the_same_values(name, dtype):
    number_format = replace(FORMATS[name], rounding="nearest")
    for corner, x in MATRICES.items():
        given = x.to(dtype)
        rounded = quantize(given, number_format)
        assert rounded.dtype is dtype
        expected = quantize(given.float(), number_format)
        if dtype is torch.float64:  # which holds more digits of a fixed point's scale
            rounded = rounded.float()
        else:
            expected = expected.to(dtype)
        assert torch.equal(rounded.isnan(), expected.isnan()), corner
        assert torch.equal(rounded.nan_to_num(7.0), expected.nan_to_num(7.0)), corner
        assert torch.equal(rounded.signbit(), given.signbit()), corner


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (3, 0, 2)])
def test_what_is_empty_stays_empty(name, shape):
    x = torch.empty(shape)
    assert quantize(x, replace(FORMATS[name], rounding="nearest")).shape == x.shape


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", FORMATS)
def test_a_special_value_leaves_its_block_alone_and_others_round(name, special):
    number_format = replace(FORMATS[name], rounding="nearest")
    x = normal(5, 24, 96)
    plain = quantize(x, number_format)
    x[3, 5] = special
    rounded = quantize(x, number_format)
    block = torch.zeros_like(x, dtype=torch.bool)
    if isinstance(number_format, Float) and not number_format.scaled:
        block[3, 5] = True
    else:
        height, width = _tile(number_format)
        top, left = 3 // height * height, 5 // width * width
        block[top : top + height, left : left + width] = True
    assert same_bits(rounded[block], x[block])
    if not isinstance(number_format, Float) or number_format.scaled:
        assert torch.equal(rounded[~block], plain[~block])


def _tile(number_format: Format) -> tuple[int, int]:
    tile = None if isinstance(number_format, Fixed) else number_format.tile
    height, width = tile or (None, None)
    return height or 24, width or 96
