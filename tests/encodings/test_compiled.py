"""What a GPU runs, the compiled reference, on the CPU through the same function."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch._inductor.config

from equinox.encodings import BlockFloat, compiled, get_encoding, quantize, reference
from tests.encodings.test_corners import MATRICES
from tests.encodings.test_rounding import any_bits, difficult, normal, same_bits

KEY = 2**61 + 12_345


@pytest.fixture(autouse=True)
def _compiler() -> Iterator[None]:
    torch._dynamo.reset()
    # Beyond its limit, the compiler would leave the reference as it is without a word.
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["hbfp8_16", "int8", "fp8_e4m3", "mxfp4"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_the_compiled_reference_has_the_bits_of_the_reference(name, rounding):
    number_format = replace(get_encoding(name).w, rounding=rounding)
    key = KEY if rounding == "stochastic" else None
    for x in (any_bits(0, 30, 40), MATRICES["nan"], MATRICES["subnormals"], MATRICES["ties"]):
        expected = reference.quantize(x, number_format, key)
        assert same_bits(compiled.quantize(x, number_format, key, backend="eager"), expected)


@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch compiles with g++")
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
# Without vectors of C++, which no GPU has: PyTorch 2.13 mixes their lengths and does not compile.
@torch._inductor.config.patch({"cpp.simdlen": 1})
def test_generated_kernels_have_the_bits_of_the_reference(rounding):
    number_format = BlockFloat(rounding=rounding)
    for key, x in ((KEY, normal(0, 49, 1100)), (KEY + 1, any_bits(0, 30, 40))):
        key = key if rounding == "stochastic" else None
        expected = reference.quantize(x, number_format, key)
        assert same_bits(compiled.quantize(x, number_format, key, backend="inductor"), expected)


def test_a_device_without_kernels_has_the_reference():
    assert compiled.default_backend(torch.device("cpu")) is None
    x = torch.empty(5, 7, device="meta", dtype=torch.bfloat16)
    rounded = quantize(x, BlockFloat())
    assert (rounded.shape, rounded.dtype, rounded.device) == (x.shape, x.dtype, x.device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_a_gpu_gives_the_bits_of_the_cpu(rounding):
    number_format = BlockFloat(rounding=rounding)
    for x in difficult():
        on_gpu, on_cpu = (
            quantize(part, number_format, generator=torch.Generator().manual_seed(1)).cpu()
            for part in (x.cuda(), x)
        )
        assert same_bits(on_gpu, on_cpu)
