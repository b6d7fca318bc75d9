"""Products of the training step against integer arithmetic and against plain PyTorch."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equinox.encodings import BlockFloat, Encoding, convert, derive_encoding, get_encoding, quantize
from equinox.encodings.functional import attention, convolution, linear, matmul
from equinox.encodings.operands import Operands

NEAREST = {"gradient_rounding": "nearest"}  # so that expected gradients can be told
ALONG_REDUCTION = derive_encoding(
    "reduction", base="hbfp8_16", overrides=NEAREST | {"blocks": "reduction", "tile": [1, 16]}
)


def nearest(base: str) -> Encoding:
    return derive_encoding(base, base=base, overrides=NEAREST)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gradients(y: Tensor, grad: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, inputs, grad)


def mantissas(x: Tensor, mantissa_bits: int) -> tuple[Tensor, int]:
    """Return the integers and the exponent of the step of a tensor that is one block."""
    exponent = int(torch.frexp(x.abs().max()).exponent) - 1 - mantissa_bits + 2
    scaled = (x.double() * 2.0**-exponent).round()
    limit = 2 ** (mantissa_bits - 1) - 1
    return scaled.clamp(-limit, limit).long(), exponent


def test_a_dot_product_is_an_integer_dot_product_with_added_exponents():
    # Integers of 8 bits: 64 products of 14 bits sum to less than 2**24, so float32 is exact.
    x, w = normal(0, 20, 64), normal(1, 10, 64)
    y = linear(x, w, None, Operands(encoding=get_encoding("bfp8")))
    x_int, x_exponent = mantissas(x, 8)
    w_int, w_exponent = mantissas(w, 8)
    expected = (x_int @ w_int.T).double() * 2.0 ** (x_exponent + w_exponent)
    assert torch.equal(y.double(), expected)


def test_linear_reads_rounded_operands_forward_and_backward():
    x, w, b, grad = normal(0, 30, 50), normal(1, 40, 50), normal(2, 40), normal(3, 30, 40)
    inputs = [t.requires_grad_() for t in (x, w, b)]
    y = linear(*inputs, Operands(encoding=nearest("hbfp4_16")))
    tiles, rows = BlockFloat(mantissa_bits=4), BlockFloat(mantissa_bits=4, tile=(1, None))
    xq, wq, gq = quantize(x, rows), quantize(w, tiles), quantize(grad, rows)
    assert torch.allclose(y, xq @ wq.T + b, atol=1e-6)
    grad_x, grad_w, grad_b = gradients(y, grad, *inputs)
    assert torch.allclose(grad_x, gq @ wq, atol=1e-6)
    assert torch.allclose(grad_w, gq.T @ xq, atol=1e-6)
    assert torch.allclose(grad_b, grad.sum(0), atol=1e-6)


def test_blocks_along_the_reduction_are_cut_anew_for_each_product():
    x, w, grad = normal(0, 30, 50), normal(1, 40, 50), normal(3, 30, 40)
    inputs = [t.requires_grad_() for t in (x, w)]
    y = linear(*inputs, None, Operands(encoding=ALONG_REDUCTION))

    def q(t: Tensor) -> Tensor:
        return quantize(t, BlockFloat(mantissa_bits=8, tile=(1, 16)))

    assert torch.allclose(y, q(x) @ q(w).T, atol=1e-5)
    grad_x, grad_w = gradients(y, grad, *inputs)
    assert torch.allclose(grad_x, q(grad) @ q(w.T).T, atol=1e-5)
    assert torch.allclose(grad_w, q(grad.T) @ q(x.T).T, atol=1e-5)


def test_a_sample_of_a_sequence_is_one_of_its_positions():
    x, w = normal(0, 3, 5, 8), normal(1, 4, 8)
    x[0, 0] *= 1e6
    operands = Operands(encoding=nearest("hbfp8_16"))
    y = linear(x, w, None, operands)
    assert torch.equal(y[0, 1:], linear(x[0, 1:], w, None, operands))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolution_reads_rounded_operands_forward_and_backward(groups, transposed):
    geometry = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": groups}
    x = normal(0, 3, 4, 9, 9).requires_grad_()
    w = normal(1, 4, 6 // groups, 3, 3) if transposed else normal(1, 6, 4 // groups, 3, 3)
    w.requires_grad_()
    b = normal(2, 6).requires_grad_()
    encoding = nearest("hbfp4_16")
    y = convolution(x, w, b, Operands(encoding=encoding), transposed=transposed, **geometry)
    grad = normal(3, *y.shape)
    xq, wq = (quantize(x, encoding.x).requires_grad_(), quantize(w, encoding.w).requires_grad_())
    plain = F.conv_transpose2d if transposed else F.conv2d
    expected = plain(xq, wq, b, **geometry)
    assert torch.allclose(y, expected, atol=1e-5)
    ours = gradients(y, grad, x, w, b)
    theirs = gradients(expected, quantize(grad, encoding.grad), xq, wq)
    assert all(torch.allclose(a, e, atol=1e-4) for a, e in zip(ours, theirs, strict=False))
    assert torch.allclose(ours[2], grad.sum((0, 2, 3)), atol=1e-4)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolution_along_the_reduction_is_a_product_of_the_unfolded_input(dims, transposed):
    fine = derive_encoding(
        "fine", base="hbfp8_16",
        overrides=NEAREST
        | {"mantissa_bits": 22, "storage_bits": 32, "blocks": "reduction", "tile": [1, 7]},
    )  # fmt: skip
    w = normal(1, 4, 3, *[3] * dims) if transposed else normal(1, 6, 2, *[3] * dims)
    x, b = normal(0, 3, 4, *[7] * dims), normal(2, 6)
    geometry = {"stride": (2,) * dims, "padding": (1,) * dims, "dilation": (2,) * dims}
    inputs = [t.requires_grad_() for t in (x, w, b)]
    more = {"output_padding": (1,) * dims} if transposed else {}
    y = convolution(
        *inputs, Operands(encoding=fine), groups=2, transposed=transposed, **geometry, **more
    )
    plain = getattr(F, f"conv{'_transpose' if transposed else ''}{dims}d")
    expected = plain(*inputs, groups=2, **geometry, **more)
    assert torch.allclose(y, expected, atol=1e-3)
    grad = normal(3, *y.shape)
    for a, e in zip(gradients(y, grad, *inputs), gradients(expected, grad, *inputs), strict=True):
        assert torch.allclose(a, e, atol=1e-3)


@pytest.mark.parametrize("encoding", [nearest("hbfp8_16"), ALONG_REDUCTION])
def test_a_product_of_activations_encodes_both(encoding):
    left, right = normal(0, 2, 3, 5, 40), normal(1, 1, 3, 40, 6)
    inputs = [t.requires_grad_() for t in (left, right)]
    y = matmul(*inputs, Operands(encoding=encoding))
    left_q = quantize(left.reshape(-1, 40), encoding.x).view_as(left)
    right_q = quantize(right.mT.reshape(-1, 40), encoding.x).view(1, 3, 6, 40).mT
    assert torch.allclose(y, left_q @ right_q, atol=1e-5)
    grad = normal(2, *y.shape)
    plain = gradients(left @ right, grad, *inputs)
    for ours, exact in zip(gradients(y, grad, *inputs), plain, strict=True):
        assert 0 < (ours - exact).abs().max() < 0.05 * exact.abs().max()


#: Finer than what is compared, so that plain attention tells what is expected.
FINE = Operands(encoding=derive_encoding("fine", base="fp32", overrides={"rounding": "nearest"}))


@pytest.mark.parametrize("kind", ["none", "booleans", "added"])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_attention_is_that_of_pytorch_with_any_mask(kind, is_causal, scale):
    query, key, value = normal(0, 2, 3, 5, 8), normal(1, 2, 3, 6, 8), normal(2, 2, 3, 6, 4)
    allowed = normal(3, 5, 6) > -0.5
    allowed[:, 0] = True  # no query may attend nowhere
    mask = {"none": None, "booleans": allowed, "added": normal(4, 5, 6)}[kind]
    both = torch.zeros(5, 6)
    if kind == "added":
        both = both + mask
    if kind == "booleans":
        both[~allowed] = -torch.inf
    if is_causal:
        both[torch.ones(5, 6).triu(1).bool()] = -torch.inf
    result, weights = attention(
        query, key, value, FINE, mask=mask, is_causal=is_causal, scale=scale
    )
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=both, scale=scale)
    assert torch.allclose(result, expected, atol=1e-5)
    assert torch.allclose(weights @ value, expected, atol=1e-5)


def test_a_query_that_may_attend_nowhere_has_weights_of_zero():
    allowed = torch.tensor([[True, False, True], [False, False, False]])
    q, k, v = normal(0, 2, 4), normal(1, 3, 4), normal(2, 3, 4)
    result, weights = attention(q, k, v, FINE, mask=allowed)
    assert (weights[1] == 0).all()
    assert (result[1] == 0).all()
    assert weights[0].sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("left", "right"), [((5, 7), (3, 7, 4)), ((3, 5, 7), (7, 4)), ((2, 1, 5, 7), (3, 7, 4))]
)
def test_a_matrix_meets_each_matrix_of_a_batch(left, right):
    a, b = normal(0, *left), normal(1, *right)
    operands = Operands(encoding=nearest("hbfp8_16"))
    whole = matmul(a, b, operands)
    assert whole.shape == (a @ b).shape
    many = a.expand(*whole.shape[:-2], 5, 7).flatten(0, -3)
    others = b.expand(*whole.shape[:-2], 7, 4).flatten(0, -3)
    for one, other, product in zip(many, others, whole.flatten(0, -3), strict=True):
        assert torch.allclose(product, matmul(one, other, operands), atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_gradients_of_a_kernel_of_size_1_have_the_strides_of_pytorch(stride):
    native = nn.Conv2d(8, 16, 1, stride=stride)
    x = normal(0, 4, 8, 6, 6).requires_grad_()
    strides = []
    for layer in (native, convert(native, "hbfp8_16")):
        y = layer(x)
        found = gradients(y, normal(1, *y.shape), x, *layer.parameters())
        strides.append([part.stride() for part in found])
    assert strides[0] == strides[1]
