"""What rounding to blocks does to any matrix, for each format of each encoding with blocks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from equinox.encodings import ENCODINGS, BlockFloat, Fixed, Float, quantize
from equinox.encodings.formats import Format


def named_formats() -> dict[str, Format]:
    """Return each format of operands or storage that shares exponents, once, to nearest."""
    found: dict[Format, str] = {}
    for encoding in ENCODINGS.values():
        for role in ("x", "w", "grad", "storage"):
            number_format = encoding.format_of(role)
            if isinstance(number_format, Float) and not number_format.scaled:
                continue
            found.setdefault(replace(number_format, rounding="nearest"), f"{encoding.name}.{role}")
    return {name: number_format for number_format, name in found.items()}


FORMATS = named_formats()
#: Those whose steps are powers of two.
BINARY = {name: one for name, one in FORMATS.items() if not isinstance(one, Fixed)}

every_format = pytest.mark.parametrize("name", FORMATS)
every_binary_format = pytest.mark.parametrize("name", BINARY)
#: On a busy machine, or one where a process is stopped for a while, inputs take long to be drawn.
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def matrices(draw: Callable[..., int]) -> Tensor:
    """Return matrices over more than a tile, of spread scales, with zeros and ties."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    shape = draw(st.integers(1, 50)), draw(st.integers(1, 70))
    x = torch.randn(shape, generator=generator)
    kind = draw(st.integers(0, 3))
    if kind == 1:
        x = x * torch.randint(-20, 20, shape, generator=generator).float().exp2()
    elif kind == 2:  # small integers: ties, powers of two, zeros of both signs
        x = torch.randint(-9, 10, shape, generator=generator) * x.sign()
    elif kind == 3:
        x[::2] = 0
    return x * 2.0 ** draw(st.integers(-30, 30))


def tile_of(number_format: Format, x: Tensor) -> tuple[int, int]:
    tile = None if isinstance(number_format, Fixed) else number_format.tile
    height, width = tile or (None, None)
    return height or x.shape[0], width or x.shape[1]


@every_format
@given(x=matrices())
@few
def test_rounding_twice_is_rounding_once(name, x):
    once = quantize(x, FORMATS[name])
    if name in BINARY:
        assert torch.equal(quantize(once, FORMATS[name]), once)
    else:  # max / 127 * 127 is not exactly max
        assert torch.allclose(quantize(once, FORMATS[name]), once, rtol=1e-6, atol=0)


@every_format
@given(values=st.lists(float32s, min_size=2, max_size=32))
@few
def test_the_order_of_the_values_of_a_block_is_kept(name, values):
    x = torch.tensor(values).sort().values
    x = x[None] if tile_of(FORMATS[name], x[None])[1] >= 32 else x[:24, None]  # in one block
    rounded = quantize(x, FORMATS[name]).flatten()
    assert (rounded[1:] >= rounded[:-1]).all()


@every_format
@given(x=matrices())
@few
def test_the_negative_is_rounded_to_the_negative(name, x):
    rounded = quantize(x, FORMATS[name])
    opposite = quantize(-x, FORMATS[name])
    assert torch.equal(opposite.view(torch.int32), (-rounded).view(torch.int32))


@every_binary_format
@given(x=matrices(), power=st.integers(-30, 30))
@few
def test_a_factor_that_is_a_power_of_two_passes_through(name, x, power):
    factor = 2.0**power
    assert torch.equal(quantize(x * factor, FORMATS[name]), quantize(x, FORMATS[name]) * factor)


