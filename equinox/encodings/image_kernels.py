"""A compiled kernel that turns images round, on their way through block floating point or not."""

from __future__ import annotations

import numpy as np

from equinox.encodings.intrinsics import (
    load_bits,
    load_integer,
    store_bits,
    transpose_4,
    transpose_16,
    widest_vectors,
)
from equinox.encodings.kernels import (
    COLUMNS,
    HEIGHT,
    MANTISSA_BITS,
    OUT,
    PARTS,
    X,
    compiled,
    kernel,
    largest_magnitude,
    own_part,
    round_piece,
    take_rows,
)

#: Values that are rounded before they are turned round, so that they stay in the nearest cache.
_PIECE = 2**12
_SQUARE = 16
_FLOAT = 4  # bytes


@kernel
def round_images(arguments: int) -> None:
    """Round each row with one exponent, and write it as the transpose of a matrix.

    This matrix has `height` rows; with 0 bits of a mantissa, it is transposed only. See
    `kernels.ARGUMENTS`; what is read and what is written must not overlap.
    """
    x, out = load_integer(arguments, X), load_integer(arguments, OUT)
    columns, parts = load_integer(arguments, COLUMNS), load_integer(arguments, PARTS)
    height, rounds = load_integer(arguments, HEIGHT), load_integer(arguments, MANTISSA_BITS) > 0
    size = max(_PIECE // height // _SQUARE, 1) * _SQUARE
    memory = np.empty(height * size if rounds else 1, np.float32)
    scratch = memory.ctypes.data
    own = own_part(arguments)
    for i in range(parts):
        part = (own + i) % parts
        start, end = take_rows(part, arguments)
        while start < end:
            for row in range(start, end):
                at = _FLOAT * row * columns
                if rounds:
                    first = row * columns
                    _round_image(x + at, out + at, columns, size, scratch, first, arguments)
                else:
                    _transpose(x + at, out + at, height, columns // height)
            start, end = take_rows(part, arguments)
    memory[0] = 0  # see kernels.round_tiles


@compiled
def _round_image(
    x: int, out: int, n: int, size: int, scratch: int, first: int, arguments: int
) -> None:
    """Round an image of `n` values; `scratch` holds `size` positions, with all their channels."""
    largest = largest_magnitude(x, n)
    channels = load_integer(arguments, HEIGHT)
    positions = n // channels
    for start in range(0, positions, size):
        width = min(size, positions - start)
        for channel in range(channels):
            at = channel * positions + start
            piece = scratch + _FLOAT * channel * width
            round_piece(x + _FLOAT * at, piece, width, largest, first + at, arguments)
        _transpose(scratch, out + _FLOAT * start * channels, channels, width)


@compiled
def _transpose(x: int, out: int, rows: int, columns: int) -> None:
    """Transpose a matrix."""
    widest_vectors()
    step, out_step = _FLOAT * columns, _FLOAT * rows
    if min(rows, columns) >= _SQUARE:
        for j in range(0, columns, _SQUARE):
            column = min(j, columns - _SQUARE)  # the last squares overlap
            for i in range(0, rows, _SQUARE):
                row = min(i, rows - _SQUARE)
                from_ = x + row * step + _FLOAT * column
                transpose_16(from_, step, out + column * out_step + _FLOAT * row, out_step)
    elif min(rows, columns) >= 4:
        for j in range(0, columns, 4):
            column = min(j, columns - 4)
            for i in range(0, rows, 4):
                row = min(i, rows - 4)
                from_ = x + row * step + _FLOAT * column
                transpose_4(from_, step, out + column * out_step + _FLOAT * row, out_step)
    else:
        for i in range(rows):
            for j in range(columns):
                store_bits(out + j * out_step, i, load_bits(x + i * step, j))
