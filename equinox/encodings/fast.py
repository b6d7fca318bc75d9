"""Hand a tensor to the compiled kernels, in place of memory and on several threads."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinox.encodings import image_kernels, kernels, scaled_kernels, team
from equinox.encodings.formats import SAMPLE, BlockFloat, Fixed, Float
from equinox.encodings.plans import NEAREST, PLANS, Place, Plan, Work, at_fork
from equinox.encodings.scratch import is_dense

#: Values that are worth the start of a thread.
_VALUES_PER_THREAD = 2**14
#: Values that a thread takes at a time, enough to make the taking cheap.
_VALUES_PER_SHARE = 2**13
#: Powers of two up to here, and their inverses, are normal float32.
_LARGEST_EXPONENT = 120


def round_blocks(
    x: Tensor,
    block_float: BlockFloat,
    key: int | None,
    in_place: bool = False,
    out: Tensor | None = None,
) -> Tensor | None:
    """Return float32 `x` of the CPU rounded to `block_float`, with the strides of `x` if dense.

    None where `x` is empty, and of exponents that are rounded up.

    Blocks that are whole indices of dim 0, or the whole tensor, are found in any dense layout, for
    example channels last; random numbers then follow the order of memory. Other layouts are copied,
    also with `in_place`, which otherwise returns `x` itself with its values rounded. `out` is where
    to put the result, with strides like those of `x`, contiguous if `x` is not dense. Where images
    have an exponent each, `out` may have their channels last, and is else not used if it has.
    """
    place = id(block_float), x.shape, _get_num_threads()
    plan = PLANS.get(place) or _add_plan(place, block_float)
    if plan is None:
        return None
    is_contiguous = x.is_contiguous()
    if out is not None and is_contiguous and not out.is_contiguous():
        if block_float.tile == SAMPLE:
            return _turn_images(x, block_float, key, out)
        out = None
    if not is_contiguous:
        outermost = plan.rows == 1 or x.stride(0) == plan.columns
        alike = out is None or out.stride() == x.stride()
        if not (plan.by_rows and outermost and alike and is_dense(x)):
            if out is None or not out.is_contiguous():
                out = torch.empty(x.shape, dtype=torch.float32, device="cpu")
            x = out.copy_(x)
    if out is None:
        out = x if in_place else torch.empty_like(x)
    _run(plan.work, x, out, key)
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
    work = _image_work(block_float, images.shape, torch.get_num_threads())
    _run(work, images, out, key)
    return out


@lru_cache(maxsize=1024)
def _image_work(block_float: BlockFloat | None, size: torch.Size, threads: int) -> Work:
    batch, channels = size[:2]
    values = size.numel() // batch
    rounding = (0, 0, 0) if block_float is None else _rounding(block_float)
    kernel = image_kernels.round_images()
    return _work(kernel, (batch, values), (channels, values), rounding, threads, height=1)


_get_num_threads = torch.get_num_threads
_MOST_PLANS = 1024


def _add_plan(place: Place, block_float: BlockFloat) -> Plan | None:
    _, size, threads = place
    plan = _plan(block_float, size, threads)
    if plan is not None:
        if len(PLANS) >= _MOST_PLANS:
            PLANS.clear()
        PLANS[place] = plan._replace(block_float=block_float)
    return plan


@lru_cache(maxsize=_MOST_PLANS)
def _plan(block_float: BlockFloat, size: torch.Size, threads: int) -> Plan | None:
    if size.numel() == 0 or block_float.exponent_rule != "floor":
        return None
    rows = size[0] if size else 1
    columns = size.numel() // rows
    tile = block_float.tile or (None, None)
    height, width = tile[0] or rows, tile[1] or columns
    by_rows = width >= columns and (height == 1 or height >= rows)
    shape = rows, columns
    if by_rows:
        shape = (1, rows * columns) if height >= rows else shape
        height, width = 1, shape[1]
    kernel = (kernels.round_rows if by_rows else kernels.round_tiles)()
    work = _work(kernel, shape, (height, width), _rounding(block_float), threads, height=height)
    strides = None if 1 in size else torch.empty(size, device="meta").stride()
    is_nearest = block_float.rounding == "nearest"
    return Plan(block_float, is_nearest, tuple(size), strides, rows, columns, by_rows, work)


@at_fork
def forget() -> None:
    """Forget what is planned, since it is for the threads that there were."""
    PLANS.clear()
    _plan.cache_clear()
    _image_work.cache_clear()


def _run(work: Work, x: Tensor, out: Tensor, key: int | None) -> None:
    from_, to = x.data_ptr(), out.data_ptr()
    if not (from_ and to):
        raise ValueError("x or out has no memory, as within torch.func.functionalize")
    work.launch(work.address, from_, to, _number(key))


def _rounding(block_float: BlockFloat) -> tuple[int, int, int]:
    return block_float.mantissa_bits, block_float.min_exponent, block_float.max_exponent


def _work(
    kernel: Any, shape: tuple[int, int], tile: tuple[int, int], rounding: tuple[int, int, int],
    threads: int, *, height: int,
) -> Work:  # fmt: skip
    """Return the work on a matrix, of which threads take strips of `height` rows."""
    rows, columns = shape
    strips = -(-rows // height)
    threads = max(min(threads, rows * columns // _VALUES_PER_THREAD, strips), 1)
    # As close to equal parts as strips allow: PyTorch's, so that a thread finds its values near it.
    part = max(round(rows / (height * threads)), 1)
    share = min(max(_VALUES_PER_SHARE // (height * columns), 1), part)
    parts = threads, part * height, share * height
    return team.work_of(kernel.address, parts, (*shape, *tile, *rounding))


def _number(key: int | None) -> int:
    """Return a key as the kernels take it, negative for rounding to nearest."""
    return NEAREST if key is None else key


def round_fixed(
    x: Tensor, fixed: Fixed, key: int | None, _in_place: bool, _out: Tensor | None
) -> Tensor:
    """Return float32 `x` of the CPU, contiguous if not dense, rounded to `fixed`, in new memory."""
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
