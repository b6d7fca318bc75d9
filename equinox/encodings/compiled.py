"""The reference, fused by PyTorch's compiler into kernels of the device: the fast path of a GPU.

One definition serves all devices, so that results have the same bits, stochastic rounding too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from equinox.encodings import reference
from equinox.encodings.formats import Format

_Quantize = Callable[[Tensor, Format, Tensor | None], Tensor]


def quantize(
    x: Tensor, number_format: Format, key: int | None = None, *, backend: str | None = None
) -> Tensor:
    """Return `x` rounded as by `reference.quantize`, in fused kernels where the device has them.

    Args:
        x: Floating point values on any device.
        number_format: What to round to.
        key: Stream of stochastic rounding.
        backend: One of torch.compile; by default "inductor" on a GPU with Triton, and no compiler,
            thus the reference as it stands, on all else.
    """
    backend = backend or default_backend(x.device)
    if backend is None:
        return reference.quantize(x, number_format, key)
    # As a tensor, since a number would be compiled into the kernel, anew for each call.
    stream = None if key is None else torch.tensor(key, device=x.device)
    return _compile(backend)(x, number_format, stream)


def default_backend(device: torch.device) -> str | None:
    """Return the compiler that makes kernels for `device`, or None."""
    return "inductor" if device.type == "cuda" and find_spec("triton") else None


@cache
def _compile(backend: str) -> _Quantize:
    return torch.compile(reference.quantize, backend=backend, dynamic=True)
