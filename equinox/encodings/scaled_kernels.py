"""Compiled rounding of float32 on the CPU to scaled floating point and to fixed point."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from equinox.encodings.intrinsics import load, load_bits, store, store_bits, uniform
from equinox.encodings.kernels import (
    INFINITY,
    MAGNITUDE,
    compiled,
    double_power_of_two,
    exponent_of,
    largest_magnitude,
    round_double,
)
from equinox.machine_code import renewed

Scalar = Any  # of the type that the kernels' casts make it


def _entry(function: Callable[..., None]) -> Any:
    return njit(cache=True, nogil=True, error_model="numpy")(renewed(function))


@_entry
def round_floats(x: int, out: int, n: int, inverse: int, step: int, limit: float, key: int) -> None:
    """Round a row of finite values, with the steps of their 256 exponents, as in their bits."""
    largest = np.float32(limit)
    for j in range(n):
        value = load(x, j)
        exponent = np.int64((load_bits(x, j) & MAGNITUDE) >> np.uint32(23))
        factor, size = load(inverse, exponent), load(step, exponent)
        if key < 0:
            rounded = np.rint(value * factor) * size
        else:
            scaled = value * factor
            below = np.floor(scaled)
            up = uniform(0, j, key) < scaled - below
            rounded = math.copysign(below + np.float32(up), value) * size
        store(out, j, min(max(rounded, -largest), largest))


@_entry
def round_scaled_rows(
    x: int,
    out: int,
    shape: tuple[int, int],
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
    rows, columns = shape
    for i in range(rows):
        for left in range(0, columns, width):
            first = i * columns + left
            n = min(width, columns - left)
            row, result = x + 4 * first, out + 4 * first
            largest = largest_magnitude(row, n)
            if largest == 0 or largest >= INFINITY:
                for j in range(n):
                    store_bits(result, j, load_bits(row, j))
                continue
            top = exponent_of(largest)
            scale = min(max(top - exponents[1], scales[0]), scales[1])
            low = exponents[0] + scale  # exponent of subnormal values, before scaling
            limit = max_value * double_power_of_two(scale)
            if key >= 0 or mantissa_bits > 16 or low < -100 or top > 100:
                _round_floats_with_care(row, result, n, low, mantissa_bits, limit, first, key)
            else:
                _round_floats_nearest(row, result, n, low, mantissa_bits, np.float32(limit))


@compiled
def _round_floats_nearest(
    x: int, out: int, n: int, low: int, mantissa_bits: int, limit: Scalar
) -> None:
    """Round a row to nearest, far from the ends of float32.

    The sum with 1.5 * 2**23 steps is rounded to a multiple of a step, since that is its last digit.
    """
    smallest = np.float32(double_power_of_two(low))
    factor = np.float32(1.5 * double_power_of_two(24 - mantissa_bits))
    for j in range(n):
        value = load(x, j)
        binade = np.uint32(load_bits(x, j) & INFINITY).view(np.float32)
        shift = max(binade, smallest) * factor
        rounded = min(max((value + shift) - shift, -limit), limit)
        store(out, j, math.copysign(rounded, value))


@compiled
def _round_floats_with_care(
    x: int, out: int, n: int, low: int, mantissa_bits: int, limit: float, first: int, key: int
) -> None:
    """Round a row of finite values in float64, whatever they are."""
    for j in range(n):
        value = np.float64(load(x, j))
        bits = load_bits(x, j) & MAGNITUDE
        exponent = max(exponent_of(bits), low) if bits else low
        step = double_power_of_two(exponent - mantissa_bits + 1)
        rounded = round_double(value / step, first + j, key)
        store(out, j, np.float32(min(max(rounded * step, -limit), limit)))


@_entry
def round_fixed(x: int, out: int, n: int, scale: float, limit: float, key: int) -> None:
    """Round a row of finite values to multiples of `scale`, in float64."""
    for j in range(n):
        mantissa = round_double(np.float64(load(x, j)) / scale, j, key)
        store(out, j, np.float32(min(max(mantissa, -limit), limit) * scale))


@_entry
def largest_of(x: int, n: int) -> Scalar:
    """Return the largest magnitude of a row of float32, as bits; see `largest_magnitude`."""
    return largest_magnitude(x, n)
