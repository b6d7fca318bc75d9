"""Encode the operands of the three products of a training step: y = x w', grad_x, grad_w."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import torch
from torch import Tensor

from equinox.encodings.formats import Encoding, Fixed, Format
from equinox.encodings.images import channels_last
from equinox.encodings.rounding import encode
from equinox.encodings.scratch import scratch_like

Layout: TypeAlias = torch.memory_format
#: As the values are.
PRESERVED = torch.preserve_format
Role: TypeAlias = Literal["x", "w", "grad", "x_backward", "w_backward"]

#: Values of activations (4 MiB) up to which a backward pass has memory of its own for them.
_SMALL = 2**20


@final
@dataclass(frozen=True, kw_only=True)
class Operands:
    """An encoding with its source of randomness, as the products of a network share them.

    Every operand is rounded once and then serves each product that reads it. Only where blocks lie
    along the reduced dimension is it rounded anew for each product, since each reduces another, and
    where the backward pass has a format of its own.
    """

    encoding: Encoding
    generator: torch.Generator | None = None
    #: Told of each operand: its role, format, and values before and after rounding.
    observer: Callable[[Role, Format, Tensor, Tensor], None] | None = None

    @property
    def reblocks(self) -> bool:
        """Whether each product cuts its operands into other blocks."""
        return self.encoding.blocks == "reduction" and any(
            not isinstance(operand, Fixed) and operand.tile is not None
            for operand in self.encoding.operands
        )

    def x(self, rows: Tensor, *, brief: bool = False, layout: Layout = PRESERVED) -> Tensor:
        """Return activations, rounded.

        What is `brief` may lie in memory that this thread's next operand of the same role, x, w or
        grad, takes over; `stash` and `recall` bring it back. The `layout` may be channels last.
        """
        return self._encode("x", self.encoding.x, rows, brief, layout)

    def w(self, weight: Tensor, *, brief: bool = False) -> Tensor:
        """Return a weight's narrow copy; see `x` for `brief`."""
        return self._encode("w", self.encoding.w, weight, brief)

    def grad(self, rows: Tensor, *, brief: bool = False, layout: Layout = PRESERVED) -> Tensor:
        """Return gradients of a product's result, rounded; see `x` for `brief` and `layout`."""
        return self._encode("grad", self.encoding.grad, rows, brief, layout)

    def backward(self, role: Literal["x", "w"], operand: Tensor) -> Tensor:
        """Return an operand of the forward pass, rounded for the backward pass."""
        own = self._backward_role(role)
        return self._encode(own, self._format(own), operand, brief=False)

    def stash(self, role: Literal["x", "w"], operand: Tensor, rounded: Tensor) -> Tensor:
        """Return what to save of a brief operand: itself, wherever rounding it again is the same.

        What is not small is so kept once for the backward pass, as without encodings.
        """
        anew = self.reblocks or self._repeats(role) or self.is_apart(role)
        return operand if anew else rounded

    def recall(
        self, role: Literal["x", "w"], stashed: Tensor, layout: Layout = PRESERVED
    ) -> Tensor:
        """Return, briefly, the rounded operand of what was stashed; it itself if blocks change."""
        if self.is_apart(role) and not self.reblocks:
            return self.backward(role, stashed)
        if self.reblocks or not self._repeats(role):
            return stashed
        # A gradient is in the memory that activations had; another as large would be too much.
        shares = role == "w" or stashed.numel() <= _SMALL
        out = scratch_like(stashed, role, layout) if shares else None
        return _laid_out(stashed, self._format(role), None, out, layout)

    def to_save(self, role: Literal["x", "w"], operand: Tensor, rounded: Tensor) -> Tensor:
        """Return what the backward pass needs of an operand of the forward pass."""
        if self.reblocks:
            return operand
        return self.backward(role, operand) if self.is_apart(role) else rounded

    def is_apart(self, role: Literal["x", "w"]) -> bool:
        """Whether the backward pass reads this operand in a format of its own."""
        return self._backward_role(role) != role

    def grad_x(self, grad: Tensor, saved_weight: Tensor) -> Tensor:
        """Return rounded `grad` (rows, outputs) times the weight (outputs, inputs)."""
        return grad @ self.transposed_weight(saved_weight).T

    def transposed_weight(self, saved_weight: Tensor) -> Tensor:
        """Return the weight (inputs, outputs) as the product for the gradient of x reads it."""
        return self.backward("w", saved_weight.T) if self.reblocks else saved_weight.T

    def grad_w(self, grad: Tensor, rounded_grad: Tensor, saved_rows: Tensor) -> Tensor:
        """Return the gradient (outputs, inputs) of a weight: grad' (outputs, rows) times x."""
        if self.reblocks:
            return self.grad(grad.T) @ self.backward("x", saved_rows.T).T
        return rounded_grad.T @ saved_rows

    def _backward_role(self, role: Literal["x", "w"]) -> Role:
        if role == "x":
            return "x" if self.encoding.x_backward is None else "x_backward"
        return "w" if self.encoding.w_backward is None else "w_backward"

    def _format(self, role: Role) -> Format:
        return self.encoding.format_of(role)

    def _repeats(self, role: Role) -> bool:
        """Whether an operand rounded again is the same."""
        return self._format(role).rounding == "nearest"

    def _encode(
        self, role: Role, number_format: Format, values: Tensor, brief: bool,
        layout: Layout = PRESERVED,
    ) -> Tensor:  # fmt: skip
        # An operand that does not repeat is kept for the backward pass; a gradient is used there.
        brief = brief and (role == "grad" or self._repeats(role))
        out = scratch_like(values, "w" if role == "w" else "rows", layout) if brief else None
        rounded = _laid_out(values, number_format, self.generator, out, layout)
        if self.observer is not None:
            self.observer(role, number_format, values, rounded)
        return rounded


def _laid_out(
    values: Tensor,
    number_format: Format,
    generator: torch.Generator | None,
    out: Tensor | None,
    layout: Layout,
) -> Tensor:
    if layout is PRESERVED:
        return encode(values, number_format, generator, out=out)
    if out is None:
        out = torch.empty_like(values, memory_format=layout)
    return channels_last(encode(values, number_format, generator, out=out), out)


def operands_of(module: torch.nn.Module) -> Operands | None:
    """Return what an encoded layer rounds its operands with; None of other modules."""
    found = module.__dict__.get("operands")
    return found if isinstance(found, Operands) else None
