"""The emulation against the integer data path."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from equinox.encodings import BlockFloat, derive_encoding, get_encoding, quantize
from equinox.encodings.bit_true import (
    BlockMatrix,
    encode,
    exact_length,
    float_is_exact,
    integer_runs,
    product,
)
from equinox.encodings.formats import Encoding
from equinox.encodings.functional import convolution, linear, matmul
from equinox.encodings.operands import Operands

TILES = [(24, 24), (3, 5), (1, None), None, (1, 16), (None, 2)]
BLOCKS = {"sample": [24, 24], "tile": [24, 24], "reduction": [1, 16]}


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def encoding_of(blocks: str, mantissa_bits: int) -> Encoding:
    choices = {"blocks": blocks, "tile": BLOCKS[blocks], "mantissa_bits": mantissa_bits}
    return derive_encoding(
        blocks, base="hbfp8_16", overrides=choices | {"gradient_rounding": "nearest"}
    )


def agree(emulated: Tensor, left: BlockMatrix, right: BlockMatrix) -> float:
    """Check the emulated product wherever float is exact; return the share where it is."""
    exact, ours = float_is_exact(left, right), emulated.detach().numpy()
    bits_true = product(left, right)
    assert np.array_equal(ours[exact], bits_true[exact])
    # Elsewhere, both are sums of rounded float32.
    terms = left.mantissas.shape[1]
    magnitude = np.abs(left.values()) @ np.abs(right.values()).T
    assert (np.abs(ours.astype(float) - bits_true) <= 2 * terms * 2.0**-24 * magnitude).all()
    return float(exact.mean())


@pytest.mark.parametrize("tile", TILES)
@given(st.integers(0, 2**31), st.integers(2, 16), st.integers(2, 10))
@settings(max_examples=25, deadline=None)
def test_integers_and_exponents_are_the_rounded_values(tile, seed, mantissa_bits, exponent_bits):
    x = normal(seed, 30, 50) * torch.exp2(normal(seed + 1, 30, 50) * 20).clamp(1e-30, 1e30)
    block_float = BlockFloat(mantissa_bits=mantissa_bits, tile=tile, exponent_bits=exponent_bits)
    encoded = encode(x.numpy(), block_float)
    assert np.abs(encoded.mantissas).max() < 2 ** (mantissa_bits - 1)
    assert np.array_equal(encoded.values(), quantize(x, block_float).double().numpy())
    again = encode(encoded.values(), block_float)
    assert np.array_equal(again.values(), encoded.values())


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize(("mantissa_bits", "share"), [(4, 0.9), (6, 0.5), (8, 0.02)])
def test_the_three_products_of_a_step_equal_the_data_path(blocks, mantissa_bits, share):
    encoding = encoding_of(blocks, mantissa_bits)
    x, w, g = (
        normal(0, 60, 72).requires_grad_(),
        normal(1, 50, 72).requires_grad_(),
        normal(2, 60, 50),
    )
    y = linear(x, w, None, Operands(encoding=encoding))
    y.backward(g)
    arrays = [t.detach().numpy() for t in (x, w, g)]
    xs, ws, gs = (
        encode(a, f) for a, f in zip(arrays, (encoding.x, encoding.w, encoding.grad), strict=True)
    )
    if blocks == "reduction":  # cut anew along what each product reduces
        xt, wt, gt = (encode(a.T, encoding.w) for a in arrays)
    else:
        xt, wt, gt = xs.transposed, ws.transposed, gs.transposed
    assert agree(y, xs, ws) > share
    assert agree(x.grad, gs, wt) > share
    assert agree(w.grad, gt, xt) > share / 4


def test_stochastically_rounded_gradients_enter_the_data_path_as_they_are():
    encoding = get_encoding("hbfp4_16")
    x, w, g = normal(0, 9, 30), normal(1, 7, 30).requires_grad_(), normal(2, 9, 7)
    linear(x, w, None, Operands(encoding=encoding, generator=_seeded())).backward(g)
    rounded = quantize(g, encoding.grad, generator=_seeded())
    gs, xs = encode(rounded.numpy(), encoding.grad), encode(x.numpy(), encoding.x)
    assert np.array_equal(gs.values(), rounded.double().numpy())
    assert agree(w.grad, gs.transposed, xs.transposed) > 0.5


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_a_convolution_is_the_data_path_on_unfolded_mantissas():
    encoding = encoding_of("sample", 4)
    x, w = normal(0, 3, 4, 7, 7), normal(1, 5, 4, 3, 3)
    geometry = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    y = convolution(x, w, None, Operands(encoding=encoding), **geometry)
    weights = encode(w.flatten(1).numpy(), encoding.w)
    for sample, result in zip(x, y, strict=True):
        one = encode(sample.reshape(1, -1).numpy(), encoding.x)
        mantissas = torch.from_numpy(one.mantissas).reshape(sample.shape).double()[None]
        columns = torch.nn.functional.unfold(mantissas, 3, padding=1)[0].T
        unfolded = BlockMatrix(
            mantissas=columns.numpy().astype(np.int64), exponents=one.exponents, tile=(49, 36)
        )
        assert agree(result.flatten(1).T, unfolded, weights) > 0.9


def test_products_of_activations_equal_the_data_path():
    encoding = encoding_of("tile", 5)
    left, right = normal(0, 2, 30, 40), normal(1, 2, 40, 26)
    y = matmul(left, right, Operands(encoding=encoding))
    for a, b, result in zip(left, right, y, strict=True):
        assert agree(result, encode(a.numpy(), encoding.x), encode(b.T.numpy(), encoding.x)) > 0.9


@pytest.mark.parametrize("mantissa_bits", [4, 8, 12])
def test_up_to_the_stated_length_float_is_exact_whatever_the_values(mantissa_bits):
    length, limit = min(exact_length(mantissa_bits), 4096), 2 ** (mantissa_bits - 1) - 1
    full = torch.full((1, length), float(limit))  # the worst case: all mantissas at the limit
    x = encode(full.numpy(), BlockFloat(mantissa_bits=mantissa_bits, tile=None))
    assert (x.mantissas == limit).all()
    assert float(full @ full.T) == product(x, x).item() == length * limit**2


def test_beyond_that_length_float_and_data_path_differ():
    # 12 bits: 4 products are always exact, 8,192 are not.
    assert [exact_length(bits) for bits in (4, 8, 12)] == [342_392, 1_040, 4]
    block_float = BlockFloat(mantissa_bits=12, tile=None)
    x = normal(0, 8, 8192)
    exact = encode(x.numpy(), block_float)
    rounded = quantize(x, block_float)
    assert not float_is_exact(exact, exact).any()
    assert not np.array_equal((rounded @ rounded.T).numpy(), product(exact, exact))


def one_by_one(left: int, right: int, *exponents: int) -> tuple[BlockMatrix, BlockMatrix]:
    """Return two matrices of one mantissa each, with the exponents of their steps."""
    first, second = (
        BlockMatrix(mantissas=np.array([[m]]), exponents=np.array([[e]]), tile=(1, 1))
        for m, e in zip((left, right), exponents, strict=True)
    )
    return first, second


@pytest.mark.parametrize(
    ("left", "right", "exponents", "exact"),
    [
        (1, 1, (-75, -74), True),  # 2**-149, the smallest subnormal number
        (1, 1, (-75, -75), False),
        (1, 1, (63, 63), True),  # 2**126, of which two may be added
        (1, 1, (64, 63), False),
        (4095, 4097, (0, 0), True),  # 2**24 - 1
        (4096, 4098, (0, 0), False),  # beyond 2**24
        (-4096, 4098, (-20, 3), False),
    ],
)
def test_float_is_exact_within_the_digits_and_the_range_of_float32(left, right, exponents, exact):
    a, b = one_by_one(left, right, *exponents)
    assert float_is_exact(a, b).tolist() == [[exact]]
    value = np.ldexp(float(left * right), sum(exponents))
    assert product(a, b).item() == np.float32(value)


def test_data_path_of_two_blocks_by_hand():
    # Two columns a block on the left, three on the right: sums of 2, 1 and 1 columns. Steps 2**-1,
    # 2**2 on the left and 2**1, 2**-3 on the right.
    left = BlockMatrix(
        mantissas=np.array([[3, -2, 5, 1]]), exponents=np.array([[-1, 2]]), tile=(1, 2)
    )
    right = BlockMatrix(
        mantissas=np.array([[7, 4, -6, 2]]), exponents=np.array([[1, -3]]), tile=(1, 3)
    )
    assert integer_runs(left, right) == [0, 2, 3, 4]
    assert left.values().tolist() == [[1.5, -1.0, 20.0, 4.0]]
    assert right.values().tolist() == [[14.0, 8.0, -12.0, 0.25]]
    assert product(left, right).item() == (3 * 7 - 2 * 4) - 5 * 6 * 8 + 2 * 0.5
    assert float_is_exact(left, right).all()
    assert left.transposed.values().tolist() == [[1.5], [-1.0], [20.0], [4.0]]
    assert left.transposed.tile == (2, 1)


def test_a_block_of_zeros_takes_the_smallest_exponent():
    # Exponents of 5 bits reach from -16 to 15; a step of 4 bits is 2**2 smaller than the largest.
    number_format = BlockFloat(mantissa_bits=4, tile=(1, 2), exponent_bits=5)
    encoded = encode(np.array([[0.0, -0.0, 2.0, 0.0]]), number_format)
    assert encoded.exponents.tolist() == [[-16 - 2, 1 - 2]]
    assert encoded.mantissas.tolist() == [[0, 0, 4, 0]]


def test_blocks_of_samples_leave_integers_nothing_to_sum_in_the_product_for_weights():
    x, g = normal(0, 48, 72).numpy(), normal(1, 48, 50).numpy()
    sample, tile = encoding_of("sample", 8), encoding_of("tile", 8)
    of_weights = {
        name: integer_runs(encode(g, e.grad).transposed, encode(x, e.x).transposed)
        for name, e in (("sample", sample), ("tile", tile))
    }
    assert of_weights == {"sample": list(range(49)), "tile": [0, 24, 48]}
    w = encode(normal(2, 50, 72).numpy(), sample.w)
    assert integer_runs(encode(x, sample.x), w) == [0, 24, 48, 72]


def test_what_the_data_path_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="no infinity and no NaN"):
        encode(np.array([[np.inf]]), BlockFloat())
    with pytest.raises(ValueError, match="take exponent_rule 'floor'"):
        encode(np.ones((1, 1)), BlockFloat(exponent_rule="ceil"))
    wide = encode(np.full((1, 256), 1.9), BlockFloat(mantissa_bits=24, tile=None))
    with pytest.raises(ValueError, match="exceed an accumulator of 53 bits"):
        product(wide, wide)
    with pytest.raises(ValueError, match="256 long on the left and 2 on the right"):
        product(wide, encode(np.ones((1, 2)), BlockFloat()))
