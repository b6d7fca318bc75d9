"""The pages on encodings: their code runs as it stands."""

import re
from pathlib import Path

import pytest
import torch

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
    from equinox.encodings import ENCODINGS

    assert name in ENCODINGS
    assert name in PAGE.read_text()
