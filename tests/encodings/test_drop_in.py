"""What PyTorch does with a model, it does with a converted one."""

import copy
import io
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from transformers.pytorch_utils import Conv1D

from equinox.encodings import bmm, convert, derive_encoding, get_encoding, matmul, quantize
from equinox.encodings.modules import EncodedConv2d, EncodedLinear

#: Without randomness, so that runs can be compared.
NEAREST = derive_encoding(
    "hbfp8_nearest", base="hbfp8_16", overrides={"gradient_rounding": "nearest"}
)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """Convolutions of all kinds, a norm, attention, and a shared matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1)
        self.block = nn.Sequential(
            nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
        )
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2, groups=2)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.up(self.block(self.stem(x))).flatten(2).mT
        return self.head(self.attention(rows, rows, rows, need_weights=False)[0].mean(1))


def build() -> nn.Module:
    torch.manual_seed(0)
    return Net()


def step(
    model: nn.Module, forward: nn.Module | None = None, seed: int = 1
) -> tuple[Tensor, list[Tensor]]:
    model.zero_grad()
    y = (model if forward is None else forward)(normal(seed, 3, 2, 5, 5))
    y.square().sum().backward()
    return y.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


def near(ours: tuple[Tensor, list[Tensor]], theirs: tuple[Tensor, list[Tensor]]) -> bool:
    pairs = zip([ours[0], *ours[1]], [theirs[0], *theirs[1]], strict=True)
    return all(torch.allclose(a, b, atol=1e-4, rtol=1e-4) for a, b in pairs)


@pytest.fixture
def _compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("_compiler")
@pytest.mark.filterwarnings("error:Dynamo:UserWarning")
@pytest.mark.parametrize(
    ("backend", "encoding"), [("aot_eager", "hbfp8_nearest"), ("eager", "mxfp8_e4m3")]
)
def test_a_converted_model_compiles_once_for_all_tensors_of_a_shape(backend, encoding):
    model = convert(build(), get_encoding(encoding, {NEAREST.name: NEAREST}))
    expected = [step(model, seed=seed) for seed in (1, 2, 3)]
    model.load_state_dict(convert(build(), NEAREST).state_dict())
    compiled = torch.compile(model, backend=backend)
    assert near(step(model, compiled), expected[0])
    # The kernels' addresses and scales differ from tensor to tensor.
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert near(step(model, compiled, seed=2), expected[1])
        assert near(step(model, compiled, seed=3), expected[2])


@pytest.mark.usefixtures("_compiler")
def test_stochastic_gradients_are_rounded_alike_when_compiled():
    expected = step(convert(build(), "hbfp8_16", seed=3))
    model = convert(build(), "hbfp8_16", seed=3)
    assert near(step(model, torch.compile(model, backend="eager")), expected)


@pytest.mark.usefixtures("_compiler")
def test_a_compiled_function_may_round():
    x = normal(0, 30, 50)
    rounds = torch.compile(lambda values: 2 * quantize(values, NEAREST), backend="eager")
    assert torch.equal(rounds(x), 2 * quantize(x, NEAREST))
    assert torch.equal(rounds(3 * x), 2 * quantize(3 * x, NEAREST))


def test_autocast_rounds_operands_and_keeps_gradients_in_fp32():
    model = convert(build(), NEAREST)
    exact, gradients = step(model)
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(normal(1, 3, 2, 5, 5))
    y.float().square().sum().backward()
    assert torch.allclose(y.float(), exact, atol=0.05)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert parameter.grad.dtype is torch.float32
        assert (parameter.grad - gradient).norm() < 0.1 * gradient.norm() + 0.05


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_run_in_autocast(kind):
    model, x = convert(kind(5, 4), NEAREST), normal(0, 3, 2, 5)
    expected = model(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x)[0]
    y.float().sum().backward()
    assert torch.allclose(y.float(), expected, atol=0.05)
    assert model.weight_hh_l0.grad.isfinite().all()


def test_products_in_autocast_take_operands_of_both_types():
    layer, x = convert(nn.Linear(6, 4), NEAREST), normal(0, 3, 6)
    expected = layer(x.bfloat16().float())
    narrow = x.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(narrow)
    y.sum().backward()
    assert torch.equal(y, expected)
    assert narrow.grad.dtype is torch.bfloat16


def test_a_deep_copy_is_a_model_of_its_own():
    model = convert(build(), NEAREST)
    twin = copy.deepcopy(model)
    assert near(step(twin), step(model))
    with torch.no_grad():
        twin.head.weight.zero_()
    assert model.head.weight.abs().sum() > 0
    assert type(twin.stem) is EncodedConv2d


def test_a_saved_state_loads_in_both_directions():
    native, converted = build(), convert(build(), NEAREST)
    step(converted)  # statistics of the norm move on
    file = io.BytesIO()
    torch.save(converted.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert native.load_state_dict(state) == ([], [])
    assert convert(build(), "hbfp4_16").load_state_dict(native.state_dict()) == ([], [])
    for name, value in converted.state_dict().items():
        assert torch.equal(native.state_dict()[name], value)


class Named(nn.Linear):
    """A subclass that computes as its base."""


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), Named(6, 4), Conv1D(4, 6)])
def test_a_whole_model_is_pickled(layer):
    model = convert(nn.Sequential(layer), NEAREST)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert type(loaded[0]) is type(model[0])
    assert isinstance(loaded[0], type(layer))
    assert torch.equal(loaded(normal(0, 3, 6)), model(normal(0, 3, 6)))


def test_weights_that_are_parametrized_before_or_after_are_rounded():
    torch.manual_seed(0)
    before = convert(nn.Sequential(weight_norm(nn.Linear(6, 4))), NEAREST)
    x, plain = normal(0, 5, 6), nn.Linear(6, 4)
    plain.load_state_dict({"weight": before[0].weight.detach(), "bias": before[0].bias.detach()})
    expected = convert(plain, NEAREST)(x)
    after = weight_norm(convert(plain, NEAREST))
    assert torch.allclose(before(x), expected, atol=1e-6)
    assert torch.allclose(after(x), expected, atol=1e-6)
    assert list(before.state_dict()) == list(nn.Sequential(after).state_dict())
    before(x).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in before.parameters())
    assert torch.equal(convert(after, "int8")(x), convert(plain, "int8")(x))


@pytest.mark.parametrize("encoding", ["hbfp8_16", "int8", "fp8_e4m3", "mxfp4", "bfp8"])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(6, 4), (0, 6)),
        (nn.Conv1d(3, 4, 3), (0, 3, 8)),
        (nn.Conv2d(4, 6, 3, groups=2), (0, 4, 8, 8)),
        (nn.ConvTranspose2d(3, 4, 3), (0, 3, 8, 8)),
        (nn.LSTM(6, 4, 2, bidirectional=True), (5, 0, 6)),
        (nn.GRU(6, 4), (5, 0, 6)),
    ],
)
def test_a_batch_may_be_empty(layer, shape, encoding):
    model, x = convert(layer, encoding), torch.zeros(shape, requires_grad=True)
    y, expected = (first(net(x)) for net in (model, layer))
    assert y.shape == expected.shape
    y.sum().backward()
    assert x.grad.shape == shape
    assert all(p.grad.abs().sum() == 0 for p in model.parameters())


def first(y: Tensor | tuple[Tensor, ...]) -> Tensor:
    return y[0] if isinstance(y, tuple) else y


def test_attention_of_an_empty_batch_is_empty():
    x = torch.zeros(0, 3, 4)
    y, weights = convert(nn.MultiheadAttention(4, 2, batch_first=True), NEAREST)(x, x, x)
    assert (y.shape, weights.shape) == ((0, 3, 4), (0, 3, 3))


def test_hooks_of_all_kinds_run_and_may_change_what_passes():
    model = convert(nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2)), NEAREST)
    seen: list[str] = []
    layer = model[0]
    layer.register_forward_pre_hook(lambda *_: seen.append("before"))
    layer.register_forward_hook(lambda module, args, y: seen.append("after") or 2 * y)
    layer.register_full_backward_pre_hook(lambda *_: seen.append("backward"))
    layer.register_full_backward_hook(lambda *_: seen.append("done"))
    layer.weight.register_hook(lambda grad: 0 * grad)
    x = normal(0, 3, 6)
    y = model(x)
    y.sum().backward()
    assert seen == ["before", "after", "backward", "done"]
    assert torch.equal(y, model[1](2 * type(layer).forward(layer, x)))
    assert layer.weight.grad.abs().sum() == 0
    assert model[1].weight.grad.abs().sum() > 0


def test_hooks_of_the_unconverted_model_are_kept():
    native = nn.Linear(3, 2)
    calls: list[int] = []
    native.register_forward_hook(lambda *_: calls.append(1))
    convert(native, NEAREST)(normal(0, 1, 3))
    assert calls == [1]


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        (["head"], {"head"}),
        (["block.*"], {"block.2"}),
        (["*"], {"stem", "block.2", "up", "attention", "attention.out_proj", "head"}),
        (["attention*"], {"attention", "attention.out_proj"}),
        (["st?m", "up"], {"stem", "up"}),
    ],
)
def test_patterns_leave_layers_as_they_are(skip, left):
    native = build()
    converted = convert(native, "hbfp8_16", skip=skip)
    pairs = zip(native.named_modules(), converted.modules(), strict=True)
    same = {name for (name, old), new in pairs if type(old) is type(new)}
    assert same == left | {"", "block", "block.0", "block.1"}


class Tied(nn.Module):
    """A language model whose head is its embedding, which is read twice a step."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.mix(self.mix(self.embedding(words))))


