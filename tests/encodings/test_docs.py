"""The pages on encodings: their code runs as it stands."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from equinox.encodings import ENCODINGS, BlockFloat, convert, get_encoding
from equinox.encodings.formats import BF16, FP32

PAGE = Path(__file__).parents[2] / "docs" / "hbfp.md"


def test_the_code_of_the_page_runs(capsys):
    torch.manual_seed(0)
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(code) == 6
    names: dict[str, object] = {}
    for part in code:
        exec(compile(part, str(PAGE), "exec"), names)
    assert "signal_to_noise_db" in capsys.readouterr().out
    assert names["narrow"].shape == names["x"].shape


@pytest.mark.parametrize("name", ["hbfp8_16", "mxint8", "mxfp8_e4m3", "mxfp4"])
def test_the_page_names_encodings_that_exist(name):
    assert name in ENCODINGS
    assert name in PAGE.read_text()


def test_the_config_of_the_page_is_an_encoding():
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    entries = yaml.safe_load(text)
    encoding = get_encoding("mine", entries)
    assert encoding.x == BlockFloat(mantissa_bits=6, tile=(1, 16))
    assert encoding.x_backward == BlockFloat(mantissa_bits=8, tile=(1, 16))
    assert (encoding.w_backward, encoding.storage) == (BF16, FP32)
    model = convert(torch.nn.Linear(20, 4), encoding)
    model(torch.ones(3, 20, requires_grad=True)).sum().backward()
    assert model.weight.grad.isfinite().all()
