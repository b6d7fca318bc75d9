"""Tables of a technology: areas of arithmetic components and the geometry of SRAM banks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from annotated_types import MinLen
from pydantic import AfterValidator, ConfigDict

from equinox.config.checks import STRICT, Count, Positive
from equinox.config.records import check_record, found_in, shorten
from equinox.units import parse

#: How a value is known: printed in its source, computed from what is, or chosen.
STATUSES: Final = ("published", "derived", "assumed")
_AREA_UNIT: Final = "um2"
#: Keys of a bank in a file: the field, and its unit.
_BANK: Final = {
    "capacity": ("capacity_byte", "byte"),
    "port": ("port_byte_per_cycle", "byte/cycle"),
    "read": ("read_j_per_byte", "J/byte"),
    "write": ("write_j_per_byte", "J/byte"),
    "area": ("mm2_per_byte", "mm2/byte"),
    "leakage": ("leakage_w_per_byte", "W/byte"),
}
_NOT_TABLES: Final = ("unit", "source", "status")


def _with_floats(table: Mapping[str, float]) -> Mapping[str, float]:
    _check_names(table, ("bf16", "fp32"))
    return table


def _with_int32(table: Mapping[str, int]) -> Mapping[str, int]:
    _check_names(table, ("int32", "bf16", "fp32"))
    return table


def _check_names(table: Mapping[str, Any], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}; give it one")


def _rising(table: Mapping[int, Any]) -> Mapping[int, Any]:
    """Return `table` if its keys rise, as a line through its last two entries needs."""
    if list(table) != sorted(table):
        raise ValueError(f"{', '.join(map(str, table))} do not rise; order the entries")
    return table


_Line = Annotated[Mapping[Count, Positive], MinLen(2), AfterValidator(_rising)]
_Floats = Annotated[Mapping[str, Positive], AfterValidator(_with_floats)]


@final
@dataclass(frozen=True, kw_only=True)
class Components:
    """Areas in um2 as published: integers by bits, floats by name; converters by bits and block."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    multiply_int: _Line
    add_int: _Line
    multiply_float: _Floats
    add_float: _Floats
    accumulator_float: _Floats
    relu_float: _Floats
    fixed_to_bf16: _Line
    bf16_to_block: Annotated[Mapping[Count, _Line], MinLen(2), AfterValidator(_rising)]
    accumulator_flipflops: Annotated[Mapping[str, Count], AfterValidator(_with_int32)]

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
        raise ValueError(f"status of {name} is {shorten(entry['status'])}; choose one of {known}")


def check_components(entry: Mapping[str, Any], files: Sequence[Path]) -> Components:
    """Return the tables of `entry`, the section `components` of the first of `files` that has it.

    Raises:
        ValueError: unit, or a table, is missing or unknown, or an area is none; with file and line.
    """
    under = ["components"]
    with found_in(files, *under):
        if entry.get("unit") != _AREA_UNIT:
            raise ValueError(
                f"unit of components is {shorten(entry.get('unit'))}; write {_AREA_UNIT}"
            )
    values = {name: table for name, table in entry.items() if name not in _NOT_TABLES}
    return check_record(Components, values, files, under)


def read_bank(name: str, entry: Mapping[str, Any]) -> Bank:
    """Return a bank; it must have source and status.

    Raises:
        ValueError: a key is missing or unknown, or a quantity is negative, has no unit or another
            dimension.
    """
    check_origin(f"bank {name}", entry)
    if set(entry) != {*_BANK, "source", "status"}:
        raise ValueError(f"bank {name} needs exactly {', '.join(sorted(_BANK))}, source, status")
    values = {}
    for key, (field, unit) in _BANK.items():
        try:
            values[field] = parse(entry[key], unit)
        except ValueError as error:
            raise ValueError(f"bank {name}: {error}") from error
        if values[field] < 0 or (values[field] == 0 and key in ("capacity", "port")):
            raise ValueError(f"bank {name}: {key} is {entry[key]}; it cannot be that small")
    return Bank(**values)


def _extend(table: Mapping[int, float], bits: Any) -> Any:
    """Interpolate; the line through the last two entries goes on beyond them."""
    known, areas = list(table), list(table.values())
    slope = (areas[-1] - areas[-2]) / (known[-1] - known[-2])
    beyond = np.maximum(np.asarray(bits) - known[-1], 0) * slope
    return np.interp(bits, known, areas) + beyond
