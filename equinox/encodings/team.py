"""Run a kernel on the threads that PyTorch computes with."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeAlias

from numba import njit, types

from equinox.encodings.intrinsics import (
    call_kernel,
    call_on_threads,
    load_integer,
    stack,
    store_integer,
)
from equinox.encodings.kernels import ADDRESS, APART, ARGUMENTS, KEY, OUT, PARALLEL, PARTS, X
from equinox.encodings.plans import FORKED, Work
from equinox.machine_code import renewed

_Launch: TypeAlias = Callable[[int, int, int, int], None]


def work_of(kernel: int, parts: tuple[int, int, int], matrix: tuple[int, ...]) -> Work:
    """Return the work of the kernel at an address, on a thread for each part of a matrix.

    `parts` are the arguments "parts" to "share" of a kernel; `matrix`, "rows" to "high".

    The threads are those of PyTorch's OpenMP, which wait for work; others beside them would be
    kept waiting by them. Without OpenMP they are Python's, and so they are in a process that was
    forked from this one, since OpenMP does not find out that its threads have stayed behind.
    """
    threads = parts[0]
    parallel = 0 if threads == 1 or FORKED else _PARALLEL
    team = parallel, kernel, _THREAD_NUMBER if parallel else 0
    taken = (0,) * APART * threads
    arguments = array("q", (*team, *parts, 0, 0, *matrix, 0, *taken))
    launch = _launcher() if threads == 1 or parallel else _launch_on_python
    return Work(launch, arguments.buffer_info()[0], arguments)


def _launch_on_python(address: int, x: int, out: int, key: int) -> None:
    """Call a kernel on threads of Python; see `_launch`."""
    threads = (ctypes.c_int64 * len(ARGUMENTS)).from_address(address)[PARTS]
    own = (ctypes.c_int64 * (len(ARGUMENTS) + APART * threads)).from_address(address)
    own = type(own).from_buffer_copy(own)
    own[X], own[OUT], own[KEY] = x, out, key
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_callable(own[ADDRESS]), [ctypes.addressof(own)] * threads))


def _callable(kernel: int) -> Callable[[int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(kernel)


@cache
def _launcher() -> _Launch:
    """Return `_launch` compiled: numba's functions take integers in a third of ctypes' time.

    It is what numba's own dispatcher calls, which looks at the types of arguments first.
    """
    compiled: Any = njit(cache=True, nogil=True, no_cfunc_wrapper=True)  # type: ignore[call-overload]
    launch: _Launch = compiled(renewed(_launch)).compile(types.void(*[types.int64] * 4))
    return launch


def _launch(address: int, x: int, out: int, key: int) -> None:
    """Call a kernel with a copy of the arguments at an address."""
    threads = load_integer(address, PARTS)
    size = len(ARGUMENTS) + APART * threads
    own = stack(size)
    for i in range(size):
        store_integer(own, i, load_integer(address, i))
    store_integer(own, X, x)
    store_integer(own, OUT, out)
    store_integer(own, KEY, key)
    kernel = load_integer(own, ADDRESS)
    if threads == 1:
        call_kernel(kernel, own)
    else:
        call_on_threads(load_integer(own, PARALLEL), kernel, own, threads)


def _openmp(name: str) -> int:
    """Return the address of a function of GNU's or LLVM's OpenMP, 0 if this process has none."""
    try:
        function: Any = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


#: Address of the function that runs another on OpenMP's threads; 0 without it.
_PARALLEL = _openmp("GOMP_parallel")
#: Address of the function that gives the number of a thread in a team; 0 without OpenMP.
_THREAD_NUMBER = _openmp("omp_get_thread_num")
