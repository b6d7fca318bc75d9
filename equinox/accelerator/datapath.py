"""Area and energy of one dot-product unit, composed of the components that its encoding needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from equinox.accelerator.technology import Technology
from equinox.encodings.formats import BlockFloat, Fixed, Float, get_encoding

#: Floats with a multiplier in the tables, by bits of exponent and mantissa (sign included).
_FLOATS: Final = {(8, 8): "bf16", (8, 24): "fp32"}


@final
@dataclass(frozen=True, kw_only=True)
class UnitCost:
    """One dot-product unit by component: placed area, and energy of a cycle at nominal voltage."""

    area_mm2: Mapping[str, Any]
    energy_j: Mapping[str, Any]


def unit_cost(encoding: str, width: Any, technology: Technology) -> UnitCost:
    """Return the cost of a unit that multiplies and adds `width` pairs a cycle.

    Integers (b bits): width multipliers, a tree of width - 1 adders of 2b + log2(width) bits, a
    32-bit accumulator; registers for both operands and the product of each multiplier. Blocks: the
    same, but the accumulator is a float one, with an adder of exponents and a converter to float:
    shared by the width multipliers. Floats: a multiplier and a float accumulator per pair. The
    converter takes the energy of a bf16 adder (shift, round, normalize) of its area.

    Raises:
        ValueError: the technology has no component for the encoding.

    Source: composition of the EPFL hardware model named in config/technology, with clocked
    registers and growth of the adder tree.
    """
    operand = get_encoding(encoding).w
    try:
        if isinstance(operand, Float):
            um2, energy, flipflops = _float_unit(operand, width, technology)
        else:
            um2, energy, flipflops = _integer_unit(operand, width, technology)
    except ValueError as error:
        raise ValueError(f"encoding {encoding}: {error}; see config/technology") from error
    placed = technology.placed_area_factor
    area = {name: value * 1e-6 * placed for name, value in um2.items()}  # 1e-6 mm2 are 1 um2
    area["registers"] = flipflops * technology.register_mm2 * placed
    energy["registers"] = flipflops * technology.register_j
    energy["clock"] = technology.clock_share * sum(energy.values())
    return UnitCost(area_mm2=area, energy_j=energy)


def _integer_unit(
    operand: BlockFloat | Fixed, width: Any, technology: Technology
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return area in um2 and energy of the components, and the number of flip-flops."""
    parts, bits = technology.components, operand.mantissa_bits
    sum_bits = 2 * bits + np.ceil(np.log2(width))
    multiplier = parts.multiply_int_um2(bits)
    multiply_j = technology.multiply_int8_j * multiplier / parts.multiply_int_um2(8)
    um2 = {
        "multipliers": width * multiplier,
        "adder_trees": (width - 1) * parts.add_int_um2(sum_bits),
    }
    energy = {
        "multipliers": width * multiply_j,
        "adder_trees": (width - 1) * sum_bits * technology.add_int_j_per_bit,
    }
    flipflops = 4 * bits * width  # two operands and the product of each multiplier
    if isinstance(operand, Fixed):
        accumulator_bits = parts.accumulator_flipflops["int32"]
        um2["accumulators"] = parts.add_int_um2(accumulator_bits)
        energy["accumulators"] = accumulator_bits * technology.add_int_j_per_bit
        return um2, energy, flipflops + accumulator_bits
    accumulator, exponent_bits = technology.block_accumulator, operand.exponent_bits
    converter = parts.fixed_to_bf16_um2(sum_bits)
    um2["accumulators"] = parts.add_float[accumulator]
    um2["exponent_adders"] = parts.add_int_um2(exponent_bits)
    um2["to_float_converters"] = converter
    energy["accumulators"] = _add_j(technology, accumulator)
    energy["exponent_adders"] = exponent_bits * technology.add_int_j_per_bit
    energy["to_float_converters"] = technology.add_bf16_j * converter / parts.add_float["bf16"]
    return um2, energy, flipflops + 2 * exponent_bits + parts.accumulator_flipflops[accumulator]


def _float_unit(
    operand: Float, width: Any, technology: Technology
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return area in um2 and energy of the components, and the number of flip-flops."""
    name = _FLOATS.get((operand.exponent_bits, operand.mantissa_bits))
    if name is None:
        raise ValueError(
            f"no multiplier of floats of {operand.exponent_bits} exponent and "
            f"{operand.mantissa_bits} mantissa bits"
        )
    parts = technology.components
    accumulator = "fp32" if name == "fp32" else technology.float_accumulator
    product_bits = min(2 * operand.mantissa_bits, 24) + operand.exponent_bits + 1  # 24: of FP32
    multiply_j = {"bf16": technology.multiply_bf16_j, "fp32": technology.multiply_fp32_j}[name]
    um2 = {
        "multipliers": width * parts.multiply_float[name],
        "accumulators": width * parts.add_float[accumulator],
    }
    energy = {
        "multipliers": width * multiply_j,
        "accumulators": width * _add_j(technology, accumulator),
    }
    flipflops = width * (2 * operand.bits + product_bits + parts.accumulator_flipflops[accumulator])
    return um2, energy, flipflops


def _add_j(technology: Technology, name: str) -> float:
    return {"bf16": technology.add_bf16_j, "fp32": technology.add_fp32_j}[name]
