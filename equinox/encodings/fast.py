"""Hand a tensor to the compiled kernels, in place of memory and on several threads."""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equinox.encodings import image_kernels, kernels, scaled_kernels, team
from equinox.encodings.formats import SAMPLE, BlockFloat, Fixed, Float, Tile
from equinox.encodings.kernels import KEY, OUT, X
from equinox.encodings.scratch import is_dense

#: Values that are worth the start of a thread.
_VALUES_PER_THREAD = 2**14
#: Values that a thread takes at a time, enough to make the taking cheap.
_VALUES_PER_SHARE = 2**13
#: What a part has among the arguments of a kernel.
_COUNTER = (0,) * kernels.APART
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
    to put the result, with strides like those of `x`, contiguous if `x` is not dense. Where images
    have an exponent each, `out` may have their channels last, and is else not used if it has.
    """
    is_contiguous = x.is_contiguous()
    if out is not None and is_contiguous and not out.is_contiguous():
        if block_float.tile == SAMPLE:
            return _turn_images(x, block_float, key, out)
        out = None
    # By fields, of which the hash takes less time than that of a format.
    plan = _plan(
        block_float.mantissa_bits, block_float.tile, block_float.exponent_bits,
        block_float.exponent_has_nan, x.shape, torch.get_num_threads(),
    )  # fmt: skip
    if not is_contiguous:
        outermost = plan.rows == 1 or x.stride(0) == plan.columns
        if not (plan.by_rows and outermost and is_dense(x)):
            copy = torch.empty(x.shape) if out is None or not out.is_contiguous() else out
            x, out = copy.copy_(x), copy
    if out is None:
        out = x if in_place else torch.empty_like(x)
    arguments = plan.arguments[:]
    arguments[X] = x.data_ptr()
    arguments[OUT] = out.data_ptr()
    if key is not None:
        arguments[KEY] = key
    team.run(plan.kernel, arguments, plan.threads)
    return out


def turn_images(images: Tensor, out: Tensor) -> Tensor:
    """Return `out`, holding `images` (batch, rows, ...) with each matrix of rows transposed.

    Both are float32 of the CPU in memory of their own, of which all that `images` has is one dense
    stretch.
    """
    return _turn_images(images, None, None, out)


def _turn_images(
    images: Tensor, block_float: BlockFloat | None, key: int | None, out: Tensor
) -> Tensor:
    arguments = _image_arguments(block_float, images.shape, torch.get_num_threads())[:]
    arguments[X], arguments[OUT] = images.data_ptr(), out.data_ptr()
    if key is not None:
        arguments[KEY] = key
    team.run(image_kernels.round_images().address, arguments, arguments[kernels.PARTS])
    return out


@lru_cache(maxsize=1024)
def _image_arguments(block_float: BlockFloat | None, size: torch.Size, threads: int) -> array[int]:
    batch, channels = size[:2]
    values = size.numel() // batch
    threads = max(min(threads, size.numel() // _VALUES_PER_THREAD, batch), 1)
    part = -(-batch // threads)
    share = min(max(_VALUES_PER_SHARE // values, 1), part)
    rounding = (0, 0, 0)
    if block_float is not None:
        low, high = block_float.min_exponent, block_float.max_exponent
        rounding = (block_float.mantissa_bits, low, high)
    return array("q", (
        team.THREAD_NUMBER if threads > 1 else 0, threads, part, share, 0, 0, batch, values,
        channels, values, *rounding, _number(None), *(_COUNTER * threads),
    ))  # fmt: skip


class _Plan(NamedTuple):
    """What of a call does not depend on values: see `kernels.ARGUMENTS`."""

    #: Its address.
    kernel: int
    rows: int
    columns: int
    by_rows: bool
    threads: int
    arguments: array[int]


@lru_cache(maxsize=1024)
def _plan(
    mantissa_bits: int, block: Tile, exponent_bits: int, has_nan: bool, size: torch.Size,
    threads: int,
) -> _Plan:  # fmt: skip
    block_float = BlockFloat(
        mantissa_bits=mantissa_bits, exponent_bits=exponent_bits, exponent_has_nan=has_nan
    )
    rows = size[0] if size else 1
    columns = size.numel() // rows
    tile = block or (None, None)
    height, width = tile[0] or rows, tile[1] or columns
    by_rows = width >= columns and (height == 1 or height >= rows)
    shape = rows, columns
    if by_rows:
        shape = (1, rows * columns) if height >= rows else shape
        height, width = 1, shape[1]
    strips = -(-shape[0] // height)
    threads = max(min(threads, rows * columns // _VALUES_PER_THREAD, strips), 1)
    # As close to equal parts as strips allow: PyTorch's, so that a thread finds its values near it.
    part = max(round(shape[0] / (height * threads)), 1)
    share = min(max(_VALUES_PER_SHARE // (height * shape[1]), 1), part)
    number = team.THREAD_NUMBER if threads > 1 else 0
    return _Plan(
        kernel=(kernels.round_rows if by_rows else kernels.round_tiles)().address,
        rows=rows, columns=columns, by_rows=by_rows, threads=threads,
        arguments=array("q", (
            number, threads, part * height, share * height, 0, 0, *shape, height, width,
            mantissa_bits, block_float.min_exponent, block_float.max_exponent,
            _number(None), *(_COUNTER * threads),
        )),
    )  # fmt: skip


def _number(key: int | None) -> int:
    """Return a key as the kernels take it, negative for rounding to nearest."""
    return -1 if key is None else key


def round_fixed(x: Tensor, fixed: Fixed, key: int | None) -> Tensor:
    """Return float32 `x` of the CPU, contiguous if not dense, rounded to `fixed`."""
    x = x if is_dense(x) else x.contiguous()
    largest = _largest(x)
    if largest == 0 or not math.isfinite(largest):
        return x.clone()
    out = torch.empty_like(x)
    limit = float(2 ** (fixed.mantissa_bits - 1) - 1)
    scaled_kernels.round_fixed(
        x.data_ptr(), out.data_ptr(), x.numel(), largest / limit, limit, _number(key)
    )
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
    largest = _largest(x)
    if largest == 0 or not math.isfinite(largest):
        return x.clone()
    shift = scaled.max_exponent - (math.frexp(largest)[1] - 1)
    # The exponent of every value after scaling, then that of its step before scaling.
    exponent = np.maximum(np.arange(256) - 127 + shift, scaled.min_exponent)
    exponent = exponent - scaled.mantissa_bits + 1 - shift
    used = exponent[: math.frexp(largest)[1] - 1 + 127 + 1]
    if used.size == 0 or abs(used).max() > _LARGEST_EXPONENT:
        return None
    step = np.ldexp(np.float32(1), np.minimum(exponent, used.max())).astype(np.float32)
    inverse = 1 / step
    out = torch.empty_like(x)
    scaled_kernels.round_floats(
        x.data_ptr(), out.data_ptr(), x.numel(), inverse.ctypes.data, step.ctypes.data,
        math.ldexp(scaled.max_value, -shift), _number(key),
    )  # fmt: skip
    return out


def _round_scaled_rows(x: Tensor, scaled: Float, key: int | None) -> Tensor:
    x = x.contiguous()
    out = torch.empty_like(x)
    rows = x.shape[0] if x.ndim else 1
    shape = rows, x.numel() // rows
    width = (scaled.tile and scaled.tile[1]) or shape[1]
    scaled_kernels.round_scaled_rows(
        x.data_ptr(), out.data_ptr(), shape, width, scaled.mantissa_bits,
        (scaled.min_exponent, scaled.max_exponent),
        (scaled.min_scale_exponent, scaled.max_scale_exponent), scaled.max_value, _number(key),
    )  # fmt: skip
    return out


def _largest(x: Tensor) -> float:
    bits = np.array([scaled_kernels.largest_of(x.data_ptr(), x.numel())], np.uint32)
    return float(bits.view(np.float32)[0])
