"""Compiled functions whose first call is quick.

numba brings its own code generator, so no C compiler is needed where this runs. Each statement
takes it a millisecond or two, and each function some more, whence few of both.
"""

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

import numba

from equinox.machine_code import renewed

_config: Any = numba.config  # its type has no values
compiled_kernel: Any
compiled_part: Any
if numba.version_info.short == (0, 68):
    from equinox.colocation.target import compiled_kernel, compiled_part
else:  # `target` is of inner parts of that release; this computes the same, and compiles for longer
    compiled_kernel = numba.njit(cache=True, error_model="numpy")
    compiled_part = numba.njit(error_model="numpy")


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, compiled within the kernels that call it."""
    return function if _config.DISABLE_JIT else compiled_part(function)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled when it is first called, and kept on disk; see `machine_code`.

    It is of 64-bit integers and floating-point numbers, records of them, arrays of either whose
    indices count from the start, and parts; nothing is checked, and nothing allocated.

    The compiler makes millions of small objects, and Python's cyclic garbage collector would look
    through all of them again and again; it is paused until the first call is over.
    """
    if _config.DISABLE_JIT:
        return function
    compiled = compiled_kernel(renewed(function))

    @wraps(function)
    def call(*arguments: Any) -> Any:
        if compiled.signatures or not gc.isenabled():
            return compiled(*arguments)
        gc.disable()
        try:
            return compiled(*arguments)
        finally:
            gc.enable()

    return call
