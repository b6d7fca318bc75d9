"""A causal transformer language model."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinox.training.models import Dropout, State


class TransformerBlock(nn.Module):
    """Self-attention, then two linear layers around a GELU, each behind a norm, beside a bypass."""

    def __init__(self, width: int, heads: int, dropout: Dropout) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the outputs (batch, time, width); `mask` is true where not to attend."""
        y = self.norm1(x)
        attended, _ = self.attention(y, y, y, attn_mask=mask, need_weights=False)
        x = x + self.dropout(attended)
        y = self.contract(functional.gelu(self.expand(self.norm2(x))))
        outputs: Tensor = x + self.dropout(y)
        return outputs


class Transformer(nn.Module):
    """`depth` blocks over embedded words and positions; the decoder shares the embedding.

    Each call sees the words of its own sequence, up to `sequence_length`: there is no state.

    Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section
    2.3: GPT-2's norms before the layers and its scaled initialization, in small.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        depth: int,
        heads: int,
        sequence_length: int,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width is {width}, no multiple of {heads} heads; change one of them")
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(sequence_length, width)
        self.dropout = Dropout(dropout, generator)
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, self.dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.decoder = nn.Linear(width, vocabulary, bias=False)
        for weight in self.parameters():
            if weight.ndim >= 2:
                nn.init.normal_(weight, std=0.02)
        self.decoder.weight = self.embedding.weight
        for name, weight in self.named_parameters():
            if name.endswith(("out_proj.weight", "contract.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * depth) ** 0.5)

    def forward(self, words: Tensor, state: State | None = None) -> tuple[Tensor, None]:
        """Return the scores of each next word (time, batch, vocabulary), and no state.

        `words` is (time, batch).
        """
        del state  # a sequence is all that attention sees
        time = len(words)
        x = self.dropout(self.embedding(words.T) + self.positions.weight[:time])
        mask = torch.ones(time, time, dtype=torch.bool).triu(1)
        for block in self.blocks:
            x = block(x, mask)
        scores: Tensor = self.decoder(self.norm(x))
        return scores.transpose(0, 1), None
