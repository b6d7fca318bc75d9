"""Tables of a technology: areas of arithmetic components and the geometry of SRAM banks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, final

import numpy as np

from equinox.units import parse

#: How a value is known: printed in its source, computed from what is, or chosen.
STATUSES: Final = ("published", "derived", "assumed")
_AREA_UNIT: Final = "um2"
_NOT_TABLES: Final = ("unit", "source", "status", "accumulator_flipflops")


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

    def bf16_to_block_um2(self, mantissa_bits: int, block: Any) -> Any:
        """Return the area of a converter to blocks: the line fitted through all sizes of block.

        It takes a value a cycle: finds the largest exponent, shifts and rounds. Slope and offset of
        the line are extended over mantissa bits as adders are.
        """
        slope, offset = (_extend(terms, mantissa_bits) for terms in self._to_block_lines)
        return slope * block + offset

    @cached_property
    def _to_block_lines(self) -> tuple[Mapping[int, float], Mapping[int, float]]:
        """Slope and offset of the line through the sizes of block, by mantissa bits."""
        lines = {
            bits: np.polyfit(list(sizes), list(sizes.values()), 1)
            for bits, sizes in self.bf16_to_block.items()
        }
        slopes, offsets = ({bits: line[term] for bits, line in lines.items()} for term in (0, 1))
        return slopes, offsets


@final
@dataclass(frozen=True, kw_only=True)
class Bank:
    """One bank of SRAM: what it holds, moves in a cycle, and costs at the nominal voltage."""

    capacity_byte: float
    port_byte_per_cycle: float
    read_j_per_byte: float
    write_j_per_byte: float
    mm2_per_byte: float
    leakage_w_per_byte: float


def check_origin(name: str, entry: Mapping[str, Any]) -> None:
    """Check that `entry` says where it is from.

    Raises:
        ValueError: it has no source, or its status is missing or not one of STATUSES.
    """
    for key in ("source", "status"):
        if not entry.get(key):
            raise ValueError(f"{name} has no {key}; say where it is from, and how")
    if entry["status"] not in STATUSES:
        known = ", ".join(STATUSES)
        raise ValueError(f"status of {name} is {entry['status']!r}; choose one of {known}")


def read_components(entry: Mapping[str, Any]) -> Components:
    """Return the tables of `entry`, which must have unit, source and status.

    Raises:
        ValueError: one of these or a table is missing or unknown.
    """
    check_origin("components", entry)
    if entry.get("unit") != _AREA_UNIT:
        raise ValueError(f"unit of components is {entry.get('unit')!r}; write {_AREA_UNIT}")
    values = {name: table for name, table in entry.items() if name not in _NOT_TABLES}
    try:
        return Components(flipflops=entry["accumulator_flipflops"], **values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"components: {error}; keep exactly the tables of Components") from error


def read_banks(entries: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Bank]:
    """Return the banks by name; each must have source and status.

    Raises:
        ValueError: a key is missing or unknown, or a quantity has no unit or another dimension.
    """
    needed = {"capacity", "port", "read", "write", "area", "leakage", "source", "status"}
    banks = {}
    for name, entry in entries.items():
        check_origin(f"bank {name}", entry)
        if set(entry) != needed:
            raise ValueError(f"bank {name} needs exactly {', '.join(sorted(needed))}")
        try:
            banks[name] = Bank(
                capacity_byte=parse(entry["capacity"], "byte"),
                port_byte_per_cycle=parse(entry["port"], "byte/cycle"),
                read_j_per_byte=parse(entry["read"], "J/byte"),
                write_j_per_byte=parse(entry["write"], "J/byte"),
                mm2_per_byte=parse(entry["area"], "mm2/byte"),
                leakage_w_per_byte=parse(entry["leakage"], "W/byte"),
            )
        except ValueError as error:
            raise ValueError(f"bank {name}: {error}") from error
    return banks


def _extend(table: Mapping[int, float], bits: Any) -> Any:
    """Interpolate; the line through the last two entries goes on beyond them."""
    known, areas = list(table), list(table.values())
    slope = (areas[-1] - areas[-2]) / (known[-1] - known[-2])
    beyond = np.maximum(np.asarray(bits) - known[-1], 0) * slope
    return np.interp(bits, known, areas) + beyond
