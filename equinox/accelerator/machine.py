"""The parameters of one accelerator, or of many; nothing measured."""

from dataclasses import dataclass, fields
from math import inf
from typing import Any, TypeAlias, final

from equinox.encodings.formats import get_encoding


@final
@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """`arrays` output-stationary arrays of `rows` x `columns` dot-product units.

    A unit multiplies and adds `width` pairs of values each cycle and keeps one output. A request
    of a batch has a row; the output features are split over the columns of all arrays, and
    activations are broadcast to all arrays.

    The last four numbers default to an ideal machine; `technology.accelerator(...)` sets them.
    """

    encoding: str
    arrays: int
    rows: int
    columns: int
    width: int
    frequency_hz: float
    voltage_v: float
    sram_byte: float
    dram_byte_per_s: float
    sram_byte_per_cycle: float = inf
    pipeline_cycles: int = 0  # of a multiplier and its accumulator
    simd_latency_cycles: int = 0
    simd_op_per_cycle: float = inf

    def __post_init__(self) -> None:
        get_encoding(self.encoding)
        for field in fields(self):
            value = getattr(self, field.name)
            smallest = 0 if field.name in ("pipeline_cycles", "simd_latency_cycles") else None
            if field.name != "encoding" and (value < 0 or value == 0 != smallest):
                raise ValueError(f"{field.name} is {value}; an accelerator needs a positive number")

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle when every unit is busy."""
        return self.arrays * self.rows * self.columns * self.width

    @property
    def peak_op_per_s(self) -> float:
        """Peak throughput; a multiply-accumulate is two operations."""
        return 2 * self.macs_per_cycle * self.frequency_hz


@final
@dataclass(frozen=True, kw_only=True)
class Machines:
    """Many accelerators of one encoding: numbers may be arrays that broadcast together."""

    encoding: str
    arrays: Any
    rows: Any
    columns: Any
    width: Any
    frequency_hz: Any
    voltage_v: Any
    sram_byte: float
    dram_byte_per_s: float
    sram_byte_per_cycle: float
    pipeline_cycles: Any
    simd_latency_cycles: Any
    simd_op_per_cycle: Any


#: What the models read. Each is one expression over these numbers, so that it serves the simulation
#: of one accelerator and the search over a million alike.
Machine: TypeAlias = Accelerator | Machines
