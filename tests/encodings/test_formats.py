import subprocess
import sys
from dataclasses import replace

import pytest

from equinox.encodings import (
    ENCODINGS,
    BlockFloat,
    Encoding,
    Fixed,
    Float,
    derive_encoding,
    get_encoding,
)
from equinox.encodings.formats import BF16, FP32, SAMPLE


def test_the_formats_do_not_import_torch_or_the_compiler():
    code = (
        "import sys, equinox.encodings;"
        "assert not {'torch', 'numba', 'numpy'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoding_is_listed_under_its_own_name(name):
    assert get_encoding(name).name == name


def test_hbfp_has_tiles_of_weights_and_an_exponent_per_sample_of_activations():
    encoding = get_encoding("hbfp8_16")
    assert encoding.w == BlockFloat(mantissa_bits=8, tile=(24, 24))
    assert encoding.x == BlockFloat(mantissa_bits=8, tile=SAMPLE)
    assert encoding.grad == BlockFloat(mantissa_bits=8, tile=SAMPLE, rounding="stochastic")
    assert encoding.storage == BlockFloat(mantissa_bits=16, tile=(24, 24))
    assert encoding.bits == 8 + 10 / 576
    assert encoding.storage_bits == 16 + 10 / 576


def test_plain_block_floating_point_has_one_exponent_a_tensor_and_no_wide_storage():
    encoding = get_encoding("bfp8")
    assert encoding.x.tile is encoding.w.tile is encoding.grad.tile is encoding.storage.tile is None
    assert encoding.storage_bits == 8


def test_formats_of_floating_point_have_the_values_of_their_standards():
    assert FP32.max_value == float.fromhex("0x1.fffffep127")
    assert BF16.max_value == float.fromhex("0x1.fep127")
    assert (FP32.bits, BF16.bits, FP32.min_exponent) == (32, 16, -126)
    assert get_encoding("fp8_e4m3").w.max_value == 448  # OCP 8-bit floating point, table 1
    assert get_encoding("fp8_e4m3").grad.max_value == 57344


#: Bits of mantissa and exponent, tile, whether an exponent is shared, bits of a weight as products
#: read it and as it is stored.
FACTS = {
    "fp32": (24, 8, None, False, 32, 32),
    "bf16": (8, 8, None, False, 16, 32),
    "hbfp12_16": (12, 10, (24, 24), True, 12 + 10 / 576, 16 + 10 / 576),
    "hbfp8_16": (8, 10, (24, 24), True, 8 + 10 / 576, 16 + 10 / 576),
    "hbfp6_16": (6, 10, (24, 24), True, 6 + 10 / 576, 16 + 10 / 576),
    "hbfp4_16": (4, 10, (24, 24), True, 4 + 10 / 576, 16 + 10 / 576),
    "hbfp8_8": (8, 10, (24, 24), True, 8 + 10 / 576, 8 + 10 / 576),
    "bfp8": (8, 10, None, True, 8, 8),
    "int8": (8, 0, None, True, 8, 32),
    "fp8_e4m3": (4, 4, None, False, 8, 32),
    "mxint8": (8, 8, (1, 32), True, 8.25, 32),
    "mxfp8_e4m3": (4, 4, (1, 32), False, 8.25, 32),
    "mxfp4": (2, 2, (1, 32), False, 4.25, 32),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_an_encoding_says_of_itself(name):
    encoding = get_encoding(name)
    found = (
        *(encoding.mantissa_bits, encoding.exponent_bits, encoding.tile),
        *(encoding.shares_exponent, encoding.bits, encoding.storage_bits),
    )
    assert found == FACTS[name]
    assert encoding.is_fp32 == (name == "fp32")
    assert encoding.storage_rounding == "nearest"
    stochastic = {"hbfp12_16", "hbfp8_16", "hbfp6_16", "hbfp4_16", "hbfp8_8", "bfp8"}
    assert encoding.grad.rounding == ("stochastic" if name in stochastic else "nearest")
    assert encoding.x.rounding == encoding.w.rounding == "nearest"


def test_microscaled_formats_are_those_of_the_standard():
    assert get_encoding("mxfp8_e4m3").w == Float(
        exponent_bits=4, mantissa_bits=4, finite=True, scaled=True, tile=(1, 32), scale_bits=8
    )
    e2m1 = {"exponent_bits": 2, "mantissa_bits": 2, "finite": True, "has_nan": False}
    assert get_encoding("mxfp4").w == Float(**e2m1, scaled=True, tile=(1, 32), scale_bits=8)
    int8 = BlockFloat(mantissa_bits=8, tile=(1, 32), exponent_bits=8, exponent_has_nan=True)
    assert get_encoding("mxint8").w == int8
    for name in ("mxint8", "mxfp8_e4m3", "mxfp4"):
        encoding = get_encoding(name)
        assert encoding.x == encoding.w == encoding.grad
        assert (encoding.storage, encoding.blocks) == (FP32, "reduction")


def test_scaled_floating_point_is_that_of_ocp_fp8():
    encoding = get_encoding("fp8_e4m3")
    assert encoding.w == Float(exponent_bits=4, mantissa_bits=4, finite=True, scaled=True)
    assert encoding.grad == Float(exponent_bits=5, mantissa_bits=3, scaled=True)


def test_weights_may_be_stored_in_up_to_24_bits_or_in_single_precision():
    stored = {
        bits: derive_encoding("d", base="hbfp8_16", overrides={"storage_bits": bits}).storage
        for bits in (8, 24, 32)
    }
    assert stored == {
        8: BlockFloat(mantissa_bits=8),
        24: BlockFloat(mantissa_bits=24),
        32: FP32,
    }
    # One whose weights are stored in it keeps it.
    narrow = derive_encoding("e", base="mxint8", overrides={"mantissa_bits": 7})
    expected = replace(get_encoding("mxint8").w, mantissa_bits=7)
    assert (narrow.w, narrow.storage, narrow.blocks) == (expected, FP32, "reduction")


#: Smallest and largest of what each kind of format takes.
RANGES = [
    (Float, "exponent_bits", 2, 8),
    (Float, "mantissa_bits", 2, 24),
    (Float, "scale_bits", 2, 8),
    (BlockFloat, "mantissa_bits", 2, 24),
    (BlockFloat, "exponent_bits", 2, 10),
    (Fixed, "mantissa_bits", 2, 24),
]


@pytest.mark.parametrize(("kind", "field", "low", "high"), RANGES)
def test_bits_of_a_format_have_ends(kind, field, low, high):
    given = {"exponent_bits": 5, "mantissa_bits": 8} if kind is Float else {}
    for value in (low, high):
        assert getattr(kind(**given | {field: value}), field) == value
    for value in (low - 1, high + 1, True, 4.0, str(low)):
        with pytest.raises(ValueError, match=f"{field} is .* an integer from {low} to {high}"):
            kind(**given | {field: value})


@pytest.mark.parametrize("kind", [Float, BlockFloat])
def test_a_tile_has_two_sides_of_at_least_one_value(kind):
    given = {"exponent_bits": 5, "mantissa_bits": 8} if kind is Float else {}
    for tile in ((1, 1), (2**31, 1), (None, 3), None):
        assert kind(**given, tile=tile).tile == tile
    for tile in ((0, 3), (3, 2**31 + 1), (1, 2, 3), (4,), [2, 2], (2.0, 1)):
        with pytest.raises(ValueError, match="tile is"):
            kind(**given, tile=tile)


def test_the_part_of_a_shared_exponent_is_counted_where_blocks_are_bounded():
    for tile, values in (((3, 4), 12), ((1, None), None), ((None, 5), None), (None, None)):
        block_float = BlockFloat(mantissa_bits=7, exponent_bits=6, tile=tile)
        assert block_float.values_per_block == values
        assert block_float.bits == (7.5 if values else 7)
        scaled = Float(exponent_bits=4, mantissa_bits=5, tile=tile, scale_bits=6)
        assert scaled.bits == (9.5 if values else 9)
    assert Float(exponent_bits=4, mantissa_bits=5, tile=(3, 4)).bits == 9
    assert Fixed(mantissa_bits=7).bits == 7


def test_exponents_reach_as_far_as_their_bits():
    ten, with_nan = BlockFloat(), BlockFloat(exponent_bits=8, exponent_has_nan=True)
    assert (ten.min_exponent, ten.max_exponent) == (-512, 511)
    assert (with_nan.min_exponent, with_nan.max_exponent) == (-127, 127)
    half = Float(exponent_bits=5, mantissa_bits=11)
    assert (half.min_exponent, half.max_exponent, half.max_value) == (-14, 15, 65504)
    finite = Float(exponent_bits=5, mantissa_bits=11, finite=True)
    assert (finite.max_exponent, finite.max_value) == (16, 2046 * 2**6)
    assert replace(finite, has_nan=False).max_value == 2047 * 2**6
    scaled = Float(exponent_bits=5, mantissa_bits=11, scale_bits=4)
    assert (scaled.min_scale_exponent, scaled.max_scale_exponent) == (-7, 7)
    assert (half.min_scale_exponent, half.max_scale_exponent) == (-2047, 2047)


def test_only_all_bits_of_single_precision_leave_nothing_to_round():
    for bits in ((8, 24), (7, 24), (8, 23)):
        given = Float(exponent_bits=bits[0], mantissa_bits=bits[1])
        assert given.is_fp32 == (bits == (8, 24))


def test_a_derived_encoding_changes_what_it_names_and_nothing_else():
    base = get_encoding("hbfp8_16")
    derived = derive_encoding("d", base="hbfp8_16", overrides={"mantissa_bits": 5})
    assert derived.w == BlockFloat(mantissa_bits=5)
    assert (derived.storage, derived.blocks) == (base.storage, base.blocks)
    unchanged = derive_encoding("hbfp8_16", base="hbfp8_16", overrides={})
    assert unchanged == base
    assert derive_encoding("d", base="mxint8", overrides={}).w == get_encoding("mxint8").w


def test_every_choice_of_a_config_reaches_the_formats():
    entry = {
        "base": "hbfp8_16", "mantissa_bits": 5, "tile": [8, 4], "storage_bits": 12,
        "rounding": "stochastic", "gradient_rounding": "nearest", "blocks": "tile",
        "storage_rounding": "stochastic", "exponent_rule": "ceil", "exponent_bits": 6,
    }  # fmt: skip
    encoding = get_encoding("mine", {"mine": entry})
    common = {"tile": (8, 4), "exponent_rule": "ceil", "exponent_bits": 6}
    operand = BlockFloat(mantissa_bits=5, rounding="stochastic", **common)
    assert encoding == Encoding(
        name="mine",
        x=operand,
        w=operand,
        grad=BlockFloat(mantissa_bits=5, **common),
        storage=BlockFloat(mantissa_bits=12, rounding="stochastic", **common),
        blocks="tile",
    )


def test_each_role_may_have_a_format_of_its_own():
    entry = {
        "base": "hbfp8_16", "mantissa_bits": 6,
        "x": {"tile": [1, 16]},
        "grad": {"mantissa_bits": 12, "rounding": "nearest"},
        "storage": "fp32",
    }  # fmt: skip
    mixed, plain = get_encoding("mixed", {"mixed": entry}), get_encoding("hbfp6_16")
    assert mixed.name == "mixed"
    assert mixed.w == plain.w
    assert mixed.x == BlockFloat(mantissa_bits=6, tile=(1, 16))
    assert mixed.grad == BlockFloat(mantissa_bits=12, tile=SAMPLE)
    assert mixed.storage == FP32


def test_a_role_may_come_from_another_encoding():
    entry = {"base": "int8", "grad": "bf16", "w": {"base": "fp8_e4m3", "rounding": "stochastic"}}
    mixed = get_encoding("mixed", {"mixed": entry})
    assert (mixed.x, mixed.grad) == (get_encoding("int8").x, BF16)
    assert mixed.w == replace(get_encoding("fp8_e4m3").w, rounding="stochastic")


@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("tile", [[24, 24], [1, 16], None])
def test_mantissas_of_2_to_16_bits_and_any_tile_come_from_a_config(bits, tile):
    entry = {"base": "hbfp4_16", "mantissa_bits": bits, "tile": tile, "exponent_bits": 6}
    w = get_encoding("mine", {"mine": entry}).w
    shape = None if tile is None else tuple(tile)
    assert w == BlockFloat(mantissa_bits=bits, tile=shape, exponent_bits=6)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"mantissa_bits": 5}, "has no base"),
        ({"base": "hbfp9"}, "no encoding 'hbfp9'; known are fp32"),
        ({"base": "int8", "mantissa_bits": 4}, "int8 has no blocks"),
        ({"base": "bfp8", "mantisa_bits": 4}, "no choice 'mantisa_bits'; known are mantissa_bits"),
        ({"base": "bfp8", "mantissa_bits": 1}, "mantissa_bits is 1; it must be an integer from 2"),
        ({"base": "bfp8", "mantissa_bits": "8"}, "mantissa_bits is '8'"),
        ({"base": "bfp8", "mantissa_bits": 12}, "storage_bits is 8; it must be an integer from 12"),
        ({"base": "bfp8", "tile": [8]}, r"tile is \(8,\); write \(rows, columns\)"),
        ({"base": "bfp8", "tile": [8, 0]}, "a side of tile is 0"),
        ({"base": "bfp8", "blocks": "row"}, "blocks is 'row'; choose one of sample, tile"),
        ({"base": "bfp8", "rounding": "up"}, "rounding is 'up'; choose one of nearest"),
        ({"base": "bfp8", "storage_rounding": "up"}, "storage_rounding is 'up'"),
        ({"base": "bfp8", "gradient_rounding": 1}, "rounding is 1; choose one of nearest"),
        ({"base": "bfp8", "exponent_bits": 11}, "exponent_bits is 11; it must be an integer from"),
        ({"base": "bfp8", "exponent_rule": "round"}, "exponent_rule is 'round'; choose one of"),
        ({"base": "bfp8", "exponent_has_nan": "no"}, "exponent_has_nan is 'no'; it must be true"),
        ({"base": "bfp8", "storage_bits": 25}, "storage_bits is 25; it must be an integer from 8"),
        ({"base": "bfp8", "storage_bits": 33}, "storage_bits is 33; it must be an integer from 8"),
        ({"base": "bfp8", "grad": 8}, "mine: grad is 8; name an encoding, or map fields"),
        ({"base": "bfp8", "grad": "bf8"}, "mine: no encoding 'bf8'; known are fp32"),
        ({"base": "bfp8", "grad": {"bits": 8}}, "grad: no field 'bits' of BlockFloat; known are"),
        ({"base": "bf16", "w": {"mantissa_bits": 1}}, "mine: w: mantissa_bits is 1; it must be"),
        ({"base": "bf16", "w": {"finite": 1}}, "mine: w: finite is 1; it must be true or false"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_is_wrong(entry, message):
    with pytest.raises(ValueError, match=message):
        get_encoding("mine", {"mine": entry})


def test_an_unknown_encoding_is_answered_with_those_known():
    with pytest.raises(ValueError, match="no encoding 'hbfp8'; known are fp32, .*hbfp8_16.*, mine"):
        get_encoding("hbfp8", {"mine": {"base": "bfp8"}})


def test_a_format_refuses_bits_it_cannot_have():
    with pytest.raises(ValueError, match="exponent_bits is 11"):
        BlockFloat(exponent_bits=11)
    with pytest.raises(ValueError, match="exponent_bits is 9"):
        Float(exponent_bits=9, mantissa_bits=8)


def test_floating_point_of_any_width_is_derived():
    choices = {"exponent_bits": 4, "mantissa_bits": 3, "finite": True}
    encoding = derive_encoding("e4m2", base="bf16", overrides=choices)
    assert encoding.w == encoding.x == encoding.grad == Float(**choices)
    assert encoding.storage == get_encoding("bf16").storage
    stochastic = {**choices, "gradient_rounding": "stochastic"}
    assert derive_encoding("e", base="bf16", overrides=stochastic).grad.rounding == "stochastic"
    with pytest.raises(ValueError, match=r"e: no choice 'storage_bits'; known are exponent_bits"):
        derive_encoding("e", base="bf16", overrides={"storage_bits": 8})
