"""Memory that rounded operands share, one after another.

A rounded operand serves one product, or the two of a backward pass, and is then forgotten. Fresh
memory for it costs more time than the rounding, since the system has to clear it page by page, and
an encoded network would need more memory than a plain one.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

_PER_THREAD = threading.local()
#: GNU malloc's parameters that say from what size freed memory goes back to the system, at once or
#: from a block of its own, in bytes: the second is the largest that it takes (mallopt(3)).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 2**28), (-3, 2**25)


def scratch_like(
    x: Tensor, purpose: str, layout: torch.memory_format = torch.preserve_format
) -> Tensor | None:
    """Return memory for values like `x`, valid until the thread's next call for this purpose.

    It is as large as the largest so far, and laid out as asked; a preserved format has the strides
    of `x` where these are dense, and else is contiguous. None where `x` is not float32 on the CPU,
    or while torch.compile traces, which cannot follow it.
    """
    if torch.compiler.is_compiling() or x.dtype is not torch.float32 or not x.is_cpu:
        return None
    memory: Tensor | None = getattr(_PER_THREAD, purpose, None)
    values = x.numel()
    if memory is None or memory.numel() < values:
        _keep_freed_memory()
        with torch.inference_mode(False):  # what evaluation makes, training is to write to
            memory = torch.empty(values, dtype=torch.float32, device="cpu")
        setattr(_PER_THREAD, purpose, memory)
    return memory.as_strided(x.shape, _strides(x, layout))


def _strides(x: Tensor, layout: torch.memory_format) -> Sequence[int]:
    if layout is torch.channels_last:
        _, channels, height, width = x.shape
        return channels * height * width, 1, channels * width, channels
    return x.stride() if is_dense(x) else torch.empty(x.shape, device="meta").stride()


@cache
def _keep_freed_memory() -> None:
    """Have GNU's malloc keep up to 256 MiB of freed memory, unless the environment sets it.

    Each product of a training step frees and takes as much again; by default, much of it goes back
    to the system in between, which takes more time to clear it than rounding does.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    try:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    except (OSError, TypeError):  # no library stands for the process
        return
    if mallopt is not None:
        mallopt(*_TRIM_THRESHOLD)
        mallopt(*_MMAP_THRESHOLD)


def release(purpose: str) -> None:
    """Forget the thread's memory for a purpose, so that what is computed next may take it."""
    _PER_THREAD.__dict__.pop(purpose, None)


def is_dense(x: Tensor) -> bool:
    """Whether the values fill a stretch of memory, in any order of the dims."""
    if x.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size > 1:
            if stride != expected:
                return False
            expected *= size
    return True
