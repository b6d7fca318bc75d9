"""Convert a PyTorch model so that its dot products are encoded."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from equinox.encodings.attention import EncodedMultiheadAttention
from equinox.encodings.formats import Encoding, Float, get_encoding
from equinox.encodings.modules import (
    EncodedConv1d,
    EncodedConv2d,
    EncodedConv3d,
    EncodedConvTranspose1d,
    EncodedConvTranspose2d,
    EncodedConvTranspose3d,
    EncodedLinear,
    EncodedTransposedLinear,
)
from equinox.encodings.operands import Operands, operands_of
from equinox.encodings.recurrent_modules import EncodedGRU, EncodedLSTM

_LOG = logging.getLogger(__name__)

#: One encoding for all layers, or patterns of names with theirs, of which the first match counts.
Encodings: TypeAlias = str | Encoding | Mapping[str, str | Encoding]


def convert(
    model: nn.Module,
    encoding: Encodings,
    *,
    skip: Sequence[str] = (),
    seed: int = 0,
    layers: Mapping[type[nn.Module], type[nn.Module]] | None = None,
) -> nn.Module:
    """Return a copy of `model` whose dot products have their operands encoded.

    Linear, convolutional (also transposed), LSTM, GRU and multi-head attention layers become layers
    of the same name, parameters and state_dict; all else stays. In FP32, recurrent layers are
    converted too, so that all encodings share their code, and other layers stay native. Layers that
    are encoded already change their encoding. Make the optimizer after this: the parameters are
    copies. Other layers with dot products stay in FP32; a warning names them. Products of
    activations that a forward method writes out itself are left alone: see `encoded_products`.

    Args:
        model: Any module; it is not changed.
        encoding: An encoding, or the name of one of `ENCODINGS`; or a mapping from patterns of
            qualified names, as of the shell, to encodings: the first that matches a layer counts,
            and layers that none matches stay as they are.
        skip: Patterns of qualified names of modules to leave as they are, for example "head" or
            "blocks.*.shortcut".
        seed: Seed of the generator of stochastic rounding, which the modules share.
        layers: Classes of layers with the classes that encode them, beside those known. An
            instance's class is replaced, and its attribute `operands` set: a class uses it with
            `equinox.encodings.functional`.

    Raises:
        ValueError: an encoding is unknown, or a pattern matches no module.
    """
    chosen = _chosen(encoding)
    if isinstance(skip, str):
        raise ValueError(f"skip is {skip!r}; write a list of patterns, as [{skip!r}]")
    converted = copy.deepcopy(model)
    generator = (_found_generator(converted) or torch.Generator()).manual_seed(seed)
    _check_patterns("skip", converted, skip)
    if isinstance(encoding, Mapping):
        _check_patterns("encoding", converted, list(chosen))
    for name, module in converted.named_modules():
        if not any(fnmatchcase(name, pattern) for pattern in skip):
            found = _first_match(name, chosen)
            if found is not None:
                operands = Operands(encoding=found, generator=generator)
                _encode_module(name, module, operands, layers or {})
    for module in converted.modules():
        _leave_fast_path(module)
    return converted


def set_encoding(model: nn.Module, encoding: Encodings) -> None:
    """Change the encoding of a converted `model` in place, for example from one epoch to the next.

    Layers that `convert` left in FP32 stay so. The stream of random numbers goes on. Weights that
    `wide_weights` stores keep their format.

    Raises:
        ValueError: an encoding is unknown, a pattern matches no module, or no layer is encoded.
    """
    chosen = _chosen(encoding)
    if isinstance(encoding, Mapping):
        _check_patterns("encoding", model, list(chosen))
    found = False
    for name, module in model.named_modules():
        operands = operands_of(module)
        if operands is not None:
            found = True
            new = _first_match(name, chosen) or operands.encoding
            module.operands = Operands(encoding=new, generator=operands.generator)
    if not found:
        raise ValueError("the model has no encoded layer; convert it first")


def rounding_state(model: nn.Module) -> Tensor:
    """Return the state of the generator of stochastic rounding of a converted `model`.

    Save it beside the model's state_dict, whose keys are those of the unconverted model, and give
    it to `load_rounding_state` to resume training bit for bit.

    Raises:
        ValueError: no layer of `model` is encoded.
    """
    return _generator(model).get_state()


def load_rounding_state(model: nn.Module, state: Tensor) -> None:
    """Set the generator of stochastic rounding of a converted `model`; see `rounding_state`."""
    _generator(model).set_state(state)


def encoded_weights(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the weights that dot products of a converted `model` read, each once."""
    seen: set[int] = set()
    for module in model.modules():
        if operands_of(module) is not None:
            for name, parameter in module.named_parameters(recurse=False):
                added_key = name in ("bias_k", "bias_v")
                if parameter.ndim >= 2 and not added_key and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield parameter


def _generator(model: nn.Module) -> torch.Generator:
    found = _found_generator(model)
    if found is None:
        raise ValueError("the model has no encoded layer; convert it first")
    return found


