"""Many blocks against exact integer arithmetic, and pinned examples of both exponent rules."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from equinox.encodings import BlockFloat, quantize
from tests.encodings.test_reference import exact

BLOCKS = 12_800
WIDTH = 16


def integers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, e) with value = n * 2**e exactly, |n| < 2**24, from the bits of float32."""
    bits = values.view(np.uint32).astype(np.int64)
    biased, fraction = bits >> 23 & 0xFF, bits & 0x7FFFFF
    n = np.where(biased > 0, fraction | 1 << 23, fraction)
    return np.where(bits >> 31, -n, n), np.maximum(biased, 1) - 150


def exactly_rounded(values: np.ndarray, mantissa_bits: int) -> np.ndarray:
    """Round each row as one block, in integers alone; the result is exact in float64."""
    n, e = integers(values)
    # floor(log2(|n| * 2**e)) is the number of digits of |n|, less one, plus e.
    digits = np.zeros(n.shape, np.int64)
    for power in range(24):
        digits += np.abs(n) >> power > 0
    exponent = np.where(n != 0, digits - 1 + e, -10_000).max(1, keepdims=True)
    step = exponent - mantissa_bits + 2
    # |x| / step = |n| * 2**shift: to the left exactly, to the right with ties to even.
    shift = e - step
    magnitude = np.abs(n)
    left = magnitude << np.clip(shift, 0, 30)
    right = np.clip(-shift, 0, 40)
    floor = magnitude >> right
    twice_rest = 2 * (magnitude - (floor << right))
    one = np.int64(1) << right
    up = (twice_rest > one) | ((twice_rest == one) & (floor % 2 == 1))
    mantissa = np.where(shift >= 0, left, floor + up)
    mantissa = np.sign(n) * np.minimum(mantissa, 2 ** (mantissa_bits - 1) - 1)
    return np.where(exponent > -10_000, np.ldexp(mantissa.astype(float), step), 0.0)


def blocks(seed: int) -> np.ndarray:
    """Return blocks of all kinds: spread, subnormal, of few bits (ties), powers of two, zeros."""
    generator = np.random.default_rng(seed)
    shape = (BLOCKS, WIDTH)
    values = generator.standard_normal(shape)
    values *= np.exp2(generator.integers(-140, 120, (BLOCKS, 1)).astype(float))
    few = generator.integers(-64, 65, shape) * np.exp2(
        generator.integers(-148, 110, (BLOCKS, 1)).astype(float)
    )
    wide = np.exp2(generator.integers(-149, 128, shape).astype(float)) * generator.choice(
        [-1.0, 1.0], shape
    )
    kind = generator.integers(0, 5, (BLOCKS, 1))
    values = np.where(kind == 1, few, np.where(kind == 2, wide, values))
    values = np.where((kind == 3) & (generator.random(shape) < 0.5), 0.0, values)
    values[:5] = [[0.0], [-0.0], [2.0**-149], [float(np.finfo(np.float32).max)], [2.0**-126]]
    return values.clip(-3.4e38, 3.4e38).astype(np.float32)


# 8 x 12,800 = 102,400 blocks.
@pytest.mark.parametrize("mantissa_bits", [2, 3, 4, 6, 8, 12, 16, 24])
def test_random_blocks_are_rounded_as_in_exact_arithmetic(mantissa_bits):
    x = blocks(mantissa_bits)
    rounded = quantize(torch.from_numpy(x), BlockFloat(mantissa_bits=mantissa_bits, tile=(1, None)))
    expected = exactly_rounded(x, mantissa_bits)
    # Every result is a float32: at most 24 digits, and a multiple of the smallest subnormal.
    assert np.array_equal(rounded.double().numpy(), expected)


@pytest.mark.parametrize("mantissa_bits", [2, 5, 8, 16, 24])
def test_that_arithmetic_is_the_definition_in_fractions(mantissa_bits):
    x = blocks(mantissa_bits)[:200]
    for row, rounded in zip(x, exactly_rounded(x, mantissa_bits), strict=True):
        assert [Fraction(value) for value in rounded] == exact(row.tolist(), mantissa_bits)


#: Inputs as float.hex, mantissa bits, and results of the definition and of the authors' emulator
#: (HBFPEmulator b5cdb1d, float_to_bfp_tiled with mant_bits one less, as its do not count the sign).
PINNED = [
    # A maximum that is a power of two: the emulator clips it by one step.
    ([4.0, 1.0, -0.3], 4, [4.0, 1.0, 0.0], [3.5, 1.0, -0.5]),
    # One unit in the last place above 2**20: its float32 logarithm rounds to 20.
    ([1048576.125, 3.0], 8, [1048576.0, 0.0], [1040384.0, 0.0]),
    # Below the epsilon of 1e-8 a block is lost.
    ([1e-12, 5e-13], 8, [70 * 2.0**-46, 35 * 2.0**-46], [0.0, 0.0]),
    # Values that round to the next power of two saturate in both.
    ([3.9, -3.9], 4, [3.5, -3.5], [3.5, -3.5]),
]


@pytest.mark.parametrize(("values", "mantissa_bits", "floor", "ceil"), PINNED)
def test_pinned_examples_of_both_exponent_rules(values, mantissa_bits, floor, ceil):
    x = torch.tensor(values)
    for rule, expected in (("floor", floor), ("ceil", ceil)):
        number_format = BlockFloat(mantissa_bits=mantissa_bits, tile=None, exponent_rule=rule)
        assert quantize(x, number_format).tolist() == expected, rule
