"""What of a rounding is the same from call to call, kept.

A tensor of 256x256 values is rounded in the time of two hundred look-ups of a name.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch

from equinox.encodings.formats import BlockFloat

#: What stands for a key where rounding is to nearest.
NEAREST = -1


class Work(NamedTuple):
    """What a compiled kernel is told, but for what changes from call to call."""

    #: Run it: takes the address, where to read, where to write, and a key.
    launch: Callable[[int, int, int, int], None]
    address: int
    #: What is at the address: `kernels.ARGUMENTS`.
    arguments: array[int]


class Plan(NamedTuple):
    """How to round contiguous float32 of the CPU, of one shape, to one format."""

    block_float: BlockFloat
    is_nearest: bool
    size: tuple[int, ...]
    #: None where dims of one value leave them open. One value alone may also be an imaginary part
    #: that PyTorch negates when it is read.
    strides: tuple[int, ...] | None
    #: The size as a matrix, and whether a block is a row of it, or all of it.
    rows: int
    columns: int
    by_rows: bool
    work: Work


#: Not empty in a process that was forked from one that had this: OpenMP's threads stayed there.
FORKED: list[bool] = []


def at_fork(call: Callable[[], None]) -> Callable[[], None]:
    """Return `call`, which a process that is forked from this one calls first."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
    return call


@at_fork
def _note() -> None:
    FORKED.append(True)


Place: TypeAlias = tuple[int, torch.Size, int]
#: By the address of the format, which takes less time than its hash; the shape; and the number of
#: threads. The format comes with the plan, so that no other can have its address.
PLANS: dict[Place, Plan] = {}
