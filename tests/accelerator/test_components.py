import numpy as np
import pytest

from equinox.accelerator import load_technology


@pytest.fixture(scope="module")
def parts():
    return load_technology("28nm").components


def test_adders_continue_the_line_of_the_table(parts):
    # 2.3085 um2 a bit; 35.235 um2 for 16 bits.
    bits = np.array([8, 16, 17, 32])
    expected = [16.767, 35.235, 35.235 + 2.3085, 35.235 + 16 * 2.3085]
    assert parts.add_int_um2(bits) == pytest.approx(expected)


def test_a_missing_multiplier_names_those_there_are(parts):
    assert parts.multiply_int_um2(8) == 122.715
    with pytest.raises(ValueError, match="no multiplier of 24-bit integers"):
        parts.multiply_int_um2(24)


def test_converters_to_longer_mantissas_continue_the_line(parts):
    six, eight, twelve = (parts.bf16_to_block_um2(bits, 16) for bits in (6, 8, 12))
    assert twelve == pytest.approx(eight + 2 * (eight - six))
    assert parts.bf16_to_block_um2(8, np.array([16, 16])) == pytest.approx([eight, eight])


def test_the_converter_to_blocks_is_nearly_linear_in_the_block(parts):
    assert parts.bf16_to_block_um2(8, 32) == pytest.approx(1695.8, rel=0.01)
    assert parts.bf16_to_block_um2(8, 2) == pytest.approx(260.4, rel=0.05)
