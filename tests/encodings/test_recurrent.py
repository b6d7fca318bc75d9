"""Own recurrent layers against those of PyTorch, and their gradients against autograd."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import convert, derive_encoding, get_encoding, quantize

CASES = list(itertools.product([nn.LSTM, nn.GRU], [False, True], [False, True], [False, True]))


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kind", "batch_first", "bidirectional", "bias"), CASES)
def test_in_fp32_values_and_gradients_are_those_of_pytorch(kind, batch_first, bidirectional, bias):
    torch.manual_seed(0)
    native = kind(5, 7, 2, bias=bias, batch_first=batch_first, bidirectional=bidirectional)
    own = convert(native, "fp32")
    state = normal(1, 4 if bidirectional else 2, 4 if batch_first else 3, 7)
    results = []
    for layer in (native, own):
        x, h = normal(0, 4, 3, 5).requires_grad_(), state.clone().requires_grad_()
        y, last = layer(x, (h, h.sin()) if kind is nn.LSTM else h)
        last = last if kind is nn.LSTM else (last,)
        loss = y.pow(3).sum() + sum(part.square().sum() for part in last)
        inputs = [x, h, *layer.parameters()]
        results.append([y, *last, *torch.autograd.grad(loss, inputs)])
    for theirs, ours in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_without_a_state_and_without_a_batch_it_starts_from_zero(kind):
    torch.manual_seed(0)
    native = kind(5, 7)
    own = convert(native, "fp32")
    x = normal(0, 4, 5)
    theirs, ours = native(x), own(x)
    assert torch.allclose(ours[0], theirs[0], atol=1e-6)
    assert ours[0].shape == theirs[0].shape


def test_every_product_of_an_lstm_step_reads_rounded_operands():
    torch.manual_seed(0)
    native = nn.LSTM(5, 7)
    encoding = get_encoding("hbfp4_16")
    x, h, c = normal(0, 1, 3, 5), normal(1, 1, 3, 7), normal(2, 1, 3, 7)
    y, _ = convert(native, encoding)(x, (h, c))
    gates = (
        quantize(x[0], encoding.x) @ quantize(native.weight_ih_l0, encoding.w).T
        + quantize(h[0], encoding.x) @ quantize(native.weight_hh_l0, encoding.w).T
        + native.bias_ih_l0 + native.bias_hh_l0
    )  # fmt: skip
    i, f, g, o = gates.chunk(4, -1)
    expected = o.sigmoid() * (f.sigmoid() * c[0] + i.sigmoid() * g.tanh()).tanh()
    assert torch.allclose(y[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("blocks", ["sample", "tile", "reduction"])
def test_gradients_approach_those_of_fp32_as_mantissas_grow(kind, blocks):
    torch.manual_seed(0)
    native = kind(5, 7)
    x = normal(0, 6, 3, 5)
    errors = []
    exact = _weight_gradients(native, x)
    for bits in (6, 10, 14):
        encoding = derive_encoding(
            "e", base="hbfp8_16", overrides={"mantissa_bits": bits, "blocks": blocks}
        )
        ours = _weight_gradients(convert(native, encoding), x)
        errors.append((ours - exact).norm() / exact.norm())
    assert errors[0] < 0.2
    # Four bits are a factor of 16; 6 leaves room for chance.
    assert errors[0] > 6 * errors[1] > 36 * errors[2] > 0


def _weight_gradients(layer: nn.Module, x: Tensor) -> Tensor:
    y, _ = layer(x)
    grads = torch.autograd.grad(y.square().sum(), list(layer.parameters()))
    return torch.cat([grad.flatten() for grad in grads])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
def test_packed_sequences_are_those_of_pytorch(kind, bidirectional, with_state):
    torch.manual_seed(0)
    native = kind(5, 7, 2, bidirectional=bidirectional)
    own = convert(native, "fp32")
    sequences = [normal(seed, length, 5) for seed, length in enumerate((2, 6, 4, 6, 1))]
    packed = nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    h = normal(9, 4 if bidirectional else 2, 5, 7)
    state = ((h, h.sin()) if kind is nn.LSTM else h) if with_state else None
    results = []
    for layer in (native, own):
        y, last = layer(packed, state)
        last = last if kind is nn.LSTM else (last,)
        loss = y.data.pow(3).sum() + sum(part.square().sum() for part in last)
        results.append([y.data, *last, *torch.autograd.grad(loss, list(layer.parameters()))])
    for theirs, ours in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_packed_sequences_are_rounded_as_each_of_them_alone(kind):
    # An exponent serves one time step of one sequence, whatever is beside it.
    torch.manual_seed(0)
    own = convert(kind(5, 7, 2, bidirectional=True), "hbfp12_16")
    sequences = [normal(seed, length, 5) * 4.0**seed for seed, length in enumerate((2, 6, 4, 1))]
    packed = nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    together, lengths = nn.utils.rnn.pad_packed_sequence(own(packed)[0])
    for i, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        assert torch.allclose(together[:length, i], own(sequence)[0], atol=1e-3)


@pytest.mark.parametrize("bias", [False, True])
def test_projected_lstm_is_that_of_pytorch(bias):
    torch.manual_seed(0)
    native = nn.LSTM(5, 7, 2, proj_size=3, bidirectional=True, bias=bias)
    own = convert(native, "fp32")
    x = normal(0, 6, 4, 5)
    results = []
    for layer in (native, own):
        y, (h, c) = layer(x)
        loss = y.pow(3).sum() + h.sum() + c.sum()
        results.append([y, h, c, *torch.autograd.grad(loss, list(layer.parameters()))])
    for theirs, ours in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_wrong_sizes_are_named(kind):
    layer = convert(kind(5, 4), "hbfp8_16")
    with pytest.raises(ValueError, match="x has 6 features; the layer takes 5"):
        layer(torch.zeros(3, 2, 6))
    for shape in ((2, 2, 4), (1, 3, 4), (1, 2, 5), (2, 4)):
        state = torch.zeros(shape)
        with pytest.raises(ValueError, match=r"a state of shape .* must be of shape \(1, 2, 4\)"):
            layer(torch.zeros(3, 2, 5), (state, state) if kind is nn.LSTM else state)


@pytest.mark.parametrize("layout", ["batch", "single", "packed"])
def test_a_state_that_is_not_a_pair_or_not_a_tensor_is_told(layout):
    x = torch.zeros(3, 5) if layout == "single" else torch.zeros(3, 2, 5)
    h = torch.zeros(2, 4) if layout == "single" else torch.zeros(2, 2, 4)
    if layout == "packed":
        x = nn.utils.rnn.pack_padded_sequence(x, [3, 2])
    lstm, gru = (convert(kind(5, 4, num_layers=2), "hbfp8_16") for kind in (nn.LSTM, nn.GRU))
    expected = r"an LSTM expects a tuple of two, the states \(h, c\)"
    for states, given in ((h, "one Tensor"), ((h,), "1 tensors"), ((h,) * 3, "3 tensors")):
        with pytest.raises(ValueError, match=f"hx is {given}; {expected}"):
            lstm(x, states)
    with pytest.raises(ValueError, match="hx is a tuple; a GRU expects one tensor, the state h"):
        gru(x, (h, h))


def test_two_states_may_come_in_a_list_as_in_pytorch():
    lstm, x, h = convert(nn.LSTM(5, 4), "hbfp8_16"), normal(0, 3, 2, 5), normal(1, 1, 2, 4)
    assert torch.equal(lstm(x, [h, h])[0], lstm(x, (h, h))[0])


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="EncodedGRU takes 2 or 3 dims, not 4"):
        convert(nn.GRU(5, 7), "fp32")(normal(0, 1, 2, 3, 5))
