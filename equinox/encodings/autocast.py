"""Keep encoded products in FP32 where autocast is on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

_NARROW = (torch.bfloat16, torch.float16)


def in_fp32(function: Callable[..., Result], *arguments: object) -> Result:
    """Return function(*arguments), in autocast with FP32 for narrower tensors and without it.

    Autocast would round what the products accumulate to a type narrower than FP32; operands that
    are encoded gain nothing by it.
    """
    devices = {part.device.type for part in arguments if isinstance(part, Tensor)}
    if not any(torch.is_autocast_enabled(device) for device in devices):
        return function(*arguments)
    wide = [
        part.float() if isinstance(part, Tensor) and part.dtype in _NARROW else part
        for part in arguments
    ]
    with ExitStack() as stack:
        for device in sorted(devices):
            stack.enter_context(torch.autocast(device, enabled=False))
        return function(*wide)
