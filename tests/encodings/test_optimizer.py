import copy

import pytest
import torch
from torch import nn

from equinox.encodings import convert, derive_encoding, get_encoding, quantize, wide_weights
from equinox.encodings.conversion import encoded_weights

STOCHASTIC = derive_encoding("s", base="hbfp8_8", overrides={"storage_rounding": "stochastic"})

# The stream that rounds gradients is not in the state of a module, which keeps its keys.
NEAREST = {"gradient_rounding": "nearest"}


def build(encoding, **options):
    torch.manual_seed(0)
    net = convert(nn.Sequential(nn.Linear(30, 40), nn.BatchNorm1d(40), nn.Linear(40, 5)), encoding)
    groups = [{"params": net[0].parameters()}, {"params": [*net[1:].parameters()], "lr": 0.02}]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9)
    return net, wide_weights(optimizer, encoding, **options)


def step(net, optimizer, seed=0):
    x = torch.randn(8, 30, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["hbfp8_16", "hbfp8_8", "bfp8"])
def test_weights_are_always_in_the_storage_format_and_nothing_else_is(name):
    storage = get_encoding(name).storage
    net, optimizer = build(name)
    for seed in range(3):
        for layer in (net[0], net[2]):
            assert torch.equal(quantize(layer.weight, storage), layer.weight)
        step(net, optimizer, seed)
    assert not torch.equal(quantize(net[0].bias, storage), net[0].bias)


def test_an_update_below_half_a_step_is_lost_in_narrow_storage_only():
    kept = {}
    for name in ("hbfp8_8", "hbfp8_16", "fp32"):
        weight = nn.Parameter(torch.tensor([[1.0, 1.5]]))
        optimizer = wide_weights(torch.optim.SGD([weight], lr=1.0), name)
        for _ in range(10):
            weight.grad = torch.tensor([[1e-3, 0.0]])  # the step of 8 bits is 1/64 for both
            optimizer.step()
        kept[name] = weight[0, 0].item()
    assert kept["hbfp8_8"] == 1.0
    assert kept["hbfp8_16"] == pytest.approx(0.99, abs=1e-3)
    assert kept["fp32"] == pytest.approx(0.99, abs=1e-6)


def test_stochastic_storage_keeps_small_updates_on_average():
    weight = nn.Parameter(torch.ones(100, 100))
    weight.data[:, ::24] = 1.5  # keeps the exponent of each tile where it is
    optimizer = wide_weights(torch.optim.SGD([weight], lr=1.0), STOCHASTIC)
    for _ in range(10):
        weight.grad = torch.full((100, 100), 1e-3)
        weight.grad[:, ::24] = 0.0
        optimizer.step()
    assert weight[:, 1:24].mean().item() == pytest.approx(0.99, abs=2e-3)


@pytest.mark.parametrize("storage_rounding", ["nearest", "stochastic"])
def test_a_resumed_run_continues_with_the_same_weights(storage_rounding):
    overrides = NEAREST | {"storage_rounding": storage_rounding}
    encoding = derive_encoding("resumed", base="hbfp8_16", overrides=overrides)
    net, optimizer = build(encoding)
    step(net, optimizer, 0)
    saved, state = copy.deepcopy((net.state_dict(), optimizer.state_dict()))
    step(net, optimizer, 1)
    resumed, other = build(encoding, seed=99)
    resumed.load_state_dict(saved)
    other.load_state_dict(state)
    step(resumed, other, 1)
    assert torch.equal(net[0].weight, resumed[0].weight)


def test_the_seed_of_stored_weights_is_zero_unless_it_is_given():
    weights = [build(STOCHASTIC, **options)[0][0].weight for options in ({}, {"seed": 0})]
    assert torch.equal(*weights)
    assert not torch.equal(weights[0], build(STOCHASTIC, seed=1)[0][0].weight)


def test_a_closure_and_schedules_work_as_before():
    net, optimizer = build("hbfp8_16")
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)

    def closure():
        optimizer.zero_grad()
        loss = net(torch.ones(8, 30)).square().mean()
        loss.backward()
        return loss

    assert optimizer.step(closure).isfinite()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


def test_only_the_given_weights_are_stored_narrowly():
    torch.manual_seed(0)
    net = convert(nn.Sequential(nn.Embedding(5, 8), nn.Linear(8, 3)), "hbfp8_8")
    before = net[0].weight.clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    wide_weights(optimizer, "hbfp8_8", weights=encoded_weights(net))
    assert torch.equal(net[0].weight, before)
    assert torch.equal(quantize(net[1].weight, get_encoding("hbfp8_8")), net[1].weight)


def test_an_optimizer_without_weights_is_an_error():
    with pytest.raises(ValueError, match="no parameter of the optimizer is a weight"):
        wide_weights(torch.optim.SGD([nn.Parameter(torch.ones(3))], lr=0.1), "hbfp8_8")
