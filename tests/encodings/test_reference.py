"""The definition of rounding against exact rational arithmetic and values worked out by hand."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.encodings import BlockFloat, Fixed, Float, get_encoding
from equinox.encodings.random_bits import uniform
from equinox.encodings.reference import quantize

float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
blocks = st.lists(float32s, min_size=1, max_size=12)


def exact(values: list[float], mantissa_bits: int, exponent_bits: int = 10) -> list[Fraction]:
    """Round a block in rational arithmetic, as the definition says."""
    largest = max(abs(Fraction(value)) for value in values)
    if largest == 0:
        return [Fraction(0)] * len(values)
    exponent = 0
    while largest >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while largest < Fraction(2) ** exponent:
        exponent -= 1
    bound = 2 ** (exponent_bits - 1)
    exponent = min(max(exponent, -bound), bound - 1)
    step = Fraction(2) ** (exponent - mantissa_bits + 2)
    limit = 2 ** (mantissa_bits - 1) - 1
    # Python rounds ties of fractions to even.
    return [max(-limit, min(limit, round(Fraction(v) / step))) * step for v in values]


@given(blocks, st.integers(2, 24), st.integers(2, 10))
@settings(max_examples=200, deadline=None)
def test_a_block_is_rounded_as_in_exact_arithmetic(values, mantissa_bits, exponent_bits):
    block_float = BlockFloat(mantissa_bits=mantissa_bits, tile=None, exponent_bits=exponent_bits)
    rounded = quantize(torch.tensor(values), block_float)
    assert [Fraction(v) for v in rounded.tolist()] == exact(values, mantissa_bits, exponent_bits)


@given(st.lists(st.integers(-64, 64), min_size=4, max_size=4))
@settings(deadline=None)
def test_ties_go_to_the_even_mantissa(halves):
    # The largest, 64, is 2**6; with 6 bits the step is 2**(6 - 6 + 2) = 4, and 2 is a tie.
    values = [*[float(half) for half in halves], 64.0]
    rounded = quantize(torch.tensor(values), BlockFloat(mantissa_bits=6, tile=None))
    assert [Fraction(v) for v in rounded.tolist()] == exact(values, 6)


def test_worked_example():
    # The largest, 3, is in [2**1, 2**2), so the step of 4 bits is 2**(1 - 4 + 2) = 1/2.
    x = torch.tensor([3.0, 0.7, 0.25, -1.2])
    expected = torch.tensor([3.0, 0.5, 0.0, -1.0])
    assert torch.equal(quantize(x, BlockFloat(mantissa_bits=4, tile=None)), expected)


def test_values_that_would_round_to_the_next_power_of_two_saturate():
    # 3.9 is nearest to 8 steps of 1/2, but 4 bits count to 7.
    x = torch.tensor([3.9, -3.9])
    assert quantize(x, BlockFloat(mantissa_bits=4, tile=None)).tolist() == [3.5, -3.5]


def test_each_tile_of_the_matrix_of_dim_0_and_the_rest_has_its_exponent():
    x = torch.ones(3, 2, 2)
    x[0, 0, 0] = 256.0  # in the tile of rows 0, 1 and columns 0, 1, 2
    rounded = quantize(x + 0.25, BlockFloat(mantissa_bits=8, tile=(2, 3))).reshape(3, 4)
    # In that tile the step is 2**(8 - 8 + 2) = 4, so that 1.25 vanishes; elsewhere it is 1/64.
    expected = torch.full((3, 4), 1.25)
    expected[:2, :3] = 0
    expected[0, 0] = 256
    assert torch.equal(rounded, expected)


def test_a_vector_is_a_column():
    x = torch.tensor([100.0, 1.0])
    tall = BlockFloat(mantissa_bits=4, tile=(2, 1))
    assert quantize(x, tall).tolist() == [96.0, 0.0]
    assert quantize(x, BlockFloat(mantissa_bits=4, tile=(1, 2))).tolist() == [96.0, 1.0]


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_a_block_with_a_special_value_stays_as_it_is_and_others_do_not(special):
    x = torch.tensor([[special, 1.01], [1.01, 1.01]])
    rounded = quantize(x, BlockFloat(mantissa_bits=4, tile=(1, 2)))
    assert torch.equal(rounded.view(torch.int32)[0], x.view(torch.int32)[0])
    assert rounded[1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("largest", "expected"), [(4.0, 3.984375), (1.0, 0.99609375)])
def test_the_emulators_exponent_clips_a_power_of_two(largest, expected):
    # HBFPEmulator with mant_bits=8 (9 bits with the sign): ceil(log2(4 + 1e-8)) = 2, thus steps
    # of 2**(2 - 8), of which 255 are the largest value; the definition represents 4 exactly.
    x = torch.tensor([largest])
    emulator = BlockFloat(mantissa_bits=9, tile=None, exponent_rule="ceil")
    assert quantize(x, emulator).item() == expected
    assert quantize(x, BlockFloat(mantissa_bits=9, tile=None)).item() == largest


def test_the_emulators_epsilon_loses_tiny_blocks():
    x = torch.tensor([1e-12])
    assert quantize(x, BlockFloat(exponent_rule="ceil")).item() == 0
    assert quantize(x, BlockFloat()).item() == pytest.approx(1e-12, rel=2**-7)


@given(blocks)
@settings(deadline=None)
def test_bfloat16_and_half_precision_are_those_of_pytorch(values):
    x = torch.tensor(values)
    bf16 = quantize(x, Float(exponent_bits=8, mantissa_bits=8))
    assert torch.equal(bf16, x.bfloat16().float())
    fp16 = quantize(x, Float(exponent_bits=5, mantissa_bits=11))
    assert torch.equal(fp16, x.half().float())


@given(st.lists(st.floats(-448, 448, width=32), min_size=1, max_size=9))
@settings(deadline=None)
def test_fp8_is_that_of_pytorch_once_scaled(values):
    # 448 in the block makes the scale one.
    x = torch.tensor([*values, 448.0])
    e4m3 = get_encoding("fp8_e4m3").w
    assert torch.equal(quantize(x, e4m3), x.to(torch.float8_e4m3fn).float())


def test_fixed_point_divides_the_range_of_the_tensor_evenly():
    x = torch.tensor([-127.0, 63.4, 0.5, 1.5])
    assert quantize(x, Fixed(mantissa_bits=8)).tolist() == [-127.0, 63.0, 0.0, 2.0]


def test_fixed_point_of_any_range_by_hand():
    # 4 bits count to 7: steps of 3/7, of which 1 is 2.3 and -0.7 is -1.6.
    rounded = quantize(torch.tensor([3.0, 1.0, -0.7]), Fixed(mantissa_bits=4))
    assert rounded.tolist() == pytest.approx([3.0, 6 / 7, -6 / 7])


@pytest.mark.parametrize(
    ("number_format", "step", "limit"),
    [  # the largest value is 6
        (BlockFloat(mantissa_bits=4, tile=None), 1.0, 7),
        (BlockFloat(mantissa_bits=3, tile=None), 2.0, 3),
        (Fixed(mantissa_bits=5), 6 / 15, 15),
    ],
)
def test_stochastic_rounding_compares_the_rest_with_the_numbers_of_the_stream(
    number_format, step, limit
):
    x = torch.rand(30, 40, generator=torch.Generator().manual_seed(0)) * 12 - 6
    x[3, 4] = 6
    key = 2**61 + 12345
    scaled = x.double() / step
    rest = scaled - scaled.floor()
    up = uniform(x.shape, key, device=x.device) < rest
    expected = (scaled.floor() + up).clamp(-limit, limit) * step
    assert torch.equal(quantize(x, number_format, key), expected.float())


def test_stochastic_floating_point_has_a_step_for_each_binade():
    # bfloat16 of 5 bits: 4 after the leading one, so that 1.0 to 2 have steps of 1/16.
    e8m5 = Float(exponent_bits=8, mantissa_bits=5)
    x = torch.tensor([[1 + 1 / 64, -(2 + 1 / 64), 0.5 + 1 / 64, 7.75]] * 500)
    key = 987654321
    up = uniform(x.shape, key, device=x.device)
    step = torch.tensor([1 / 16, 1 / 8, 1 / 32, 1 / 4])
    scaled = x.double() / step
    expected = (scaled.floor() + (up < scaled - scaled.floor())) * step
    assert torch.equal(quantize(x, e8m5, key), expected.float())


def test_what_is_empty_stays_empty_and_a_scalar_stays_a_scalar():
    assert quantize(torch.empty(0, 3), BlockFloat()).shape == (0, 3)
    assert quantize(torch.tensor(1.26), BlockFloat(mantissa_bits=4)).item() == 1.25
