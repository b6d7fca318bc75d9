"""Convert a PyTorch model so that its dot products are encoded."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from equinox.encodings import functional, recurrent
from equinox.encodings.formats import Encoding, Float, get_encoding
from equinox.encodings.operands import Operands

_LOG = logging.getLogger(__name__)


def convert(
    model: nn.Module, encoding: str | Encoding, *, skip: Sequence[str] = (), seed: int = 0
) -> nn.Module:
    """Return a copy of `model` whose dot products have their operands encoded.

    Linear, convolutional (also transposed), LSTM and GRU layers become layers of the same name,
    parameters and state_dict; all else stays. In FP32, recurrent layers are converted too, so that
    all encodings share their code, and other layers stay native. Make the optimizer after this:
    the parameters are copies. Other layers with dot products stay in FP32; a warning names them.

    Args:
        model: Any module; it is not changed.
        encoding: An encoding, or the name of one of `ENCODINGS`.
        skip: Patterns, as of the shell, of qualified names of modules to leave as they are,
            for example "head" or "blocks.*.shortcut".
        seed: Seed of the generator of stochastic rounding, which the modules share.

    Raises:
        ValueError: the encoding is unknown, a pattern matches no module, or a layer of LSTM
            has projections.
    """
    encoding = get_encoding(encoding) if isinstance(encoding, str) else encoding
    operands = Operands(encoding=encoding, generator=torch.Generator().manual_seed(seed))
    converted = copy.deepcopy(model)
    names = [name for name, _ in converted.named_modules()]
    for pattern in skip:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"skip pattern {pattern!r} matches no module; see named_modules()")
    for name, module in converted.named_modules():
        if not any(fnmatchcase(name, pattern) for pattern in skip):
            _encode_module(name, module, operands)
    return converted


def encoded_weights(model: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the weights that dot products of a converted `model` read, each once."""
    seen: set[int] = set()
    for module in model.modules():
        if type(module) in _ENCODED.values():
            for parameter in module.parameters(recurse=False):
                if parameter.ndim >= 2 and id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield parameter


def _encode_module(name: str, module: nn.Module, operands: Operands) -> None:
    encoded = _ENCODED.get(type(module))
    if encoded is None:
        if isinstance(module, _KNOWN_DOT_PRODUCTS):
            _LOG.warning("%s (%s) stays in FP32", name or "model", type(module).__name__)
        return
    is_recurrent = isinstance(module, nn.RNNBase)
    if _is_native(operands.encoding) and not is_recurrent:
        return
    if isinstance(module, nn.LSTM) and module.proj_size:
        raise ValueError(f"{name} is an LSTM with projections; name it in skip")
    # Taking the class over, rather than building anew, keeps parameters, their sharing, and hooks.
    module.__class__ = encoded
    module.operands = operands  # type: ignore[assignment]


def _is_native(encoding: Encoding) -> bool:
    operands = (encoding.x, encoding.w, encoding.grad)
    return all(isinstance(operand, Float) and operand.is_fp32 for operand in operands)


class EncodedLinear(nn.Linear):
    """A linear layer with encoded operands."""

    operands: Operands

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output (..., outputs) for `x` (..., inputs)."""
        return functional.linear(x, self.weight, self.bias, self.operands)


class _EncodedConv(_ConvNd):
    operands: Operands

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if isinstance(padding, str) or self.padding_mode != "zeros":
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            x = nn.functional.pad(x, self._reversed_padding_repeated_twice, mode=mode)
            padding = (0,) * len(self.stride)
        unbatched = x.ndim == weight.ndim - 1
        y = functional.convolution(
            x.unsqueeze(0) if unbatched else x, weight, bias, self.operands, groups=self.groups,
            stride=self.stride, padding=padding, dilation=self.dilation,
        )  # fmt: skip
        return y.squeeze(0) if unbatched else y


class EncodedConv1d(_EncodedConv, nn.Conv1d):
    """A convolution over one dimension with encoded operands."""


class EncodedConv2d(_EncodedConv, nn.Conv2d):
    """A convolution over two dimensions with encoded operands."""


class EncodedConv3d(_EncodedConv, nn.Conv3d):
    """A convolution over three dimensions with encoded operands."""


class _EncodedConvTranspose(_ConvTransposeNd):
    operands: Operands

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the layer's output for `x` (batch, channels, ...)."""
        dims = len(self.stride)
        if x.ndim != dims + 2 or isinstance(self.padding, str):
            raise ValueError(f"x has {x.ndim} dims; {type(self).__name__} takes {dims + 2}")
        output_padding = self._output_padding(
            x, output_size, list(self.stride), list(self.padding), list(self.kernel_size), dims,
            list(self.dilation),
        )  # fmt: skip
        return functional.convolution(
            x, self.weight, self.bias, self.operands, groups=self.groups, stride=self.stride,
            padding=self.padding, dilation=self.dilation, transposed=True,
            output_padding=tuple(output_padding),
        )  # fmt: skip


