"""Rounding to a format in plain torch: the definition that the fast kernels are held to.

Arithmetic is in float64, in which it is exact for float32 and narrower values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinox.encodings.formats import BlockFloat, Fixed, Float, Format, Tile
from equinox.encodings.random_bits import uniform

#: The authors' emulator adds this to a block's maximum before the logarithm.
_EMULATOR_EPSILON = 1e-8


def quantize(x: Tensor, number_format: Format, key: int | Tensor | None = None) -> Tensor:
    """Return `x` rounded to `number_format`; `key` selects the stream of stochastic rounding.

    Zeros keep their sign. Infinities and NaN stay, and a block (of a scaled or fixed point format:
    the tensor) that holds one is returned as it is, so that a diverging run is seen to diverge.
    """
    if x.numel() == 0:
        return x.clone()
    matrix = x.reshape(x.shape[0] if x.ndim else 1, -1).double()
    match number_format:
        case BlockFloat():
            rounded = _block_float(matrix, number_format, key)
        case Fixed():
            rounded = _fixed(matrix, number_format, key)
        case Float():
            rounded = _float(matrix, number_format, key)
    # A value that is not a number is to stay as it is, with the bits that conversion would change.
    rounded = rounded.reshape(x.shape)
    return torch.where(rounded.isnan(), x, rounded.to(x.dtype))


def _block_float(matrix: Tensor, block_float: BlockFloat, key: int | Tensor | None) -> Tensor:
    largest = largest_of_block(matrix.abs(), block_float.tile)
    step = step_of_block(largest, block_float)
    limit = 2 ** (block_float.mantissa_bits - 1) - 1
    mantissa = _round(matrix / step, key).clamp(-limit, limit)
    return _where_finite(largest, torch.where(largest > 0, mantissa * step, matrix))


def step_of_block(largest: Tensor, block_float: BlockFloat) -> Tensor:
    """Return the step of a block whose largest magnitude is `largest`."""
    exponent = _exponent(largest, block_float.exponent_rule)
    exponent = exponent.clamp(block_float.min_exponent, block_float.max_exponent)
    return _power_of_two(exponent - block_float.mantissa_bits + 2)


def _fixed(matrix: Tensor, fixed: Fixed, key: int | Tensor | None) -> Tensor:
    limit = 2 ** (fixed.mantissa_bits - 1) - 1
    largest = matrix.abs().amax()
    scale = largest / limit
    rounded = _round(matrix / scale, key).clamp(-limit, limit) * scale
    return _where_finite(largest, torch.where(largest > 0, rounded, matrix))


def _float(matrix: Tensor, float_: Float, key: int | Tensor | None) -> Tensor:
    finite, scale = matrix, torch.ones((), dtype=matrix.dtype, device=matrix.device)
    if float_.scaled:
        finite = largest_of_block(matrix.abs(), float_.tile)
        shared = _exponent(finite, "floor") - float_.max_exponent
        shared = shared.clamp(float_.min_scale_exponent, float_.max_scale_exponent)
        scale = _power_of_two(-shared)
    scaled = matrix * scale
    exponent = _exponent(scaled.abs(), "floor").clamp(min=float_.min_exponent)
    step = _power_of_two(exponent - float_.mantissa_bits + 1)
    rounded = _round(scaled / step, key) * step
    if float_.finite or float_.scaled:
        rounded = rounded.clamp(-float_.max_value, float_.max_value)
    else:
        overflows = rounded.abs() > float_.max_value
        rounded = torch.where(overflows, rounded.sign() * torch.inf, rounded)
    return _where_finite(finite, rounded / scale)


def _where_finite(condition: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded`, or NaN, which keeps the given value, unless `condition` is finite."""
    return torch.where(condition.isfinite(), rounded, torch.nan)


def largest_of_block(magnitude: Tensor, tile: Tile) -> Tensor:
    """Return, for each value, the largest `magnitude` of its block; NaN wins."""
    rows, columns = magnitude.shape
    height, width = tile or (None, None)
    height, width = height or rows, width or columns
    padding = (0, -columns % width, 0, -rows % height)
    padded = torch.nn.functional.pad(magnitude, padding)
    blocks = padded.view(padded.shape[0] // height, height, padded.shape[1] // width, width)
    largest = blocks.amax(dim=(1, 3), keepdim=True).expand_as(blocks)
    return largest.flatten(2, 3).flatten(0, 1)[:rows, :columns]


def _exponent(largest: Tensor, rule: str) -> Tensor:
    """Return floor(log2(`largest`)) from the bits, or the emulator's rounded logarithm."""
    if rule == "floor":
        return torch.frexp(largest).exponent - 1
    above = (largest.float() + _EMULATOR_EPSILON).log2().ceil() - 1
    return above.nan_to_num(0.0, posinf=0.0).int()


def _power_of_two(exponent: Tensor) -> Tensor:
    return torch.ldexp(torch.ones_like(exponent, dtype=torch.float64), exponent)


def _round(value: Tensor, key: int | Tensor | None) -> Tensor:
    """Round to an integer: to nearest, ties to even, or up with the fraction as probability.

    The latter is floor(value + u) for u uniform in (0, 1], without the rounding of that sum.
    """
    if key is None:
        return value.round()
    below = value.floor()
    rounded = below + (uniform(value.shape, key, device=value.device) < value - below)
    return torch.copysign(rounded, value)
