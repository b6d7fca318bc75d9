"""Measure what an encoding does to the operands of a model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

from equinox.encodings.formats import BlockFloat, Fixed, Float, Format
from equinox.encodings.operands import Role, operands_of
from equinox.encodings.reference import largest_of_block, step_of_block

_COLUMNS = [
    "layer", "operand", "encoding", "values", "blocks", "saturated_share", "flushed_share",
    "signal_to_noise_db",
]  # fmt: skip


def summarize(
    model: nn.Module,
    sample: Tensor | tuple[Tensor, ...],
    *,
    loss: Callable[..., Tensor] | None = None,
) -> pd.DataFrame:
    """Return how well the operands of a converted `model` are represented, on a sample of input.

    A row is one operand ("x", "w" or "grad") of one layer, with the values and blocks that its
    products read in all. `saturated_share` is the share of values beyond the largest that their
    block holds, `flushed_share` that of values, zeros aside, that became zero;
    `signal_to_noise_db` is 10 log10(sum x**2 / sum (rounded x - x)**2), infinite where nothing is
    lost. The model, its statistics and its stream of random numbers stay as they were.

    Args:
        model: A converted model.
        sample: The model's input, or its positional inputs.
        loss: A function of the model's output; with it, gradients are summarized too.

    Raises:
        ValueError: no layer of `model` is encoded.
    """
    model = copy.deepcopy(model)
    totals: dict[tuple[str, Role], _Total] = {}
    for name, module in model.named_modules():
        operands = operands_of(module)
        if operands is not None:
            encoding = operands.encoding.name
            observer = _observer(name, encoding, totals)
            module.operands = replace(operands, observer=observer)
    inputs = sample if isinstance(sample, tuple) else (sample,)
    with torch.set_grad_enabled(loss is not None):
        output = model(*inputs)
        if loss is not None:
            loss(output).backward()  # type: ignore[no-untyped-call]
    if not totals:
        raise ValueError("the model has no encoded layer; convert it first")
    rows = [(name, role, *total.row()) for (name, role), total in totals.items()]
    return pd.DataFrame(rows, columns=_COLUMNS)


class _Total:
    """Counts and sums of squares over the uses of an operand."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._counts = torch.zeros(5, dtype=torch.int64)
        self._squares = torch.zeros(2, dtype=torch.float64)

    def add(self, number_format: Format, values: Tensor, rounded: Tensor) -> None:
        """Count one use."""
        matrix = values.detach().reshape(values.shape[0], -1).double()
        result = rounded.detach().reshape(matrix.shape).double()
        saturated = matrix.abs() > _limit(matrix, number_format)
        counts = (
            matrix.numel(), _blocks(matrix, number_format), int(saturated.sum()),
            int(((matrix != 0) & (result == 0)).sum()), int((matrix != 0).sum()),
        )  # fmt: skip
        self._counts += torch.tensor(counts)
        self._squares += torch.stack([matrix.square().sum(), (result - matrix).square().sum()])

    def row(self) -> tuple[str, int, int, float, float, float]:
        """Return the columns from `encoding` on."""
        values, blocks, saturated, flushed, nonzero = self._counts.tolist()
        signal, noise = self._squares.tolist()
        ratio = 10 * math.log10(signal / noise) if signal and noise else math.inf
        shares = (saturated / max(values, 1), flushed / max(nonzero, 1))
        return self._encoding, values, blocks, *shares, ratio


def _observer(
    name: str, encoding: str, totals: dict[tuple[str, Role], _Total]
) -> Callable[[Role, Format, Tensor, Tensor], None]:
    def observe(role: Role, number_format: Format, values: Tensor, rounded: Tensor) -> None:
        totals.setdefault((name, role), _Total(encoding)).add(number_format, values, rounded)

    return observe


def _blocks(matrix: Tensor, number_format: Format) -> int:
    """Return how many exponents or scales serve `matrix`."""
    if isinstance(number_format, Float) and not number_format.scaled:
        return matrix.numel()
    rows, columns = matrix.shape
    tile = None if isinstance(number_format, Fixed) else number_format.tile
    height, width = tile or (None, None)
    return -(-rows // (height or rows or 1)) * -(-columns // (width or columns or 1))


def _limit(matrix: Tensor, number_format: Format) -> Tensor:
    """Return, for each value, the largest that its block holds; infinite where none is."""
    match number_format:
        case BlockFloat():
            largest = largest_of_block(matrix.abs(), number_format.tile)
            limit = 2 ** (number_format.mantissa_bits - 1) - 1
            return torch.mul(step_of_block(largest, number_format), limit)
        case Float(scaled=True):
            largest = largest_of_block(matrix.abs(), number_format.tile)
            exponent: Tensor = torch.frexp(largest).exponent - 1 - number_format.max_exponent
            low, high = number_format.min_scale_exponent, number_format.max_scale_exponent
            top = torch.full_like(largest, number_format.max_value)
            return torch.ldexp(top, exponent.clamp(low, high))
        case _:
            return torch.full_like(matrix, torch.inf)
