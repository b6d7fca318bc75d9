"""Area and power of an accelerator by component."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from equinox.accelerator.datapath import unit_cost
from equinox.accelerator.machine import Machine
from equinox.accelerator.technology import Technology
from equinox.encodings.formats import BlockFloat, get_encoding
from equinox.units import parse

#: What runs the accelerator, as the paper counts it.
CONTROLLER: Final = ("instruction_memory", "request_dispatcher", "scheduler")
#: The components of area and power, from the arrays outwards.
COMPONENTS: Final = (
    "multipliers",
    "adder_trees",
    "exponent_adders",
    "to_float_converters",
    "accumulators",
    "registers",
    "clock",
    "to_block_converters",
    "sram",
    "sram_writes",
    "wires",
    "simd",
    *CONTROLLER,
    "hbm_interface",
    "host_interface",
    "leakage",
    "dram",
)
_UM2: Final = parse("1 um2", "mm2")


def area_mm2(machine: Machine, technology: Technology) -> dict[str, Any]:
    """Return the area of each component; their sum is the die area that the model counts.

    Clock and wires are in the placement density, writing is in the memory; leakage has no area, and
    DRAM is on other dies. Encodings in blocks have a converter to blocks at the foot of each column
    of each array, where an output leaves in a cycle, for blocks of `width` values.
    """
    units = machine.arrays * machine.rows * machine.columns
    bank = technology.banks[technology.bank]
    sram_mm2_per_byte = bank.mm2_per_byte * technology.sram_area_factor
    unit = unit_cost(machine.encoding, machine.width, technology)
    return {
        **{name: units * area for name, area in unit.area_mm2.items()},
        **_to_block_mm2(machine, technology),
        "sram": machine.sram_byte * sram_mm2_per_byte,
        "simd": _simd_mm2(technology),
        "instruction_memory": technology.controller_memory_byte * sram_mm2_per_byte,
        "request_dispatcher": technology.dispatcher_mm2,
        "scheduler": technology.controller_core_mm2 + technology.scheduler_mm2,
        "hbm_interface": technology.hbm_interface_mm2,
        "host_interface": technology.host_interface_mm2,
    }


def power_w(machine: Machine, technology: Technology) -> dict[str, Any]:
    """Return the power of each component with every unit busy; their sum is the total.

    A cycle reads from SRAM, per array, weights for its columns, and activations for the rows once,
    which all arrays share ("sram"); each output, after `values_per_output` products, passes the
    SIMD unit and the converter to blocks and is written back, and so is every byte that DRAM
    delivers at full bandwidth ("sram_writes"). Wires: the arrays' share of the die is a square of
    side l; weights cross half of it, activations all of it, in each array. Logic energy goes with
    the square of the voltage, SRAM's with that of its own rail, which does not fall below
    `sram_min_voltage_v`. The DRAM chips count, at full bandwidth, if the technology's choice
    `dram_energy` is "inside".
    """
    areas = area_mm2(machine, technology)
    unit, logic, memory = _cycle_j(machine, technology, areas)
    logic_per_s, memory_per_s = _rates(machine, technology)
    units_per_s = machine.arrays * machine.rows * machine.columns * logic_per_s
    return {
        **{name: energy * units_per_s for name, energy in unit.items()},
        **{name: energy * logic_per_s for name, energy in logic.items()},
        **{name: energy * memory_per_s for name, energy in memory.items()},
        **_other_w(machine, technology, areas),
    }


def wires_and_rest_w(machine: Machine, technology: Technology) -> tuple[Any, Any]:
    """Return the power of wires, and of all else; summed up with less work for many machines."""
    areas = area_mm2(machine, technology)
    unit, logic, memory = _cycle_j(machine, technology, areas)
    logic_per_s, memory_per_s = _rates(machine, technology)
    wires_j = logic.pop("wires")
    units = machine.arrays * machine.rows * machine.columns
    logic_j = units * sum(unit.values()) + sum(logic.values())
    rest_w = logic_j * logic_per_s + sum(memory.values()) * memory_per_s
    return wires_j * logic_per_s, rest_w + sum(_other_w(machine, technology, areas).values())


def _rates(machine: Machine, technology: Technology) -> tuple[Any, Any]:
    """Return cycles per second times energy over nominal energy: of logic, and of SRAM."""
    frequency, nominal_v = machine.frequency_hz, technology.nominal_voltage_v
    sram_v = np.maximum(machine.voltage_v, technology.sram_min_voltage_v)
    sram_scale = technology.sram_energy_factor * (sram_v / nominal_v) ** 2
    return frequency * (machine.voltage_v / nominal_v) ** 2, frequency * sram_scale


def _cycle_j(
    machine: Machine, technology: Technology, areas: Mapping[str, Any]
) -> tuple[Mapping[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the energy of a cycle at nominal voltage: of one unit, of other logic, of SRAM."""
    encoding, bank = get_encoding(machine.encoding), technology.banks[technology.bank]
    unit = unit_cost(machine.encoding, machine.width, technology)
    operand_byte = machine.width * encoding.w.bits / 8
    weight_byte = machine.arrays * machine.columns * operand_byte
    activation_byte = machine.rows * operand_byte
    side_mm = np.sqrt((sum(areas.values()) - areas["hbm_interface"]) / machine.arrays)
    wire_byte_mm = (weight_byte / 2 + activation_byte * machine.arrays) * side_mm
    units = machine.arrays * machine.rows * machine.columns
    outputs = units * (machine.width / technology.values_per_output)
    logic = {
        "wires": wire_byte_mm * technology.wire_j_per_byte_mm,
        "simd": outputs * (technology.simd_op_per_output * technology.simd_j_per_op),
        "request_dispatcher": technology.dispatcher_j_per_cycle,
        "scheduler": technology.controller_core_j_per_cycle + technology.scheduler_j_per_cycle,
    }
    if isinstance(encoding.x, BlockFloat):
        logic["to_block_converters"] = outputs * technology.to_block_j
    from_dram_byte = machine.dram_byte_per_s / machine.frequency_hz
    written_byte = outputs * (encoding.x.bits / 8) + from_dram_byte
    memory = {
        "sram": (weight_byte + activation_byte) * bank.read_j_per_byte,
        "sram_writes": written_byte * bank.write_j_per_byte,
        "instruction_memory": technology.controller_fetch_byte_per_cycle * bank.read_j_per_byte,
    }
    return unit.energy_j, logic, memory


