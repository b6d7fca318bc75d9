"""What rounding to blocks does to any matrix: order, and the place of a block do not matter."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.encodings import ENCODINGS, BlockFloat, get_encoding, quantize
from equinox.encodings.formats import Fixed, Float

float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(float32s, min_size=2, max_size=40), st.integers(2, 16))
@settings(deadline=None)
def test_rounding_keeps_the_order_of_the_values_of_a_block(values, mantissa_bits):
    x = torch.tensor(values).sort().values
    rounded = quantize(x, BlockFloat(mantissa_bits=mantissa_bits, tile=None))
    assert (rounded.diff() >= 0).all()


@pytest.mark.parametrize("name", ENCODINGS)
@given(st.lists(float32s, min_size=2, max_size=32))
@settings(max_examples=25, deadline=None)
def test_every_encoding_keeps_the_order_of_the_values_of_a_block(name, values):
    x = torch.tensor(values).sort().values[None]  # a row: a block of 32 values or more
    rounded = quantize(x, get_encoding(name))
    assert (rounded[0, 1:] >= rounded[0, :-1]).all()


@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(2, 12),
)
@settings(deadline=None)
def test_permuted_tiles_give_permuted_results(seed, tile, grid, mantissa_bits):
    generator = torch.Generator().manual_seed(seed)
    tiles = torch.randn(grid[0] * grid[1], *tile, generator=generator)
    tiles *= torch.randint(-30, 30, (len(tiles), 1, 1), generator=generator).float().exp2()
    order = torch.randperm(len(tiles), generator=generator)
    block_float = BlockFloat(mantissa_bits=mantissa_bits, tile=tile)

    def laid_out(parts: torch.Tensor) -> torch.Tensor:
        return parts.view(*grid, *tile).transpose(1, 2).flatten(2, 3).flatten(0, 1)

    rounded = torch.stack([quantize(part, block_float) for part in tiles])
    assert torch.equal(quantize(laid_out(tiles[order]), block_float), laid_out(rounded[order]))


@given(st.lists(float32s, min_size=1, max_size=40), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_values_inside_a_block_does_not_matter(values, random):
    x = torch.tensor(values)
    order = torch.tensor(random.sample(range(len(values)), len(values)))
    for number_format in (
        BlockFloat(mantissa_bits=6, tile=None),
        Fixed(mantissa_bits=6),
        Float(exponent_bits=4, mantissa_bits=4, finite=True, scaled=True),
    ):
        rounded = quantize(x, number_format)
        assert torch.equal(quantize(x[order], number_format), rounded[order])


@pytest.mark.parametrize("name", ["hbfp4_16", "hbfp8_16", "int8", "fp8_e4m3", "mxint8", "mxfp4"])
def test_stochastic_rounding_is_unbiased_in_every_format(name):
    number_format = replace(get_encoding(name).w, rounding="stochastic")
    x = torch.randn(1, 31, generator=torch.Generator().manual_seed(0))
    x = torch.cat([x, 1.5 * x.abs().amax(1, keepdim=True)], 1)  # none of the others saturates
    generator = torch.Generator().manual_seed(1)
    draws = torch.stack([quantize(x, number_format, generator=generator) for _ in range(3000)])
    error = (draws.double().mean(0) - x.double())[0, :31].abs()
    # Six standard errors of a mean of two neighbors that are at most a step apart.
    step = (draws.amax(0) - draws.amin(0))[0, :31].double()
    assert (error <= 6 * step / 2 / 3000**0.5 + 1e-6).all()
    assert (step > 0).sum() > 15
