import itertools
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from equinox.encodings import (
    ENCODINGS,
    BlockFloat,
    Fixed,
    Float,
    get_encoding,
    quantize,
    reference,
    rounding,
)
from equinox.encodings.formats import BF16, FP32
from equinox.encodings.random_bits import draw_key
from equinox.encodings.rounding import encode_in_place

HALF = {"exponent_bits": 5, "mantissa_bits": 11}
TILES = [(24, 24), (8, 8), (1, None), None, (1, 16), (3, None), (None, 5)]


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def any_bits(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(-(2**31), 2**31, shape, generator=generator)
    return bits.int().view(torch.float32)


def difficult() -> list[torch.Tensor]:
    powers = torch.exp2(torch.arange(-149, 127).float()).reshape(12, 23)
    with_nan = normal(1, 30, 50)
    with_nan[3, 4] = torch.nan
    return [
        normal(0, 49, 1100), any_bits(0, 30, 40), powers, with_nan, normal(2, 30, 30) * 1e-39,
        torch.arange(-200, 200).reshape(20, 20) / 2, normal(3, 60, 30).clamp(max=0), powers.T,
        torch.full((3, 3), torch.finfo(torch.float32).max), torch.tensor(1.3), normal(4, 50),
        normal(5, 4, 3, 5, 5), normal(6, 9, 1).expand(9, 7), torch.empty(0, 3),
    ]  # fmt: skip


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.contiguous().view(torch.int32), b.contiguous().view(torch.int32))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_kernels_agree_with_the_reference_on_every_bit(tile, rounding):
    for x, mantissa_bits, exponent_bits in itertools.product(difficult(), (2, 8, 24), (3, 10)):
        block_float = BlockFloat(
            mantissa_bits=mantissa_bits, tile=tile, rounding=rounding, exponent_bits=exponent_bits
        )
        assert same_bits(*_both(x, block_float)), (x, block_float)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_kernels_of_fixed_point_agree_with_the_reference_on_every_bit(rounding):
    for x, bits in itertools.product(difficult(), (4, 8, 16)):
        assert same_bits(*_both(x, Fixed(mantissa_bits=bits, rounding=rounding)))


@pytest.mark.parametrize("role", ["w", "grad"])
def test_kernels_of_fp8_agree_with_the_reference_on_every_bit(role):
    for x in difficult():
        assert same_bits(*_both(x, getattr(get_encoding("fp8_e4m3"), role)))