class EncodedConvTranspose1d(_EncodedConvTranspose, nn.ConvTranspose1d):
    """A transposed convolution over one dimension with encoded operands."""


class EncodedConvTranspose2d(_EncodedConvTranspose, nn.ConvTranspose2d):
    """A transposed convolution over two dimensions with encoded operands."""


class _EncodedRecurrent(nn.RNNBase):
    """The loop over layers and directions that LSTM and GRU share."""

    operands: Operands

    def _run(self, x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return outputs and last states of `x` (time, batch, inputs) from initial states."""
        directions = 2 if self.bidirectional else 1
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                index = layer * directions + direction
                sequence = x.flip(0) if direction else x
                initial = tuple(state[index].contiguous() for state in states)
                output, final = self._layer(sequence, initial, tuple(self.all_weights[index]))
                outputs.append(output.flip(0) if direction else output)
                last.append(final)
            x = torch.cat(outputs, -1) if directions == 2 else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _layer(
        self, x: Tensor, initial: tuple[Tensor, ...], weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        raise NotImplementedError

    def _run_any_layout(
        self, x: Tensor, states: tuple[Tensor, ...] | None, count: int
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run on batched or single sequences, time or batch first; zero states by default."""
        if not isinstance(x, Tensor) or x.ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} takes a tensor of 2 or 3 dims, not {type(x).__name__}; "
                "pad packed sequences"
            )
        single = x.ndim == 2
        if single:
            x = x.unsqueeze(1)
            states = states and tuple(state.unsqueeze(1) for state in states)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if states is None:
            layers = self.num_layers * (2 if self.bidirectional else 1)
            states = (x.new_zeros(layers, x.shape[1], self.hidden_size),) * count
        y, last = self._run(x, states)
        if single:
            return y.squeeze(1), tuple(state.squeeze(1) for state in last)
        return (y.transpose(0, 1) if self.batch_first else y), last


class EncodedLSTM(_EncodedRecurrent, nn.LSTM):
    """Layers of LSTM with encoded operands."""

    def forward(  # type: ignore[override]
        self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the outputs and the last (h, c), as torch.nn.LSTM does."""
        return self._run_any_layout(x, hx, 2)

    def _layer(
        self, x: Tensor, initial: tuple[Tensor, ...], weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        outputs, c = recurrent.lstm_layer(x, initial[0], initial[1], weights, self.operands)
        return outputs, (outputs[-1], c)


class EncodedGRU(_EncodedRecurrent, nn.GRU):
    """Layers of GRU with encoded operands."""

    def forward(  # type: ignore[override]
        self, x: Tensor, hx: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the outputs and the last h, as torch.nn.GRU does."""
        y, (last,) = self._run_any_layout(x, None if hx is None else (hx,), 1)
        return y, last

    def _layer(
        self, x: Tensor, initial: tuple[Tensor, ...], weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        outputs = recurrent.gru_layer(x, initial[0], weights, self.operands)
        return outputs, (outputs[-1],)


#: Layers with dot products, of which those without an entry in `_ENCODED` are warned of.
_KNOWN_DOT_PRODUCTS = (
    nn.Linear,
    _ConvNd,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.Bilinear,
    nn.MultiheadAttention,
)

_ENCODED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: EncodedLinear,
    nn.Conv1d: EncodedConv1d,
    nn.Conv2d: EncodedConv2d,
    nn.Conv3d: EncodedConv3d,
    nn.ConvTranspose1d: EncodedConvTranspose1d,
    nn.ConvTranspose2d: EncodedConvTranspose2d,
    nn.LSTM: EncodedLSTM,
    nn.GRU: EncodedGRU,
}
