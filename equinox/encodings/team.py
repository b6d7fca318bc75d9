"""Run a kernel on the threads that PyTorch computes with."""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

_PROCESS = os.getpid()


def run(kernel: int, arguments: array[int], threads: int) -> None:
    """Call the kernel at an address, on so many threads.

    It takes the address of `arguments`, in which the first counts the shares that are taken.

    The threads are those of PyTorch's OpenMP, which wait for work; others beside them would be
    kept waiting by them. Without OpenMP they are Python's, and so they are in a process that was
    forked from this one, since OpenMP does not find out that its threads have stayed behind.
    """
    address = arguments.buffer_info()[0]
    if threads == 1:
        _callable(kernel)(address)
    elif _PARALLEL is not None and os.getpid() == _PROCESS:
        _PARALLEL(kernel, address, threads, 0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_callable(kernel), [address] * threads))


@cache
def _callable(kernel: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(kernel)


def _openmp() -> Callable[..., None] | None:
    """Return what starts a team of threads in GNU's and LLVM's OpenMP, if this process has it."""
    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    return parallel


_PARALLEL = _openmp()