def test_a_tied_head_and_a_layer_used_twice_have_the_sum_of_both_gradients():
    torch.manual_seed(0)
    model = convert(Tied(), NEAREST)
    assert model.head.weight is model.embedding.weight
    words = torch.tensor([1, 4, 4, 7])
    model(words).square().sum().backward()
    # The same, with a copy for each use.
    apart = copy.deepcopy(model)
    apart.head.weight = nn.Parameter(model.head.weight.detach().clone())
    second = copy.deepcopy(apart.mix)
    hidden = second(apart.mix(apart.embedding(words)))
    apart.zero_grad()
    apart.head(hidden).square().sum().backward()
    for ours, parts in (
        (model.embedding.weight, (apart.embedding.weight, apart.head.weight)),
        (model.mix.weight, (apart.mix.weight, second.weight)),
    ):
        assert torch.allclose(ours.grad, sum(part.grad for part in parts), atol=1e-4)


def test_a_tensor_used_twice_is_rounded_for_each_of_its_uses():
    x = normal(0, 4, 30).requires_grad_()
    left, right = (convert(nn.Linear(30, 5), NEAREST) for _ in range(2))
    (left(x) + right(x)).sum().backward()
    both = x.grad.clone()
    x.grad = None
    left(x).sum().backward()
    right(x).sum().backward()
    assert torch.allclose(both, x.grad, atol=1e-6)
    # A matrix times its own transpose: both operands are the same tensor.
    square = normal(1, 1, 6, 30).requires_grad_()
    bmm(square, square.mT, NEAREST).sum().backward()
    rounded = quantize(square[0], NEAREST.x)
    ones = torch.ones(6, 6)
    assert torch.allclose(square.grad[0], (ones + ones.T) @ rounded, atol=1e-4)


