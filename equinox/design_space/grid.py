"""The grid of shapes and voltages, and how many arrays each of its points holds."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import Any, Final, final

import numpy as np

from equinox.accelerator import Machines, Technology, Workload, area_mm2, wires_and_rest_w
from equinox.config.design_space import DesignSpace
from equinox.encodings.formats import get_encoding

LOGGER = logging.getLogger(__name__)

#: Limits of the number of arrays, in the order that names the one that binds first.
LIMITS: Final = ("area", "power", "sram_bandwidth", "outputs")
_GIGA: Final = 1e9  # bytes in a GB
_MEBI: Final = 2**20  # bytes in a MiB
_CHUNK_POINTS: Final = 2**15  # of which an array of floats stays in a processor's cache


@final
@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some shapes at all voltages, a row each, with as many arrays as each point holds.

    Of many technologies at once, the first axis is theirs.
    """

    machines: Machines  # where none fits, with one array
    feasible: Any  # whether any array fits
    limits: Mapping[str, Any]  # the largest number of arrays under each of LIMITS


def scan(
    config: DesignSpace, technology: Technology, workload: Workload, encoding: str
) -> Iterator[Chunk]:
    """Yield the grid of `config` in chunks; shapes of which no array fits at all are left out.

    For each shape and voltage, the number of arrays is the largest within area, power at full
    utilization and bandwidth of SRAM, and with an output feature of the widest layer for each
    column. There is no chunk if the weights and, twice, the activations of a batch do not fit in
    SRAM. Constants of `technology` may be arrays of shape (technologies, 1, 1).
    """
    machines = _one_array_each(config, technology, encoding)
    fits = _fits(machines, workload)
    if not fits.any():
        LOGGER.warning(
            "no design point for %s: weights of %s take %.1f MiB of %g MiB SRAM",
            encoding,
            workload.name,
            workload.weight_byte(encoding) / _MEBI,
            config.budget.sram_mib,
        )
    limits = _shape_limits(config, technology, workload, machines)
    any_fits = fits & (reduce(np.minimum, limits.values()) >= 1)
    possible = np.flatnonzero(np.any(any_fits, axis=tuple(range(any_fits.ndim - 2))))
    technologies = any_fits.size // fits.size
    rows = max(1, _CHUNK_POINTS // (config.voltage_steps * technologies))
    for start in range(0, len(possible), rows):
        chosen = possible[start : start + rows]
        yield _fill(
            _shapes(machines, chosen),
            {name: limit[..., chosen, :] for name, limit in limits.items()},
            config.budget.power_w,
            technology,
        )


def count_points(config: DesignSpace) -> int:
    """Return the points of the grid, those without any array included."""
    return config.max_rows * len(config.widths) * config.voltage_steps


def sram_byte_of(config: DesignSpace) -> float:
    """Return the capacity of SRAM in the budget."""
    return config.budget.sram_mib * _MEBI


def dram_byte_per_s_of(config: DesignSpace) -> float:
    """Return the bandwidth of DRAM in the budget."""
    return config.budget.dram_gb_per_s * _GIGA


def _fill(
    machines: Machines, limits: Mapping[str, Any], power_limit_w: float, technology: Technology
) -> Chunk:
    limits = {**limits, "power": _power_limit(power_limit_w, machines, technology)}
    arrays = reduce(np.minimum, limits.values())
    return Chunk(
        machines=replace(machines, arrays=np.maximum(arrays, 1)),
        feasible=(arrays >= 1) & (machines.frequency_hz > 0),
        limits=limits,
    )


def machines_of(
    config: DesignSpace,
    technology: Technology,
    encoding: str,
    *,
    arrays: Any,
    rows: Any,
    width: Any,
    voltage_v: Any,
) -> Machines:
    """Return machines of square arrays with the memory of the budget; numbers may be arrays."""
    sram_byte = sram_byte_of(config)
    return Machines(
        encoding=encoding,
        arrays=arrays,
        rows=rows,
        columns=rows,
        width=width,
        frequency_hz=technology.frequency_hz(voltage_v),
        voltage_v=voltage_v,
        sram_byte=sram_byte,
        dram_byte_per_s=dram_byte_per_s_of(config),
        sram_byte_per_cycle=technology.sram_byte_per_cycle(sram_byte),
        pipeline_cycles=np.round(technology.pipeline_cycles),
        simd_latency_cycles=np.round(technology.simd_latency_cycles),
        simd_op_per_cycle=technology.simd_op_per_cycle,
    )


def _one_array_each(config: DesignSpace, technology: Technology, encoding: str) -> Machines:
    shapes = np.array(list(product(range(1, config.max_rows + 1), config.widths)), dtype=float)
    voltages = np.linspace(config.min_voltage_v, config.max_voltage_v, config.voltage_steps)
    return machines_of(
        config,
        technology,
        encoding,
        arrays=1,
        rows=shapes[:, :1],
        width=shapes[:, 1:],
        voltage_v=np.round(voltages, 6),  # 0.73 and not the sum of steps
    )


def _shapes(machines: Machines, chosen: Any) -> Machines:
    names = ("rows", "columns", "width")
    return replace(machines, **{name: getattr(machines, name)[chosen] for name in names})


def _fits(machines: Machines, workload: Workload) -> Any:
    """Return whether weights and double-buffered activations fit in SRAM, for each shape."""
    activation_byte = 2 * machines.rows * workload.activation_byte_per_request(machines.encoding)
    stored_byte = workload.weight_byte(machines.encoding) + activation_byte
    return stored_byte <= machines.sram_byte


def _shape_limits(
    config: DesignSpace, technology: Technology, workload: Workload, machines: Machines
) -> dict[str, Any]:
    """Return the largest number of arrays under each limit that does not depend on the voltage."""
    fixed_mm2, slope_mm2 = _line(
        lambda arrays: sum(area_mm2(replace(machines, arrays=arrays), technology).values())
    )
    weight_byte = machines.columns * machines.width * get_encoding(machines.encoding).w.bits / 8
    outputs = max(layer.n for layer in workload.layers)
    return {
        "area": np.floor((config.budget.area_mm2 - fixed_mm2) / slope_mm2),
        "sram_bandwidth": np.floor(machines.sram_byte_per_cycle / weight_byte),
        "outputs": np.ceil(outputs / machines.columns),
    }


def _power_limit(limit_w: float, machines: Machines, technology: Technology) -> Any:
    """Return the largest number of arrays within `limit_w`; 0 where one array is above it.

    All components are linear in the number m of arrays, but for wires: m of a length that goes with
    the root of an array's part of the die, (a + b m) / m. So the limit is where
    fixed + slope m + c sqrt(a m + b m^2) reaches it: the smaller root of a quadratic.
    """
    (wires_w, first_w), (_, second_w) = (
        wires_and_rest_w(replace(machines, arrays=arrays), technology) for arrays in (1, 2)
    )
    slope_w = second_w - first_w
    fixed_w = first_w - slope_w
    a, b = _line(lambda arrays: _wired_mm2(replace(machines, arrays=arrays), technology))
    c_squared = wires_w**2 / (a + b)
    left_w = limit_w - fixed_w
    half = left_w * slope_w + c_squared * a / 2
    square = slope_w**2 - c_squared * b
    root = left_w**2 / (half + np.sqrt(np.maximum(half**2 - square * left_w**2, 0)))
    count = np.floor(np.where(left_w > 0, root, 0))
    for nearest in (count + 1, count):  # the root is rounded: the count is this, or one less
        total_w = fixed_w + slope_w * nearest + np.sqrt(c_squared * nearest * (a + b * nearest))
        count = np.where(total_w > limit_w, np.minimum(count, nearest - 1), nearest)
    return np.maximum(count, 0)


def _wired_mm2(machines: Machines, technology: Technology) -> Any:
    """Return the area that wires of the arrays cross: all but the HBM interface."""
    areas = area_mm2(machines, technology)
    return sum(value for name, value in areas.items() if name != "hbm_interface")


def _line(value: Callable[[int], Any]) -> tuple[Any, Any]:
    """Return offset and slope of a function that is linear in the number of arrays."""
    one = value(1)
    slope = value(2) - one
    return one - slope, slope
