"""LSTM and GRU of PyTorch with encoded operands: layers, directions, layouts, packed sequences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from equinox.encodings import recurrent
from equinox.encodings.operands import Operands

State = tuple[Tensor, ...]


class _EncodedRecurrent(nn.RNNBase, ABC):
    """What LSTM and GRU share. Sequences are rows of time steps, longest first, as when packed."""

    operands: Operands

    def _run(self, rows: Tensor, sizes: list[int], states: State) -> tuple[Tensor, State]:
        """Return outputs (rows, outputs) and last states of `rows`, `sizes` of them a time step."""
        directions = 2 if self.bidirectional else 1
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                index = layer * directions + direction
                initial = tuple(state[index].contiguous() for state in states)
                weights = tuple(self.all_weights[index])
                output, final = self._run_layer(rows, sizes, initial, weights, direction == 1)
                outputs.append(output)
                last.append(final)
            rows = torch.cat(outputs, -1) if directions == 2 else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                rows = nn.functional.dropout(rows, self.dropout, self.training)
        return rows, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _run_layer(
        self, rows: Tensor, sizes: list[int], state: State, weights: State, backward: bool
    ) -> tuple[Tensor, State]:
        """Run one direction of one layer over stretches of steps with as many sequences each."""
        stretches = [(batch, len(list(same))) for batch, same in groupby(sizes)]
        parts = list(torch.split(rows, [batch * steps for batch, steps in stretches]))
        outputs: list[Tensor] = [rows] * len(parts)
        order = range(len(parts))
        for i in reversed(order) if backward else order:
            batch, steps = stretches[i]
            x = parts[i].view(steps, batch, rows.shape[1])
            # Sequences beyond `batch` have ended, or, backward, have not begun.
            running = tuple(part[:batch] for part in state)
            output, final = self._layer(x.flip(0) if backward else x, running, weights)
            outputs[i] = (output.flip(0) if backward else output).flatten(0, 1)
            state = tuple(
                torch.cat([new, old[batch:]]) for new, old in zip(final, state, strict=True)
            )
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs), state

    @abstractmethod
    def _layer(self, x: Tensor, initial: State, weights: State) -> tuple[Tensor, State]:
        """Return outputs and last state of one direction of one layer."""

    def _run_packed(
        self, packed: PackedSequence, states: State | None, widths: tuple[int, ...]
    ) -> tuple[PackedSequence, State]:
        sizes: list[int] = packed.batch_sizes.tolist()
        if states is None:
            states = self._zeros(packed.data, sizes[0], widths)
        elif packed.sorted_indices is not None:
            states = tuple(state.index_select(1, packed.sorted_indices) for state in states)
        self._check(packed.data, sizes[0], states, widths)
        rows, last = self._run(packed.data, sizes, states)
        if packed.unsorted_indices is not None:
            last = tuple(state.index_select(1, packed.unsorted_indices) for state in last)
        return packed._replace(data=rows), last

    def _run_any_layout(
        self, x: Tensor, states: State | None, widths: tuple[int, ...]
    ) -> tuple[Tensor, State]:
        """Run on batched or single sequences, time or batch first; zero states by default."""
        if x.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__} takes 2 or 3 dims, not {x.ndim}")
        single = x.ndim == 2
        if single:
            x = x.unsqueeze(1)
            states = states and tuple(state.unsqueeze(1) for state in states)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if states is None:
            states = self._zeros(x, x.shape[1], widths)
        self._check(x, x.shape[1], states, widths)
        rows, last = self._run(x.flatten(0, 1), [x.shape[1]] * x.shape[0], states)
        y = rows.view(*x.shape[:2], rows.shape[1])
        if single:
            return y.squeeze(1), tuple(state.squeeze(1) for state in last)
        return (y.transpose(0, 1) if self.batch_first else y), last

    def _check(self, x: Tensor, batch: int, states: State, widths: tuple[int, ...]) -> None:
        """Raise ValueError unless inputs and states have the sizes of the layer."""
        if x.shape[-1] != self.input_size:
            raise ValueError(f"x has {x.shape[-1]} features; the layer takes {self.input_size}")
        for state, width in zip(states, widths, strict=True):
            expected = self._layers, batch, width
            if tuple(state.shape) != expected:
                raise ValueError(
                    f"a state of shape {tuple(state.shape)} must be of shape {expected}: "
                    "layers and directions, sequences, values"
                )

    def _zeros(self, x: Tensor, batch: int, widths: tuple[int, ...]) -> State:
        return tuple(x.new_zeros(self._layers, batch, width) for width in widths)

    @property
    def _layers(self) -> int:
        """Layers, each direction counted."""
        return self.num_layers * (2 if self.bidirectional else 1)


def _check_pair(hx: object) -> None:
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        several = isinstance(hx, (tuple, list))
        given = f"{len(hx)} tensors" if several else f"one {type(hx).__name__}"  # type: ignore[arg-type]
        raise ValueError(f"hx is {given}; an LSTM expects a tuple of two, the states (h, c)")


def _check_tensor(hx: object) -> None:
    if not isinstance(hx, Tensor):
        raise ValueError(f"hx is a {type(hx).__name__}; a GRU expects one tensor, the state h")


class EncodedLSTM(_EncodedRecurrent, nn.LSTM):
    """Layers of LSTM with encoded operands."""

    def forward(  # type: ignore[override]
        self, x: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Return the outputs and the last (h, c), as torch.nn.LSTM does.

        Raises:
            ValueError: `hx` is not two tensors, or these or `x` are not of the sizes of the layer.
        """
        if hx is not None:
            _check_pair(hx)
        widths = (self.proj_size or self.hidden_size, self.hidden_size)
        if isinstance(x, PackedSequence):
            return self._run_packed(x, hx, widths)
        return self._run_any_layout(x, hx, widths)

    def _layer(self, x: Tensor, initial: State, weights: State) -> tuple[Tensor, State]:
        run = recurrent.projected_lstm_layer if self.proj_size else recurrent.lstm_layer
        outputs, c = run(x, initial[0], initial[1], weights, self.operands)
        return outputs, (outputs[-1], c)


class EncodedGRU(_EncodedRecurrent, nn.GRU):
    """Layers of GRU with encoded operands."""

    def forward(  # type: ignore[override]
        self, x: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Return the outputs and the last h, as torch.nn.GRU does.

        Raises:
            ValueError: `hx` is not one tensor, or it or `x` are not of the sizes of the layer.
        """
        if hx is not None:
            _check_tensor(hx)
        states = None if hx is None else (hx,)
        if isinstance(x, PackedSequence):
            packed, (last,) = self._run_packed(x, states, (self.hidden_size,))
            return packed, last
        y, (last,) = self._run_any_layout(x, states, (self.hidden_size,))
        return y, last

    def _layer(self, x: Tensor, initial: State, weights: State) -> tuple[Tensor, State]:
        outputs = recurrent.gru_layer(x, initial[0], weights, self.operands)
        return outputs, (outputs[-1],)