def steps(number_format: Format, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the step at each value, and the largest value of its block, of blocks one by one."""
    height, width = tile_of(number_format, x)
    step, limit = torch.empty_like(x, dtype=torch.float64), torch.empty_like(x, dtype=torch.float64)
    for top in range(0, x.shape[0], height):
        for left in range(0, x.shape[1], width):
            block = slice(top, top + height), slice(left, left + width)
            values = x[block].double().abs()
            bits, largest = number_format.mantissa_bits, values.max()
            exponent = float(torch.frexp(largest).exponent) - 1
            if isinstance(number_format, Fixed):
                limit[block] = largest
                step[block] = largest / (2 ** (bits - 1) - 1)
            elif isinstance(number_format, BlockFloat):
                step[block] = 2.0 ** (exponent - bits + 2)
                limit[block] = (2 ** (bits - 1) - 1) * step[block]
            else:
                scale = exponent - number_format.max_exponent
                own = torch.frexp(values).exponent - 1
                own = own.masked_fill(values == 0, -999).clamp(number_format.min_exponent + scale)
                step[block] = 2.0 ** (own - bits + 1)
                limit[block] = number_format.max_value * 2.0**scale
    return step, limit


@every_format
@given(x=matrices())
@few
def test_the_error_is_at_most_half_a_step_and_what_is_beyond_the_largest_saturates(name, x):
    assume(x.any())
    rounded, (step, limit) = quantize(x, FORMATS[name]).double(), steps(FORMATS[name], x)
    beyond = x.abs() > limit
    error = (rounded - x.double()).abs()
    slack = 1 if name in BINARY else 1 + 2.0**-20  # a step that is no power of two is rounded
    assert (error[~beyond] <= step[~beyond] / 2 * slack).all()
    assert torch.equal(rounded[beyond].abs(), limit[beyond])


@every_format
@given(seed=st.integers(0, 2**31), grid=st.tuples(st.integers(1, 3), st.integers(1, 3)))
@few
def test_permuted_tiles_give_permuted_results(name, seed, grid):
    number_format = FORMATS[name]
    generator = torch.Generator().manual_seed(seed)
    height, width = tile_of(number_format, torch.empty(6, 10))  # a side without bounds: so many
    tile = None if isinstance(number_format, Fixed) else number_format.tile
    sides = tile or (None, None)
    grid = tuple(count if side else 1 for count, side in zip(grid, sides, strict=True))
    tiles = torch.randn(grid[0] * grid[1], height, width, generator=generator)
    tiles *= torch.randint(-30, 30, (len(tiles), 1, 1), generator=generator).float().exp2()
    order = torch.randperm(len(tiles), generator=generator)

    def laid_out(parts: Tensor) -> Tensor:
        return parts.view(*grid, height, width).transpose(1, 2).flatten(2, 3).flatten(0, 1)

    rounded = torch.stack([quantize(part, number_format) for part in tiles])
    assert torch.equal(quantize(laid_out(tiles[order]), number_format), laid_out(rounded[order]))


@every_format
@given(values=st.lists(float32s, min_size=1, max_size=24), random=st.randoms(use_true_random=False))
@few
def test_the_order_of_values_inside_a_block_does_not_matter(name, values, random):
    number_format = FORMATS[name]
    x = torch.tensor(values)
    x = x[None] if tile_of(number_format, x[None])[1] >= 24 else x[:, None]
    order = torch.tensor(random.sample(range(len(values)), len(values)))
    across = 1 if x.shape[0] == 1 else 0
    rounded = quantize(x, number_format)
    shuffled = quantize(x.index_select(across, order), number_format)
    assert torch.equal(shuffled, rounded.index_select(across, order))


@every_format
def test_stochastic_rounding_is_unbiased(name):
    number_format = replace(FORMATS[name], rounding="stochastic")
    x = torch.randn(1, 31, generator=torch.Generator().manual_seed(0))
    x = torch.cat([x, 1.5 * x.abs().amax(1, keepdim=True)], 1)  # none of the others saturates
    draws, generator = 3000, torch.Generator().manual_seed(1)
    rounded = torch.stack([quantize(x, number_format, generator=generator) for _ in range(draws)])
    rounded = rounded.double()[:, 0, :31]
    error = (rounded.mean(0) - x[0, :31].double()).abs()
    # Six standard errors of a mean of two neighbors that are at most a step apart.
    step = rounded.amax(0) - rounded.amin(0)
    assert (error <= 6 * step / 2 / draws**0.5 + 1e-6).all()
    coarse = number_format.mantissa_bits < 16
    assert (step > 0).sum() > 15 if coarse else (step >= 0).all()


@given(st.lists(float32s, min_size=2, max_size=40), st.integers(2, 16))
@settings(deadline=None)
def test_mantissas_of_any_length_keep_the_order(values, mantissa_bits):
    x = torch.tensor(values).sort().values
    rounded = quantize(x, BlockFloat(mantissa_bits=mantissa_bits, tile=None))
    assert (rounded.diff() >= 0).all()


@given(
    x=matrices(), bits=st.integers(2, 16), power=st.integers(-20, 20),
    tile=st.tuples(st.integers(1, 40) | st.none(), st.integers(1, 40) | st.none()) | st.none(),
)  # fmt: skip
@settings(deadline=None)
def test_any_tile_and_length_keep_sign_scale_and_result(x, bits, tile, power):
    number_format = BlockFloat(mantissa_bits=bits, tile=tile)
    rounded = quantize(x, number_format)
    assert torch.equal(quantize(rounded, number_format), rounded)
    assert torch.equal(quantize(-x * 2.0**power, number_format), -rounded * 2.0**power)
