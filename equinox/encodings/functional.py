"""Dot products whose operands are encoded, forward and backward.

Operands are rounded; products accumulate in the dtype of the operands, and gradients pass the
rounding as if it were the identity. In blocks of samples, a sample is what enters the matrix unit
as one row: an index of dim 0 for convolutions, a row of the matrix (all other dims, features) for
`linear`, thus a position of a sequence, and a time step of a sequence for recurrent layers.

Source: Drumond et al., "Training DNNs with Hybrid Block Floating Point", NeurIPS 2018.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from equinox.encodings.operands import Operands


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
    left = left.expand(*batch, *left.shape[-2:]).reshape(-1, *left.shape[-2:])
    right = right.expand(*batch, *right.shape[-2:]).reshape(-1, *right.shape[-2:])
    products = _apply(_BatchedProduct, left, right.mT, operands)
    return products.reshape(*batch, *products.shape[-2:])


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
    channels x kernel) with that matrix.

    Raises:
        ValueError: blocks lie along the reduced dimension, and the convolution is transposed or
            has other than one or two dimensions.
    """
    zeros = (0,) * len(stride)
    geometry = (stride, padding, dilation, transposed, output_padding or zeros, groups)
    if not operands.reblocks:
        return _apply(_Convolution, x, weight, bias, operands, geometry)
    if transposed or len(stride) > 2:
        raise ValueError(
            f"encoding {operands.encoding.name} has blocks along the reduced dimension, which is "
            "written for convolutions of one and two dimensions; skip this module, or choose "
            "blocks of samples or tiles"
        )
    if len(stride) == 1:
        flat = convolution(
            x.unsqueeze(2), weight.unsqueeze(2), bias, operands, groups=groups,
            stride=(1, *stride), padding=(0, *padding), dilation=(1, *dilation),
        )  # fmt: skip
        return flat.squeeze(2)
    return _unfolded_convolution(x, weight, bias, operands, stride, padding, dilation, groups)


def _apply(function: type[Function], *arguments: object) -> Tensor:
    return cast(Tensor, function.apply(*arguments))  # type: ignore[no-untyped-call]


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
    kernel = tuple(weight.shape[2:])
    unfold = torch.nn.functional.unfold
    columns = unfold(x, kernel, dilation=dilation, padding=padding, stride=stride)
    height, width = (
        (size + 2 * pad - gap * (taps - 1) - 1) // jump + 1
        for size, pad, gap, taps, jump in zip(
            x.shape[2:], padding, dilation, kernel, stride, strict=True
        )
    )
    parts = [
        linear(part.mT, matrix.flatten(1), None, operands)
        for part, matrix in zip(columns.chunk(groups, 1), weight.chunk(groups, 0), strict=True)
    ]
    product = torch.cat(parts, dim=-1)  # (batch, positions, outputs)
    product = product if bias is None else product + bias
    return product.mT.reshape(x.shape[0], -1, height, width)


class _Linear(Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, operands: Operands
    ) -> Tensor:
        x, w = operands.x(rows), operands.w(weight)
        ctx.save_for_backward(operands.to_save(rows, x), operands.to_save(weight, w))
        ctx.operands = operands
        return x @ w.T if bias is None else torch.addmm(bias, x, w.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        operands: Operands = ctx.operands
        needs_x, needs_w, needs_bias, _ = ctx.needs_input_grad
        rounded = operands.grad(grad)
        return (
            operands.grad_x(rounded, weight) if needs_x else None,
            operands.grad_w(grad, rounded, rows) if needs_w else None,
            grad.sum(0) if needs_bias else None,
            None,
        )


class _BatchedProduct(Function):
    """left (batch, n, k) times right (batch, m, k) transposed."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, operands: Operands) -> Tensor:
        a, b = _each(operands.x, left), _each(operands.x, right)
        ctx.save_for_backward(operands.to_save(left, a), operands.to_save(right, b))
        ctx.operands = operands
        return a @ b.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        operands: Operands = ctx.operands
        rounded = _each(operands.grad, grad)
        if not operands.reblocks:
            return rounded @ right, rounded.mT @ left, None
        along_rows = _each(operands.grad, grad.mT)
        return (
            rounded @ _each(operands.x, right.mT).mT,
            along_rows @ _each(operands.x, left.mT).mT,
            None,
        )


def _each(encode_matrix: Any, matrices: Tensor) -> Tensor:
    """Round each matrix of a batch (batch, rows, columns) in blocks of its own."""
    return torch.stack([encode_matrix(matrix) for matrix in matrices.unbind(0)])


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
        x, w = operands.x(inputs), operands.w(weight)
        ctx.save_for_backward(x, w)
        ctx.operands, ctx.geometry = operands, geometry
        return torch.convolution(x, w, bias, *geometry)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        needs_x, needs_w, needs_bias = ctx.needs_input_grad[:3]
        rounded = ctx.operands.grad(grad)
        grad_x, grad_w, _ = torch.ops.aten.convolution_backward(
            rounded, x, w, None, *ctx.geometry, (needs_x, needs_w, False)
        )
        positions = [dim for dim in range(grad.ndim) if dim != 1]
        grad_bias = grad.sum(positions) if needs_bias else None
        return grad_x, grad_w, grad_bias, None, None
