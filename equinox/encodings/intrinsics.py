"""What kernels need beyond numba: memory at an address, a shared counter, 32-bit random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Scalar = Any  # of the type that the kernels' casts make it

# Kernels call without the context, which numba adds.
_intrinsic: Callable[[Any], Any] = intrinsic

_INT32 = ir.IntType(32)
_FLOAT = ir.FloatType()


@_intrinsic
def pointer(_context: Any, address: Any) -> Any:
    """Return the pointer to an address, for `carray`."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(address), generate


@_intrinsic
def take(_context: Any, address: Any) -> Any:
    """Return the int64 at an address, which becomes one more, at once for all threads."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        counter = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", counter, ir.IntType(64)(1), "monotonic")

    return types.int64(address), generate


@_intrinsic
def uniform(_context: Any, first: Any, index: Any, key: Any) -> Any:
    """Return the number of `random_bits.uniform` at the position first + index.

    Written for LLVM, since numba widens integers to 64 bits, whose products are slow in vectors.
    """

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, index, low = (builder.trunc(argument, _INT32) for argument in arguments)
        high = builder.trunc(builder.lshr(arguments[2], ir.IntType(64)(32)), _INT32)
        position = builder.add(first, index)
        value = _fold(builder, builder.xor(position, low), 16)
        value = builder.mul(value, _INT32(0x7FEB352D))
        value = builder.xor(_fold(builder, value, 15), high)
        value = builder.mul(value, _INT32(0x846CA68B))
        digits = builder.lshr(_fold(builder, value, 16), _INT32(8))
        return builder.fmul(builder.sitofp(digits, _FLOAT), _FLOAT(2.0**-24))

    return types.float32(types.int64, types.int64, types.int64), generate


def _fold(builder: Any, value: Any, bits: int) -> Any:
    return builder.xor(value, builder.lshr(value, _INT32(bits)))


@_intrinsic
def widest_vectors(_context: Any) -> Any:
    """Have the function that calls this compiled for the widest vectors that the processor has.

    LLVM takes half of them on processors that once slowed down with all.
    """

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # llvmlite checks names of attributes against a list without those of targets.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate
