"""Compiled functions whose first call is quick."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any


def compile_quickly(kernel: Any) -> Callable[..., Any]:
    """Return `kernel`, a function that numba compiles, with a first call that takes a third less.

    The compiler makes millions of small objects, and Python's cyclic garbage collector looks
    through all of them again and again; it is paused until the first call is over. What the kernel
    calls is compiled with it, so only what Python calls needs this.
    """
    if not hasattr(kernel, "py_func"):  # NUMBA_DISABLE_JIT=1: nothing is compiled
        return kernel  # type: ignore[no-any-return]

    @wraps(kernel.py_func)
    def call(*arguments: Any) -> Any:
        if kernel.signatures or not gc.isenabled():
            return kernel(*arguments)
        gc.disable()
        try:
            return kernel(*arguments)
        finally:
            gc.enable()

    return call
