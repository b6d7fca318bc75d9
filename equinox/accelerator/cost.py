"""Area and power of an accelerator by component."""

from typing import Any, Final

import numpy as np

from equinox.accelerator.datapath import unit_cost
from equinox.accelerator.machine import Machine
from equinox.accelerator.technology import Technology
from equinox.encodings.formats import get_encoding

#: The components of area and power, from the arrays outwards.
COMPONENTS: Final = (
    "multipliers",
    "adder_trees",
    "accumulators",
    "converters",
    "registers",
    "clock",
    "sram",
    "wires",
    "simd",
    "controller",
    "hbm_interface",
    "host_interface",
    "leakage",
    "dram",
)
_NOT_LOGIC: Final = ("sram", "hbm_interface")


def area_mm2(machine: Machine, technology: Technology) -> dict[str, Any]:
    """Return the area of each component; their sum is the die area that the model counts.

    Clock and wires are in the placement density; leakage has no area, and DRAM is on other dies.
    """
    units = machine.arrays * machine.rows * machine.columns
    bank = technology.banks[technology.bank]
    sram_mm2_per_byte = bank.mm2_per_byte * technology.sram_area_factor
    unit = unit_cost(machine.encoding, machine.width, technology)
    return {
        **{name: units * area for name, area in unit.area_mm2.items()},
        "sram": machine.sram_byte * sram_mm2_per_byte,
        "simd": _simd_mm2(technology),
        "controller": technology.controller_core_mm2
        + technology.dispatcher_mm2
        + technology.controller_memory_byte * sram_mm2_per_byte,
        "hbm_interface": technology.hbm_interface_mm2,
        "host_interface": technology.host_interface_mm2,
    }


def power_w(machine: Machine, technology: Technology) -> dict[str, Any]:
    """Return the power of each component with every unit busy; their sum is the total.

    A cycle reads from SRAM, per array, weights for its columns, and activations for the rows once,
    which all arrays share. Wires: the arrays' share of the die is a square of side l; weights cross
    half of it, activations all of it, in each array. Logic energy goes with the square of the
    voltage, SRAM's with that of its own rail, which does not fall below `sram_min_voltage_v`. The
    DRAM chips count, at full bandwidth, if the technology's choice `dram_energy` is "inside".
    """
    frequency = machine.frequency_hz
    scale = (machine.voltage_v / technology.nominal_voltage_v) ** 2
    sram_v = np.maximum(machine.voltage_v, technology.sram_min_voltage_v)
    sram_scale = (sram_v / technology.nominal_voltage_v) ** 2
    read_j = (
        technology.banks[technology.bank].read_j_per_byte
        * technology.sram_energy_factor
        * sram_scale
    )
    unit = unit_cost(machine.encoding, machine.width, technology)
    dynamic = machine.arrays * machine.rows * machine.columns * frequency * scale

    operand_byte = machine.width * get_encoding(machine.encoding).w.bits / 8
    weight_byte = machine.arrays * machine.columns * operand_byte
    activation_byte = machine.rows * operand_byte
    areas = area_mm2(machine, technology)
    side_mm = np.sqrt((sum(areas.values()) - areas["hbm_interface"]) / machine.arrays)
    wire_byte_mm = (weight_byte / 2 + activation_byte * machine.arrays) * side_mm

    controller_j = (
        technology.controller_fetch_byte_per_cycle * read_j
        + (technology.controller_core_j_per_cycle + technology.dispatcher_j_per_cycle) * scale
    )
    simd_op_per_s = (
        dynamic / scale * machine.width / technology.values_per_output
    ) * technology.simd_op_per_output
    inside = technology.dram_energy == "inside"
    dram = {"dram": machine.dram_byte_per_s * technology.dram_j_per_byte} if inside else {}
    return {
        **{name: energy * dynamic for name, energy in unit.energy_j.items()},
        "sram": (weight_byte + activation_byte) * frequency * read_j,
        "wires": wire_byte_mm * frequency * technology.wire_j_per_byte_mm * scale,
        "simd": simd_op_per_s * technology.simd_j_per_op * scale,
        "controller": controller_j * frequency,
        "hbm_interface": technology.hbm_interface_w,
        "host_interface": technology.host_interface_w,
        "leakage": _leakage_w(machine, technology, areas),
        **dram,
    }


def _simd_mm2(technology: Technology) -> float:
    """Return the area of the SIMD lanes: an FP32 multiplier and accumulator each, an op a cycle."""
    parts = technology.components
    lane_um2 = parts.multiply_float["fp32"] + parts.accumulator_float["fp32"]
    placed = technology.timing_area_factor / technology.placement_density
    return technology.simd_op_per_cycle * lane_um2 * 1e-6 * placed  # 1e-6 mm2 are 1 um2


def _leakage_w(machine: Machine, technology: Technology, areas: dict[str, Any]) -> Any:
    logic_mm2 = sum(area for name, area in areas.items() if name not in _NOT_LOGIC)
    sram_w_per_byte = technology.banks[technology.bank].leakage_w_per_byte
    return (
        logic_mm2 * technology.logic_leakage_w_per_mm2
        + machine.sram_byte * sram_w_per_byte * technology.sram_leakage_factor
    )
