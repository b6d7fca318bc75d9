"""Attention with encoded products against that of PyTorch."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equinox.encodings import (
    bmm,
    convert,
    derive_encoding,
    encoded_products,
    get_encoding,
    matmul,
    quantize,
    scaled_dot_product_attention,
)

# With 24 bits and 1-value tiles, encoded products agree with PyTorch's to float32 accuracy.
FINE = derive_encoding(
    "fine", base="hbfp8_16",
    overrides={
        "mantissa_bits": 24, "storage_bits": 32, "tile": [1, 1], "blocks": "tile",
        "gradient_rounding": "nearest",
    },
)  # fmt: skip


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


OPTIONS = [
    {}, {"batch_first": True}, {"kdim": 6, "vdim": 10}, {"bias": False},
    {"add_bias_kv": True, "add_zero_attn": True},
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "mask"), list(itertools.product(OPTIONS, ["none", "bool", "float"]))
)
def test_multi_head_attention_is_that_of_pytorch(options, mask):
    torch.manual_seed(0)
    native = nn.MultiheadAttention(8, 2, **options)
    own = convert(native, FINE)
    q = normal(0, 5, 3, 8)
    k, v = normal(1, 4, 3, options.get("kdim", 8)), normal(2, 4, 3, options.get("vdim", 8))
    if options.get("batch_first"):
        q, k, v = (part.transpose(0, 1) for part in (q, k, v))
    masks = {}
    if mask == "bool":
        masks["key_padding_mask"] = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()
        masks["attn_mask"] = torch.ones(5, 4).triu(2).bool()
    if mask == "float":
        masks["attn_mask"] = normal(3, 6, 5, 4)
    results = []
    for layer in (native, own):
        y, weights = layer(q, k, v, average_attn_weights=False, **masks)
        loss = y.pow(3).sum() + weights.square().sum()
        results.append([y, weights, *torch.autograd.grad(loss, list(layer.parameters()))])
    for theirs, ours in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


def test_self_attention_of_a_single_sequence():
    torch.manual_seed(0)
    native = nn.MultiheadAttention(8, 2)
    x = normal(0, 5, 8)
    for ours, theirs in zip(convert(native, FINE)(x, x, x), native(x, x, x), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            {"attn_mask": (1, 4)},
            r"attn_mask is of shape \(1, 4\); it must be \(5, 4\) or \(6, 5, 4\)",
        ),
        ({"attn_mask": (5, 1)}, "attn_mask is of shape"),
        ({"attn_mask": (4,)}, "attn_mask is of shape"),
        ({"attn_mask": (2, 5, 4)}, "attn_mask is of shape"),
        ({"attn_mask": (3, 2, 5, 4)}, "attn_mask is of shape"),
        ({"key_padding_mask": (1, 4)}, r"key_padding_mask is of shape .* must be \(3, 4\)"),
        ({"key_padding_mask": (3, 1)}, "key_padding_mask is of shape"),
        ({"key_padding_mask": (4,)}, "key_padding_mask is of shape"),
        ({"attn_mask": (5, 4), "dtype": torch.int32}, "attn_mask is of torch.int32"),
    ],
)
def test_a_mask_that_pytorch_refuses_is_refused(batch_first, masks, message):
    native = nn.MultiheadAttention(8, 2, batch_first=batch_first)
    parts = [normal(0, 5, 3, 8), normal(1, 4, 3, 8), normal(2, 4, 3, 8)]
    if batch_first:
        parts = [part.transpose(0, 1) for part in parts]
    dtype = masks.get("dtype", torch.bool)
    shapes = {name: shape for name, shape in masks.items() if name != "dtype"}
    given = {name: torch.zeros(shape, dtype=dtype) for name, shape in shapes.items()}
    with pytest.raises((RuntimeError, AssertionError)):
        native(*parts, **given)
    with pytest.raises(ValueError, match=message):
        convert(native, FINE)(*parts, **given)


def test_sequences_that_pytorch_refuses_are_refused():
    native = nn.MultiheadAttention(8, 2, batch_first=True)
    q, k = normal(0, 3, 5, 8), normal(1, 3, 4, 8)
    for parts in ((q, k[:1], k[:1]), (q, k, k[:, :2]), (q, k[0], k[0]), (q[0], k, k)):
        with pytest.raises((RuntimeError, AssertionError)):
            native(*parts)
        with pytest.raises(ValueError, match="query, key and value are of shapes"):
            convert(native, FINE)(*parts)


def test_masks_of_a_single_sequence_are_those_of_pytorch():
    native = nn.MultiheadAttention(8, 2)
    x, padding = normal(0, 5, 8), torch.tensor([False] * 3 + [True] * 2)
    for mask in (normal(1, 5, 5), normal(1, 2, 5, 5)):
        given = {"attn_mask": mask, "key_padding_mask": padding}
        ours, theirs = (layer(x, x, x, **given) for layer in (convert(native, FINE), native))
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.allclose(mine, other, atol=1e-6)


def test_a_transformer_evaluates_with_encoded_products_too():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 1).eval()
    x = normal(0, 3, 5, 8)
    with torch.no_grad():
        exact, fine, coarse = (m(x) for m in (model, convert(model, FINE), convert(model, "mxfp4")))
    assert torch.allclose(fine, exact, atol=1e-5)
    assert (coarse - exact).abs().max() > 0.01


@pytest.mark.parametrize(
    ("is_causal", "kind"), [(False, None), (True, None), (False, torch.bool), (False, torch.float)]
)
def test_scaled_dot_product_attention_is_that_of_pytorch(is_causal, kind):
    q, k, v = normal(0, 2, 3, 5, 8), normal(1, 2, 3, 5, 8), normal(2, 2, 3, 5, 8)
    mask = None
    if kind:
        mask = normal(3, 5, 5) > 0 if kind is torch.bool else normal(3, 5, 5)
    ours = scaled_dot_product_attention(q, k, v, FINE, attn_mask=mask, is_causal=is_causal)
    theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_both_products_of_attention_read_rounded_operands():
    encoding = get_encoding("hbfp4_16")
    q, k, v = normal(0, 1, 5, 8), normal(1, 1, 6, 8), normal(2, 1, 6, 8)
    rounded = [quantize(part[0], encoding.x) for part in (q, k)]
    weights = (rounded[0] @ rounded[1].T / 8**0.5).softmax(-1)
    values = quantize(v[0].T, encoding.x).T
    expected = quantize(weights, encoding.x) @ values
    ours = scaled_dot_product_attention(q, k, v, encoding)
    assert torch.allclose(ours[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((7,), (7,)), ((7,), (7, 3)), ((4, 7), (7,)), ((2, 4, 7), (2, 7, 3)), ((2, 4, 7), (7,)),
        ((7,), (2, 7, 3)), ((2, 4, 7), (7, 3)), ((1, 7), (7,)), ((7,), (7, 1)),
    ],
)  # fmt: skip
def test_matmul_has_the_shapes_of_pytorch(left, right):
    a, b = normal(0, *left), normal(1, *right)
    ours, theirs = matmul(a, b, FINE), a @ b
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("tile", [(1, None), (24, 24), (4, 3), None, (None, 2)])
def test_each_matrix_of_a_batch_has_blocks_of_its_own(tile):
    overrides = {"tile": tile, "blocks": "tile", "gradient_rounding": "nearest"}
    encoding = derive_encoding("t", base="hbfp4_16", overrides=overrides)
    a, b = normal(0, 3, 10, 7), normal(1, 3, 7, 5)
    ours = bmm(a, b, encoding)
    for i in range(3):
        expected = quantize(a[i], encoding.x) @ quantize(b[i].T, encoding.x).T
        assert torch.allclose(ours[i], expected, atol=1e-5)


@pytest.mark.parametrize(("left", "right"), [(2, 3), (3, 2), (4, 3), (3, 4)])
def test_bmm_wants_batches(left, right):
    a, b = (normal(0, *[1] * (dims - 2), 2, 2) for dims in (left, right))
    with pytest.raises(ValueError, match=f"3 dims, not {left} and {right}"):
        bmm(a, b, "hbfp8_16")


class Written(nn.Module):
    """A network that writes its product of activations out itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return F.scaled_dot_product_attention(y, y, y) + (y @ y.mT) @ y