def _found_generator(model: nn.Module) -> torch.Generator | None:
    of_layers = (operands_of(module) for module in model.modules())
    return next((o.generator for o in of_layers if o is not None and o.generator is not None), None)


def _chosen(encoding: Encodings) -> dict[str, Encoding]:
    entries = encoding if isinstance(encoding, Mapping) else {"*": encoding}
    if not entries:
        raise ValueError("no encoding is given; map patterns of names to encodings")
    return {pattern: get_encoding(value) for pattern, value in entries.items()}


def _first_match(name: str, chosen: Mapping[str, Encoding]) -> Encoding | None:
    return next((chosen[pattern] for pattern in chosen if fnmatchcase(name, pattern)), None)


def _check_patterns(what: str, model: nn.Module, patterns: Sequence[str]) -> None:
    names = [name for name, _ in model.named_modules()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{what} pattern {pattern!r} matches no module; see named_modules()")


def _encode_module(
    name: str,
    module: nn.Module,
    operands: Operands,
    layers: Mapping[type[nn.Module], type[nn.Module]],
) -> None:
    if operands_of(module) is not None:
        module.operands = operands  # type: ignore[assignment]
        return
    if any(parameter.is_complex() for parameter in module.parameters(recurse=False)):
        _LOG.warning(
            "%s (%s) is complex and stays as it is", name or "model", type(module).__name__
        )
        return
    encoded = layers.get(type(module)) or _encoded_class(type(module))  # type: ignore[arg-type]
    if encoded is None:
        if isinstance(module, _KNOWN_DOT_PRODUCTS):
            _LOG.warning("%s (%s) stays in FP32", name or "model", type(module).__name__)
        return
    if _is_native(operands.encoding) and not isinstance(module, nn.RNNBase):
        return
    # Taking the class over, rather than building anew, keeps parameters, their sharing, and hooks.
    module.__class__ = encoded
    module.operands = operands  # type: ignore[assignment]


def _is_native(encoding: Encoding) -> bool:
    return all(isinstance(operand, Float) and operand.is_fp32 for operand in encoding.operands)


@cache
def _encoded_class(layer: type[nn.Module]) -> type[nn.Module] | None:
    """Return the class that encodes instances of `layer`, or None.

    A subclass that computes as its base does, thus adds names or attributes only, is encoded as
    its base and remains a subclass of both.
    """
    if layer in _ENCODED:
        return _ENCODED[layer]
    if _is_transposed_linear(layer):
        return _subclass(EncodedTransposedLinear, layer)
    for base, encoded in _ENCODED.items():
        computes = ("forward", "_conv_forward")
        if issubclass(layer, base) and all(
            getattr(layer, name, None) is getattr(base, name, None) for name in computes
        ):
            return _subclass(encoded, layer)
    return None


def _subclass(encoded: type[nn.Module], layer: type[nn.Module]) -> type[nn.Module]:
    """Return a subclass of both, whose instances are pickled as how to make one of `layer`."""

    def reduce(module: nn.Module) -> tuple[object, ...]:
        state = module.__getstate__()  # type: ignore[no-untyped-call]
        return _empty, (layer,), state

    return type(f"Encoded{layer.__name__}", (encoded, layer), {"__reduce__": reduce})


def _empty(layer: type[nn.Module]) -> nn.Module:
    """Return an instance of the class that encodes `layer`, to be filled."""
    encoded = _encoded_class(layer)  # type: ignore[arg-type]
    if encoded is None:
        raise ValueError(f"{layer.__name__} is not encoded; it was when the model was saved")
    return encoded.__new__(encoded)


def _is_transposed_linear(layer: type[nn.Module]) -> bool:
    """Whether this is the `Conv1D` of transformers, told by name to do without that library."""
    return layer.__name__ == "Conv1D" and layer.__module__ == "transformers.pytorch_utils"


def _leave_fast_path(module: nn.Module) -> None:
    """Keep transformer layers from computing in one fused native operation when they evaluate."""
    layers = (nn.TransformerEncoderLayer, nn.TransformerEncoder)
    if isinstance(module, layers) and any(operands_of(part) for part in module.modules()):
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0
        else:
            module.use_nested_tensor = False


#: Layers with dot products, of which those without an entry in `_ENCODED` are warned of.
_KNOWN_DOT_PRODUCTS = (
    nn.Linear,
    _ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.Bilinear,
    nn.MultiheadAttention,
)

_ENCODED: Mapping[type[nn.Module], type[nn.Module]] = {
    nn.Linear: EncodedLinear,
    NonDynamicallyQuantizableLinear: EncodedLinear,
    nn.Conv1d: EncodedConv1d,
    nn.Conv2d: EncodedConv2d,
    nn.Conv3d: EncodedConv3d,
    nn.ConvTranspose1d: EncodedConvTranspose1d,
    nn.ConvTranspose2d: EncodedConvTranspose2d,
    nn.ConvTranspose3d: EncodedConvTranspose3d,
    nn.LSTM: EncodedLSTM,
    nn.GRU: EncodedGRU,
    nn.MultiheadAttention: EncodedMultiheadAttention,
}
