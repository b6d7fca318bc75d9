"""Hand a tensor to the compiled kernels, in place of memory and on several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from equinox.encodings import kernels
from equinox.encodings.formats import BlockFloat

#: Values that are worth a thread of their own; below, starting one costs more than it saves.
_VALUES_PER_THREAD = 2**19


def round_blocks(x: Tensor, block_float: BlockFloat, key: int | None) -> Tensor:
    """Return float32 `x` of the CPU rounded to `block_float`, with the strides of `x` if dense.

    Blocks that are whole indices of dim 0, or the whole tensor, are found in any dense layout, for
    example channels last; random numbers then follow the order of memory. Other layouts are copied.
    """
    tile = block_float.tile or (None, None)
    rows = x.shape[0] if x.ndim else 1
    columns = x.numel() // rows
    height, width = tile[0] or rows, tile[1] or columns
    if not x.is_contiguous() and not (width >= columns and _is_dense(x, rows, columns)):
        x = x.contiguous()
    out = torch.empty_like(x)
    if width >= columns and (height == 1 or height >= rows):
        shape = (1, x.numel()) if height >= rows else (rows, columns)
        return _run(x, out, shape, (1, shape[1]), block_float, key)
    return _run(x, out, (rows, columns), (height, width), block_float, key)


def _is_dense(x: Tensor, rows: int, columns: int) -> bool:
    """Whether each index of dim 0 fills a stretch of memory, one after the other."""
    strides = sorted((stride, size) for stride, size in zip(x.stride(), x.shape) if size > 1)
    expected = 1
    for stride, size in strides:
        if stride != expected:
            return False
        expected *= size
    return rows == 1 or x.stride(0) == columns


def _run(
    x: Tensor,
    out: Tensor,
    shape: tuple[int, int],
    tile: tuple[int, int],
    block_float: BlockFloat,
    key: int | None,
) -> Tensor:
    source = x.as_strided(shape, (shape[1], 1)).numpy()
    target = out.as_strided(shape, (shape[1], 1)).numpy()
    bits = source.view(np.uint32)
    keys = _NEAREST if key is None else np.array([key & 0xFFFFFFFF, key >> 32], np.uint32)
    limits = (block_float.mantissa_bits, block_float.min_exponent, block_float.max_exponent, keys)

    def work(first: int, last: int) -> None:
        if tile[0] == 1 and tile[1] >= shape[1]:
            kernels.round_rows(source, bits, target, *limits, first, last)
        else:
            kernels.round_tiles(source, bits, target, *tile, *limits, first, last)

    threads = min(torch.get_num_threads(), x.numel() // _VALUES_PER_THREAD)
    strips = -(-shape[0] // tile[0])
    if min(threads, strips) < 2:
        work(0, shape[0])
        return out
    bounds = [min(strips * part // threads * tile[0], shape[0]) for part in range(threads + 1)]
    bounds[-1] = shape[0]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))
    return out


_NEAREST = np.empty(0, np.uint32)