def test_products_written_out_are_encoded_in_a_context():
    torch.manual_seed(0)
    net, x = Written(), normal(0, 2, 5, 6)
    fine, coarse = convert(net, FINE), convert(net, "hbfp4_16")
    with encoded_products(fine):
        assert torch.allclose(fine(x), net(x), atol=1e-5)
    plain = coarse(x)
    with encoded_products(coarse):
        y = coarse(x)
    y.sum().backward()
    assert not torch.equal(y, plain)
    once = coarse.first(x)
    with encoded_products(coarse):  # the layers' own products are not encoded twice
        assert torch.equal(coarse.first(x), once)
    with pytest.raises(ValueError, match="no encoded layer"), encoded_products(net):
        pass


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 6])
def test_grouped_queries_in_a_context_are_those_of_pytorch(heads, is_causal):
    """As in Llama: each head of keys and values serves as many heads of queries, in their order."""
    q, k, v = normal(0, 2, 6, 5, 8), normal(1, 2, heads, 5, 8), normal(2, 2, heads, 5, 8)
    options = {"is_causal": is_causal, "enable_gqa": True}
    theirs = F.scaled_dot_product_attention(q, k, v, **options)
    with encoded_products(convert(nn.Linear(8, 8), FINE)):
        assert torch.allclose(F.scaled_dot_product_attention(q, k, v, **options), theirs, atol=1e-5)
    with encoded_products(convert(nn.Linear(8, 8), "hbfp4_16")):
        ours = F.scaled_dot_product_attention(q, k, v, **options)
    repeated = (part.repeat_interleave(6 // heads, 1) for part in (k, v))
    assert torch.equal(
        ours, scaled_dot_product_attention(q, *repeated, "hbfp4_16", is_causal=is_causal)
    )


def test_attention_in_a_context_is_not_causal_or_grouped_unless_asked():
    q, k, v = normal(0, 2, 4, 5, 8), normal(1, 2, 4, 5, 8), normal(2, 2, 4, 5, 8)
    with encoded_products(convert(nn.Linear(8, 8), "hbfp4_16")):
        ours = F.scaled_dot_product_attention(q, k, v)
    assert torch.equal(ours, scaled_dot_product_attention(q, k, v, "hbfp4_16"))
    with (
        encoded_products(convert(nn.Linear(8, 8), "hbfp4_16")),
        pytest.raises(RuntimeError, match="broadcast"),
    ):
        F.scaled_dot_product_attention(q, k[:, :2], v[:, :2])


def test_other_products_in_a_context_stay():
    """Those of indices, and in forms of a call that no layer has."""
    whole, x = torch.arange(6).reshape(2, 3), normal(0, 4, 4)
    with encoded_products(convert(nn.Linear(8, 8), "hbfp4_16")):
        assert torch.equal(whole @ whole.T, torch.tensor([[5, 14], [14, 50]]))
        encoded = x @ x
        named = torch.matmul(input=x, other=x)
        into = torch.matmul(x, x, out=torch.empty(4, 4))
    assert not torch.allclose(encoded, x @ x, atol=1e-3)
    assert torch.equal(named, x @ x)
    assert torch.equal(into, x @ x)
