"""Hand a tensor to the compiled kernels, in place of memory and on several threads."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from equinox.encodings import kernels, scaled_kernels, team
from equinox.encodings.formats import BlockFloat, Fixed, Float
from equinox.encodings.scratch import is_dense

#: Values that a thread takes at a time: enough to make the taking cheap.
_VALUES_PER_SHARE = 2**13
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
    to put the result, with strides like those of `x`, contiguous if `x` is not dense.
    """
    tile = block_float.tile or (None, None)
    rows = x.size(0) if x.ndim else 1
    columns = x.numel() // rows
    height, width = tile[0] or rows, tile[1] or columns
    by_rows = width >= columns and (height == 1 or height >= rows)
    if not x.is_contiguous():
        outermost = rows == 1 or x.stride(0) == columns
        if not (by_rows and outermost and is_dense(x)):
            copy = torch.empty(x.shape) if out is None or not out.is_contiguous() else out
            x, out = copy.copy_(x), copy
    if out is None:
        out = x if in_place else torch.empty_like(x)
    if by_rows:
        shape = (1, x.numel()) if height >= rows else (rows, columns)
        return _run(x, out, shape, (1, shape[1]), block_float, key)
    return _run(x, out, (rows, columns), (height, width), block_float, key)


def _run(
    x: Tensor,
    out: Tensor,
    shape: tuple[int, int],
    tile: tuple[int, int],
    block_float: BlockFloat,
    key: int | None,
) -> Tensor:
    rows, columns = shape
    height, width = tile
    kernel = kernels.round_rows if height == 1 and width >= columns else kernels.round_tiles
    share = max(_VALUES_PER_SHARE // (height * columns), 1) * height
    arguments = (
        share, x.data_ptr(), out.data_ptr(), rows, columns, height, width,
        block_float.mantissa_bits, block_float.min_exponent, block_float.max_exponent,
        _number(key),
    )  # fmt: skip
    # A team for one share would only wait.
    team.run(kernel.address, arguments, x.numel() if share < rows else 0)
    return out


def _number(key: int | None) -> int:
    """Return a key as the kernels take it, negative for rounding to nearest."""
    return -1 if key is None else key


def round_fixed(x: Tensor, fixed: Fixed, key: int | None) -> Tensor:
    """Return float32 `x` of the CPU, contiguous if not dense, rounded to `fixed`."""
    x = x if is_dense(x) else x.contiguous()
    flat = x.as_strided((x.numel(),), (1,)).numpy()
    largest = _largest(flat)
    if largest == 0 or not np.isfinite(largest):
        return x.clone()
    out = torch.empty_like(x)
    limit = float(2 ** (fixed.mantissa_bits - 1) - 1)
    target = out.as_strided((x.numel(),), (1,)).numpy()
    scaled_kernels.round_fixed(flat, target, largest / limit, limit, _number(key))
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
    x = x if is_dense(x) else x.contiguous()
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
    scaled_kernels.round_floats(flat, bits, target, 1 / step, step, limit, _number(key))
    return out


def _round_scaled_rows(x: Tensor, scaled: Float, key: int | None) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    shape = (x.shape[0] if x.ndim else 1, -1)
    source, target = x.view(shape).numpy(), out.view(shape).numpy()
    width = (scaled.tile and scaled.tile[1]) or source.shape[1]
    scaled_kernels.round_scaled_rows(
        source, source.view(np.uint32), target, width, scaled.mantissa_bits,
        (scaled.min_exponent, scaled.max_exponent),
        (scaled.min_scale_exponent, scaled.max_scale_exponent), scaled.max_value, _number(key),
    )  # fmt: skip
    return out


def _largest(flat: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    bits = np.array([kernels.largest_magnitude(flat.view(np.uint32))], np.uint32)
    return float(bits.view(np.float32)[0])
