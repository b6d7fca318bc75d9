import copy
import logging

import pytest
import torch
from torch import Tensor, nn

from equinox.encodings import ENCODINGS, convert, derive_encoding
from equinox.encodings.conversion import encoded_weights
from equinox.encodings.modules import EncodedConv2d, EncodedLinear

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
