import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox.units import label, parse


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1.1 pJ/byte", "J/byte", 1.1e-12),
        ("0.084 pJ/bit/mm", "J/byte/mm", 0.672e-12),  # 8 bits a byte
        ("2 mm2/MiB", "mm2/byte", 2 / 2**20),
        ("30 mW/MiB", "W/byte", 0.03 / 2**20),
        ("1.5 um2/flipflop", "mm2/flipflop", 1.5e-6),
        ("64 KiB", "byte", 65536),
        ("1 GHz", "Hz", 1e9),
        ("1 KiB", "bit", 8192),
        ("1.4", "1", 1.4),
        (1.4, "1", 1.4),
    ],
)
def test_quantities_are_read_in_internal_units(text, unit, expected):
    assert parse(text, unit) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("20.45", "J/byte"),  # no unit
        ("1 pJ", "J/byte"),
        ("1 pJ/s", "J/byte"),
        ("1 parsec", "mm"),
        ("x pJ", "J"),
        ("nan s", "s"),
        ("inf s", "s"),
        ("", "s"),
        ("1 V", "1"),
    ],
)
def test_another_dimension_is_refused_with_what_to_write(text, unit):
    with pytest.raises(ValueError, match=f'for example "1.5 {unit}"') as error:
        parse(text, unit)
    assert repr(text) in str(error.value)


@given(st.floats(1e-6, 1e6))
def test_a_quantity_written_in_its_internal_unit_is_itself(value):
    assert parse(f"{value!r} J/byte", "J/byte") == value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hbm_interface_mm2", "HBM interface (mm²)"),
        ("wire_j_per_byte_mm", "wire (J/B/mm)"),
        ("budget.dram_gb_per_s", "budget: DRAM (GB/s)"),
        ("timing_area_factor", "timing area factor"),
        ("width, block_accumulator=fp32", "width, block accumulator=fp32"),
    ],
)
def test_names_of_constants_are_said_with_their_unit(name, expected):
    assert label(name) == expected
