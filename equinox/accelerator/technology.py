"""The constants of a process, each with unit, source, status and range.

A new constant is a field of `Technology`, annotated with its unit, and an entry of
config/technology/28nm.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, final

import numpy as np

from equinox.accelerator.components import Bank, Components
from equinox.accelerator.machine import Accelerator

CHOICES: Final = ("bank", "block_accumulator", "float_accumulator", "dram_energy")


Distribution = Literal["uniform", "log_uniform", "triangular"]


@final
@dataclass(frozen=True, kw_only=True)
class Constant:
    """Where a constant is from, and how it is distributed over the range it may lie in."""

    unit: str
    value: float
    low: float
    high: float
    source: str
    status: str
    distribution: Distribution

    def quantile(self, share: Any) -> Any:
        """Return the value that a draw is below with probability `share`, a number or an array.

        A triangular distribution has its peak at the value.
        """
        span = self.high - self.low
        if self.distribution == "log_uniform":
            return self.low * (self.high / self.low) ** share
        if self.distribution == "uniform" or not span:
            return self.low + span * share
        rise, fall = self.value - self.low, self.high - self.value
        below = self.low + np.sqrt(share * span * rise)
        above = self.high - np.sqrt((1 - share) * span * fall)
        return np.where(share * span < rise, below, above)[()]


@final
@dataclass(frozen=True, kw_only=True)
class Technology:
    """Constants of a process in internal units, tables of components, and named choices of them."""

    name: str
    components: Components
    banks: Mapping[str, Bank]
    constants: Mapping[str, Constant]  # of all fields with a unit

    bank: str
    block_accumulator: str
    float_accumulator: str
    dram_energy: str  # inside or outside the budget of power

    nominal_voltage_v: Annotated[float, "V"]
    nominal_frequency_hz: Annotated[float, "Hz"]
    threshold_voltage_v: Annotated[float, "V"]
    velocity_saturation: Annotated[float, "1"]
    sram_min_voltage_v: Annotated[float, "V"]
    multiply_int8_j: Annotated[float, "J"]
    add_int_j_per_bit: Annotated[float, "J"]
    multiply_bf16_j: Annotated[float, "J"]
    multiply_fp32_j: Annotated[float, "J"]
    add_bf16_j: Annotated[float, "J"]
    add_fp32_j: Annotated[float, "J"]
    to_block_j: Annotated[float, "J"]
    register_j: Annotated[float, "J/flipflop"]
    register_mm2: Annotated[float, "mm2/flipflop"]
    clock_share: Annotated[float, "1"]
    timing_area_factor: Annotated[float, "1"]
    placement_density: Annotated[float, "1"]
    logic_leakage_w_per_mm2: Annotated[float, "W/mm2"]
    wire_j_per_byte_mm: Annotated[float, "J/byte/mm"]
    sram_area_factor: Annotated[float, "1"]
    sram_energy_factor: Annotated[float, "1"]
    sram_leakage_factor: Annotated[float, "1"]
    hbm_interface_mm2: Annotated[float, "mm2"]
    hbm_interface_w: Annotated[float, "W"]
    dram_j_per_byte: Annotated[float, "J/byte"]
    host_interface_mm2: Annotated[float, "mm2"]
    host_interface_w: Annotated[float, "W"]
    simd_op_per_cycle: Annotated[float, "op/cycle"]
    simd_j_per_op: Annotated[float, "J/op"]
    simd_latency_cycles: Annotated[float, "cycle"]
    simd_op_per_output: Annotated[float, "op/output"]
    values_per_output: Annotated[float, "1"]
    pipeline_cycles: Annotated[float, "cycle"]
    controller_memory_byte: Annotated[float, "byte"]
    controller_fetch_byte_per_cycle: Annotated[float, "byte/cycle"]
    controller_core_mm2: Annotated[float, "mm2"]
    controller_core_j_per_cycle: Annotated[float, "J/cycle"]
    dispatcher_mm2: Annotated[float, "mm2"]
    dispatcher_j_per_cycle: Annotated[float, "J/cycle"]
    scheduler_mm2: Annotated[float, "mm2"]
    scheduler_j_per_cycle: Annotated[float, "J/cycle"]

    def with_values(self, values: Mapping[str, float]) -> "Technology":
        """Return this technology with some constants, in internal units, changed.

        Raises:
            ValueError: there is no such constant.
        """
        for name in values:
            if name not in self.constants:
                raise ValueError(
                    f"technology {self.name} has no constant {name!r}; known are "
                    f"{', '.join(self.constants)}"
                )
        return replace(self, **values)  # type: ignore[arg-type]

    def with_choice(self, choice: str, name: str) -> "Technology":
        """Return this technology with `choice`, such as "bank", made as `name`.

        Raises:
            ValueError: there is no such choice, or nothing of that name.
        """
        known = self.choices.get(choice, ())
        if name not in known:
            raise ValueError(
                f"technology {self.name}: {choice} is {name!r}; choose one of {', '.join(known)}"
            )
        return replace(self, **{choice: name})  # type: ignore[arg-type]

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """What each choice may name."""
        floats = tuple(
            name
            for name in self.components.add_float
            if name in self.components.accumulator_flipflops
        )
        return {
            "bank": tuple(self.banks),
            "block_accumulator": floats,
            "float_accumulator": floats,
            "dram_energy": ("outside", "inside"),
        }

    @property
    def placed_area_factor(self) -> float:
        """Placed area at the clock over the area of the cells as published."""
        return self.timing_area_factor / self.placement_density

    def frequency_hz(self, voltage_v: Any) -> Any:
        """Return the clock that logic reaches: (V - threshold)^alpha / V, alpha-power law.

        It is zero at and below the threshold.

        Source: Sakurai and Newton, "Alpha-power law MOSFET model", JSSC 1990.
        """
        return self.nominal_frequency_hz * (
            self._speed(voltage_v) / self._speed(self.nominal_voltage_v)
        )

    def _speed(self, voltage_v: Any) -> Any:
        overdrive = voltage_v - self.threshold_voltage_v
        return (overdrive * (overdrive > 0)) ** self.velocity_saturation / voltage_v

    def sram_byte_per_cycle(self, sram_byte: float) -> float:
        """Return the bytes that all banks of `sram_byte` read in a cycle."""
        bank = self.banks[self.bank]
        return sram_byte / bank.capacity_byte * bank.port_byte_per_cycle

    def accelerator(
        self,
        *,
        encoding: str,
        arrays: int,
        rows: int,
        width: int,
        voltage_v: float,
        sram_byte: float,
        dram_byte_per_s: float,
    ) -> Accelerator:
        """Return the accelerator of square arrays of these sizes in this technology."""
        return Accelerator(
            encoding=encoding,
            arrays=arrays,
            rows=rows,
            columns=rows,
            width=width,
            voltage_v=voltage_v,
            frequency_hz=float(self.frequency_hz(voltage_v)),
            sram_byte=sram_byte,
            dram_byte_per_s=dram_byte_per_s,
            sram_byte_per_cycle=self.sram_byte_per_cycle(sram_byte),
            pipeline_cycles=round(self.pipeline_cycles),
            simd_latency_cycles=round(self.simd_latency_cycles),
            simd_op_per_cycle=self.simd_op_per_cycle,
        )
