"""Compiled block floating point for float32 on the CPU, bit for bit what `reference` defines.

A strip of tiles is read twice, first for the maxima of its columns and tiles, then, from the cache,
to be rounded with a step per column, so that all inner loops run along memory whatever the tile.
Arithmetic is in float32, exact as long as steps and their inverses are normal numbers; a strip with
an infinity, a NaN or an extreme exponent goes value by value through float64 instead.

A kernel is called with the address of its `ARGUMENTS`, so that a call costs a microsecond, by one
thread or by several: each takes the next strips until none is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types  # type: ignore[attr-defined]
from numpy.typing import NDArray

from equinox.encodings.intrinsics import pointer, take, uniform, widest_vectors

Array = NDArray[Any]
Scalar = Any  # of the type that the kernels' casts make it

#: What a kernel is told, as int64: the address of the number of shares that are taken, the rows of
#: a share (whole tiles), addresses of the matrices of float32 that are read and written (may be
#: the same), their shape, the tile's (ignored by `round_rows`), bits of a mantissa, the range of
#: exponents, where larger and smaller ones saturate, and the key, -1 for rounding to nearest.
ARGUMENTS = (
    "taken", "share", "x", "out", "rows", "columns", "height", "width",
    "mantissa_bits", "low", "high", "key",
)  # fmt: skip

compiled = njit(cache=True, nogil=True, error_model="numpy")
_kernel: Callable[[Any], Any] = cfunc(types.void(types.int64), cache=True, error_model="numpy")

MAGNITUDE = np.uint32(0x7FFFFFFF)
INFINITY = np.uint32(0x7F800000)
#: Columns that a strip takes at a time: their maxima and steps stay in the first-level cache.
_CHUNK = 1024
#: Steps with these exponents, and their inverses, are normal float32.
_LARGEST_FAST = 120


@compiled
def exponent_of(bits: Scalar) -> Scalar:
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


@compiled
def _step_exponent(bits: Scalar, mantissa_bits: int, low: int, high: int) -> Scalar:
    return min(max(exponent_of(bits), low), high) - mantissa_bits + 2


@compiled
def _stochastic(
    value: Scalar, inverse: Scalar, step: Scalar, limit: Scalar, uniform_: Scalar
) -> Scalar:
    scaled = value * inverse
    below = np.floor(scaled)
    mantissa = math.copysign(below + np.float32(uniform_ < scaled - below), value)
    return min(max(mantissa, -limit), limit) * step


@compiled
def _power_of_two(exponent: int) -> Scalar:
    """Return 2**exponent of a normal float32 from its bits."""
    return np.uint32((exponent + 127) << 23).view(np.float32)


@compiled
def _copy(x: Array, out: Array) -> None:
    for j in range(x.size):
        out[j] = x[j]


@compiled
def _fill(x: Array, value: Scalar) -> None:
    for j in range(x.size):
        x[j] = value


@compiled
def _round_by_columns(
    x: Array, out: Array, inverse: Array, step: Array, limit: Scalar, first: int, key: int
) -> None:
    """Round a row with a step per column; its first value has the position `first`."""
    widest_vectors()
    if key < 0:
        for j in range(x.size):
            out[j] = min(max(np.rint(x[j] * inverse[j]), -limit), limit) * step[j]
    else:
        for j in range(x.size):
            number = uniform(first, j, key)
            out[j] = _stochastic(x[j], inverse[j], step[j], limit, number)


@compiled
def _round_by_step(
    x: Array, out: Array, inverse: Scalar, step: Scalar, limit: Scalar, first: int, key: int
) -> None:
    """Round a row with one step; its first value has the position `first`."""
    widest_vectors()
    if key < 0:
        for j in range(x.size):
            out[j] = min(max(np.rint(x[j] * inverse), -limit), limit) * step
    else:
        for j in range(x.size):
            number = uniform(first, j, key)
            out[j] = _stochastic(x[j], inverse, step, limit, number)


@compiled
def _round_with_care(
    x: Array, out: Array, largest: Scalar, exponent: int, limit: Scalar, first: int, key: int
) -> None:
    """Round a row of one block in float64, whatever its values."""
    if largest == 0 or largest >= INFINITY:
        out[:] = x
        return
    step = 2.0**exponent
    for j in range(x.size):
        scaled = np.float64(x[j]) / step
        out[j] = np.float32(min(max(round_double(scaled, first + j, key), -limit), limit) * step)


@compiled
def round_double(scaled: float, position: int, key: int) -> Scalar:
    """Return `scaled` rounded to an integer, to nearest if `key` is negative."""
    if key < 0:
        return np.rint(scaled)
    below = np.floor(scaled)
    number = uniform(position, 0, key)
    return math.copysign(below + np.float64(number < scaled - below), scaled)


@compiled
def largest_magnitude(bits: Array) -> Scalar:
    """Return the largest magnitude of a row of float32, as bits; NaN is above infinity."""
    widest_vectors()
    largest = np.uint32(0)
    for j in range(bits.size):
        largest = max(largest, bits[j] & MAGNITUDE)
    return largest


@compiled
def _column_maxima(bits: Array, start: int, maxima: Array) -> None:
    """Find the largest magnitude, as bits, of each column from `start`."""
    widest_vectors()
    _fill(maxima, np.uint32(0))
    for i in range(bits.shape[0]):
        row = bits[i, start : start + maxima.size]
        for j in range(maxima.size):
            maxima[j] = max(maxima[j], row[j] & MAGNITUDE)


@compiled
def _tile_steps(
    maxima: Array, width: int, mantissa_bits: int, low: int, high: int, inverse: Array, step: Array
) -> bool:
    """Turn maxima of columns into those of their tiles, and steps; False where float64 must."""
    fast = True
    for start in range(0, maxima.size, width):
        end = min(start + width, maxima.size)
        tile = maxima[start:end]
        largest = np.uint32(0)
        for j in range(tile.size):
            largest = max(largest, tile[j])
        exponent = _step_exponent(largest, mantissa_bits, low, high) if largest else 0
        if largest >= INFINITY or not -_LARGEST_FAST <= exponent <= _LARGEST_FAST:
            fast = False
        _fill(tile, largest)
        _fill(step[start:end], _power_of_two(exponent))
        _fill(inverse[start:end], _power_of_two(-exponent))
    return fast


@compiled
def _round_strip(
    x: Array, out: Array, width: int, numbers: Array, first_row: int, scratch: Array
) -> None:
    """Round a strip of tiles, of all rows of `x`; `scratch` holds four rows as long as a chunk.

    `numbers` are the bits of a mantissa, the range of exponents and the key.
    """
    mantissa_bits, low, high, key = numbers[0], numbers[1], numbers[2], numbers[3]
    rows, columns = x.shape
    limit = 2 ** (mantissa_bits - 1) - 1
    in_place = x.ctypes.data == out.ctypes.data
    for left in range(0, columns, scratch.shape[1]):
        n = min(scratch.shape[1], columns - left)
        maxima = scratch[0, :n].view(np.uint32)
        inverse, step, rounded = scratch[1, :n], scratch[2, :n], scratch[3, :n]
        _column_maxima(x.view(np.uint32), left, maxima)
        fast = _tile_steps(maxima, width, mantissa_bits, low, high, inverse, step)
        for i in range(rows):
            row, result = x[i, left : left + n], out[i, left : left + n]
            first = (first_row + i) * columns + left
            if not fast:
                for j in range(0, n, width):
                    end = min(j + width, n)
                    exponent = _step_exponent(maxima[j], mantissa_bits, low, high)
                    _round_with_care(
                        row[j:end], result[j:end], maxima[j], exponent, limit, first + j, key
                    )
            elif in_place:  # by way of other memory, so that the compiler may use vectors
                _round_by_columns(row, rounded, inverse, step, np.float32(limit), first, key)
                _copy(rounded, result)
            else:
                _round_by_columns(row, result, inverse, step, np.float32(limit), first, key)


@compiled
def _round_row(x: Array, out: Array, numbers: Array, first: int, scratch: Array) -> None:
    """Round a row of one block; `numbers` as for `_round_strip`."""
    mantissa_bits, low, high, key = numbers[0], numbers[1], numbers[2], numbers[3]
    limit = np.float32(2 ** (mantissa_bits - 1) - 1)
    largest = largest_magnitude(x.view(np.uint32))
    exponent = _step_exponent(largest, mantissa_bits, low, high) if largest else 0
    if largest >= INFINITY or not -_LARGEST_FAST <= exponent <= _LARGEST_FAST:
        _round_with_care(x, out, largest, exponent, limit, first, key)
        return
    step, inverse = _power_of_two(exponent), _power_of_two(-exponent)
    if x.ctypes.data != out.ctypes.data:
        _round_by_step(x, out, inverse, step, limit, first, key)
        return
    for start in range(0, x.size, scratch.size):  # see _round_strip
        n = min(scratch.size, x.size - start)
        piece = x[start : start + n]
        _round_by_step(piece, scratch[:n], inverse, step, limit, first + start, key)
        _copy(scratch[:n], piece)


@compiled
def _matrix(address: int, rows: int, columns: int) -> Array:
    return carray(pointer(address), (rows, columns), np.float32)


@_kernel
def round_tiles(address: Scalar) -> None:
    """Round a matrix with an exponent per tile, from the top-left corner; see `ARGUMENTS`."""
    arguments = carray(pointer(address), (12,), np.int64)
    share, rows, columns, height, width = (
        arguments[1],
        arguments[4],
        arguments[5],
        arguments[6],
        arguments[7],
    )
    x, out = _matrix(arguments[2], rows, columns), _matrix(arguments[3], rows, columns)
    chunk = columns if width >= columns else max(_CHUNK // width, 1) * width
    scratch = np.empty((4, min(chunk, columns)), np.float32)
    start = take(arguments[0]) * share
    while start < rows:
        for top in range(start, min(start + share, rows), height):
            bottom = min(top + height, rows)
            _round_strip(x[top:bottom], out[top:bottom], width, arguments[8:], top, scratch)
        start = take(arguments[0]) * share


@_kernel
def round_rows(address: Scalar) -> None:
    """Round a matrix with an exponent per row; see `ARGUMENTS`."""
    arguments = carray(pointer(address), (12,), np.int64)
    share, rows, columns = arguments[1], arguments[4], arguments[5]
    x, out = _matrix(arguments[2], rows, columns), _matrix(arguments[3], rows, columns)
    scratch = np.empty(_CHUNK, np.float32)
    start = take(arguments[0]) * share
    while start < rows:
        for i in range(start, min(start + share, rows)):
            _round_row(x[i], out[i], arguments[8:], i * columns, scratch)
        start = take(arguments[0]) * share
