"""Round a tensor to a number format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Literal, TypeAlias, cast

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from equinox.encodings import compiled, reference
from equinox.encodings.formats import (
    BF16,
    FP32,
    SAMPLE,
    BlockFloat,
    Encoding,
    Fixed,
    Float,
    Format,
    get_encoding,
)
from equinox.encodings.plans import NEAREST, PLANS
from equinox.encodings.random_bits import draw_key

_Way: TypeAlias = Callable[[Tensor, Any, int | None, bool, Tensor | None], Tensor | None]
# Names of their own, since a small tensor is rounded in the time of a few dozen look-ups.
_FLOAT32 = torch.float32
_get_num_threads = torch.get_num_threads
_is_dynamo_compiling = torch.compiler.is_dynamo_compiling


def _empty_strided(size: tuple[int, ...], strides: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty_strided(size, strides, dtype=dtype, device="cpu")


#: New memory of the CPU, taken as code does that PyTorch compiled, which does not look for what may
#: stand in its way, and takes half the time.
_empty = getattr(getattr(torch._C._dynamo, "guards", None), "_empty_strided_cpu", _empty_strided)


def quantize(
    x: Tensor,
    format_or_encoding: Format | Encoding | str,
    *,
    out: Tensor | None = None,
    generator: torch.Generator | None = None,
    blocks: Literal["sample", "tile"] = "tile",
) -> Tensor:
    """Return `x` rounded to a format, with the same shape and dtype.

    A tensor is seen as the matrix (dim 0, all other dims), cut into the format's tiles from the
    top-left corner. A block of block floating point has the exponent e = floor(log2(max |x|)); its
    values are rounded to multiples of 2**(e - mantissa_bits + 2), ties to even, and saturate
    at ±(2**(mantissa_bits - 1) - 1) of them. Zeros keep their sign. A block that holds an infinity
    or a NaN is returned as it is. Subnormal values are values like others; an exponent that does
    not fit into the format's `exponent_bits` saturates, so that larger values do, and smaller ones
    lose digits. Gradients do not flow through: `equinox.encodings.functional` has the dot products.

    Args:
        x: Floating point values on any device; float32 on the CPU has fast kernels, and a GPU has
            the definition, compiled.
        format_or_encoding: A format; an encoding or its name stands for the format of its weights.
        out: Where to put the result, of the shape and dtype of `x`; may be `x` itself.
        generator: Source of randomness; needed by, and only used for, stochastic rounding.
        blocks: "sample" overrides a block format's tile: one exponent per index of dim 0.

    Raises:
        ValueError: `x` is not floating point, `out` does not match, stochastic rounding has no
            generator, or there is no such encoding or choice of blocks.

    Source: Drumond et al., "Training DNNs with Hybrid Block Floating Point", NeurIPS 2018.
    """
    if out is None and blocks == "tile" and not _is_dynamo_compiling():
        rounded = _round_as_planned(x, format_or_encoding, generator)
        if rounded is not None:
            return rounded
    number_format = _format_of(format_or_encoding)
    if blocks != "tile":
        number_format = _by_sample(number_format, blocks)
    if out is not None:
        _check(x, out)
    values = x.detach() if x.requires_grad else x
    if out is not None:
        target = out if _may_write(values, out) else None
        rounded = encode(values, number_format, generator, out=target)
        if rounded is not out:
            return out.copy_(rounded)
        if not out.is_inference():
            increment_version(out)  # so that a backward pass that needs its former values says so
        return out
    rounded = encode(values, number_format, generator)
    return values.clone() if rounded is values else rounded


def _round_as_planned(
    x: Tensor, number_format: object, generator: torch.Generator | None
) -> Tensor | None:
    """Return `x` rounded by the plan of an earlier call; None if there is none, or `x` is unusual.

    A small tensor is rounded in the time that the checks of the other ways take.
    """
    plan = PLANS.get((id(number_format), x.shape, _get_num_threads()))
    if plan is None or plan.strides is None:
        return None
    if type(x) is not Tensor or x.dtype is not _FLOAT32 or not (x.is_cpu and x.is_contiguous()):
        return None
    where = x.data_ptr()
    if not where:
        return None
    key = NEAREST if plan.is_nearest else _draw_key(generator)
    rounded: Tensor = _empty(plan.size, plan.strides, _FLOAT32)
    launch, address, _ = plan.work
    launch(address, where, rounded.data_ptr(), key)
    return rounded


def encode(
    x: Tensor,
    number_format: Format,
    generator: torch.Generator | None,
    *,
    in_place: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return `x` rounded, without checks; `x` itself where the format holds every float32.

    `in_place` permits to overwrite `x`, and `out` another tensor, with strides like those of `x`,
    or of images channels last; where the result is neither, they were left as they were.
    """
    key = None if number_format.rounding == "nearest" else _draw_key(generator)
    x = x.resolve_neg()
    if not x.is_cpu:
        _check_dtype(x)
        return compiled.quantize(x, number_format, key)
    if x.dtype is _FLOAT32:
        by_kernels = _encode_apart if _is_dynamo_compiling() else _WAYS[type(number_format)]
        rounded = by_kernels(x, number_format, key, in_place, out)
        if rounded is not None:
            return rounded
    _check_dtype(x)
    return reference.quantize(x, number_format, key)


