"""Compiled block floating point for float32 on the CPU, bit for bit what `reference` defines.

A strip of tiles is read twice, first for the maxima of its columns and tiles, then, from the cache,
to be rounded with a step per column, so that all inner loops run along memory whatever the tile.
Arithmetic is in float32, exact as long as steps and their inverses are normal numbers; a strip with
an infinity, a NaN or an extreme exponent goes value by value through float64 instead.

A kernel is called with the address of its `ARGUMENTS`, so that a call costs a microsecond, by one
thread or by several: each takes the next strips until none is left. Rows are addresses too, which
keeps compiling short: it happens once on a machine, when a kernel is first used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import cfunc, njit, types  # type: ignore[attr-defined, unused-ignore]

from equinox.encodings.intrinsics import (
    call,
    load,
    load_bits,
    load_integer,
    stack,
    store,
    store_bits,
    take,
    uniform,
    widest_vectors,
)
from equinox.machine_code import renewed

Scalar = Any  # of the type that the kernels' casts make it

#: What a kernel is told, as int64: the address of the function that runs it on threads, or 0; its
#: own; that of a function that gives the number of a thread, or 0; the parts of the matrix, of
#: which a thread first takes that of its number; rows of a part (the last goes to the end) and of
#: what it takes at a time (whole tiles); addresses of the matrices of float32 that are read and
#: written (may be the same); their shape; the tile's (ignored by `round_rows`); bits of a
#: mantissa; the range of exponents, where larger and smaller ones saturate; the key, -1 for
#: rounding to nearest. After them, for each part, APART integers, all 0: the last counts what is
#: taken.
ARGUMENTS = (
    "parallel", "address", "thread_number", "parts", "part", "share", "x", "out", "rows", "columns",
    "height", "width", "mantissa_bits", "low", "high", "key",
)  # fmt: skip
PARALLEL, ADDRESS, _THREAD_NUMBER, PARTS, _PART, _SHARE, X, OUT = range(8)
_ROWS, COLUMNS, HEIGHT, _WIDTH, MANTISSA_BITS, _LOW, _HIGH, KEY = range(8, 16)
#: Integers of a line of the cache: counters do not share one, which threads would wait for.
APART = 8
_TAKEN = len(ARGUMENTS) + APART - 1

#: Of functions that kernels call, which are found on disk within these.
compiled: Callable[[Any], Any] = njit(  # type: ignore[call-overload]
    nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)

MAGNITUDE = np.uint32(0x7FFFFFFF)
INFINITY = np.uint32(0x7F800000)
#: Columns that a strip takes at a time: their maxima and steps stay in the first-level cache.
_CHUNK = 1024
#: Bytes of the scratch memory of a strip that the stack has room for.
_STACK = 5 * 4 * _CHUNK
#: Steps with these exponents, their inverses and what `_nearest` adds are normal float32.
_LARGEST_FAST = 100
_FLOAT = 4  # bytes


def kernel(function: Callable[[int], None]) -> Callable[[], Any]:
    """Return what gives the kernel, compiled or read from disk when first asked for."""

    @cache
    def get() -> Any:
        named = renewed(function)
        return cfunc(types.void(types.int64), cache=True, error_model="numpy")(named)

    return get


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
def _step_exponent(largest: Scalar, arguments: int) -> Scalar:
    """Return the exponent of the step of a block with this largest magnitude, as bits."""
    low, high = load_integer(arguments, _LOW), load_integer(arguments, _HIGH)
    exponent = min(max(exponent_of(largest), low), high)
    return exponent - load_integer(arguments, MANTISSA_BITS) + 2


@compiled
def _is_fast(largest: Scalar, exponent: int) -> Scalar:
    return largest < INFINITY and -_LARGEST_FAST <= exponent <= _LARGEST_FAST


@compiled
def _limit(arguments: int) -> Scalar:
    """Return the largest mantissa."""
    return (1 << (load_integer(arguments, MANTISSA_BITS) - 1)) - 1


@compiled
def _power_of_two(exponent: int) -> Scalar:
    """Return 2**exponent of a normal float32 from its bits."""
    return np.uint32((exponent + 127) << 23).view(np.float32)


@compiled
def double_power_of_two(exponent: int) -> Scalar:
    """Return 2**exponent of a normal float64 from its bits."""
    return np.int64((exponent + 1023) << 52).view(np.float64)


@compiled
def _nearest(value: Scalar, shift: Scalar, largest: Scalar) -> Scalar:
    """Round to nearest; `shift` is 2**23 steps, so that the last digit of the sum is a step."""
    return math.copysign(min((abs(value) + shift) - shift, largest), value)


@compiled
def _stochastic(
    value: Scalar, inverse: Scalar, step: Scalar, limit: Scalar, uniform_: Scalar
) -> Scalar:
    scaled = value * inverse
    below = np.floor(scaled)
    mantissa = math.copysign(below + np.float32(uniform_ < scaled - below), value)
    return min(max(mantissa, -limit), limit) * step


@compiled
def _factors(exponent: int, arguments: int) -> Scalar:
    """Return what rounding with this step takes: to nearest shift and largest, else 1/step, step.

    They are those of `_nearest` and of `_stochastic`.
    """
    step = _power_of_two(exponent)
    if load_integer(arguments, KEY) < 0:
        return step * np.float32(2**23), step * np.float32(_limit(arguments))
    return _power_of_two(-exponent), step


@compiled
def _aligned(address: int) -> int:
    """Return the first multiple of a line of the cache, where vectors do not straddle two."""
    return (address + 63) & ~63


@compiled
def _copy(x: int, out: int, n: int) -> None:
    for j in range(n):
        store_bits(out, j, load_bits(x, j))


@compiled
def _round_by_columns(
    x: int, out: int, rows: int, n: int, factors: int, others: int, first: int, arguments: int
) -> None:
    """Round rows with two factors per column; their first value has the position `first`."""
    widest_vectors()
    columns = load_integer(arguments, COLUMNS)
    key, limit = load_integer(arguments, KEY), np.float32(_limit(arguments))
    for start in range(0, rows * columns, columns):
        row, result = x + _FLOAT * start, out + _FLOAT * start
        if key < 0:
            for j in range(n):
                store(result, j, _nearest(load(row, j), load(factors, j), load(others, j)))
        else:
            for j in range(n):
                number = uniform(first + start, j, key)
                factor, other = load(factors, j), load(others, j)
                store(result, j, _stochastic(load(row, j), factor, other, limit, number))


@compiled
def _round_by_step(x: int, out: int, n: int, exponent: int, first: int, arguments: int) -> None:
    """Round a row with one step; its first value has the position `first`."""
    widest_vectors()
    key, limit = load_integer(arguments, KEY), np.float32(_limit(arguments))
    factor, other = _factors(exponent, arguments)
    if key < 0:
        for j in range(n):
            store(out, j, _nearest(load(x, j), factor, other))
    else:
        for j in range(n):
            number = uniform(first, j, key)
            store(out, j, _stochastic(load(x, j), factor, other, limit, number))


@compiled
def _round_with_care(x: int, out: int, n: int, largest: Scalar, first: int, arguments: int) -> None:
    """Round a row of one block in float64, whatever its values."""
    if largest == 0 or largest >= INFINITY:
        _copy(x, out, n)
        return
    key, limit = load_integer(arguments, KEY), np.float64(_limit(arguments))
    step = double_power_of_two(_step_exponent(largest, arguments))
    for j in range(n):
        mantissa = round_double(np.float64(load(x, j)) / step, first + j, key)
        store(out, j, np.float32(min(max(mantissa, -limit), limit) * step))


@compiled
def round_double(scaled: float, position: int, key: int) -> Scalar:
    """Return `scaled` rounded to an integer, to nearest if `key` is negative."""
    if key < 0:
        return np.rint(scaled)
    below = np.floor(scaled)
    number = uniform(position, 0, key)
    return math.copysign(below + np.float64(number < scaled - below), scaled)


@compiled
def largest_magnitude(x: int, n: int) -> Scalar:
    """Return the largest magnitude of a row of float32, as bits; NaN is above infinity."""
    widest_vectors()
    largest = np.uint32(0)
    for j in range(n):
        largest = np.uint32(max(largest, load_bits(x, j) & MAGNITUDE))
    return largest


@compiled
def _column_maxima(x: int, rows: int, stride: int, n: int, maxima: int) -> None:
    """Find the largest magnitude, as bits, of each column; rows are `stride` bytes apart."""
    widest_vectors()
    for j in range(n):
        store_bits(maxima, j, np.uint32(0))
    in_fours = rows - rows % 4
    for i in range(0, in_fours, 4):
        a, c = x + i * stride, x + (i + 2) * stride
        b, d = a + stride, c + stride
        for j in range(n):
            upper = max(load_bits(a, j) & MAGNITUDE, load_bits(b, j) & MAGNITUDE)
            lower = max(load_bits(c, j) & MAGNITUDE, load_bits(d, j) & MAGNITUDE)
            store_bits(maxima, j, max(load_bits(maxima, j), upper, lower))
    for i in range(in_fours, rows):
        row = x + i * stride
        for j in range(n):
            largest = max(load_bits(maxima, j), load_bits(row, j) & MAGNITUDE)
            store_bits(maxima, j, largest)


@compiled
def _tile_factors(maxima: int, n: int, factors: int, others: int, arguments: int) -> Scalar:
    """Set factors of columns from the maxima of their tiles; False where float64 must."""
    widest_vectors()
    fast = True
    width = load_integer(arguments, _WIDTH)
    for start in range(0, n, width):
        end = min(start + width, n)
        largest = largest_magnitude(maxima + _FLOAT * start, end - start)
        exponent = _step_exponent(largest, arguments) if largest else 0
        fast &= _is_fast(largest, exponent)
        factor, other = _factors(exponent, arguments)
        for j in range(start, end):
            store(factors, j, factor)
            store(others, j, other)
    return fast


@compiled
def _round_chunk(
    x: int, out: int, rows: int, n: int, scratch: int, first: int, arguments: int
) -> None:
    """Round `n` columns of a strip of tiles; `scratch` holds four rows of as many."""
    columns = load_integer(arguments, COLUMNS)
    row_size = _aligned(_FLOAT * n)
    maxima, factors = scratch, scratch + row_size  # not from a list, which takes memory each time
    others, rounded = factors + row_size, factors + 2 * row_size
    _column_maxima(x, rows, _FLOAT * columns, n, maxima)
    fast = _tile_factors(maxima, n, factors, others, arguments)
    if fast and x != out:
        _round_by_columns(x, out, rows, n, factors, others, first, arguments)
        return
    one_row = np.int64(1)  # for a literal, all of the function would be compiled once more
    for start in range(0, rows * columns, columns):
        row, result = x + _FLOAT * start, out + _FLOAT * start
        if fast:  # by way of other memory, so that the compiler may use vectors
            _round_by_columns(row, rounded, one_row, n, factors, others, first + start, arguments)
            _copy(rounded, result, n)
        else:
            _round_tiles_with_care(row, result, n, maxima, first + start, arguments)


@compiled
def _round_tiles_with_care(
    x: int, out: int, n: int, maxima: int, first: int, arguments: int
) -> None:
    width = load_integer(arguments, _WIDTH)
    for j in range(0, n, width):
        at, size = _FLOAT * j, min(width, n - j)
        largest = largest_magnitude(maxima + at, size)
        _round_with_care(x + at, out + at, size, largest, first + j, arguments)


@compiled
def _round_row(x: int, out: int, n: int, scratch: int, first: int, arguments: int) -> None:
    """Round a row of one block; `scratch` holds a chunk."""
    largest = largest_magnitude(x, n)
    if x != out:
        round_piece(x, out, n, largest, first, arguments)
    else:
        for start in range(0, n, _CHUNK):  # see _round_chunk
            size, piece = min(_CHUNK, n - start), x + _FLOAT * start
            round_piece(piece, scratch, size, largest, first + start, arguments)
            _copy(scratch, piece, size)


@compiled
def round_piece(x: int, out: int, n: int, largest: Scalar, first: int, arguments: int) -> None:
    """Round a part of a block with this largest magnitude; `out` is other memory."""
    exponent = _step_exponent(largest, arguments) if largest else 0
    if _is_fast(largest, exponent):
        _round_by_step(x, out, n, exponent, first, arguments)
    else:
        _round_with_care(x, out, n, largest, first, arguments)


@compiled
def own_part(arguments: int) -> Scalar:
    """Return the part that this thread takes from first."""
    thread_number = load_integer(arguments, _THREAD_NUMBER)
    return call(thread_number) if thread_number else 0


@compiled
def take_rows(part: int, arguments: int) -> Scalar:
    """Return the first row of what is taken of a part, and the row after it; none if all is."""
    size, share = load_integer(arguments, _PART), load_integer(arguments, _SHARE)
    is_last = part + 1 == load_integer(arguments, PARTS)
    rows = load_integer(arguments, _ROWS)
    end = rows if is_last else min(part * size + size, rows)
    start = part * size + take(arguments, _TAKEN + APART * part) * share
    return start, min(start + share, end)


@kernel
def round_tiles(arguments: int) -> None:
    """Round a matrix with an exponent per tile, from the top-left corner; see `ARGUMENTS`."""
    x, out = load_integer(arguments, X), load_integer(arguments, OUT)
    columns, width = load_integer(arguments, COLUMNS), load_integer(arguments, _WIDTH)
    height, parts = load_integer(arguments, HEIGHT), load_integer(arguments, PARTS)
    chunk = min(columns, max(_CHUNK // width, 1) * width)
    size = 5 * _aligned(_FLOAT * chunk)
    memory = np.empty(size if size > _STACK else 1, np.uint8)
    scratch = _aligned(memory.ctypes.data) if size > _STACK else stack(_STACK // 8)
    own = own_part(arguments)
    for i in range(parts):
        part = (own + i) % parts
        start, end = take_rows(part, arguments)
        while start < end:
            for top in range(start, end, height):
                for left in range(0, columns, chunk):
                    first = top * columns + left
                    size, n = min(height, end - top), min(chunk, columns - left)
                    at = _FLOAT * first
                    _round_chunk(x + at, out + at, size, n, scratch, first, arguments)
            start, end = take_rows(part, arguments)
    memory[0] = 0  # numba frees it after its last use


@kernel
def round_rows(arguments: int) -> None:
    """Round a matrix with an exponent per row; see `ARGUMENTS`."""
    x, out = load_integer(arguments, X), load_integer(arguments, OUT)
    columns, parts = load_integer(arguments, COLUMNS), load_integer(arguments, PARTS)
    memory = np.empty(_CHUNK, np.float32)
    scratch = memory.ctypes.data
    own = own_part(arguments)
    for i in range(parts):
        part = (own + i) % parts
        start, end = take_rows(part, arguments)
        while start < end:
            for row in range(start, end):
                at = _FLOAT * row * columns
                _round_row(x + at, out + at, columns, scratch, row * columns, arguments)
            start, end = take_rows(part, arguments)
    memory[0] = 0  # see round_tiles