def test_functions_are_products_of_rounded_operands():
    left, right = normal(0, 2, 5, 30), normal(1, 2, 30, 4)
    one = quantize(left[1], NEAREST.x) @ quantize(right[1].T, NEAREST.x).T
    assert torch.allclose(matmul(left, right, NEAREST)[1], one, atol=1e-6)
    assert torch.equal(matmul(left, right, NEAREST), bmm(left, right, NEAREST))


CASES = [
    (
        nn.Conv3d(4, 6, 2, stride=(1, 2, 1), padding=1, dilation=(1, 1, 2), groups=2),
        (2, 4, 5, 5, 5),
    ),
    (nn.ConvTranspose3d(4, 6, 2, stride=2, groups=2, output_padding=1), (2, 4, 3, 3, 3)),
    (nn.Conv1d(6, 6, 3, groups=6, dilation=3), (2, 6, 12)),
    (nn.ConvTranspose1d(4, 6, 3, stride=3, padding=1, dilation=2, groups=2), (2, 4, 7)),
    (nn.LSTM(7, 6, 2, bidirectional=True, proj_size=3), (4, 3, 7)),
    (nn.GRU(7, 6, 2, bidirectional=True, batch_first=True), (3, 4, 7)),
]


@pytest.mark.parametrize(("layer", "shape"), CASES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("blocks", ["sample", "tile", "reduction"])
def test_every_layer_trains_near_fp32_at_16_bits_in_every_choice_of_blocks(layer, shape, blocks):
    choices = {"mantissa_bits": 16, "gradient_rounding": "nearest", "blocks": blocks}
    fine = derive_encoding("fine", base="hbfp8_16", overrides=choices | {"tile": [1, 16]})
    native = copy.deepcopy(layer)
    converted = convert(native, fine)
    assert type(converted) is not type(native)
    gradients = []
    for model in (native, converted):
        x = normal(3, *shape).requires_grad_()
        y = model(x)
        (y[0] if isinstance(y, tuple) else y).sin().sum().backward()
        gradients.append([x.grad, *(p.grad for p in model.parameters())])
    for exact, ours in zip(*gradients, strict=True):
        assert (ours - exact).norm() < 2e-3 * exact.norm() + 1e-5


DISTRIBUTED = """
import sys, torch, torch.distributed as dist
from torch import nn
from equinox.encodings import convert, derive_encoding
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
torch.manual_seed(0)
near = derive_encoding("n", base="hbfp8_16", overrides={"gradient_rounding": "nearest"})
native = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
model = convert(native, near)
parallel = nn.parallel.DistributedDataParallel(model)
x = torch.randn(6, 12, generator=torch.Generator().manual_seed(1))
parallel(x[3 * rank : 3 * rank + 3]).square().sum().backward()
alone = convert(native, near)
alone(x).square().sum().backward()
for ours, theirs in zip(model.parameters(), alone.parameters(), strict=True):
    torch.testing.assert_close(2 * ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)
dist.destroy_process_group()
"""


def test_two_processes_share_gradients_as_one_computes_them(tmp_path, repository):
    # Blocks are samples, so that halves of a batch are rounded as the batch is.
    store = tmp_path / "store"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DISTRIBUTED, str(rank), str(store)],
            stderr=subprocess.PIPE,
            cwd=repository,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=300)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors


def test_a_layer_may_be_converted_and_trained_in_float64():
    model = convert(nn.Linear(6, 4).double(), NEAREST)
    y = model(normal(0, 3, 6).double())
    y.sum().backward()
    assert y.dtype is model.weight.grad.dtype is torch.float64
    assert type(model) is EncodedLinear
