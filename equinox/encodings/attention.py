"""Multi-head attention of PyTorch with all its products encoded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equinox.encodings import functional
from equinox.encodings.operands import Operands


class EncodedMultiheadAttention(nn.MultiheadAttention):
    """Projections, scores and weighted sums with encoded operands; the softmax is in FP32."""

    operands: Operands

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output and, if needed, the weights, as torch.nn.MultiheadAttention does.

        Raises:
            ValueError: sequences or masks are not of the shapes that torch.nn.MultiheadAttention
                takes (none broadcasts), or a mask is neither of booleans nor of floats.
        """
        single = query.ndim == 2
        if single:
            query, key, value = (part.unsqueeze(0) for part in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (part.transpose(0, 1) for part in (query, key, value))
        _check_sequences(query, key, value)
        if is_causal and attn_mask is None:
            raise ValueError("is_causal says what attn_mask is; pass the mask too, as in PyTorch")
        self._check_masks(attn_mask, key_padding_mask, query.shape[1], key.shape)
        q, k, v = self._project(query, key, value)
        k, v, added = self._with_added_keys(k, v)
        mask = self._mask(attn_mask, key_padding_mask, q, added)
        output, weights = functional.attention(
            self._heads(q), self._heads(k), self._heads(v), self.operands,
            mask=mask, dropout=self.dropout if self.training else 0.0,
        )  # fmt: skip
        output = self.out_proj(output.transpose(1, 2).flatten(2))
        weights = weights.mean(1) if average_attn_weights else weights
        if single:
            output, weights = output.squeeze(0), weights.squeeze(0)
        elif not self.batch_first:
            output = output.transpose(0, 1)
        return output, weights if need_weights else None

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self._qkv_same_embed_dim:
            if query is key and key is value:  # one product, whose input is rounded once
                rows = functional.linear(
                    query, self.in_proj_weight, self.in_proj_bias, self.operands
                )
                q, k, v = rows.chunk(3, -1)
                return q, k, v
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        q, k, v = (
            functional.linear(rows, weight, bias, self.operands)
            for rows, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
        return q, k, v

    def _with_added_keys(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, int]:
        """Append the layer's own key and value, and a zero, where it has them."""
        added = 0
        if self.bias_k is not None and self.bias_v is not None:
            batch = k.shape[0]
            k = torch.cat([k, self.bias_k.expand(batch, 1, -1)], 1)
            v = torch.cat([v, self.bias_v.expand(batch, 1, -1)], 1)
            added += 1
        if self.add_zero_attn:
            k, v = (nn.functional.pad(part, (0, 0, 0, 1)) for part in (k, v))
            added += 1
        return k, v, added

    def _heads(self, rows: Tensor) -> Tensor:
        """Return (batch, heads, length, width of a head) of (batch, length, width)."""
        return rows.view(*rows.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)

    def _check_masks(
        self, attn_mask: Tensor | None, padding: Tensor | None, queries: int, keys: torch.Size
    ) -> None:
        """Raise ValueError unless masks fit keys (batch, keys, width); none broadcasts."""
        batch, length, _ = keys
        plane = (queries, length)
        of_heads = (batch * self.num_heads, *plane)
        for name, mask, shapes in (
            ("attn_mask", attn_mask, (plane, of_heads)),
            ("key_padding_mask", padding, ((batch, length),)),
        ):
            if mask is None:
                continue
            if tuple(mask.shape) not in shapes:
                allowed = " or ".join(map(str, shapes))
                raise ValueError(f"{name} is of shape {tuple(mask.shape)}; it must be {allowed}")
            if mask.dtype is not torch.bool and not mask.is_floating_point():
                raise ValueError(f"{name} is of {mask.dtype}; it must be of booleans or floats")

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, added: int
    ) -> Tensor | None:
        """Return what to add to the scores (batch, heads, queries, keys); added keys are free."""
        parts = []
        if attn_mask is not None:
            mask = _additive(attn_mask, q)
            by_head = (-1, self.num_heads, *mask.shape[1:])
            parts.append(mask.view(by_head) if mask.ndim == 3 else mask)
        if padding is not None:
            parts.append(_additive(padding, q)[:, None, None, :])
        if not parts:
            return None
        total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return nn.functional.pad(total, (0, added))


def _check_sequences(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Raise ValueError unless all are (batch, length, width), keys and values as long."""
    shapes = [tuple(part.shape) for part in (query, key, value)]
    alike = len({shape[:1] for shape in shapes}) == 1 and shapes[1][:2] == shapes[2][:2]
    if not alike or any(len(shape) != 3 for shape in shapes):
        raise ValueError(
            f"query, key and value are of shapes {shapes}, batch first; each must have 2 dims, or "
            "3 and as many sequences, and keys must be as long as values"
        )


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask as PyTorch's module takes it, True where not to attend, to be added."""
    if mask.dtype is not torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(
        mask, -torch.inf
    )
