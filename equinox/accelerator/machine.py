"""The parameters of one accelerator, nothing measured."""

from dataclasses import dataclass, fields
from math import inf
from typing import Any, Protocol, final

from equinox.encodings.formats import get_encoding


class Machine(Protocol):
    """What the models read: an `Accelerator`, or many at once, with arrays for its numbers.

    Every model is one expression over these numbers, so that it serves the simulation of one
    accelerator and the search over a million alike.
    """

    @property
    def encoding(self) -> str: ...
    @property
    def arrays(self) -> Any: ...
    @property
    def rows(self) -> Any: ...
    @property
    def columns(self) -> Any: ...
    @property
    def width(self) -> Any: ...
    @property
    def frequency_hz(self) -> Any: ...
    @property
    def voltage_v(self) -> Any: ...
    @property
    def sram_byte(self) -> Any: ...
    @property
    def dram_byte_per_s(self) -> Any: ...
    @property
    def sram_byte_per_cycle(self) -> Any: ...
    @property
    def pipeline_cycles(self) -> Any: ...
    @property
    def simd_latency_cycles(self) -> Any: ...
    @property
    def simd_op_per_cycle(self) -> Any: ...


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
