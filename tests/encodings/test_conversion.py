import copy
import io
import logging

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import (
    ENCODINGS,
    convert,
    derive_encoding,
    encoded_weights,
    load_rounding_state,
    rounding_state,
    set_encoding,
    wide_weights,
)
from equinox.encodings.functional import linear
from equinox.encodings.modules import EncodedConv2d, EncodedLinear
from equinox.encodings.operands import Operands

# With 22 bits and 1-value tiles, encoded products agree with PyTorch's to float32 accuracy.
FINE = derive_encoding(
    "fine", base="hbfp8_16",
    overrides={"mantissa_bits": 24, "storage_bits": 32, "tile": [1, 1], "blocks": "tile"},
)  # fmt: skip


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """One of each layer, a shared weight, and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.mix = nn.Conv2d(6, 8, (3, 5), (2, 1), (1, 2), groups=2, padding_mode="circular")
        self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1)
        self.along = nn.Conv1d(4 * 6, 10, 3, dilation=2)
        self.rnn = nn.GRU(10, 5)
        self.embedding = nn.Embedding(7, 5)
        self.head = nn.Linear(5, 7)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(self.norm(self.stem(x)).relu())
        x = self.along(self.up(x)[..., :6].flatten(1, 1).transpose(2, 3).flatten(1, 2))
        return self.head(self.rnn(x.permute(2, 0, 1))[0][-1])


def build() -> Net:
    torch.manual_seed(0)
    return Net()


def test_a_converted_model_computes_the_same_function_up_to_rounding():
    net, x = build(), normal(0, 3, 1, 8, 8)
    converted = convert(net, FINE)
    y, expected = converted(x), net(x)
    assert torch.allclose(y, expected, atol=1e-5)
    y.square().sum().backward()
    expected.square().sum().backward()
    for ours, theirs in zip(converted.parameters(), net.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-4)


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_trains_any_layer_and_keeps_the_state_dict(name):
    net = build()
    converted = convert(net, name)
    assert list(converted.state_dict()) == list(net.state_dict())
    converted.load_state_dict(net.state_dict())
    converted(normal(0, 3, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in converted.parameters())
    assert all(p.grad is None for p in net.parameters())
    copy.deepcopy(converted)(normal(0, 3, 1, 8, 8))


def test_layers_stay_native_in_fp32_but_recurrent_ones_share_their_code():
    converted = convert(build(), "fp32")
    assert type(converted.stem) is nn.Conv2d
    assert type(converted.head) is nn.Linear
    assert type(converted.rnn) is not nn.GRU


def test_sharing_of_weights_is_kept():
    converted = convert(build(), "hbfp8_16")
    assert converted.head.weight is converted.embedding.weight
    assert len(list(encoded_weights(converted))) == 7


def test_a_model_may_be_a_single_layer():
    layer = nn.Linear(3, 2)
    assert type(convert(layer, "hbfp8_16")) is EncodedLinear
    assert type(layer) is nn.Linear


def test_patterns_skip_modules():
    converted = convert(build(), "hbfp8_16", skip=["head", "st*"])
    assert type(converted.head) is nn.Linear
    assert type(converted.stem) is nn.Conv2d
    assert type(converted.mix) is EncodedConv2d


def test_a_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(ValueError, match="skip pattern 'haed' matches no module"):
        convert(build(), "hbfp8_16", skip=["haed"])


def test_a_converted_model_is_converted_to_another_encoding(caplog):
    x, coarse = normal(0, 3, 12), convert(two_layers(), "hbfp4_16", seed=1)
    finer = convert(coarse, {"0": "hbfp12_16"}, seed=2)
    names = [finer[i].operands.encoding.name for i in (0, 2)]
    assert names == ["hbfp12_16", "hbfp4_16"]
    assert finer[0].operands.generator is finer[2].operands.generator
    assert finer[0].operands.generator is not coarse[0].operands.generator
    assert torch.allclose(convert(coarse, "fp32")(x), two_layers()(x), atol=1e-6)
    assert torch.equal(convert(coarse, "int8")(x), convert(two_layers(), "int8")(x))
    assert not caplog.text


@pytest.mark.parametrize(
    ("encoding", "skip", "message"),
    [
        (None, (), "an encoding is None; give an Encoding"),
        ({"0": 8}, (), "an encoding is 8; give an Encoding"),
        ({}, (), "no encoding is given"),
        ("hbfp8_16", "head", r"skip is 'head'; write a list of patterns, as \['head'\]"),
    ],
)
def test_a_wrong_argument_is_named(encoding, skip, message):
    with pytest.raises(ValueError, match=message):
        convert(two_layers(), encoding, skip=skip)


def test_complex_layers_stay_as_they_are(caplog):
    layer = nn.Linear(3, 2, dtype=torch.complex64)
    assert type(convert(nn.Sequential(layer), "hbfp8_16")[0]) is nn.Linear
    assert "0 (Linear) is complex and stays as it is" in caplog.text


def test_layers_left_in_fp32_are_named(caplog):
    with caplog.at_level(logging.WARNING):
        convert(nn.Sequential(nn.Bilinear(2, 2, 2)), "hbfp8_16")
    assert "0 (Bilinear) stays in FP32" in caplog.text


def test_a_seed_fixes_stochastic_rounding():
    stochastic = derive_encoding("s", base="hbfp4_16", overrides={"rounding": "stochastic"})
    x = normal(0, 3, 1, 8, 8)
    first, again, other = (convert(build(), stochastic, seed=seed)(x) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_single_image_is_a_batch_of_one():
    layer = convert(nn.Conv2d(1, 2, 3), "hbfp8_16")
    x = normal(0, 1, 5, 5)
    assert torch.equal(layer(x), layer(x.unsqueeze(0))[0])


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))


def test_layers_may_have_encodings_of_their_own_and_the_first_match_counts():
    mixed = convert(two_layers(), {"0": "hbfp12_16", "*": "hbfp4_16"})
    assert mixed[0].operands.encoding.name == "hbfp12_16"
    assert mixed[2].operands.encoding.name == "hbfp4_16"
    assert mixed[0].operands.generator is mixed[2].operands.generator
    partly = convert(two_layers(), {"2": "hbfp4_16"})
    assert type(partly[0]) is nn.Linear
    with pytest.raises(ValueError, match="encoding pattern '9' matches no module"):
        convert(two_layers(), {"9": "hbfp4_16"})


def test_the_encoding_may_change_between_epochs():
    model, x = convert(two_layers(), "hbfp4_16"), normal(0, 3, 12)
    coarse = model(x)
    set_encoding(model, "hbfp12_16")
    assert torch.equal(model(x), convert(two_layers(), "hbfp12_16")(x))
    set_encoding(model, {"*": "hbfp4_16"})
    assert torch.equal(model(x), coarse)
    set_encoding(model, {"2": "hbfp6_16"})
    names = [model[i].operands.encoding.name for i in (0, 2)]
    assert names == ["hbfp4_16", "hbfp6_16"]
    with pytest.raises(ValueError, match="no encoded layer"):
        set_encoding(two_layers(), "hbfp4_16")


def train_steps(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        model(normal(step, 6, 12)).square().mean().backward()
        optimizer.step()


def prepare(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    everywhere = {"rounding": "stochastic", "storage_rounding": "stochastic"}
    encoding = derive_encoding("s", base="hbfp4_16", overrides=everywhere)
    model = convert(two_layers(), encoding, seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    return model, wide_weights(optimizer, encoding, seed=seed)


def test_a_run_is_resumed_bit_for_bit_with_stochastic_rounding_everywhere():
    model, optimizer = prepare(0)
    train_steps(model, optimizer, range(3))
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict(), rounding_state(model)], file)
    train_steps(model, optimizer, range(3, 6))
    file.seek(0)
    weights, of_optimizer, rounding = torch.load(file)
    resumed, other = prepare(99)
    resumed.load_state_dict(weights)
    other.load_state_dict(of_optimizer)
    load_rounding_state(resumed, rounding)
    train_steps(resumed, other, range(3, 6))
    for ours, theirs in zip(resumed.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert set(weights) == set(two_layers().state_dict())
    with pytest.raises(ValueError, match="no encoded layer"):
        rounding_state(two_layers())


class Named(nn.Linear):
    """A linear layer with a name."""

    def describe(self) -> str:
        return "named"


class Doubled(nn.Linear):
    """A linear layer that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class EncodedDoubled(Doubled):
    """How a user encodes it."""

    operands: Operands

    def forward(self, x: Tensor) -> Tensor:
        return 2 * linear(x, self.weight, self.bias, self.operands)


