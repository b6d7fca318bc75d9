import numpy as np
import pytest

from equinox.accelerator import load_technology, unit_cost


@pytest.fixture(scope="module")
def technology():
    return load_technology("28nm")


def per_mac(encoding, width, technology):
    cost = unit_cost(encoding, width, technology)
    area_um2 = sum(cost.area_mm2.values()) / width * 1e6
    return area_um2, sum(cost.energy_j.values()) / width * 1e12


def test_an_int8_unit_by_hand(technology):
    # um2: 16 multipliers of 122.715; 15 adders of 16 + 4 bits, 35.235 + 4 x 2.3085; an accumulator
    # of 32 bits, 35.235 + 16 x 2.3085; 16 x 32 + 32 flip-flops of 1.55. Clocked 1.2, placed 0.75.
    cells = 16 * 122.715 + 15 * 44.469 + 72.171 + 544 * 1.55
    # pJ: 16 x 0.106; 15 x 20 bits and 32 bits of 0.00166; 544 flip-flops of 0.0045; clock 15 %.
    energy = (16 * 0.106 + 332 * 0.00166 + 544 * 0.0045) * 1.15
    assert per_mac("int8", 16, technology) == pytest.approx((cells * 1.6 / 16, energy / 16))


def test_a_block_unit_by_hand(technology):
    # As int8, but with an adder of 10-bit exponents, a converter of 20-bit sums (the table ends at
    # 16 bits: 136.9305, 7.59375 a bit), a bf16 adder, and registers of two exponents and 118 bits.
    converter = 136.9305 + 4 * (136.9305 - 121.743) / 2
    cells = 16 * 122.715 + 15 * 44.469 + 21.384 + converter + 173.137 + (512 + 20 + 118) * 1.55
    # pJ: 300 + 10 bits of adders; the converter as a bf16 adder of its area.
    logic = 16 * 0.106 + 310 * 0.00166 + 0.146 * (1 + converter / 173.137)
    energy = (logic + 650 * 0.0045) * 1.15
    expected = (cells * 1.6 / 16, energy / 16)
    assert per_mac("hbfp8_16", 16, technology) == pytest.approx(expected, rel=1e-5)


def test_a_bf16_unit_has_an_fp32_accumulator_for_each_pair(technology):
    # um2: multiplier 135.837, FP32 adder 485.271; flip-flops: two operands of 16 bits, a product of
    # 8 + 8 digits, exponent and sign 9, and 247 of the accumulator. pJ: 0.36 + 0.477.
    flipflops = 32 + 25 + 247
    area = (135.837 + 485.271 + flipflops * 1.55) * 1.6
    energy = (0.36 + 0.477 + flipflops * 0.0045) * 1.15
    assert per_mac("bf16", 1, technology) == pytest.approx((area, energy), rel=1e-6)
    assert per_mac("bf16", 64, technology) == pytest.approx((area, energy), rel=1e-6)


def test_the_overhead_of_blocks_shrinks_with_the_width(technology):
    ratios = [
        np.divide(per_mac("hbfp8_16", w, technology), per_mac("int8", w, technology))
        for w in (4, 8, 16, 32, 64)
    ]
    assert (np.diff(ratios, axis=0) < 0).all()
    assert (ratios[-1] > 1).all()


def test_a_float_costs_five_to_six_integers_in_energy(technology):
    # bf16 multiply and FP32 add over int8 multiply and int32 add: 5.3 at 45 nm (Horowitz, ISSCC
    # 2014, bf16 by Jouppi et al.), 5.9 at 7 nm (Jouppi et al., ISCA 2021).
    float_j = technology.multiply_bf16_j + technology.add_fp32_j
    integer_j = technology.multiply_int8_j + 32 * technology.add_int_j_per_bit
    assert 5.2 < float_j / integer_j < 5.9


def test_wide_accumulators_are_a_choice(technology):
    narrow = technology.with_choice("float_accumulator", "bf16")
    assert per_mac("bf16", 1, narrow)[0] < 0.6 * per_mac("bf16", 1, technology)[0]
    assert per_mac("fp32", 1, narrow) == per_mac("fp32", 1, technology)
    wide = technology.with_choice("block_accumulator", "fp32")
    assert per_mac("hbfp8_16", 16, wide)[0] > per_mac("hbfp8_16", 16, technology)[0]


def test_an_encoding_without_components_is_named(technology):
    with pytest.raises(ValueError, match="encoding fp8_e4m3: no multiplier of floats of 4 exp"):
        unit_cost("fp8_e4m3", 16, technology)


def test_many_widths_at_once_cost_what_each_costs(technology):
    widths = np.array([1, 2, 16])
    together = unit_cost("hbfp8_16", widths, technology).area_mm2["registers"]
    alone = [unit_cost("hbfp8_16", int(w), technology).area_mm2["registers"] for w in widths]
    assert together == pytest.approx(alone)