@pytest.mark.parametrize("name", ["mxint8", "mxfp8_e4m3", "mxfp4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("width", [32, 5, None])
def test_kernels_of_microscaling_agree_with_the_reference_on_every_bit(name, rounding, width):
    number_format = replace(get_encoding(name).w, rounding=rounding, tile=(1, width))
    for x in difficult():
        assert same_bits(*_both(x, number_format)), (x, number_format)


@pytest.mark.parametrize(
    "number_format", [BF16, FP32, BlockFloat(exponent_rule="ceil"), Float(**HALF)]
)
def test_what_has_no_kernels_agrees_with_the_reference_on_every_bit(number_format):
    for x in difficult():
        assert same_bits(*_both(x, number_format)), (x, number_format)


@pytest.mark.parametrize("name", ["bf16", "hbfp8_16", "int8", "mxfp4"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_values_of_other_types_are_rounded_as_those_of_float32(name, dtype):
    x = normal(0, 9, 40).to(dtype)
    rounded = quantize(x, get_encoding(name))
    assert rounded.dtype is dtype
    assert torch.equal(rounded.float(), quantize(x.float(), get_encoding(name)).to(dtype).float())


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_values_are_rounded_in_place_to_what_they_are_rounded_to(name, rounding):
    number_format = replace(get_encoding(name).w, rounding=rounding)
    x = normal(0, 30, 1500)  # more columns, and more values, than kernels take at a time
    first, again = (torch.Generator().manual_seed(3) for _ in range(2))
    expected = quantize(x, number_format, generator=first)
    encode_in_place(x, number_format, again)
    assert torch.equal(x, expected)


def _both(x: torch.Tensor, number_format) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    if number_format.rounding == "stochastic":
        x = x.contiguous()  # random numbers follow the order of memory
    fast = quantize(x, number_format, generator=generator)
    key = draw_key(generator.manual_seed(7)) if number_format.rounding == "stochastic" else None
    return reference.quantize(x, number_format, key), fast


def test_stochastic_rounding_is_right_on_average():
    # The largest, 1, makes the step 1/4 with 4 bits; 0.6 lies 0.4 of a step above 1/2.
    x = torch.full((100_000,), 0.6)
    x[0] = 1.0
    block_float = BlockFloat(mantissa_bits=4, tile=None, rounding="stochastic")
    rounded = quantize(x, block_float, generator=torch.Generator().manual_seed(0))[1:]
    assert set(rounded.unique().tolist()) == {0.5, 0.75}
    # Five standard errors of a Bernoulli mean.
    assert (rounded == 0.75).float().mean().item() == pytest.approx(0.4, abs=5 * 0.49 / 316)


def test_a_seed_fixes_the_result_for_any_number_of_threads():
    x = normal(0, 1500, 1100)
    block_float = BlockFloat(rounding="stochastic")
    threads = torch.get_num_threads()
    results = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        results.append(quantize(x, block_float, generator=torch.Generator().manual_seed(5)))
    torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    other = quantize(x, block_float, generator=torch.Generator().manual_seed(6))
    assert not torch.equal(results[0], other)


@pytest.mark.parametrize("tile", TILES)
def test_the_layout_in_memory_does_not_matter(tile):
    x = normal(0, 6, 5, 7, 8)
    expected = quantize(x, BlockFloat(tile=tile))
    channels_last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(quantize(channels_last, BlockFloat(tile=tile)), expected)
    strided = torch.stack([x, x], -1)[..., 0]
    assert torch.equal(quantize(strided, BlockFloat(tile=tile)), expected)


def test_blocks_of_samples_are_rows():
    x = normal(0, 30, 30)
    assert torch.equal(
        quantize(x, BlockFloat(), blocks="sample"), quantize(x, BlockFloat(tile=(1, None)))
    )


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_result_goes_where_it_is_asked_and_never_aliases_the_input(name):
    x = normal(0, 30, 30)
    expected = quantize(x, get_encoding(name))
    assert expected.data_ptr() != x.data_ptr()
    out = torch.empty_like(x)
    assert quantize(x, get_encoding(name), out=out) is out
    assert torch.equal(out, expected)
    assert torch.equal(quantize(x, get_encoding(name), out=x), expected)


def test_a_result_may_go_to_any_layout_and_to_memory_that_the_input_shares():
    x = normal(0, 30, 30)
    expected = quantize(x, BlockFloat())
    transposed = torch.empty(30, 30).T
    assert torch.equal(quantize(x, BlockFloat(), out=transposed), expected)
    memory = torch.empty(930)
    memory[:900] = x.flatten()
    shifted = memory[30:].view(30, 30)
    assert torch.equal(quantize(memory[:900].view(30, 30), BlockFloat(), out=shifted), expected)


@pytest.mark.parametrize("name", ["hbfp8_16", "int8"])
def test_a_result_does_not_go_behind_the_back_of_autograd(name):
    leaf = torch.ones(3, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        quantize(normal(0, 3, 3), get_encoding(name), out=leaf)
    assert torch.equal(leaf, torch.ones(3, 3))


def test_mistakes_are_named():
    x = normal(0, 3, 3)
    with pytest.raises(ValueError, match="needs a generator"):
        quantize(x, BlockFloat(rounding="stochastic"))
    with pytest.raises(ValueError, match="x has dtype torch.int64"):
        quantize(torch.arange(3), BlockFloat())
    with pytest.raises(ValueError, match=r"out is torch.float32 of shape \(2,\)"):
        quantize(x, BlockFloat(), out=torch.empty(2))


def test_an_encoding_or_its_name_stands_for_the_format_of_its_weights():
    x = normal(0, 30, 50)
    expected = quantize(x, get_encoding("hbfp4_16").w)
    assert torch.equal(quantize(x, "hbfp4_16"), expected)
    assert torch.equal(quantize(x, get_encoding("hbfp4_16")), expected)


def test_only_floating_point_is_rounded_on_any_device():
    for device in ("cpu", "meta"):
        with pytest.raises(ValueError, match=r"x has dtype torch\.int64; only floating point"):
            quantize(torch.arange(3, device=device), BlockFloat())


def test_what_is_no_format_and_no_choice_of_blocks_is_an_error():
    x = normal(0, 3, 5)
    with pytest.raises(ValueError, match="no encoding 'hbfp5'; known are "):
        quantize(x, "hbfp5")
    with pytest.raises(ValueError, match="8 is no format, nor an encoding or its name"):
        quantize(x, 8)
    with pytest.raises(ValueError, match='blocks is \'samples\'; it must be "sample" or "tile"'):
        quantize(x, BlockFloat(), blocks="samples")


class Marked(torch.Tensor):
    """A tensor that operations keep the kind of."""


@pytest.mark.parametrize("empty", [rounding._empty, rounding._empty_strided])
def test_memory_is_as_asked_for(empty):
    memory = empty((2, 3, 1), (3, 1, 1), torch.float32)
    assert memory.shape == (2, 3, 1)
    assert memory.stride() == (3, 1, 1)
    assert memory.dtype == torch.float32
    assert memory.is_cpu


def test_a_tensor_of_a_known_shape_is_rounded_as_what_it_is():
    block_float, x = BlockFloat(tile=(3, 5)), normal(0, 12, 12)
    expected = reference.quantize(x, block_float)
    for _ in range(2):  # the second time, what of it does not depend on values is known
        assert same_bits(quantize(x, block_float), expected)
    assert same_bits(quantize(x.T.contiguous().T, block_float), expected)
    learned = quantize(torch.nn.Parameter(x), block_float)
    assert type(learned) is torch.Tensor
    assert not learned.requires_grad
    for dtype in (torch.float64, torch.bfloat16):
        rounded = quantize(x.to(dtype), block_float)
        assert rounded.dtype == dtype
        assert torch.equal(rounded, reference.quantize(x.to(dtype), block_float))
    assert quantize(x.to("meta"), block_float).is_meta
    assert type(quantize(x.as_subclass(Marked), block_float)) is Marked
    with torch.inference_mode():
        assert quantize(x, block_float).is_inference()
    by_sample = quantize(x, block_float, blocks="sample")
    assert same_bits(by_sample, quantize(x, BlockFloat(tile=(1, None))))
    with pytest.raises(ValueError, match="floating point"):
        quantize(x.int(), block_float)
    with pytest.raises(ValueError, match="blocks is 'row'"):
        quantize(x, block_float, blocks="row")


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_pytorch_negates_when_it_is_read_is_rounded_negated(name):
    number_format = replace(get_encoding(name).w, rounding="nearest")
    one = torch.tensor([0.5 + 0.37j]).conj().imag  # contiguous, and 0.37 in memory
    for x in (one, torch.complex(normal(0, 6, 7), normal(1, 6, 7)).conj().imag):
        for _ in range(2):  # once a plan is made
            assert torch.equal(quantize(x, number_format), quantize(x.resolve_neg(), number_format))
            assert (quantize(x, number_format) * x >= 0).all()


def test_a_result_has_the_strides_of_what_is_rounded_each_time():
    x = normal(0, 8, 16, 1, 1).as_strided((8, 16, 1, 1), (16, 1, 16, 16))
    assert [quantize(x, BlockFloat(tile=(3, 5))).stride() for _ in range(2)] == [x.stride()] * 2


def test_another_default_device_changes_nothing():
    x, block_float = normal(0, 12, 12), BlockFloat(tile=(3, 5))
    expected = quantize(x.T, block_float)
    with torch.device("meta"):
        assert same_bits(quantize(x.T, block_float), expected)
        assert same_bits(quantize(x.T.contiguous(), block_float), expected)


def test_memory_that_is_not_there_is_an_error():
    x, block_float = normal(0, 12, 12), BlockFloat(tile=(3, 5))
    for _ in range(2):
        with pytest.raises(ValueError, match="no memory"):
            torch.func.functionalize(lambda values: quantize(values, block_float))(x)
        quantize(x, block_float)
    with pytest.raises(ValueError, match="on meta; it must be .* on cpu"):
        quantize(x, block_float, out=torch.empty(12, 12, device="meta"))


def test_a_backward_pass_that_needs_what_out_held_fails():
    weight, out = normal(0, 4, 4).requires_grad_(), normal(1, 4, 4)
    loss = (weight * out).sum()
    quantize(normal(2, 4, 4), BlockFloat(), out=out)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


WITHOUT_KERNELS = """
import torch
from equinox.encodings import convert, ENCODINGS
torch.manual_seed(0)
found = []
for name in ENCODINGS:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(512, 4)
    )
    x = torch.randn(5, 3, 8, 8, requires_grad=True)
    convert(model, name)(x).square().sum().backward()
    found.append(x.grad)
torch.save(torch.stack(found), PATH)
"""


def test_where_numba_may_not_compile_the_reference_trains(tmp_path, repository):
    gradients = []
    for without in ("0", "1"):
        path = tmp_path / without
        program = WITHOUT_KERNELS.replace("PATH", repr(str(path)))
        environment = os.environ | {"NUMBA_DISABLE_JIT": without}
        subprocess.run([sys.executable, "-c", program], env=environment, cwd=repository, check=True)
        gradients.append(torch.load(path))
    torch.testing.assert_close(*gradients)
