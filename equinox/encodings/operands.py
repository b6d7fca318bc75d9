"""Encode the operands of the three products of a training step: y = x w', grad_x, grad_w."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import torch
from torch import Tensor

from equinox.encodings.formats import Encoding, Fixed, Format
from equinox.encodings.rounding import encode

Role: TypeAlias = Literal["x", "w", "grad"]


@final
@dataclass(frozen=True, kw_only=True)
class Operands:
    """An encoding with its source of randomness, as the products of a network share them.

    Every operand is rounded once and then serves each product that reads it. Only where blocks lie
    along the reduced dimension is it rounded anew for each product, since each reduces another.
    """

    encoding: Encoding
    generator: torch.Generator | None = None
    #: Told of each operand: its role, format, and values before and after rounding.
    observer: Callable[[Role, Format, Tensor, Tensor], None] | None = None

    @property
    def reblocks(self) -> bool:
        """Whether each product cuts its operands into other blocks."""
        encoding = self.encoding
        operands = (encoding.x, encoding.w, encoding.grad)
        return encoding.blocks == "reduction" and any(
            not isinstance(operand, Fixed) and operand.tile is not None for operand in operands
        )

    def x(self, rows: Tensor) -> Tensor:
        """Return activations, rounded."""
        return self._encode("x", self.encoding.x, rows)

    def w(self, weight: Tensor) -> Tensor:
        """Return a weight's narrow copy."""
        return self._encode("w", self.encoding.w, weight)

    def grad(self, rows: Tensor) -> Tensor:
        """Return gradients of a product's result, rounded."""
        return self._encode("grad", self.encoding.grad, rows)

    def to_save(self, operand: Tensor, rounded: Tensor) -> Tensor:
        """Return what the backward pass needs of an operand of the forward pass."""
        return operand if self.reblocks else rounded

    def grad_x(self, grad: Tensor, saved_weight: Tensor) -> Tensor:
        """Return rounded `grad` (rows, outputs) times the weight (outputs, inputs)."""
        return grad @ self.transposed_weight(saved_weight).T

    def transposed_weight(self, saved_weight: Tensor) -> Tensor:
        """Return the weight (inputs, outputs) as the product for the gradient of x reads it."""
        return self.w(saved_weight.T) if self.reblocks else saved_weight.T

    def grad_w(self, grad: Tensor, rounded_grad: Tensor, saved_rows: Tensor) -> Tensor:
        """Return the gradient (outputs, inputs) of a weight: grad' (outputs, rows) times x."""
        if self.reblocks:
            return self.grad(grad.T) @ self.x(saved_rows.T).T
        return rounded_grad.T @ saved_rows

    def _encode(self, role: Role, number_format: Format, values: Tensor) -> Tensor:
        rounded = encode(values, number_format, self.generator)
        if self.observer is not None:
            self.observer(role, number_format, values, rounded)
        return rounded


def operands_of(module: torch.nn.Module) -> Operands | None:
    """Return what an encoded layer rounds its operands with; None of other modules."""
    found = module.__dict__.get("operands")
    return found if isinstance(found, Operands) else None
