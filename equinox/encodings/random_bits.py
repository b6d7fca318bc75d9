"""Counter-based random numbers: the value at a position depends on key and position alone.

Rounding is therefore the same for any number of threads and on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF


def draw_key(generator: torch.Generator) -> int:
    """Return a key of 62 bits, the next of `generator`."""
    device = generator.device
    return int(torch.randint(2**62, (), generator=generator, device=device).item())


def uniform(shape: torch.Size, key: int | Tensor, *, device: torch.device) -> Tensor:
    """Return numbers uniform in [0, 1), multiples of 2**-24, of the stream `key`.

    Position i gives mix(mix(i ^ low) ^ high) of the key's halves, where mix is a bijection of 32
    bits; positions repeat after 2**32 values.

    Source: mix is "lowbias32" of Wellons, "Prospecting for Hash Functions", 2018.
    """
    position = torch.arange(shape.numel(), device=device) & _MASK
    mixed = _mix(_mix(position ^ (key & _MASK)) ^ (key >> 32))
    return ((mixed >> 8).double() * 2.0**-24).reshape(shape)


def _mix(value: Tensor) -> Tensor:
    value = value ^ (value >> 16)
    value = (value * 0x7FEB352D) & _MASK
    value = value ^ (value >> 15)
    value = (value * 0x846CA68B) & _MASK
    return value ^ (value >> 16)
