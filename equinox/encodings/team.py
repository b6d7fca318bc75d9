"""Run a kernel on the threads that PyTorch computes with."""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from numba import njit

from equinox.encodings.intrinsics import (
    call_kernel,
    call_on_threads,
    load_integer,
    stack,
    store_integer,
)
from equinox.encodings.kernels import KEY, OUT, X
from equinox.machine_code import renewed


class Work(NamedTuple):
    """What a kernel is told, but for what changes from call to call."""

    #: Its address.
    kernel: int
    threads: int
    #: `kernels.ARGUMENTS`, where they are, and how many.
    arguments: array[int]
    address: int
    size: int


def work_of(kernel: int, threads: int, arguments: array[int]) -> Work:
    """Return the work of the kernel at an address, on so many threads."""
    return Work(kernel, threads, arguments, *arguments.buffer_info())


def run(work: Work, x: int, out: int, key: int | None) -> None:
    """Have a kernel read what is at the address `x` and write to `out`; no key is of nearest.

    The threads are those of PyTorch's OpenMP, which wait for work; others beside them would be
    kept waiting by them. Without OpenMP they are Python's, and so they are in a process that was
    forked from this one, since OpenMP does not find out that its threads have stayed behind.
    """
    kernel, threads, arguments, address, size = work
    key = -1 if key is None else key
    if threads == 1 or _PARALLEL:
        parallel = _PARALLEL[0] if _PARALLEL else 0
        _launch(parallel, kernel, threads, address, size, x, out, key)
    else:
        own = arguments[:]
        own[X], own[OUT], own[KEY] = x, out, key
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_callable(kernel), [own.buffer_info()[0]] * threads))


def _callable(kernel: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel)


# numba: its functions take integers in a third of the time of ctypes'.
@njit(cache=True, nogil=True, no_cfunc_wrapper=True)  # type: ignore[call-overload, untyped-decorator]
@renewed
def _launch(
    parallel: int, kernel: int, threads: int, address: int, size: int, x: int, out: int, key: int
) -> None:
    """Call a kernel with a copy of the arguments at an address."""
    own = stack(size)
    for i in range(size):
        store_integer(own, i, load_integer(address, i))
    store_integer(own, X, x)
    store_integer(own, OUT, out)
    store_integer(own, KEY, key)
    if threads == 1:
        call_kernel(kernel, own)
    else:
        call_on_threads(parallel, kernel, own, threads)


def _openmp(name: str) -> int:
    """Return the address of a function of GNU's or LLVM's OpenMP, 0 if this process has none."""
    try:
        function: Any = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


#: The function that runs another on OpenMP's threads, if there is one and they are of this process.
_PARALLEL = [address for address in [_openmp("GOMP_parallel")] if address]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PARALLEL.clear)
#: Address of the function that gives the number of a thread in a team; 0 without OpenMP.
THREAD_NUMBER = _openmp("omp_get_thread_num")
