"""What kernels do with arrays, and the larger or smaller of two numbers, in few instructions.

numba writes thirty of LLVM's instructions for an element of an array, whose index may count from
the end, and makes a function of `max`; each takes its time to write, to read and to optimize.
"""

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import Registry
from numba.core.typing import templates
from numba.core.typing.templates import signature
from numba.np import arrayobj

#: The types of operations, and by these, the functions that write their code: of numba's context,
#: a builder of code, types and values.
TYPED: Final[Any] = templates.Registry()
WRITTEN: Final[Any] = Registry("kernels")


def _address(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    """Write: the address of an element of an array; indices count from the start."""
    array, index = typed.args[:2]
    several = isinstance(index, types.BaseTuple)
    places = cgutils.unpack_tuple(builder, values[1]) if several else [values[1]]
    kind = index.dtype if several else index
    indices = [context.cast(builder, place, kind, types.intp) for place in places]
    fields = context.data_model_manager[array]
    data, shape, strides = (
        builder.extract_value(values[0], fields.get_field_position(field))
        for field in ("data", "shape", "strides")
    )
    shape, strides = cgutils.unpack_tuple(builder, shape), cgutils.unpack_tuple(builder, strides)
    return cgutils.get_item_pointer2(context, builder, data, shape, strides, array.layout, indices)


@WRITTEN.lower(operator.getitem, types.Array, types.Integer)
def _get(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    if isinstance(typed.return_type, types.Array):  # a row
        return arrayobj.getitem_arraynd_intp(context, builder, typed, values)
    address = _address(context, builder, typed, values)
    return context.unpack_value(builder, typed.return_type, address)


@WRITTEN.lower(operator.getitem, types.Array, types.UniTuple)
def _get_at(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    if isinstance(typed.return_type, types.Array):
        return arrayobj.getitem_array_tuple(context, builder, typed, values)
    address = _address(context, builder, typed, values)
    return context.unpack_value(builder, typed.return_type, address)


@WRITTEN.lower(operator.setitem, types.Array, types.Integer, types.Number)
@WRITTEN.lower(operator.setitem, types.Array, types.UniTuple, types.Number)
def _set(context: Any, builder: Any, typed: Any, values: Any) -> Any:
    kind = typed.args[0].dtype
    value = context.cast(builder, values[2], typed.args[2], kind)
    context.pack_value(builder, kind, value, _address(context, builder, typed, values))
    return context.get_dummy_value()


def _select(relation: str) -> Callable[..., Any]:
    """Return what writes: the second of two numbers if it is in `relation` to the first, or it."""

    def select(_context: Any, builder: Any, typed: Any, values: Any) -> Any:
        first, second = values
        real = isinstance(typed.return_type, types.Float)
        compare = builder.fcmp_ordered if real else builder.icmp_signed
        return builder.select(compare(relation, second, first), second, first)

    return select


def _ceil(_context: Any, builder: Any, _typed: Any, values: Any) -> Any:
    """Write: the least whole number that is not below a number."""
    ceil = builder.module.declare_intrinsic("llvm.ceil", [ir.DoubleType()])
    return builder.call(ceil, values)


def _enter(function: Any, write: Callable[..., Any], *cases: Any) -> None:
    """Enter a function of numbers, the types that it may have, and what writes it."""
    template = type(function.__name__, (templates.ConcreteTemplate,), {"cases": list(cases)})
    TYPED.register_global(function)(template)
    for case in cases:
        WRITTEN.lower(function, *case.args)(write)


_OF_TWO = [signature(kind, kind, kind) for kind in (types.int64, types.float64)]
_enter(max, _select(">"), *_OF_TWO)
_enter(min, _select("<"), *_OF_TWO)
_enter(np.ceil, _ceil, signature(types.float64, types.float64))
