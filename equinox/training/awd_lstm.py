"""AWD-LSTM: a language model with dropped weights."""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from equinox.config.training import Awd
from equinox.training.models import Dropout

#: h and c of each layer, one after the other.
States: TypeAlias = tuple[Tensor, ...]


class AwdLstm(nn.Module):
    """`depth` layers of LSTM over embedded words; the decoder shares the embedding.

    All but the last layer have `width` units. A dropout mask serves all time steps of a sequence.
    Recurrent weights are dropped in a converted model, whose LSTM reads them when it runs.

    Source: Merity et al., "Regularizing and Optimizing LSTM Language Models", ICLR 2018.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        depth: int,
        dropout: float,
        awd: Awd,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.awd = awd
        self.embedding = nn.Embedding(vocabulary, awd.embedding)
        widths = [awd.embedding, *[width] * (depth - 1), awd.embedding]
        self.layers = nn.ModuleList(
            nn.LSTM(inputs, outputs) for inputs, outputs in zip(widths, widths[1:], strict=False)
        )
        self.decoder = nn.Linear(awd.embedding, vocabulary)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.decoder.weight = self.embedding.weight
        self.drop_words = Dropout(awd.dropout_embedding, generator)
        self.drop_inputs = Dropout(awd.dropout_input, generator)
        self.drop_hidden = Dropout(awd.dropout_hidden, generator)
        self.drop_weights = Dropout(awd.dropout_weight, generator)
        self.drop_outputs = Dropout(dropout, generator)

    def forward(
        self, words: Tensor, states: States | None = None, *, with_penalty: bool = False
    ) -> tuple[Tensor, ...]:
        """Return scores of each next word (time, batch, vocabulary) and the last states.

        `words` is (time, batch); without states, sequences begin. The penalty of outputs that are
        large or change quickly comes third if it is asked for.
        """
        vectors = self.embedding.weight * self.drop_words(
            self.embedding.weight.new_ones(len(self.embedding.weight), 1)
        )
        x = _lock(functional.embedding(words, vectors), self.drop_inputs)
        last: list[Tensor] = []
        outputs = x
        for index, layer in enumerate(self.layers):
            x = outputs if index == 0 else _lock(outputs, self.drop_hidden)
            state = None if states is None else states[2 * index : 2 * index + 2]
            dropped = {"weight_hh_l0": self.drop_weights(layer.weight_hh_l0)}
            outputs, final = functional_call(layer, dropped, (x, state))
            last += final
        dropped_outputs = _lock(outputs, self.drop_outputs)
        scores: Tensor = self.decoder(dropped_outputs)
        if not with_penalty:
            return scores, tuple(last)  # type: ignore[return-value]
        change = (outputs[1:] - outputs[:-1]).square().mean()
        penalty = self.awd.activation_penalty * dropped_outputs.square().mean()
        return scores, tuple(last), penalty + self.awd.slowness_penalty * change  # type: ignore[return-value]


def _lock(x: Tensor, dropout: Dropout) -> Tensor:
    """Return `x` (time, batch, values) with the same values dropped at all times."""
    mask: Tensor = dropout(x.new_ones(1, *x.shape[1:]))
    return x * mask
