"""Tables of a technology: areas of arithmetic components and the geometry of SRAM banks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from equinox.units import parse


@final
@dataclass(frozen=True, kw_only=True)
class Components:
    """Areas in um2 as published: integers by bits, floats by name; converters by bits and block."""

    multiply_int: Mapping[int, float]
    add_int: Mapping[int, float]
    multiply_float: Mapping[str, float]
    add_float: Mapping[str, float]
    accumulator_float: Mapping[str, float]
    relu_float: Mapping[str, float]
    fixed_to_bf16: Mapping[int, float]
    bf16_to_block: Mapping[int, Mapping[int, float]]
    flipflops: Mapping[str, int]  # of an accumulator

    def add_int_um2(self, bits: Any) -> Any:
        """Return the area of an adder; beyond the table, the line through its last two entries."""
        return _extend(self.add_int, bits)

    def multiply_int_um2(self, bits: int) -> float:
        """Return the area of a multiplier of integers of these bits.

        Raises:
            ValueError: the table has none.
        """
        if bits not in self.multiply_int:
            known = ", ".join(map(str, self.multiply_int))
            raise ValueError(f"no multiplier of {bits}-bit integers; the table has {known} bits")
        return self.multiply_int[bits]

    def fixed_to_bf16_um2(self, bits: Any) -> Any:
        """Return the area of a converter to bf16, extended as adders are."""
        return _extend(self.fixed_to_bf16, bits)

    def bf16_to_block_um2(self, mantissa_bits: int, block: int) -> float:
        """Return the area of a converter to blocks: the line fitted through all sizes of block.

        Raises:
            ValueError: the table has no converter to these mantissas.
        """
        if mantissa_bits not in self.bf16_to_block:
            known = ", ".join(map(str, self.bf16_to_block))
            raise ValueError(f"no converter to {mantissa_bits}-bit mantissas; there are {known}")
        sizes = self.bf16_to_block[mantissa_bits]
        slope, offset = np.polyfit(list(sizes), list(sizes.values()), 1)
        return float(slope * block + offset)


@final
@dataclass(frozen=True, kw_only=True)
class Bank:
    """One bank of SRAM: what it holds, reads in a cycle, and costs at the nominal voltage."""

    capacity_byte: float
    port_byte_per_cycle: float
    read_j_per_byte: float
    mm2_per_byte: float
    leakage_w_per_byte: float


def read_components(entry: Mapping[str, Any]) -> Components:
    """Return the tables of `entry`, which must name its source.

    Raises:
        ValueError: a table or the source is missing or unknown.
    """
    values = dict(entry)
    if not values.pop("source", None) or values.pop("status", None) is None:
        raise ValueError("components have no source and status; say where they are from")
    try:
        return Components(flipflops=values.pop("accumulator_flipflops"), **values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"components: {error}; keep exactly the tables of Components") from error


def read_banks(entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Bank]:
    """Return the banks by name; each must name its source.

    Raises:
        ValueError: a key is missing or unknown, or a quantity has another dimension.
    """
    needed = {"capacity", "port", "read", "area", "leakage", "source", "status"}
    banks = {}
    for name, entry in entries.items():
        if set(entry) != needed or not entry["source"]:
            raise ValueError(f"bank {name} needs exactly {', '.join(sorted(needed))}")
        banks[name] = Bank(
            capacity_byte=parse(entry["capacity"], "byte"),
            port_byte_per_cycle=parse(entry["port"], "byte/cycle"),
            read_j_per_byte=parse(entry["read"], "J/byte"),
            mm2_per_byte=parse(entry["area"], "mm2/byte"),
            leakage_w_per_byte=parse(entry["leakage"], "W/byte"),
        )
    return banks


def _extend(table: Mapping[int, float], bits: Any) -> Any:
    """Interpolate; the line through the last two entries goes on beyond them."""
    known, areas = list(table), list(table.values())
    slope = (areas[-1] - areas[-2]) / (known[-1] - known[-2])
    beyond = np.maximum(np.asarray(bits) - known[-1], 0) * slope
    return np.interp(bits, known, areas) + beyond
