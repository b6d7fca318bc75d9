"""OCP MX formats against the element types of ml_dtypes, scales in exact arithmetic."""

import ml_dtypes
import numpy as np
import pytest
import torch

from equinox.encodings import get_encoding, quantize

#: Type of an element, and exponent of its largest value (OCP MX v1.0, table 5).
ELEMENTS = {
    "mxfp8_e4m3": (ml_dtypes.float8_e4m3fn, 8),
    "mxfp4": (ml_dtypes.float4_e2m1fn, 2),
}


def rows(seed: int, count: int) -> np.ndarray:
    """Return rows of 64 values over the range of float32, with zeros, ties and powers of two."""
    generator = np.random.default_rng(seed)
    scale = np.exp2(generator.integers(-149, 120, (count, 2)).repeat(32, 1).astype(float))
    values = generator.standard_normal((count, 64)) * scale
    values[::5] = np.round(values[::5] / scale[::5] * 4) / 4 * scale[::5]
    values[1::7] = np.copysign(scale[1::7] * 2.0 ** generator.integers(0, 5, 64), values[1::7])
    return values.clip(-3e38, 3e38).astype(np.float32)


@pytest.mark.parametrize("name", ELEMENTS)
def test_a_block_is_a_scale_of_e8m0_times_elements_of_the_standard(name):
    dtype, top = ELEMENTS[name]
    x = rows(0, 4000)
    blocks = x.reshape(-1, 32).astype(np.float64)
    largest = np.abs(blocks).max(1, keepdims=True)
    exponent = np.frexp(np.where(largest > 0, largest, 1))[1] - 1 - top
    # One code of E8M0 is a power of two from 2**-127 to 2**127.
    scale = np.ldexp(1.0, np.clip(exponent, -127, 127))
    assert np.array_equal(scale.astype(ml_dtypes.float8_e8m0fnu).astype(np.float64), scale)
    limit = float(ml_dtypes.finfo(dtype).max)
    # Conversion saturates (5.3), where a cast would overflow to NaN.
    elements = (blocks / scale).clip(-limit, limit).astype(dtype).astype(np.float64)
    expected = (elements * scale).reshape(x.shape).astype(np.float32)
    rounded = quantize(torch.from_numpy(x), get_encoding(name)).numpy()
    assert np.array_equal(rounded.view(np.int32), expected.view(np.int32))


def test_integers_count_in_steps_of_a_64th_of_the_scale():
    x = rows(1, 4000)
    blocks = x.reshape(-1, 32).astype(np.float64)
    largest = np.abs(blocks).max(1, keepdims=True)
    exponent = np.frexp(np.where(largest > 0, largest, 1))[1] - 1
    scale = np.ldexp(1.0, np.clip(exponent, -127, 127))
    codes = np.rint(blocks / scale * 64).clip(-127, 127).astype(np.int8)
    expected = (codes / 64 * scale).reshape(x.shape).astype(np.float32)
    assert np.array_equal(quantize(torch.from_numpy(x), get_encoding("mxint8")).numpy(), expected)


def test_the_tables_of_the_standard():
    e4m3, e2m1 = get_encoding("mxfp8_e4m3").w, get_encoding("mxfp4").w
    assert (e4m3.max_value, e2m1.max_value) == (448, 6)
    assert (e4m3.min_exponent, e2m1.min_exponent) == (-6, 0)
    assert (e4m3.bits, e2m1.bits) == (8.25, 4.25)
    assert get_encoding("mxint8").w.bits == 8.25
    assert (e2m1.min_scale_exponent, e2m1.max_scale_exponent) == (-127, 127)


def test_every_value_of_e2m1_is_kept_and_ties_go_to_even():
    x = torch.tensor([[6.0, 4, 3, 2, 1.5, 1, 0.5, -6, 0.25, 0.75, 2.5, 5.0, 3.5]])
    expected = [6.0, 4, 3, 2, 1.5, 1, 0.5, -6, 0.0, 1.0, 2.0, 4.0, 4.0]
    assert quantize(x, get_encoding("mxfp4"))[0].tolist() == expected
