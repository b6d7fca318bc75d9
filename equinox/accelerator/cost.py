"""Area and power of an accelerator by component."""

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
    frequency, encoding = machine.frequency_hz, get_encoding(machine.encoding)
    scale = (machine.voltage_v / technology.nominal_voltage_v) ** 2
    sram_v = np.maximum(machine.voltage_v, technology.sram_min_voltage_v)
    sram_scale = technology.sram_energy_factor * (sram_v / technology.nominal_voltage_v) ** 2
    bank = technology.banks[technology.bank]
    unit = unit_cost(machine.encoding, machine.width, technology)
    dynamic = machine.arrays * machine.rows * machine.columns * frequency * scale

    operand_byte = machine.width * encoding.w.bits / 8
    weight_byte = machine.arrays * machine.columns * operand_byte
    activation_byte = machine.rows * operand_byte
    areas = area_mm2(machine, technology)
    side_mm = np.sqrt((sum(areas.values()) - areas["hbm_interface"]) / machine.arrays)
    wire_byte_mm = (weight_byte / 2 + activation_byte * machine.arrays) * side_mm

    outputs_scaled = dynamic * (machine.width / technology.values_per_output)
    output_j = technology.simd_op_per_output * technology.simd_j_per_op
    written_byte = outputs_scaled / scale * (encoding.x.bits / 8) + machine.dram_byte_per_s
    blocks = isinstance(encoding.x, BlockFloat)
    to_block = {"to_block_converters": outputs_scaled * technology.to_block_j} if blocks else {}
    inside = technology.dram_energy == "inside"
    dram = {"dram": machine.dram_byte_per_s * technology.dram_j_per_byte} if inside else {}
    return {
        **{name: energy * dynamic for name, energy in unit.energy_j.items()},
        **to_block,
        "sram": (weight_byte + activation_byte) * (frequency * sram_scale * bank.read_j_per_byte),
        "sram_writes": written_byte * (sram_scale * bank.write_j_per_byte),
        "wires": wire_byte_mm * (frequency * technology.wire_j_per_byte_mm * scale),
        "simd": outputs_scaled * output_j,
        **_controller_w(machine, technology, scale, sram_scale * bank.read_j_per_byte),
        "hbm_interface": technology.hbm_interface_w,
        "host_interface": technology.host_interface_w,
        "leakage": sum(leakage_w(machine, technology, areas).values()),
        **dram,
    }


def leakage_w(
    machine: Machine, technology: Technology, areas: dict[str, Any] | None = None
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


def _controller_w(
    machine: Machine, technology: Technology, scale: Any, read_j_per_byte: Any
) -> dict[str, Any]:
    """Return the power of fetching an instruction, and of deciding what runs, in each cycle."""
    frequency = machine.frequency_hz
    scheduler_j = technology.controller_core_j_per_cycle + technology.scheduler_j_per_cycle
    return {
        "instruction_memory": technology.controller_fetch_byte_per_cycle
        * read_j_per_byte
        * frequency,
        "request_dispatcher": technology.dispatcher_j_per_cycle * scale * frequency,
        "scheduler": scheduler_j * scale * frequency,
    }
