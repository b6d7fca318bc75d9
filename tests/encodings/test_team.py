"""Kernels on several threads: the same bytes for any number of them, wherever they are called."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import BlockFloat, convert, fast, quantize, team
from equinox.encodings.number_formats import SAMPLE, Tile

TILES = [(24, 24), SAMPLE, None, (7, 33)]
#: Of values enough for four threads, and with a last strip that is cut off.
SHAPE = (501, 1003)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rounded(x: Tensor, tile: Tile = (24, 24), rounding: str = "stochastic") -> Tensor:
    number_format = BlockFloat(tile=tile, rounding=rounding)
    return quantize(x, number_format, generator=torch.Generator().manual_seed(3))


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def _without_openmp(monkeypatch) -> Iterator[None]:
    fast.forget()
    with monkeypatch.context() as patch:
        patch.setattr(team, "_PARALLEL", 0)
        yield
    fast.forget()


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("has_openmp", [True, False])
def test_one_to_four_threads_give_the_same_bytes(tile, rounding, has_openmp, request):
    if not has_openmp:
        request.getfixturevalue("_without_openmp")
    x = normal(0, *SHAPE)
    torch.set_num_threads(1)
    alone = rounded(x, tile, rounding)
    for threads in (2, 3, 4):
        torch.set_num_threads(threads)
        for _ in range(3):  # which thread takes which share differs from call to call
            assert torch.equal(rounded(x, tile, rounding), alone)


def test_threads_round_a_tensor_in_place():
    x = normal(0, *SHAPE)
    expected = rounded(x, rounding="nearest")
    torch.set_num_threads(4)
    assert quantize(x, BlockFloat(), out=x) is x
    assert torch.equal(x, expected)


def test_threads_of_the_caller_may_each_have_a_team():
    inputs = [normal(seed, *SHAPE) for seed in range(4)]
    torch.set_num_threads(1)
    alone = [rounded(x) for x in inputs]
    torch.set_num_threads(2)

    def many(x: Tensor) -> list[Tensor]:
        torch.set_num_threads(2)
        return [rounded(x) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for results, expected in zip(pool.map(many, inputs), alone, strict=True):
            assert all(torch.equal(result, expected) for result in results)


def test_a_hook_of_the_backward_pass_may_round_too():
    torch.set_num_threads(2)
    x, weight = normal(0, *SHAPE), normal(1, *SHAPE)
    expected, inside = rounded(weight), []
    model = convert(nn.Sequential(nn.Linear(1003, 600), nn.Linear(600, 300)), "bfp8")
    hidden = model[0](x)
    hidden.register_hook(lambda grad: inside.append(rounded(weight)))
    model[1](hidden).sum().backward()
    assert torch.equal(inside[0], expected)


@pytest.mark.usefixtures("_without_openmp")
def test_what_a_thread_raises_reaches_the_caller(monkeypatch):
    def fails(_: object) -> None:
        raise MemoryError("no scratch")

    x = normal(0, *SHAPE)
    expected = rounded(x)
    with monkeypatch.context() as patch:
        patch.setattr(team, "_callable", lambda kernel: fails)
        torch.set_num_threads(3)
        with pytest.raises(MemoryError, match="no scratch"):
            rounded(x)
    assert torch.equal(rounded(x), expected)  # and nothing of it remains


FORKED = """
import os, signal, torch
from equinox.encodings import BlockFloat, quantize, reference
torch.set_num_threads(3)
x = torch.randn(501, 1003, generator=torch.Generator().manual_seed(0))
# The threads of this process exist from here on.
expected = FIRST
child = os.fork()
if child == 0:
    signal.alarm(60)  # one that waits for threads that stayed behind is ended
    # By bytes: PyTorch's own comparison would wait for its threads.
    same = quantize(x, BlockFloat()).numpy().tobytes() == expected.numpy().tobytes()
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert torch.equal(quantize(x, BlockFloat()), expected)
"""
#: What the process does before it forks: it has rounded, or has not even loaded the kernels.
FIRST = ("quantize(x, BlockFloat())", "reference.quantize(x, BlockFloat())")


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
@pytest.mark.parametrize("first", FIRST)
def test_a_forked_process_rounds_too(first, repository):
    # As the workers of a DataLoader are.
    program = FORKED.replace("FIRST", first)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=repository, timeout=120)