def encode_in_place(x: Tensor, number_format: Format, generator: torch.Generator | None) -> None:
    """Round the values of `x`; as `encode`, but sparing memory where it can."""
    rounded = encode(x, number_format, generator, in_place=True)
    if rounded is not x:
        x.copy_(rounded)


def _leave(*_: object) -> None:
    """Round nothing: there are no kernels."""


def _encode_float(
    x: Tensor, number_format: Float, key: int | None, _in_place: bool, _out: Tensor | None
) -> Tensor | None:
    if x.numel() == 0:
        return None
    if number_format.scaled:
        return cast(Tensor | None, compiled_or("round_scaled", _leave)(x, number_format, key))
    if number_format == FP32:
        return x
    if number_format != BF16:
        return None
    bfloat16 = x.bfloat16().float()
    # The bits of a NaN are to stay; the conversion changes them.
    finite = bfloat16.sum().isfinite()
    return bfloat16 if finite else torch.where(x.isnan(), x, bfloat16)


class _Ways(dict[type[Format], _Way]):
    """By kind of format, what rounds float32 of the CPU other than by the reference, or gives None.

    It takes what `encode` does, with a key, and is found when first asked for.
    """

    def __missing__(self, kind: type[Format]) -> _Way:
        name = {BlockFloat: "round_blocks", Fixed: "round_fixed"}.get(kind)
        self[kind] = compiled_or(name, _leave) if name else _encode_float
        return self[kind]


_WAYS = _Ways()


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _encode_apart(
    x: Tensor, number_format: Format, key: int | None, in_place: bool, out: Tensor | None
) -> Tensor | None:
    """Round, called by what torch.compile makes.

    Kernels take addresses of memory, on which its traces would depend, so that it would compile
    anew for each tensor.
    """
    return _WAYS[type(number_format)](x, number_format, key, in_place, out)


@cache
def compiled_or(name: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return the caller of compiled kernels with this name, late: their compiler's import is long.

    It is `otherwise` where NUMBA_DISABLE_JIT=1 forbids to compile.
    """
    from numba.core import config

    if config.DISABLE_JIT:  # type: ignore[attr-defined, unused-ignore]
        return otherwise
    from equinox.encodings import fast

    return cast(Callable[..., Any], getattr(fast, name))


def _draw_key(generator: torch.Generator | None) -> int:
    if generator is None:
        raise ValueError("stochastic rounding needs a generator; pass a seeded torch.Generator")
    return draw_key(generator)


def _may_write(x: Tensor, out: Tensor) -> bool:
    """Whether a result may be written to `out` while `x` is still read."""
    apart = x.untyped_storage().data_ptr() != out.untyped_storage().data_ptr()
    return apart and x.is_contiguous() and out.is_contiguous() and not out.requires_grad


def _format_of(format_or_encoding: Format | Encoding | str) -> Format:
    if isinstance(format_or_encoding, str):
        return get_encoding(format_or_encoding).w
    if isinstance(format_or_encoding, Encoding):
        return format_or_encoding.w
    if not isinstance(format_or_encoding, (BlockFloat, Fixed, Float)):
        raise ValueError(f"{format_or_encoding!r} is no format, nor an encoding or its name")
    return format_or_encoding


@cache
def _by_sample(number_format: Format, blocks: str) -> Format:
    if blocks != "sample":
        raise ValueError(f'blocks is {blocks!r}; it must be "sample" or "tile"')
    if isinstance(number_format, BlockFloat):
        return replace(number_format, tile=SAMPLE)
    return number_format


def _check_dtype(x: Tensor) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x has dtype {x.dtype}; only floating point values can be rounded")


def _check(x: Tensor, out: Tensor) -> None:
    if (out.shape, out.dtype, out.device) != (x.shape, x.dtype, x.device):
        raise ValueError(
            f"out is {out.dtype} of shape {tuple(out.shape)} on {out.device}; it must be "
            f"{x.dtype} of shape {tuple(x.shape)} on {x.device}, like x"
        )
