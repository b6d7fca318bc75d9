"""Products of two activations, as in attention, with encoded operands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from equinox.encodings import functional
from equinox.encodings.formats import Encoding, get_encoding
from equinox.encodings.operands import Operands, operands_of


def matmul(
    left: Tensor,
    right: Tensor,
    encoding: str | Encoding,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return torch.matmul of `left` and `right`, both rounded, forward and backward.

    Args:
        left: Activations (..., n, k), or (k,).
        right: Activations (..., k, m), or (k,).
        encoding: An encoding, or the name of one of `ENCODINGS`.
        generator: Source of randomness; stochastic rounding of operands or gradients needs one.

    Raises:
        ValueError: the encoding is unknown, or stochastic rounding has no generator.
    """
    return _matmul(_operands(encoding, generator), left, right)


def bmm(
    left: Tensor,
    right: Tensor,
    encoding: str | Encoding,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return torch.bmm of `left` (b, n, k) and `right` (b, k, m), both rounded; see `matmul`."""
    if left.ndim != 3 or right.ndim != 3:
        raise ValueError(f"bmm takes two tensors of 3 dims, not {left.ndim} and {right.ndim}")
    return matmul(left, right, encoding, generator=generator)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    encoding: str | Encoding,
    *,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return torch's scaled_dot_product_attention with both products encoded; see `matmul`."""
    return functional.attention(
        query, key, value, _operands(encoding, generator),
        mask=attn_mask, dropout=dropout_p, is_causal=is_causal, scale=scale,
    )[0]  # fmt: skip


@contextmanager
def encoded_products(model: nn.Module) -> Iterator[None]:
    """Encode the products of activations that a converted `model` computes while this lasts.

    `convert` reaches layers. Products that a forward method writes out itself (matmul, @, bmm,
    scaled_dot_product_attention, as in most transformers) are encoded in this context as the
    model's first encoded layer encodes its operands; the backward pass need not be inside.

    Raises:
        ValueError: no layer of `model` is encoded.
    """
    found = next((operands_of(module) for module in model.modules() if operands_of(module)), None)
    if found is None:
        raise ValueError("the model has no encoded layer; convert it first")
    with _Products(found):
        yield


def _operands(encoding: str | Encoding, generator: torch.Generator | None) -> Operands:
    return Operands(encoding=get_encoding(encoding), generator=generator)


def _matmul(operands: Operands, left: Tensor, right: Tensor) -> Tensor:
    rows = left.unsqueeze(0) if left.ndim == 1 else left
    columns = right.unsqueeze(1) if right.ndim == 1 else right
    product = functional.matmul(rows, columns, operands)
    product = product.squeeze(-1) if right.ndim == 1 else product
    return product.squeeze(-1 if right.ndim == 1 else -2) if left.ndim == 1 else product


def _attention(
    operands: Operands,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = (part.repeat_interleave(repeats, -3) for part in (key, value))
    return functional.attention(
        query, key, value, operands,
        mask=attn_mask, dropout=dropout_p, is_causal=is_causal, scale=scale,
    )[0]  # fmt: skip


_REPLACED: Mapping[Callable[..., Any], Callable[..., Tensor]] = {
    torch.matmul: _matmul,
    torch.bmm: _matmul,
    Tensor.matmul: _matmul,
    Tensor.bmm: _matmul,
    Tensor.__matmul__: _matmul,
    nn.functional.scaled_dot_product_attention: _attention,
}


class _Products(TorchFunctionMode):
    """Replaces products of floating point activations; others, as of indices, stay."""

    def __init__(self, operands: Operands) -> None:
        super().__init__()
        self._operands = operands

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        replacement = _REPLACED.get(func)
        named = kwargs or {}
        if replacement is None or not args or not args[0].is_floating_point() or "out" in named:
            return func(*args, **named)
        return replacement(self._operands, *args, **named)
