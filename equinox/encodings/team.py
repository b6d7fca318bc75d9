"""Run a kernel on the threads that PyTorch computes with."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

#: As many as `kernels.ARGUMENTS`.
_ARGUMENTS = struct.Struct("12q")
#: A share of work that is worth the start of a thread.
_VALUES_PER_THREAD = 2**14
_PROCESS = os.getpid()


def run(kernel: int, arguments: Sequence[int], values: int) -> None:
    """Call the kernel at an address, on several threads if there are `values` enough.

    It takes the address of the address of a counter of shares, and of the `arguments` after it.

    The threads are those of PyTorch's OpenMP, which wait for work; others beside them would be
    kept waiting by them. Without OpenMP they are Python's, and so they are in a process that was
    forked from this one, since OpenMP does not find out that its threads have stayed behind.
    """
    taken = ctypes.c_int64(0)
    packed = _ARGUMENTS.pack(ctypes.addressof(taken), *arguments)
    threads = torch.get_num_threads()
    if threads == 1 or values < 2 * _VALUES_PER_THREAD:
        _callable(kernel)(packed)
    elif _PARALLEL is not None and os.getpid() == _PROCESS:
        _PARALLEL(kernel, packed, threads, 0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_callable(kernel), [packed] * threads))


@cache
def _callable(kernel: int) -> Callable[[bytes], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_char_p)(kernel)


def _openmp() -> Callable[..., None] | None:
    """Return what starts a team of threads in GNU's and LLVM's OpenMP, if this process has it."""
    try:
        parallel = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint, ctypes.c_uint)
    parallel.restype = None
    return parallel


_PARALLEL = _openmp()
