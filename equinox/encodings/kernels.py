"""Compiled block floating point for float32 on the CPU, bit for bit what `reference` defines.

A strip of tiles is read twice, first for the maxima of its columns and tiles, then to be rounded
with a step per column, so that all inner loops run along memory whatever the tile. Arithmetic is
in float32, exact as long as steps and their inverses are normal numbers; a strip with an infinity,
a NaN or an extreme exponent goes value by value through float64 instead.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
Scalar = Any  # of the type that the kernels' casts make it

_compiled = njit(cache=True, nogil=True, error_model="numpy")

_MAGNITUDE = np.uint32(0x7FFFFFFF)
_INFINITY = np.uint32(0x7F800000)
#: Columns that a strip takes at a time: their maxima and steps stay in the first-level cache.
_CHUNK = 1024
#: Steps with these exponents, and their inverses, are normal float32.
_LARGEST_FAST = 120


@_compiled
def _mix(value: Scalar) -> Scalar:
    # The compiler widens every 32-bit operation to 64 bits, so that each result is cut again.
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x7FEB352D))
    value = np.uint32(value ^ (value >> np.uint32(15)))
    value = np.uint32(value * np.uint32(0x846CA68B))
    return np.uint32(value ^ (value >> np.uint32(16)))


@_compiled
def _exponent(bits: Scalar) -> Scalar:
    """Return floor(log2) of the positive finite float32 with these bits."""
    biased = np.int64(bits >> np.uint32(23))
    if biased > 0:
        return biased - 127
    fraction = np.int64(bits)
    exponent = -150
    while fraction > 0:  # a subnormal is its fraction times 2**-149
        fraction >>= 1
        exponent += 1
    return exponent


@_compiled
def _step_exponent(bits: Scalar, mantissa_bits: int, low: int, high: int) -> Scalar:
    return min(max(_exponent(bits), low), high) - mantissa_bits + 2


@_compiled
def _uniform(position: Scalar, low: Scalar, high: Scalar) -> Scalar:
    mixed = _mix(np.uint32(_mix(np.uint32(position ^ low)) ^ high))
    return np.float32(np.int32(mixed >> np.uint32(8))) * np.float32(2.0**-24)


@_compiled
def _nearest(value: Scalar, inverse: Scalar, step: Scalar, limit: Scalar) -> Scalar:
    return min(max(np.rint(value * inverse), -limit), limit) * step


@_compiled
def _stochastic(
    value: Scalar, inverse: Scalar, step: Scalar, limit: Scalar, position: Scalar, key: Array
) -> Scalar:
    scaled = value * inverse
    below = np.floor(scaled)
    up = _uniform(position, key[0], key[1]) < scaled - below
    mantissa = math.copysign(below + np.float32(up), value)
    return min(max(mantissa, -limit), limit) * step


@_compiled
def _round_by_columns(
    x: Array, out: Array, inverse: Array, step: Array, limit: Scalar, first: int, key: Array
) -> None:
    """Round a row with a step per column; its first value has the position `first`."""
    if key.size == 0:
        for j in range(x.size):
            out[j] = _nearest(x[j], inverse[j], step[j], limit)
    else:
        start = np.uint32(first)
        for j in range(x.size):
            position = np.uint32(start + np.uint32(j))
            out[j] = _stochastic(x[j], inverse[j], step[j], limit, position, key)


@_compiled
def _round_by_step(
    x: Array, out: Array, inverse: Scalar, step: Scalar, limit: Scalar, first: int, key: Array
) -> None:
    """Round a row with one step; its first value has the position `first`."""
    if key.size == 0:
        for j in range(x.size):
            out[j] = _nearest(x[j], inverse, step, limit)
    else:
        start = np.uint32(first)
        for j in range(x.size):
            position = np.uint32(start + np.uint32(j))
            out[j] = _stochastic(x[j], inverse, step, limit, position, key)


@_compiled
def _round_with_care(
    x: Array, out: Array, largest: Scalar, exponent: int, limit: Scalar, first: int, key: Array
) -> None:
    """Round a row of one block in float64, whatever its values."""
    if largest == 0 or largest >= _INFINITY:
        out[:] = x
        return
    step = 2.0**exponent
    for j in range(x.size):
        scaled = np.float64(x[j]) / step
        if key.size == 0:
            mantissa = np.rint(scaled)
        else:
            below = np.floor(scaled)
            up = _uniform(np.uint32(first + j), key[0], key[1]) < scaled - below
            mantissa = math.copysign(below + np.float64(up), scaled)
        out[j] = np.float32(min(max(mantissa, -limit), limit) * step)


@_compiled
def largest_magnitude(bits: Array) -> Scalar:
    """Return the largest magnitude of a row of float32, as bits; NaN is above infinity."""
    largest = np.uint32(0)
    for j in range(bits.size):
        largest = max(largest, bits[j] & _MAGNITUDE)
    return largest


@_compiled
def _column_maxima(x: Array, first: int, last: int, start: int, maxima: Array) -> None:
    """Find the largest magnitude, as bits, of each column from `start` in rows first..last."""
    maxima[:] = 0
    for i in range(first, last):
        row = x[i, start : start + maxima.size]
        for j in range(maxima.size):
            maxima[j] = max(maxima[j], row[j] & _MAGNITUDE)


@_compiled
def _tile_steps(
    maxima: Array, width: int, mantissa_bits: int, low: int, high: int, inverse: Array, step: Array
) -> bool:
    """Turn maxima of columns into those of their tiles, and steps; False where float64 must."""
    fast = True
    for start in range(0, maxima.size, width):
        end = min(start + width, maxima.size)
        largest = np.uint32(0)
        for j in range(start, end):
            largest = max(largest, maxima[j])
        exponent = _step_exponent(largest, mantissa_bits, low, high) if largest else 0
        if largest >= _INFINITY or not -_LARGEST_FAST <= exponent <= _LARGEST_FAST:
            fast = False
        size = np.float32(2.0**exponent)
        maxima[start:end] = largest
        inverse[start:end] = np.float32(1.0) / size
        step[start:end] = size
    return fast


@_compiled
def round_tiles(
    x: Array,
    bits: Array,
    out: Array,
    height: int,
    width: int,
    mantissa_bits: int,
    low: int,
    high: int,
    key: Array,
    first_row: int,
    last_row: int,
) -> None:
    """Round rows of the matrix `x`, whose bits are `bits`, into `out`, which may be `x`.

    Tiles are `height` x `width` from the top-left corner; `first_row` begins a tile. Exponents
    saturate at `low` and `high`; `key` is empty for rounding to nearest.
    """
    columns = x.shape[1]
    chunk = columns if width >= columns else max(_CHUNK // width, 1) * width
    chunk = min(chunk, columns)
    maxima = np.empty(chunk, np.uint32)
    inverse = np.empty(chunk, np.float32)
    step = np.empty(chunk, np.float32)
    rounded = np.empty(chunk, np.float32)  # so that vector code also serves where out is x
    limit = 2 ** (mantissa_bits - 1) - 1
    for top in range(first_row, last_row, height):
        bottom = min(top + height, last_row)
        for left in range(0, columns, chunk):
            n = min(chunk, columns - left)
            _column_maxima(bits, top, bottom, left, maxima[:n])
            fast = _tile_steps(maxima[:n], width, mantissa_bits, low, high, inverse, step)
            for i in range(top, bottom):
                row, result = x[i, left : left + n], out[i, left : left + n]
                first = i * columns + left
                if not fast:
                    for j in range(0, n, width):
                        end = min(j + width, n)
                        exponent = _step_exponent(maxima[j], mantissa_bits, low, high)
                        _round_with_care(
                            row[j:end], result[j:end], maxima[j], exponent, limit, first + j, key
                        )
                else:
                    _round_by_columns(
                        row, rounded[:n], inverse[:n], step[:n], np.float32(limit), first, key
                    )
                    for j in range(n):
                        result[j] = rounded[j]


@_compiled
def round_rows(
    x: Array,
    bits: Array,
    out: Array,
    mantissa_bits: int,
    low: int,
    high: int,
    key: Array,
    first_row: int,
    last_row: int,
) -> None:
    """Round rows of the matrix `x`, each with one exponent; see `round_tiles`."""
    limit = np.float32(2 ** (mantissa_bits - 1) - 1)
    for i in range(first_row, last_row):
        largest = largest_magnitude(bits[i])
        exponent = _step_exponent(largest, mantissa_bits, low, high) if largest else 0
        first = i * x.shape[1]
        if largest >= _INFINITY or not -_LARGEST_FAST <= exponent <= _LARGEST_FAST:
            _round_with_care(x[i], out[i], largest, exponent, limit, first, key)
        else:
            step = np.float32(2.0**exponent)
            _round_by_step(x[i], out[i], np.float32(1.0) / step, step, limit, first, key)


@_compiled
def round_floats(
    x: Array, bits: Array, out: Array, inverse: Array, step: Array, limit: Scalar, key: Array
) -> None:
    """Round a row of finite values, with the steps of their 256 exponents, as in their bits."""
    for j in range(x.size):
        exponent = (bits[j] & _MAGNITUDE) >> np.uint32(23)
        factor, size = inverse[exponent], step[exponent]
        if key.size == 0:
            rounded = np.rint(x[j] * factor) * size
        else:
            scaled = x[j] * factor
            below = np.floor(scaled)
            up = _uniform(np.uint32(j), key[0], key[1]) < scaled - below
            rounded = math.copysign(below + np.float32(up), x[j]) * size
        out[j] = min(max(rounded, -limit), limit)


@_compiled
def round_scaled_rows(
    x: Array,
    bits: Array,
    out: Array,
    width: int,
    mantissa_bits: int,
    exponents: tuple[int, int],
    scales: tuple[int, int],
    max_value: float,
    key: Array,
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
            if largest == 0 or largest >= _INFINITY:
                result[:] = row
                continue
            top = _exponent(largest)
            scale = min(max(top - exponents[1], scales[0]), scales[1])
            low = exponents[0] + scale  # exponent of subnormal values, before scaling
            limit = max_value * 2.0**scale
            if key.size or mantissa_bits > 16 or low < -100 or top > 100:
                first = i * columns + left
                _round_floats_with_care(row, result, low, mantissa_bits, limit, first, key)
            else:
                _round_floats_nearest(
                    row, bits[i, left:end], result, low, mantissa_bits, np.float32(limit)
                )


@_compiled
def _round_floats_nearest(
    x: Array, bits: Array, out: Array, low: int, mantissa_bits: int, limit: Scalar
) -> None:
    """Round a row to nearest, far from the ends of float32.

    The sum with 1.5 * 2**23 steps is rounded to a multiple of a step, since that is its last digit.
    """
    smallest = np.float32(2.0**low)
    factor = np.float32(1.5 * 2.0 ** (24 - mantissa_bits))
    for j in range(x.size):
        binade = np.uint32(bits[j] & _INFINITY).view(np.float32)
        shift = max(binade, smallest) * factor
        rounded = min(max((x[j] + shift) - shift, -limit), limit)
        out[j] = math.copysign(rounded, x[j])


@_compiled
def _round_floats_with_care(
    x: Array, out: Array, low: int, mantissa_bits: int, limit: float, first: int, key: Array
) -> None:
    """Round a row of finite values in float64, whatever they are."""
    for j in range(x.size):
        value = np.float64(x[j])
        exponent = max(math.frexp(value)[1] - 1, low) if value != 0 else low
        step = 2.0 ** (exponent - mantissa_bits + 1)
        scaled = value / step
        if key.size == 0:
            rounded = np.rint(scaled)
        else:
            below = np.floor(scaled)
            up = _uniform(np.uint32(first + j), key[0], key[1]) < scaled - below
            rounded = math.copysign(below + np.float64(up), scaled)
        out[j] = np.float32(min(max(rounded * step, -limit), limit))


@_compiled
def round_fixed(x: Array, out: Array, scale: float, limit: float, key: Array) -> None:
    """Round a row of finite values to multiples of `scale`, in float64."""
    for j in range(x.size):
        scaled = np.float64(x[j]) / scale
        if key.size == 0:
            mantissa = np.rint(scaled)
        else:
            below = np.floor(scaled)
            up = _uniform(np.uint32(j), key[0], key[1]) < scaled - below
            mantissa = math.copysign(below + np.float64(up), scaled)
        out[j] = np.float32(min(max(mantissa, -limit), limit) * scale)
