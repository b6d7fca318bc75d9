import pytest

from equinox.encodings import ENCODINGS, get_encoding
from equinox.training.describe import describe_encoding


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fp32", (24, 8, "value", "value", 24, "nearest", "nearest")),
        ("bf16", (8, 8, "value", "value", 24, "nearest", "nearest")),
        ("hbfp8_16", (8, 10, "24x24", "sample", 16, "stochastic", "nearest")),
        ("bfp8", (8, 10, "tensor", "tensor", 8, "stochastic", "nearest")),
        ("int8", (8, 0, "tensor", "tensor", 24, "nearest", "nearest")),
    ],
)
def test_known_encodings(name, expected):
    assert tuple(describe_encoding(get_encoding(name)).values()) == expected


def test_tiles_of_a_derived_encoding():
    extra = {"mine": {"base": "hbfp4_16", "tile": [8, 64], "storage_rounding": "stochastic"}}
    described = describe_encoding(get_encoding("mine", extra))
    assert tuple(described.values()) == (4, 10, "8x64", "sample", 16, "stochastic", "stochastic")


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_has_a_description(name):
    described = describe_encoding(ENCODINGS[name])
    assert described["tile"]
    assert described["mantissa_bits"] >= 1
