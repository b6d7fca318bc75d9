"""Hand a tensor to the compiled kernels, in place of memory and on several threads."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from equinox.encodings import kernels
from equinox.encodings.formats import BlockFloat, Fixed, Float

#: Values that are worth a thread of their own; below, starting one costs more than it saves.
_VALUES_PER_THREAD = 2**19
#: Powers of two up to here, and their inverses, are normal float32.
_LARGEST_EXPONENT = 120


def round_blocks(
    x: Tensor,
    block_float: BlockFloat,
    key: int | None,
    *,
    in_place: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return float32 `x` of the CPU rounded to `block_float`, with the strides of `x` if dense.

    Blocks that are whole indices of dim 0, or the whole tensor, are found in any dense layout, for
    example channels last; random numbers then follow the order of memory. Other layouts are copied,
    also with `in_place`, which otherwise returns `x` itself with its values rounded. `out` is where
    to put the result; like `x` it is contiguous then.
    """
    tile = block_float.tile or (None, None)
    rows = x.shape[0] if x.ndim else 1
    columns = x.numel() // rows
    height, width = tile[0] or rows, tile[1] or columns
    if not x.is_contiguous():
        outermost = rows == 1 or x.stride(0) == columns
        if width < columns or not outermost or not _is_dense(x):
            x = x.contiguous()
    if out is None:
        out = x if in_place else torch.empty_like(x)
    if width >= columns and (height == 1 or height >= rows):
        shape = (1, x.numel()) if height >= rows else (rows, columns)
        return _run(x, out, shape, (1, shape[1]), block_float, key)
    return _run(x, out, (rows, columns), (height, width), block_float, key)


def _is_dense(x: Tensor) -> bool:
    """Whether the values fill a stretch of memory, in any order of the dims."""
    strides = sorted(
        (stride, size) for stride, size in zip(x.stride(), x.shape, strict=True) if size > 1
    )
    expected = 1
    for stride, size in strides:
        if stride != expected:
            return False
        expected *= size
    return True


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
    keys = _halves(key)
    limits = (block_float.mantissa_bits, block_float.min_exponent, block_float.max_exponent)

    def work(first: int, last: int) -> None:
        if tile[0] == 1 and tile[1] >= shape[1]:
            kernels.round_rows(source, bits, target, *limits, keys, first, last)
        else:
            kernels.round_tiles(source, bits, target, *tile, *limits, keys, first, last)

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


def _halves(key: int | None) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Return a key as the kernels take it: two halves, or nothing for rounding to nearest."""
    return np.array([] if key is None else [key & 0xFFFFFFFF, key >> 32], np.uint32)


def round_fixed(x: Tensor, fixed: Fixed, key: int | None) -> Tensor:
    """Return float32 `x` of the CPU, contiguous if not dense, rounded to `fixed`."""
    x = x if _is_dense(x) else x.contiguous()
    flat = x.as_strided((x.numel(),), (1,)).numpy()
    largest = _largest(flat)
    if largest == 0 or not np.isfinite(largest):
        return x.clone()
    out = torch.empty_like(x)
    limit = float(2 ** (fixed.mantissa_bits - 1) - 1)
    target = out.as_strided((x.numel(),), (1,)).numpy()
    kernels.round_fixed(flat, target, largest / limit, limit, _halves(key))
    return out


def round_scaled(x: Tensor, scaled: Float, key: int | None) -> Tensor | None:
    """Return float32 `x` of the CPU rounded to a `scaled` format of floating point.

    None where its steps are not normal numbers, so that float32 does not suffice, and where its
    tiles have more than one row.
    """
    if scaled.tile is not None:
        return _round_scaled_rows(x, scaled, key) if scaled.tile[0] == 1 else None
    if scaled.scale_bits is not None:
        return None
    x = x if _is_dense(x) else x.contiguous()
    flat = x.as_strided((x.numel(),), (1,)).numpy()
    largest = _largest(flat)
    if largest == 0 or not np.isfinite(largest):
        return x.clone()
    shift = scaled.max_exponent - (math.frexp(largest)[1] - 1)
    # The exponent of every value after scaling, then that of its step before scaling.
    exponent = np.maximum(np.arange(256) - 127 + shift, scaled.min_exponent)
    exponent = exponent - scaled.mantissa_bits + 1 - shift
    used = exponent[: math.frexp(largest)[1] - 1 + 127 + 1]
    if used.size == 0 or abs(used).max() > _LARGEST_EXPONENT:
        return None
    step = np.ldexp(np.float32(1), np.minimum(exponent, used.max())).astype(np.float32)
    limit = np.float32(math.ldexp(scaled.max_value, -shift))
    out = torch.empty_like(x)
    target = out.as_strided((x.numel(),), (1,)).numpy()
    bits = flat.view(np.uint32)
    kernels.round_floats(flat, bits, target, 1 / step, step, limit, _halves(key))
    return out


def _round_scaled_rows(x: Tensor, scaled: Float, key: int | None) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    shape = (x.shape[0] if x.ndim else 1, -1)
    source, target = x.view(shape).numpy(), out.view(shape).numpy()
    width = (scaled.tile and scaled.tile[1]) or source.shape[1]
    kernels.round_scaled_rows(
        source, source.view(np.uint32), target, width, scaled.mantissa_bits,
        (scaled.min_exponent, scaled.max_exponent),
        (scaled.min_scale_exponent, scaled.max_scale_exponent), scaled.max_value, _halves(key),
    )  # fmt: skip
    return out


def _largest(flat: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    bits = np.array([kernels.largest_magnitude(flat.view(np.uint32))], np.uint32)
    return float(bits.view(np.float32)[0])