def _other_w(machine: Machine, technology: Technology, areas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the power that does not go with the clock."""
    inside = technology.dram_energy == "inside"
    dram = {"dram": machine.dram_byte_per_s * technology.dram_j_per_byte} if inside else {}
    return {
        "hbm_interface": technology.hbm_interface_w,
        "host_interface": technology.host_interface_w,
        "leakage": sum(leakage_w(machine, technology, areas).values()),
        **dram,
    }


def leakage_w(
    machine: Machine, technology: Technology, areas: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the leakage of each component that has any: logic by its area, SRAM by its bytes.

    That of the HBM interface is in its power. `areas` are those of `area_mm2`, if they are known.
    """
    areas = area_mm2(machine, technology) if areas is None else areas
    bank = technology.banks[technology.bank]
    sram_w_per_byte = bank.leakage_w_per_byte * technology.sram_leakage_factor
    logic = {
        name: area * technology.logic_leakage_w_per_mm2
        for name, area in areas.items()
        if name not in ("sram", "instruction_memory", "hbm_interface")
    }
    return {
        **logic,
        "sram": machine.sram_byte * sram_w_per_byte,
        "instruction_memory": technology.controller_memory_byte * sram_w_per_byte,
    }


def _to_block_mm2(machine: Machine, technology: Technology) -> dict[str, Any]:
    operand = get_encoding(machine.encoding).x
    if not isinstance(operand, BlockFloat):
        return {}
    um2 = technology.components.bf16_to_block_um2(operand.mantissa_bits, machine.width)
    each_mm2 = um2 * _UM2 * technology.placed_area_factor
    return {"to_block_converters": machine.arrays * (machine.columns * each_mm2)}


def _simd_mm2(technology: Technology) -> float:
    """Return the area of the SIMD lanes: an FP32 multiplier and accumulator each, an op a cycle."""
    parts = technology.components
    lane_um2 = parts.multiply_float["fp32"] + parts.accumulator_float["fp32"]
    return technology.simd_op_per_cycle * lane_um2 * _UM2 * technology.placed_area_factor
