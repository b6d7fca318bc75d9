"""Dot products whose operands are encoded, forward and backward.

Operands are rounded; products accumulate in the dtype of the operands, and gradients pass the
rounding as if it were the identity. In blocks of samples, a sample is what enters the matrix unit
as one row: an index of dim 0 for convolutions, a row of the matrix (all other dims, features) for
`linear`, thus a position of a sequence, and a time step of a sequence for recurrent layers.

Source: Drumond et al., "Training DNNs with Hybrid Block Floating Point", NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from equinox.encodings.autocast import in_fp32
from equinox.encodings.formats import Fixed, Float, Format
from equinox.encodings.images import (
    in_usual_order,
    is_faster_channels_last,
    pads_beyond_kernel,
)
from equinox.encodings.operands import PRESERVED, Layout, Operands
from equinox.encodings.scratch import release


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, operands: Operands) -> Tensor:
    """Return x (..., inputs) times weight (outputs, inputs) transposed, plus `bias`."""
    rows = _apply(_Linear, x.reshape(-1, x.shape[-1]), weight, bias, operands)
    return rows.reshape(*x.shape[:-1], weight.shape[0])


def matmul(left: Tensor, right: Tensor, operands: Operands) -> Tensor:
    """Return left (..., n, k) times right (..., k, m), both activations, as in attention.

    Batches broadcast, and each matrix of a batch is cut into blocks of its own: with blocks of
    samples, an exponent per row of `left` and per column of `right`.
    """
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])  # type: ignore[no-untyped-call]
    if not batch and left.ndim == 2:
        return _apply(_BatchedProduct, left[None], right.mT[None], operands)[0]
    left = left.expand(*batch, *left.shape[-2:]).reshape(-1, *left.shape[-2:])
    right = right.expand(*batch, *right.shape[-2:]).reshape(-1, *right.shape[-2:])
    products = _apply(_BatchedProduct, left, right.mT, operands)
    return products.reshape(*batch, *products.shape[-2:])


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    operands: Operands,
    *,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Return attention's result (..., n, d) and its weights (..., n, m), from (..., n or m, d).

    Both products encode their operands; the softmax is in FP32. `mask` is added to the scores, or,
    of booleans, says where to attend. A query that may attend nowhere has weights of zero.
    """
    scores = matmul(query, key.mT, operands)
    scores = scores * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        mask = allowed if mask is None else _both_masks(allowed, mask)
    if mask is None:
        weights = scores.softmax(-1)
    else:
        if mask.dtype is torch.bool:
            scores = scores.masked_fill(~mask, -torch.inf)
        else:
            scores = scores + mask
        nowhere = scores.isneginf().all(-1, keepdim=True)
        weights = scores.masked_fill(nowhere, 0).softmax(-1).masked_fill(nowhere, 0)
    dropped = torch.nn.functional.dropout(weights, dropout) if dropout else weights
    return matmul(dropped, value, operands), weights


def _both_masks(allowed: Tensor, mask: Tensor) -> Tensor:
    return allowed & mask if mask.dtype is torch.bool else mask.masked_fill(~allowed, -torch.inf)


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    operands: Operands,
    *,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    transposed: bool = False,
    output_padding: tuple[int, ...] | None = None,
) -> Tensor:
    """Return the convolution of `x` (batch, channels, ...) with `weight`, plus `bias`.

    Blocks of the weight are tiles of the matrix (dim 0, all other dims). With blocks along the
    reduced dimension, the convolution is the product of the unfolded input (batch x positions,
    channels x kernel) with that matrix; a transposed one then is the plain convolution of the
    input, spread out by zeros, with the kernel turned round.
    """
    zeros = (0,) * len(stride)
    geometry = (stride, padding, dilation, transposed, output_padding or zeros, groups)
    if not operands.reblocks:
        return _apply(_Convolution, x, weight, bias, operands, geometry)
    if transposed:
        x, weight, stride, padding = _as_plain(x, weight, geometry)
    return _unfolded_convolution(x, weight, bias, operands, stride, padding, dilation, groups)


def _apply(function: type[Function], *arguments: object) -> Tensor:
    with torch._C.DisableTorchFunction():  # its products are encoded once, also in a mode
        return cast(Tensor, apply(function, *arguments))


def apply(function: type[Function], *arguments: object) -> Any:
    """Return function.apply(*arguments), in FP32 also in autocast.

    On the CPU, torch.compile leaves it as it is: it calls kernels with addresses of memory, at
    which a trace ends, so that each layer would be compiled in pieces, and anew for each other.
    """
    first = arguments[0]
    if torch.compiler.is_compiling() and isinstance(first, Tensor) and first.is_cpu:
        return _apart(function.apply, *arguments)
    return in_fp32(function.apply, *arguments)


