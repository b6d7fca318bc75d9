"""What kernels need beyond numba: memory at an address, a shared counter, 32-bit numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Kernels call without the context, which numba adds.
_intrinsic: Callable[[Any], Any] = intrinsic

_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)
_FLOAT = ir.FloatType()


def _element(builder: Any, stored: Any, arguments: Any) -> Any:
    """Return the pointer to a value: the address of a row and an index are `arguments`."""
    row = builder.inttoptr(arguments[0], stored.as_pointer())
    return builder.gep(row, [arguments[1]], inbounds=True)


def _load(stored: Any, value: Any) -> Any:
    """Return an intrinsic: the value at an index of a row at an address.

    Rows that are addresses compile several times as fast as arrays, and as good.
    """

    @_intrinsic
    def load(_context: Any, address: Any, index: Any) -> Any:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.load(_element(builder, stored, arguments), align=value.bitwidth // 8)

        return value(types.int64, types.int64), generate

    return load


def _store(stored: Any, value: Any) -> Any:
    """Return an intrinsic that sets the value at an index of a row at an address."""

    @_intrinsic
    def store(_context: Any, address: Any, index: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            where = _element(builder, stored, arguments)
            builder.store(arguments[2], where, align=value.bitwidth // 8)
            return context.get_dummy_value()

        return types.none(types.int64, types.int64, value), generate

    return store


load_integer, store_integer = _load(_INT64, types.int64), _store(_INT64, types.int64)
load, store = _load(_FLOAT, types.float32), _store(_FLOAT, types.float32)
load_bits, store_bits = _load(_INT32, types.uint32), _store(_INT32, types.uint32)


def _transpose(width: int) -> Any:
    """Return an intrinsic that transposes `width` rows of as many float32 in registers."""
    vector = ir.VectorType(_FLOAT, width)

    def vectors(builder: Any, address: Any, step: Any) -> list[Any]:
        rows = (builder.add(address, builder.mul(step, _INT64(i))) for i in range(width))
        return [builder.inttoptr(row, vector.as_pointer()) for row in rows]

    @_intrinsic
    def transpose(_context: Any, x: Any, step: Any, out: Any, out_step: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            rows = [builder.load(row, align=4) for row in vectors(builder, *arguments[:2])]
            bit = 1
            while bit < width:  # swaps this bit of the row's number with that of the column's
                pairs = [(i, i | bit) for i in range(width) if not i & bit]
                low = [j + width - bit if j & bit else j for j in range(width)]
                high = [j + width if j & bit else j + bit for j in range(width)]
                for i, k in pairs:
                    first, second = rows[i], rows[k]
                    for row, chosen in ((i, low), (k, high)):
                        mask = ir.Constant(ir.VectorType(_INT32, width), chosen)
                        rows[row] = builder.shuffle_vector(first, second, mask)
                bit *= 2
            for row, where in zip(rows, vectors(builder, *arguments[2:]), strict=True):
                builder.store(row, where, align=4)
            return context.get_dummy_value()

        return types.none(*[types.int64] * 4), generate

    return transpose


#: Transposes the square of float32 at an address, whose rows are so many bytes apart, to another.
transpose_4, transpose_16 = _transpose(4), _transpose(16)


@_intrinsic
def take(_context: Any, address: Any, index: Any) -> Any:
    """Return the int64 at an index of a row, which becomes one more, at once for all threads."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        counter = _element(builder, _INT64, arguments)
        return builder.atomic_rmw("add", counter, _INT64(1), "monotonic")

    return types.int64(types.int64, types.int64), generate


@_intrinsic
def call(_context: Any, address: Any) -> Any:
    """Return what the C function at an address returns, an int without arguments."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        function = builder.inttoptr(arguments[0], ir.FunctionType(_INT32, []).as_pointer())
        return builder.sext(builder.call(function, []), _INT64)

    return types.int64(types.int64), generate


@_intrinsic
def call_kernel(_context: Any, kernel: Any, told: Any) -> Any:
    """Call the kernel at an address, which is told another address."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_INT64]).as_pointer()
        builder.call(builder.inttoptr(arguments[0], kind), [arguments[1]])
        return context.get_dummy_value()

    return types.none(types.int64, types.int64), generate


@_intrinsic
def call_on_threads(_context: Any, parallel: Any, kernel: Any, told: Any, threads: Any) -> Any:
    """Call a kernel by way of OpenMP's function at the address `parallel`, on so many threads."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_INT64, _INT64, _INT32, _INT32]).as_pointer()
        parallel, kernel, told, threads = arguments
        threads = builder.trunc(threads, _INT32)
        builder.call(builder.inttoptr(parallel, kind), [kernel, told, threads, _INT32(0)])
        return context.get_dummy_value()

    return types.none(*[types.int64] * 4), generate


@_intrinsic
def stack(_context: Any, words: Any) -> Any:
    """Return the address of memory for so many int64, aligned for vectors, of the function."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        memory = builder.alloca(_INT64, size=arguments[0])
        memory.align = 64
        return builder.ptrtoint(memory, _INT64)

    return types.int64(types.int64), generate


@_intrinsic
def uniform(_context: Any, first: Any, index: Any, key: Any) -> Any:
    """Return the number of `random_bits.uniform` at the position first + index.

    Written for LLVM, since numba widens integers to 64 bits, whose products are slow in vectors.
    """

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, index, low = (builder.trunc(argument, _INT32) for argument in arguments)
        high = builder.trunc(builder.lshr(arguments[2], _INT64(32)), _INT32)
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
