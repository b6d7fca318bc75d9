"""The constants of a process, each with unit, source, status and range, from one YAML file.

A new constant is a field of `Technology`, annotated with its unit, and an entry of the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, final, get_type_hints

import yaml

from equinox.accelerator.components import Bank, Components, read_banks, read_components
from equinox.accelerator.machine import Accelerator
from equinox.units import parse

TECHNOLOGIES = Path(__file__).parents[2] / "config" / "technology"

_STATUSES: Final = ("published", "derived", "assumed")
_CHOICES: Final = ("bank", "block_accumulator", "float_accumulator", "dram_energy")
_ENTRY: Final = {"value", "low", "high", "source", "status"}


@final
@dataclass(frozen=True, kw_only=True)
class Constant:
    """Where a constant is from, and the range it may lie in."""

    unit: str
    value: float
    low: float
    high: float
    source: str
    status: str


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
            name for name in self.components.add_float if name in self.components.flipflops
        )
        return {
            "bank": tuple(self.banks),
            "block_accumulator": floats,
            "float_accumulator": floats,
            "dram_energy": ("outside", "inside"),
        }

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


@cache
def _units() -> Mapping[str, str]:
    """Return the unit of each constant, as its field declares it."""
    hints = get_type_hints(Technology, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


def load_technology(technology: str | Path) -> Technology:
    """Return the technology of this name, config/technology/<name>.yaml, or of this file.

    Raises:
        ValueError: there is no such file; a constant or an entry is missing or unknown, has no
            source, status or range, or a quantity has another dimension.
    """
    path = Path(technology)
    if path.suffix != ".yaml":
        path = TECHNOLOGIES / f"{technology}.yaml"
    if not path.exists():
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.yaml")))
        raise ValueError(f"no technology {technology}; known are {known}")
    values = yaml.safe_load(path.read_text())
    try:
        _check_keys("file", values, {"choices", "constants", "components", "banks"})
        _check_keys("choices", values["choices"], set(_CHOICES))
        _check_keys("constants", values["constants"], set(_units()))
        constants = {
            name: _read_constant(name, values["constants"][name], unit)
            for name, unit in _units().items()
        }
        read = Technology(
            name=path.stem,
            components=read_components(values["components"]),
            banks=read_banks(values["banks"]),
            constants=constants,
            **values["choices"],
            **{name: constant.value for name, constant in constants.items()},  # type: ignore[arg-type]
        )
        for choice, name in values["choices"].items():
            read.with_choice(choice, name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return read


def _check_keys(
    what: str, entry: Any, needed: set[str], optional: frozenset[str] = frozenset()
) -> None:
    found = set(entry) if isinstance(entry, Mapping) else set()
    for problem, names in (("lacks", needed - found), ("has unknown", found - needed - optional)):
        if names:
            raise ValueError(f"{what} {problem} {', '.join(sorted(map(str, names)))}")


def _read_constant(name: str, entry: Any, unit: str) -> Constant:
    _check_keys(name, entry, _ENTRY, frozenset({"note"}))
    if not entry["source"]:
        raise ValueError(f"{name} has no source; say where it is from")
    if entry["status"] not in _STATUSES:
        raise ValueError(
            f"status of {name} is {entry['status']!r}; choose one of {', '.join(_STATUSES)}"
        )
    try:
        low, value, high = (parse(entry[key], unit) for key in ("low", "value", "high"))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if not low <= value <= high:
        raise ValueError(f"{name} is {entry['value']}, outside {entry['low']} to {entry['high']}")
    return Constant(
        unit=unit, value=value, low=low, high=high, source=entry["source"], status=entry["status"]
    )
