"""Keep weights in wide storage: round what an optimizer has updated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from equinox.encodings.formats import Encoding, Float, get_encoding
from equinox.encodings.rounding import encode_in_place

_STATE = "storage_rounding_state"


def wide_weights(
    optimizer: Optimizer,
    encoding: str | Encoding,
    *,
    weights: Iterable[Tensor] | None = None,
    seed: int = 0,
) -> Optimizer:
    """Return `optimizer`, which from now on keeps weights in the encoding's storage format.

    The weights are rounded to the format now and after each step; dot products derive their narrow
    copy when they read them. Rounding to nearest loses updates smaller than half a step, which is
    why narrow storage harms training; stochastic rounding keeps them on average. The state of the
    generator of stochastic rounding is part of the optimizer's state_dict.

    Args:
        optimizer: Any optimizer; it is changed in place.
        encoding: An encoding, or the name of one of `ENCODINGS`.
        weights: The parameters to round, for example `encoded_weights(model)`. By default all of
            the optimizer's parameters with two dims or more, thus matrices of embeddings too.
        seed: Seed of stochastic rounding.

    Raises:
        ValueError: the encoding is unknown, or no parameter of the optimizer is a weight.
    """
    storage = get_encoding(encoding).storage
    if isinstance(storage, Float) and storage.is_fp32:
        return optimizer
    chosen = None if weights is None else {id(weight) for weight in weights}
    generator = torch.Generator().manual_seed(seed)

    def is_stored(parameter: Tensor) -> bool:
        return parameter.ndim >= 2 if chosen is None else id(parameter) in chosen

    def round_weights(stepped: Optimizer, *_: object) -> None:
        for group in stepped.param_groups:
            for weight in filter(is_stored, group["params"]):
                if weight.requires_grad:
                    encode_in_place(weight.data, storage, generator)

    def save(_: Optimizer, state: dict[str, Any]) -> None:
        state[_STATE] = generator.get_state()

    def load(_: Optimizer, state: dict[str, Any]) -> None:
        if _STATE in state:
            generator.set_state(state[_STATE])

    if not any(is_stored(weight) for group in optimizer.param_groups for weight in group["params"]):
        raise ValueError("no parameter of the optimizer is a weight of a dot product")
    round_weights(optimizer)
    optimizer.register_step_post_hook(round_weights)
    optimizer.register_state_dict_post_hook(save)
    optimizer.register_load_state_dict_pre_hook(load)
    return optimizer
