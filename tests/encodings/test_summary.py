import math

import pytest
import torch
from torch import nn

from equinox.encodings import BlockFloat, Encoding, convert, get_encoding, summarize
from equinox.encodings.formats import FP32


def layer() -> nn.Linear:
    module = nn.Linear(4, 1, bias=False)
    # With 4 bits, the largest, 15, makes the step 2: 15 saturates at 14, and 0.5 becomes 0.
    module.weight.data = torch.tensor([[15.0, 0.5, 2.0, 0.0]])
    return module


def test_shares_and_noise_of_a_worked_example():
    w = BlockFloat(mantissa_bits=4, tile=(1, None))
    encoding = Encoding(name="mine", x=FP32, w=w, grad=w, storage=FP32)
    summary = summarize(convert(layer(), encoding), torch.ones(2, 4)).set_index("operand")
    row = summary.loc["w"]
    assert (row.layer, row.encoding, row["values"], row.blocks) == ("", "mine", 4, 1)
    assert row.saturated_share == 1 / 4
    assert row.flushed_share == 1 / 3  # zero is no value to lose
    signal, noise = 15**2 + 0.5**2 + 2**2, 1 + 0.5**2
    assert row.signal_to_noise_db == pytest.approx(10 * math.log10(signal / noise))
    assert summary.loc["x"].signal_to_noise_db == math.inf


def test_gradients_are_summarized_with_a_loss_and_the_model_stays_as_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 30), nn.BatchNorm1d(30), nn.Linear(30, 50))
    model = convert(model, "hbfp8_16")
    x = torch.randn(8, 40)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summary = summarize(model, x, loss=lambda y: y.square().sum())
    assert list(zip(summary.layer, summary.operand, strict=True)) == [
        ("0", "x"), ("0", "w"), ("2", "x"), ("2", "w"), ("2", "grad"), ("0", "grad"),
    ]  # fmt: skip
    assert summary.blocks.tolist() == [8, 4, 8, 6, 8, 8]
    assert summary.signal_to_noise_db.between(30, 60).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model[0].operands.observer is None


@pytest.mark.parametrize("name", ["int8", "fp8_e4m3", "mxfp8_e4m3", "mxfp4", "bf16"])
def test_any_encoding_is_summarized(name):
    torch.manual_seed(0)
    summary = summarize(convert(nn.Linear(64, 30), name), torch.randn(3, 64)).set_index("operand")
    expected = {"int8": 1, "fp8_e4m3": 1, "bf16": 192}.get(name, 6)
    assert summary.loc["x"].blocks == expected
    bits = get_encoding(name).w.mantissa_bits
    assert summary.signal_to_noise_db.between(6 * bits - 8, 6 * bits + 10).all()
    # Of a scale that brings the largest to the top binade, its upper part is lost.
    assert (summary.saturated_share.max() > 0) == (name in ("mxfp8_e4m3", "mxfp4", "fp8_e4m3"))


def test_a_model_that_is_not_converted_is_refused():
    with pytest.raises(ValueError, match="no encoded layer"):
        summarize(layer(), torch.ones(1, 4))