_apart = torch.compiler.disable(in_fp32)  # type: ignore[no-untyped-call]


def _unfolded_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    operands: Operands,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Tensor:
    columns, positions = _unfold(x, tuple(weight.shape[2:]), stride, padding, dilation)
    parts = [
        linear(part.mT, matrix.flatten(1), None, operands)
        for part, matrix in zip(columns.chunk(groups, 1), weight.chunk(groups, 0), strict=True)
    ]
    product = torch.cat(parts, dim=-1)  # (batch, positions, outputs)
    product = product if bias is None else product + bias
    return product.mT.reshape(x.shape[0], weight.shape[0], *positions)


def _unfold(
    x: Tensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    """Return the columns (batch, channels x kernel, positions), and the positions' shape."""
    positions = tuple(
        (size + 2 * pad - gap * (taps - 1) - 1) // jump + 1
        for size, pad, gap, taps, jump in zip(
            x.shape[2:], padding, dilation, kernel, stride, strict=True
        )
    )
    if len(kernel) <= 2 and min(padding) >= 0:
        lead = (1,) * (2 - len(kernel))
        x = x.reshape(*x.shape[:2], *lead, *x.shape[2:])
        columns = torch.nn.functional.unfold(
            x, lead + kernel, dilation=lead + dilation, stride=lead + stride,
            padding=(0,) * len(lead) + padding,
        )  # fmt: skip
        return columns, positions
    dims = len(kernel)
    windows = torch.nn.functional.pad(x, [pad for p in reversed(padding) for pad in (p, p)])
    for dim, (taps, gap, jump) in enumerate(zip(kernel, dilation, stride, strict=True), start=2):
        windows = windows.unfold(dim, gap * (taps - 1) + 1, jump)[..., ::gap]
    # (batch, channels, positions, kernel)
    order = (0, 1, *range(2 + dims, 2 + 2 * dims), *range(2, 2 + dims))
    return windows.permute(order).flatten(1, 1 + dims).flatten(2), positions


def _as_plain(
    x: Tensor, weight: Tensor, geometry: tuple[Any, ...]
) -> tuple[Tensor, Tensor, tuple[int, ...], tuple[int, ...]]:
    """Return input, weight, stride and padding of the plain equal of a transposed convolution."""
    stride, padding, dilation, _, output_padding, groups = geometry
    dims = len(stride)
    sizes = [(n - 1) * jump + 1 + more for n, jump, more in zip(
        x.shape[2:], stride, output_padding, strict=True)]  # fmt: skip
    spread = x.new_zeros(*x.shape[:2], *sizes)
    inside = [slice(0, (n - 1) * jump + 1, jump) for n, jump in zip(
        x.shape[2:], stride, strict=True)]  # fmt: skip
    spread[(slice(None), slice(None), *inside)] = x
    grouped = weight.flip(tuple(range(2, 2 + dims))).reshape(groups, -1, *weight.shape[1:])
    turned = grouped.transpose(1, 2).flatten(0, 1)
    around = tuple(
        gap * (taps - 1) - pad
        for gap, taps, pad in zip(dilation, weight.shape[2:], padding, strict=True)
    )
    return spread, turned, (1,) * dims, around


#: Weights with so many times fewer values than the activations are kept rounded.
_NEGLIGIBLE = 4


def _round_both(
    ctx: Any, rows: Tensor, weight: Tensor, operands: Operands, layout: Layout = PRESERVED
) -> tuple[Tensor, ...]:
    """Return activations and weight, rounded for the forward pass, and save them for the other.

    The narrow copy of a weight that is small beside the activations is kept; all else that is
    rounded to the same again is, to save memory.
    """
    small = _NEGLIGIBLE * weight.numel() <= rows.numel()
    ctx.operands, ctx.keeps_weight = operands, small and not operands.is_apart("w")
    x = operands.x(rows, brief=True, layout=layout)
    w = operands.w(weight, brief=not ctx.keeps_weight)
    save_weight = operands.to_save if ctx.keeps_weight else operands.stash
    # The weight itself too, so that autograd refuses one that has changed meanwhile.
    ctx.save_for_backward(operands.stash("x", rows, x), save_weight("w", weight, w), weight)
    return x, w


def _recall_weight(ctx: Any, saved: Tensor) -> Tensor:
    operands: Operands = ctx.operands
    return saved if ctx.keeps_weight else operands.recall("w", saved)


class _Linear(Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, operands: Operands
    ) -> Tensor:
        x, w = _round_both(ctx, rows, weight, operands)
        return x @ w.T if bias is None else torch.addmm(bias, x, w.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, _ = ctx.saved_tensors
        operands: Operands = ctx.operands
        needs_x, needs_w, needs_bias, _ = ctx.needs_input_grad
        rounded = operands.grad(grad, brief=True)
        grad_x = grad_w = None
        if needs_x:
            grad_x = operands.grad_x(rounded, _recall_weight(ctx, weight))
        if needs_w:
            release("w")  # the gradient is as large
            grad_w = operands.grad_w(grad, rounded, operands.recall("x", rows))
        return grad_x, grad_w, grad.sum(0) if needs_bias else None, None


class _BatchedProduct(Function):
    """left (batch, n, k) times right (batch, m, k) transposed."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, operands: Operands) -> Tensor:
        x = operands.encoding.x
        a, b = _each(operands.x, left, x), _each(operands.x, right, x)
        if operands.is_apart("x") and not operands.reblocks:
            ctx.save_for_backward(_for_backward(operands, left), _for_backward(operands, right))
        else:
            ctx.save_for_backward(operands.to_save("x", left, a), operands.to_save("x", right, b))
        ctx.operands = operands
        return a @ b.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        operands: Operands = ctx.operands
        by = operands.encoding.grad
        rounded = _each(operands.grad, grad, by)
        if not operands.reblocks:
            return rounded @ right, rounded.mT @ left, None
        along_rows = _each(operands.grad, grad.mT, by)
        return (
            rounded @ _for_backward(operands, right.mT).mT,
            along_rows @ _for_backward(operands, left.mT).mT,
            None,
        )


def _for_backward(operands: Operands, matrices: Tensor) -> Tensor:
    number_format = operands.encoding.format_of("x_backward")
    return _each(partial(operands.backward, "x"), matrices, number_format)


def _each(
    encode_matrix: Callable[[Tensor], Tensor], matrices: Tensor, number_format: Format
) -> Tensor:
    """Round each matrix of a batch (batch, rows, columns) in blocks of its own."""
    tile = None if isinstance(number_format, Fixed) else number_format.tile
    apart = isinstance(number_format, Float) and not number_format.scaled
    height = 1 if apart else tile[0] if tile is not None else None
    if matrices.numel() == 0:
        return matrices.clone()
    if height is None:
        return torch.stack([encode_matrix(matrix) for matrix in matrices.unbind(0)])
    # Zeros below a matrix end its last row of tiles, so that the batch is one matrix.
    rows = matrices.shape[1]
    padded = torch.nn.functional.pad(matrices, (0, 0, 0, -rows % height))
    return encode_matrix(padded.flatten(0, 1)).view(padded.shape)[:, :rows]


class _Convolution(Function):
    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        operands: Operands,
        geometry: tuple[Any, ...],
    ) -> Tensor:
        _, padding, dilation, *_ = geometry
        ctx.turns = is_faster_channels_last(inputs, weight) and not pads_beyond_kernel(
            weight, padding, dilation
        )
        ctx.layout = torch.channels_last if ctx.turns else PRESERVED
        x, w = _round_both(ctx, inputs, weight, operands, ctx.layout)
        ctx.geometry = geometry
        y = torch.convolution(x, w, bias, *geometry)
        # PyTorch's result has its channels last too if its weight has.
        ctx.turns_back = ctx.turns and weight.is_contiguous()
        return in_usual_order(y) if ctx.turns_back else y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        operands: Operands = ctx.operands
        inputs, weight, _ = ctx.saved_tensors
        needs_x, needs_w, needs_bias = ctx.needs_input_grad[:3]
        rounded = operands.grad(grad, brief=True, layout=ctx.layout)
        back, geometry = torch.ops.aten.convolution_backward, ctx.geometry
        grad_x = grad_w = grad_bias = None
        if needs_bias:
            grad_bias = grad.sum([dim for dim in range(grad.ndim) if dim != 1])
        # One by one, so that an operand is gone when the other gradient takes its memory.
        if needs_w:
            x = operands.recall("x", inputs, ctx.layout)
            grad_w = back(rounded, x, weight, None, *geometry, (False, True, False))[1]
            # Flat in between: of dims of size 1, `contiguous` would leave strides as they are.
            grad_w = grad_w.flatten().view(weight.shape) if ctx.turns_back else grad_w
            del x
        if needs_x:
            w = _recall_weight(ctx, weight)
            # Of the activations, their shape and order are read, not the values.
            like = torch.empty_like(inputs, memory_format=ctx.layout) if ctx.turns else inputs
            grad_x = back(rounded, like, w, None, *geometry, (True, False, False))[0]
            grad_x = in_usual_order(grad_x) if ctx.turns_back else grad_x
        return grad_x, grad_w, grad_bias, None, None
