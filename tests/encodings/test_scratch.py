"""Memory that rounded operands share: no two that live at once have the same."""

import copy
import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from equinox.encodings import convert, derive_encoding, get_encoding, operands, scratch
from equinox.encodings.functional import linear
from equinox.encodings.operands import Operands
from equinox.encodings.scratch import is_dense, scratch_like

NEAREST = derive_encoding("n", base="hbfp8_16", overrides={"gradient_rounding": "nearest"})


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def memory(x: Tensor) -> int:
    return x.untyped_storage().data_ptr()


def test_each_purpose_has_memory_of_its_own_that_the_next_call_takes_over():
    x = scratch_like(torch.empty(40, 50), "test of x")
    w = scratch_like(torch.empty(40, 50), "test of w")
    assert memory(x) != memory(w)
    assert memory(scratch_like(torch.empty(30), "test of x")) == memory(x)
    larger = scratch_like(torch.empty(400, 500), "test of x")
    larger.fill_(1.0)
    x.fill_(0.0)  # what was handed out before still has its memory
    assert larger.min() == 1.0


@pytest.mark.parametrize(
    "like",
    [
        torch.empty(3, 4, 5, 6).contiguous(memory_format=torch.channels_last),
        torch.empty(7, 5).T, torch.empty(()), torch.empty(0, 3), torch.empty(1, 9)[:, ::1],
    ],
)  # fmt: skip
def test_dense_layouts_are_kept(like):
    scratch = scratch_like(like, "x")
    assert (scratch.shape, scratch.stride()) == (like.shape, like.stride())


@pytest.mark.parametrize(
    "like", [torch.empty(6, 8)[:, ::2], torch.empty(5, 1).expand(5, 4), torch.empty(6, 8)[:, :5]]
)
def test_other_layouts_become_contiguous(like):
    assert not is_dense(like)
    scratch = scratch_like(like, "x")
    assert scratch.shape == like.shape
    assert scratch.is_contiguous()


def test_there_is_none_of_another_type_or_device():
    assert scratch_like(torch.empty(3, dtype=torch.float64), "x") is None
    assert scratch_like(torch.empty(3, device="meta"), "x") is None


def test_a_thread_has_memory_of_its_own():
    mine = scratch_like(torch.empty(100), "x")
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(scratch_like, torch.empty(100), "x").result()
    assert memory(mine) != memory(other)


def test_memory_of_an_evaluation_in_inference_mode_serves_the_training_after_it():
    def train() -> None:
        model = convert(nn.Linear(40, 30), "hbfp8_16")
        with torch.inference_mode():
            model(normal(0, 50, 40))
            operands.scratch_like(torch.empty(60, 40), "rows")
        model(normal(0, 50, 40)).sum().backward()  # a gradient whose strides are zero is copied

    with ThreadPoolExecutor(1) as pool:  # a thread that has no memory yet
        pool.submit(train).result()


def test_a_tensor_may_be_activation_and_weight_of_one_product():
    encoding = get_encoding("hbfp4_16")
    x = normal(0, 30, 30).requires_grad_()
    y = linear(x, x, None, Operands(encoding=encoding, generator=torch.Generator()))
    apart = linear(x, x.detach().clone(), None, Operands(encoding=encoding))
    assert torch.equal(y, apart)


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(),
        nn.Linear(144, 200), nn.Tanh(), nn.Linear(200, 20),
    )  # fmt: skip


def gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


@pytest.mark.parametrize("encoding", [NEAREST, "hbfp8_16", "mxfp8_e4m3", "int8"])
def test_steps_that_overlap_compute_what_each_computes_alone(encoding):
    inputs = [normal(seed, 4 + seed, 2, 8, 8) for seed in range(3)]
    outputs, results = [], []
    for x in inputs:
        model = convert(layers(), encoding)
        y = model(x)
        outputs.append(y.detach().clone())
        results.append(gradients(model, y.square().sum()))
    # All forward passes first, then the backward passes from the first to the last.
    models = [convert(layers(), encoding) for _ in inputs]
    ys = [model(x) for model, x in zip(models, inputs, strict=True)]
    for model, y, output, expected in zip(models, ys, outputs, results, strict=True):
        assert torch.equal(y, output)
        found = gradients(model, y.square().sum())
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_graph_may_be_gone_through_twice():
    model = convert(layers(), NEAREST)
    loss = model(normal(0, 4, 2, 8, 8)).square().sum()
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in model.parameters()]
    model(normal(1, 9, 2, 8, 8)).sum().item()  # another forward pass in between
    loss.backward()
    for parameter, grad in zip(model.parameters(), once, strict=True):
        assert torch.equal(parameter.grad, 2 * grad)