def test_a_subclass_that_computes_as_its_base_is_encoded_and_remains_one(caplog):
    net, x = nn.Sequential(Named(6, 4), Doubled(4, 3)), normal(0, 2, 6)
    converted = convert(net, "hbfp8_16")
    assert isinstance(converted[0], Named)
    assert isinstance(converted[0], EncodedLinear)
    assert converted[0].describe() == "named"
    assert type(converted[1]) is Doubled
    assert "1 (Doubled) stays in FP32" in caplog.text
    assert torch.equal(copy.deepcopy(converted)(x), converted(x))


def test_a_user_says_how_other_layers_are_encoded():
    layer = Doubled(6, 4)
    converted = convert(layer, "hbfp8_16", layers={Doubled: EncodedDoubled})
    plain = nn.Linear(6, 4)
    plain.load_state_dict(layer.state_dict())
    x = normal(0, 3, 6)
    assert torch.equal(converted(x), 2 * convert(plain, "hbfp8_16")(x))


def test_hooks_and_autocast_work_as_before():
    model = two_layers()
    seen = []
    model[0].register_forward_hook(lambda module, args, y: seen.append(y.shape))
    converted = convert(model, "hbfp8_16")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        converted(normal(0, 3, 12)).sum().backward()
    assert seen == [(3, 8)]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolution_takes_single_samples_and_output_sizes(dims):
    torch.manual_seed(0)
    native = getattr(nn, f"ConvTranspose{dims}d")(2, 3, 3, stride=2)
    converted, x = convert(native, FINE), normal(0, 2, *[4] * dims)
    size = [10] * dims
    assert torch.allclose(converted(x), native(x), atol=1e-5)
    assert torch.allclose(converted(x[None], size), native(x[None], size), atol=1e-5)
