"""Run a kernel on the threads that PyTorch computes with."""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Event
from typing import Any

#: Set in a process that was forked from this one.
_FORKED = Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_FORKED.set)
#: How addresses and numbers are passed: ctypes takes an int for it as it is, where other types of
#: integers would each make an object first.
_WORD = ctypes.c_void_p


def run(kernel: int, arguments: array[int], threads: int) -> None:
    """Call the kernel at an address, on so many threads.

    It takes the address of `arguments`.

    The threads are those of PyTorch's OpenMP, which wait for work; others beside them would be
    kept waiting by them. Without OpenMP they are Python's, and so they are in a process that was
    forked from this one, since OpenMP does not find out that its threads have stayed behind.
    """
    address = arguments.buffer_info()[0]
    if threads == 1:
        _callable(kernel)(address)
    elif _PARALLEL is not None and not _FORKED.is_set():
        _PARALLEL(kernel, address, threads, 0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_callable(kernel), [address] * threads))


@cache
def _callable(kernel: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, _WORD)(kernel)


def _openmp(name: str) -> Any:
    """Return a function of GNU's or LLVM's OpenMP, None if this process has none."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return None


_PARALLEL = _openmp("GOMP_parallel")
if _PARALLEL is not None:
    _PARALLEL.argtypes = (_WORD, _WORD, _WORD, _WORD)
    _PARALLEL.restype = None
#: Address of the function that gives the number of a thread in a team; 0 without OpenMP.
THREAD_NUMBER = ctypes.cast(_openmp("omp_get_thread_num"), ctypes.c_void_p).value or 0
