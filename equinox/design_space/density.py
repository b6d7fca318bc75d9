"""Cost of one multiply-accumulate by encoding and block, as composed here and by the authors."""

import logging
from collections.abc import Callable, Mapping
from math import ceil, log2
from typing import Final

import pandas as pd

from equinox.accelerator import Technology, unit_cost
from equinox.accelerator.components import Components
from equinox.config.design_space import DesignSpace
from equinox.encodings.formats import BlockFloat, Fixed, Float, Format, get_encoding

LOGGER = logging.getLogger(__name__)

_FLOATS: Final = {(5, 11): "fp16", (8, 8): "bf16", (8, 24): "fp32"}  # bits of exponent, mantissa


def measure_density(config: DesignSpace, technology: Technology) -> pd.DataFrame:
    """Return area and energy per multiply-accumulate: rows of the table density.

    Models:
    - equinox: a unit as wide as the block, `unit_cost`, at the nominal voltage;
    - authors_pe: their processing element, with converters (`pe_um2`);
    - authors_chip: their estimate of a whole chip, converters left out (`chip_um2`).
    What a model has no component for is left out, and logged.
    """
    rows: list[dict[str, object]] = []
    for name in config.density_encodings:
        for model, cost in _MODELS.items():
            try:
                rows += [
                    _row(model, name, block, *cost(name, block, technology))
                    for block in config.density_blocks
                ]
            except ValueError as error:
                LOGGER.info("%s has no %s: %s", model, name, error)
    return pd.DataFrame(rows).astype({"energy_pj": float})


def _row(
    model: str, name: str, block: int, area_um2: float, energy_pj: float | None
) -> dict[str, object]:
    encoding = get_encoding(name)
    return {
        "model": model,
        "encoding": name,
        "block": block,
        "area_um2": area_um2,
        "energy_pj": energy_pj,
        "operand_bit": bits_in_block(encoding.w, block),
        "storage_bit": bits_in_block(encoding.storage, block),
    }


def _own_cost(name: str, block: int, technology: Technology) -> tuple[float, float]:
    cost = unit_cost(name, block, technology)
    area_um2 = sum(cost.area_mm2.values()) * 1e6 / block  # 1e6 um2 are 1 mm2
    return float(area_um2), float(sum(cost.energy_j.values()) * 1e12 / block)  # 1e12 pJ are 1 J


def _pe_cost(name: str, block: int, technology: Technology) -> tuple[float, None]:
    return pe_um2(get_encoding(name).w, block, technology.components), None


def _chip_cost(name: str, block: int, technology: Technology) -> tuple[float, None]:
    return chip_um2(get_encoding(name).w, block, technology.components), None


_MODELS: Final[Mapping[str, Callable[[str, int, Technology], tuple[float, float | None]]]] = {
    "equinox": _own_cost,
    "authors_pe": _pe_cost,
    "authors_chip": _chip_cost,
}


def bits_in_block(operand: Format, block: int) -> float:
    """Return the bits of a value, with its part of the exponent if `block` values share one."""
    if isinstance(operand, BlockFloat):
        return operand.mantissa_bits + operand.exponent_bits / block
    return operand.bits


def pe_um2(operand: Format, block: int, parts: Components) -> float:
    """Return area per multiply-accumulate of the authors' processing element.

    A dot product of `block` values: block multipliers, block - 1 adders of twice the operand's bits
    (no growth), a bf16 accumulator and ReLU; for blocks also an adder of exponents and the
    converters from fixed point and to blocks. Floats: all components of the float itself.

    Raises:
        ValueError: the tables lack a component.

    Source: EPFL hbfp_hardware_model, main.py.
    """
    if isinstance(operand, Float):
        name = _name(operand)
        area = block * parts.multiply_float[name] + (block - 1) * parts.add_float[name]
        return (area + parts.accumulator_float[name] + parts.relu_float[name]) / block
    bits = operand.mantissa_bits
    area = (
        block * parts.multiply_int_um2(bits)
        + (block - 1) * float(parts.add_int_um2(2 * bits))
        + parts.accumulator_float["bf16"]
        + parts.relu_float["bf16"]
    )
    if isinstance(operand, BlockFloat):
        area += (
            float(parts.add_int_um2(operand.exponent_bits))
            + float(parts.fixed_to_bf16_um2(2 * bits))
            + parts.bf16_to_block_um2(bits, block)
        )
    return area / block


def chip_um2(operand: Format, block: int, parts: Components) -> float:
    """Return area per multiply-accumulate in the authors' estimate of a chip.

    A multiplier and an adder each; for blocks, the adder is log2(block) + 1 bits longer than the
    product, block values share a bf16 adder and block^2 an adder of exponents.

    Raises:
        ValueError: the tables lack a component, or the estimate has no such format.

    Source: EPFL hbfp_hardware_model, stardust.py.
    """
    if isinstance(operand, Float):
        name = _name(operand)
        return parts.multiply_float[name] + parts.add_float[name]
    if isinstance(operand, Fixed):
        raise ValueError("the authors' estimate has no fixed point")
    bits = operand.mantissa_bits
    return (
        parts.multiply_int_um2(bits)
        + float(parts.add_int_um2(2 * bits + ceil(log2(block)) + 1))
        + parts.add_float["bf16"] / block
        + float(parts.add_int_um2(operand.exponent_bits)) / block**2
    )


def _name(operand: Float) -> str:
    name = _FLOATS.get((operand.exponent_bits, operand.mantissa_bits))
    if name is None:
        raise ValueError(f"the authors have no component for {operand}")
    return name