@pytest.mark.parametrize("reentrant", [True, False])
def test_layers_may_be_computed_again_within_the_backward_pass(reentrant):
    model, x = convert(layers(), NEAREST), normal(0, 4, 2, 8, 8).requires_grad_()
    expected = gradients(model, model(x).square().sum())
    y = x
    for layer in model:
        y = checkpoint(layer, y, use_reentrant=reentrant)
    y.square().sum().backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), expected, strict=True))


def test_models_train_on_threads_at_once_as_one_after_another():
    def train(seed: int) -> list[Tensor]:
        model = convert(copy.deepcopy(start), "hbfp8_16", seed=seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for step in range(4):
            optimizer.zero_grad()
            model(normal(10 * seed + step, 4 + seed, 2, 8, 8)).square().sum().backward()
            optimizer.step()
        return [p.detach() for p in model.parameters()]

    start = layers()
    alone = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(train, range(4)))
    for ours, theirs in zip(together, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("batch", "roundings_of_weight"), [(3, 2), (64, 1)])
def test_a_weight_that_is_small_beside_the_activations_is_rounded_once_a_step(
    monkeypatch, batch, roundings_of_weight
):
    model = convert(nn.Conv2d(4, 4, 3, padding=1), NEAREST)
    rounded: list[tuple[int, ...]] = []
    encode = operands.encode

    def counted(x, *arguments, **options):
        rounded.append(tuple(x.shape))
        return encode(x, *arguments, **options)

    monkeypatch.setattr(operands, "encode", counted)
    x = normal(1, batch, 4, 6, 6).requires_grad_()
    model(x).square().sum().backward()
    assert rounded.count((4, 4, 3, 3)) == roundings_of_weight
    assert rounded.count((batch, 4, 6, 6)) == 3  # twice activations, once a gradient


@pytest.mark.parametrize("batch", [3, 64])
def test_a_weight_that_changes_before_the_backward_pass_is_refused(batch):
    model = convert(nn.Conv2d(4, 4, 3, padding=1), NEAREST)
    loss = model(normal(1, batch, 4, 6, 6)).sum()
    with torch.no_grad():
        model.weight.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_weight_that_the_backward_pass_rounds_otherwise_is_not_rounded_for_it_before(monkeypatch):
    encoding = derive_encoding("b", base="hbfp8_16", overrides={"w_backward": "hbfp4_16"})
    model = convert(nn.Conv2d(4, 4, 3, padding=1), encoding)
    roles: list[str] = []
    observed = operands.Operands._encode

    def seen(self, role, *arguments, **options):
        roles.append(role)
        return observed(self, role, *arguments, **options)

    monkeypatch.setattr(operands.Operands, "_encode", seen)
    model(normal(1, 64, 4, 6, 6))
    assert roles == ["x", "w"]


@pytest.mark.parametrize("named", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_settings_of_malloc_in_the_environment_are_left_alone(monkeypatch, named):
    called: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *arguments: called.append(arguments))
    monkeypatch.setattr(scratch.ctypes, "CDLL", lambda _: library)
    for name in [n for n in os.environ if n.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    scratch._keep_freed_memory.__wrapped__()
    assert called == [(-1, 256 * 1024**2), (-3, 32 * 1024**2)]
    monkeypatch.setenv(named, "0")
    scratch._keep_freed_memory.__wrapped__()
    assert len(called) == 2


@pytest.mark.parametrize("error", [None, OSError, TypeError])
def test_without_gnu_malloc_nothing_is_set(monkeypatch, error):
    def library(_):
        if error is not None:
            raise error
        return SimpleNamespace()

    for name in [n for n in os.environ if n.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(scratch.ctypes, "CDLL", library)
    scratch._keep_freed_memory.__wrapped__()
