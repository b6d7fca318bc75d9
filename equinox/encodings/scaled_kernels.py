"""Compiled rounding of float32 on the CPU to scaled floating point and to fixed point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equinox.encodings.intrinsics import uniform
from equinox.encodings.kernels import (
    INFINITY,
    MAGNITUDE,
    compiled,
    exponent_of,
    largest_magnitude,
    round_double,
)

Array = NDArray[Any]
Scalar = Any  # of the type that the kernels' casts make it


@compiled
def round_floats(
    x: Array, bits: Array, out: Array, inverse: Array, step: Array, limit: Scalar, key: int
) -> None:
    """Round a row of finite values, with the steps of their 256 exponents, as in their bits."""
    for j in range(x.size):
        exponent = (bits[j] & MAGNITUDE) >> np.uint32(23)
        factor, size = inverse[exponent], step[exponent]
        if key < 0:
            rounded = np.rint(x[j] * factor) * size
        else:
            scaled = x[j] * factor
            below = np.floor(scaled)
            up = uniform(0, j, key) < scaled - below
            rounded = math.copysign(below + np.float32(up), x[j]) * size
        out[j] = min(max(rounded, -limit), limit)


@compiled
def round_scaled_rows(
    x: Array,
    bits: Array,
    out: Array,
    width: int,
    mantissa_bits: int,
    exponents: tuple[int, int],
    scales: tuple[int, int],
    max_value: float,
    key: int,
) -> None:
    """Round a matrix whose blocks are `width` values of a row to scaled floating point.

    `exponents` are the smallest and the largest of a value, `scales` those of a block's scale.
    """
    columns = x.shape[1]
    for i in range(x.shape[0]):
        for left in range(0, columns, width):
            end = min(left + width, columns)
            row, result = x[i, left:end], out[i, left:end]
            largest = largest_magnitude(bits[i, left:end])
            if largest == 0 or largest >= INFINITY:
                result[:] = row
                continue
            top = exponent_of(largest)
            scale = min(max(top - exponents[1], scales[0]), scales[1])
            low = exponents[0] + scale  # exponent of subnormal values, before scaling
            limit = max_value * 2.0**scale
            if key >= 0 or mantissa_bits > 16 or low < -100 or top > 100:
                first = i * columns + left
                _round_floats_with_care(row, result, low, mantissa_bits, limit, first, key)
            else:
                _round_floats_nearest(
                    row, bits[i, left:end], result, low, mantissa_bits, np.float32(limit)
                )


@compiled
def _round_floats_nearest(
    x: Array, bits: Array, out: Array, low: int, mantissa_bits: int, limit: Scalar
) -> None:
    """Round a row to nearest, far from the ends of float32.

    The sum with 1.5 * 2**23 steps is rounded to a multiple of a step, since that is its last digit.
    """
    smallest = np.float32(2.0**low)
    factor = np.float32(1.5 * 2.0 ** (24 - mantissa_bits))
    for j in range(x.size):
        binade = np.uint32(bits[j] & INFINITY).view(np.float32)
        shift = max(binade, smallest) * factor
        rounded = min(max((x[j] + shift) - shift, -limit), limit)
        out[j] = math.copysign(rounded, x[j])


@compiled
def _round_floats_with_care(
    x: Array, out: Array, low: int, mantissa_bits: int, limit: float, first: int, key: int
) -> None:
    """Round a row of finite values in float64, whatever they are."""
    for j in range(x.size):
        value = np.float64(x[j])
        exponent = max(math.frexp(value)[1] - 1, low) if value != 0 else low
        step = 2.0 ** (exponent - mantissa_bits + 1)
        rounded = round_double(value / step, first + j, key)
        out[j] = np.float32(min(max(rounded * step, -limit), limit))


@compiled
def round_fixed(x: Array, out: Array, scale: float, limit: float, key: int) -> None:
    """Round a row of finite values to multiples of `scale`, in float64."""
    for j in range(x.size):
        mantissa = round_double(np.float64(x[j]) / scale, j, key)
        out[j] = np.float32(min(max(mantissa, -limit), limit) * scale)
