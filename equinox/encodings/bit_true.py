"""Bit-true model of the integer data path: what hardware computes, to hold the emulation to.

Operands are integer mantissas with an exponent a block. Where neither operand's block changes along
the reduced dimension, an integer dot product is taken, the exponents are added, and the sum is
converted to FP32 (rounded to nearest, ties to even); these are added up in FP32, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from equinox.encodings.number_formats import BlockFloat, Tile

Integers = NDArray[np.int64]

#: Digits of FP32, and of the float64 that converts an integer exactly.
_DIGITS, _WIDE_DIGITS = 24, 53
#: Exponents of the smallest subnormal of FP32, and beyond its largest number.
_SMALLEST, _BEYOND = -149, 128


@final
@dataclass(frozen=True, kw_only=True)
class BlockMatrix:
    """A matrix in block floating point, as hardware holds it."""

    #: Signed mantissas (rows, columns).
    mantissas: Integers
    #: Exponents (tile rows, tile columns) of the steps that mantissas count.
    exponents: Integers
    #: Height and width of a tile; those at the lower and right edge may be cut off.
    tile: tuple[int, int]

    @property
    def transposed(self) -> BlockMatrix:
        """The same numbers in the same blocks, as the backward products read them."""
        return BlockMatrix(
            mantissas=self.mantissas.T, exponents=self.exponents.T, tile=self.tile[::-1]
        )

    def step_exponents(self, columns: Integers) -> Integers:
        """Return the exponents of the steps (rows, len(columns)) of all rows, some columns."""
        rows = np.arange(len(self.mantissas)) // self.tile[0]
        return self.exponents[np.ix_(rows, columns // self.tile[1])]

    def values(self) -> NDArray[np.float64]:
        """Return the numbers (rows, columns), exactly."""
        columns = np.arange(self.mantissas.shape[1])
        return np.ldexp(self.mantissas.astype(np.float64), self.step_exponents(columns))


def encode(matrix: NDArray[Any], block_float: BlockFloat) -> BlockMatrix:
    """Return `matrix` (rows, columns) in blocks, rounded to nearest, as `BlockFloat` defines it.

    What is rounded already, also stochastically, is not changed. A block of zeros takes the
    smallest exponent.

    Raises:
        ValueError: a value is infinite or NaN, which no mantissa holds, or the exponents are those
            of the authors' emulator.
    """
    if block_float.exponent_rule != "floor":
        raise ValueError("the data path finds exponents from the bits; take exponent_rule 'floor'")
    if not np.isfinite(matrix).all():
        raise ValueError("a mantissa holds no infinity and no NaN; encode finite values")
    tile = _sides(block_float.tile, matrix.shape)
    exact = matrix.astype(np.float64)
    largest = np.abs(exact)
    for axis, side in enumerate(tile):
        starts = np.arange(0, matrix.shape[axis], side)
        largest = np.maximum.reduceat(largest, starts, axis=axis)
    low, high = block_float.min_exponent, block_float.max_exponent
    exponents = np.where(largest > 0, np.frexp(largest)[1] - 1, low).clip(low, high)
    steps = BlockMatrix(
        mantissas=np.ones(matrix.shape, np.int64),
        exponents=exponents.astype(np.int64) - block_float.mantissa_bits + 2,
        tile=tile,
    )
    limit = 2 ** (block_float.mantissa_bits - 1) - 1
    scaled = np.ldexp(exact, -steps.step_exponents(np.arange(matrix.shape[1])))
    mantissas = np.rint(scaled).clip(-limit, limit).astype(np.int64)
    return BlockMatrix(mantissas=mantissas, exponents=steps.exponents, tile=tile)


def product(left: BlockMatrix, right: BlockMatrix) -> NDArray[np.float32]:
    """Return left (n, k) times right (m, k) transposed, computed as by the data path.

    Raises:
        ValueError: the lengths differ, or an integer sum could exceed the converter's 53 bits.
    """
    total = np.zeros((len(left.mantissas), len(right.mantissas)), np.float32)
    for first, last in pairwise(integer_runs(left, right)):
        sums = _integer_products(left.mantissas[:, first:last], right.mantissas[:, first:last])
        exponents = _added_exponents(left, right, first)
        total += np.ldexp(sums.astype(np.float64), exponents).astype(np.float32)
    return total


def integer_runs(left: BlockMatrix, right: BlockMatrix) -> list[int]:
    """Return the bounds of the stretches of the reduced dimension that integers sum over.

    Raises:
        ValueError: the two matrices differ in their number of columns.
    """
    length = left.mantissas.shape[1]
    if right.mantissas.shape[1] != length:
        raise ValueError(
            f"the reduced dimension is {length} long on the left and "
            f"{right.mantissas.shape[1]} on the right; they must be equal"
        )
    starts = {*range(0, length, left.tile[1]), *range(0, length, right.tile[1])}
    return [*sorted(starts), length]


def float_is_exact(left: BlockMatrix, right: BlockMatrix) -> NDArray[np.bool_]:
    """Return where (n, m) a float32 product of the same numbers is exact, in whatever order.

    All terms are multiples of the smallest product of steps. Where their magnitudes sum to at most
    2**24 of it, every partial sum is a float32; there data path and emulation agree on all bits.
    """
    n, m = len(left.mantissas), len(right.mantissas)
    bounds = integer_runs(left, right)[:-1]
    units = np.stack([_added_exponents(left, right, first) for first in bounds])
    unit = units.min(0) if bounds else np.zeros((n, m), np.int64)
    magnitude = np.abs(left.values()) @ np.abs(right.values()).T
    # The float64 sum may be off by its last digit, far less than what one more bit leaves.
    fits = magnitude <= np.ldexp(1 - 2.0**-30, unit + _DIGITS)
    exact: NDArray[np.bool_] = fits & (unit >= _SMALLEST) & (magnitude < 2.0 ** (_BEYOND - 1))
    return exact


def exact_length(mantissa_bits: int) -> int:
    """Return how many products within one block float32 always sums exactly: 2**24 / limit**2."""
    return int(2**_DIGITS // (2 ** (mantissa_bits - 1) - 1) ** 2)


def _sides(tile: Tile, shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = tile or (None, None)
    return height or max(shape[0], 1), width or max(shape[1], 1)


def _added_exponents(left: BlockMatrix, right: BlockMatrix, column: int) -> Integers:
    here = np.array([column])
    return left.step_exponents(here) + right.step_exponents(here).T


def _integer_products(left: Integers, right: Integers) -> Integers:
    largest = np.abs(left).max(initial=0) * np.abs(right).max(initial=0)
    if int(largest) * left.shape[1] >= 2**_WIDE_DIGITS:
        raise ValueError(
            f"{left.shape[1]} products of up to {largest} exceed an accumulator of "
            f"{_WIDE_DIGITS} bits; take smaller blocks or fewer mantissa bits"
        )
    return left @ right.T
