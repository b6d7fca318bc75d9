"""All feasible design points: for every shape and voltage, as many arrays as the budget holds."""

import logging
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd

from equinox.accelerator import (
    Machine,
    Machines,
    Technology,
    Workload,
    area_mm2,
    power_w,
    service_cycles,
    training_op_per_s,
)
from equinox.config.design_space import DesignSpace
from equinox.encodings.formats import get_encoding

LOGGER = logging.getLogger(__name__)

#: Limits of the number of arrays, in the order that names the one that binds first.
LIMITS: Final = ("area", "power", "sram_bandwidth", "outputs")
_GIGA: Final = 1e9  # bytes in a GB
_MEBI: Final = 2**20  # bytes in a MiB
_MICRO: Final = 1e6  # us in a second


def sweep(
    config: DesignSpace,
    technology: Technology,
    workload: Workload,
    encoding: str,
) -> pd.DataFrame:
    """Return all feasible design points of `encoding`: rows of the table design_space.

    For each shape and voltage of `config`, the point has the largest number of arrays within area,
    power at full utilization and bandwidth of SRAM, and with an output feature of the widest layer
    for each column; `bound_by` is what one more array would break. There is no point at all if the
    weights and, twice, the activations of a batch do not fit in SRAM.
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
    possible = np.flatnonzero(fits & (reduce(np.minimum, limits.values()) >= 1))
    machines = replace(
        machines,
        **{name: getattr(machines, name)[possible] for name in ("rows", "columns", "width")},
    )
    limits = {name: limit[possible] for name, limit in limits.items()}
    limits["power"] = _power_limit(
        config, technology, machines, reduce(np.minimum, limits.values())
    )
    arrays = reduce(np.minimum, limits.values())
    feasible = (arrays >= 1) & (machines.frequency_hz > 0)
    machines = replace(machines, arrays=np.maximum(arrays, 1))
    binds = [np.broadcast_to(arrays == limits[name], feasible.shape) for name in LIMITS]
    columns = {
        **evaluate(machines, technology, workload, training_batch=config.training_batch),
        "bound_by": np.array(LIMITS)[np.argmax(binds, axis=0)],
    }
    frame = {
        name: np.broadcast_to(values, feasible.shape)[feasible] for name, values in columns.items()
    }
    return pd.DataFrame({"encoding": encoding, **frame})


def evaluate(
    machine: Machine, technology: Technology, workload: Workload, *, training_batch: int
) -> dict[str, Any]:
    """Return the numbers of a design point, or of many: the columns of the tables by name.

    A batch has a request per row. Training has the machine to itself: the narrow weights stay in
    SRAM if they fit there.
    """
    encoding = machine.encoding
    time_s = service_cycles(machine, workload, batch=machine.rows) / machine.frequency_hz
    units = machine.arrays * machine.rows * machine.columns
    resident = workload.weight_byte(encoding) < machine.sram_byte
    training = workload.training(training_batch, encoding=encoding, resident=resident)
    return {
        "rows": machine.rows,
        "columns": machine.columns,
        "width": machine.width,
        "arrays": machine.arrays,
        "voltage_v": machine.voltage_v,
        "frequency_hz": machine.frequency_hz,
        "area_mm2": sum(area_mm2(machine, technology).values()),
        "power_w": sum(power_w(machine, technology).values()),
        "service_time_us": time_s * _MICRO,
        "throughput_op_per_s": workload.op_per_request * machine.rows / time_s,
        "peak_op_per_s": 2 * units * machine.width * machine.frequency_hz,  # 2: multiply, add
        "training_op_per_s": training_op_per_s(machine, training),
    }


def sram_byte_of(config: DesignSpace) -> float:
    """Return the capacity of SRAM in the budget."""
    return config.budget.sram_mib * _MEBI


def _one_array_each(config: DesignSpace, technology: Technology, encoding: str) -> Machines:
    shapes = np.array(list(product(range(1, config.max_rows + 1), config.widths)), dtype=np.int64)
    rows, width = shapes[:, :1], shapes[:, 1:]
    voltages = np.linspace(config.min_voltage_v, config.max_voltage_v, config.voltage_steps)
    voltage_v = np.round(voltages, 6)  # 0.73 and not the sum of steps
    sram_byte = sram_byte_of(config)
    return Machines(
        encoding=encoding,
        arrays=1,
        rows=rows,
        columns=rows,
        width=width,
        frequency_hz=technology.frequency_hz(voltage_v),
        voltage_v=voltage_v,
        sram_byte=sram_byte,
        dram_byte_per_s=config.budget.dram_gb_per_s * _GIGA,
        sram_byte_per_cycle=technology.sram_byte_per_cycle(sram_byte),
        pipeline_cycles=round(technology.pipeline_cycles),
        simd_latency_cycles=round(technology.simd_latency_cycles),
        simd_op_per_cycle=technology.simd_op_per_cycle,
    )


def _fits(machines: Machines, workload: Workload) -> Any:
    """Return whether weights and double-buffered activations fit in SRAM, for each shape."""
    activation_byte = 2 * machines.rows * workload.activation_byte_per_request(machines.encoding)
    stored_byte = workload.weight_byte(machines.encoding) + activation_byte
    return stored_byte <= machines.sram_byte


def _shape_limits(
    config: DesignSpace, technology: Technology, workload: Workload, machines: Machines
) -> dict[str, Any]:
    """Return the largest number of arrays under each limit that does not depend on the voltage."""

    def total_area_mm2(arrays: int) -> Any:
        return sum(area_mm2(replace(machines, arrays=arrays), technology).values())

    first, slope = total_area_mm2(1), total_area_mm2(2) - total_area_mm2(1)
    by_area = 1 + np.floor((config.budget.area_mm2 - first) / slope).astype(np.int64)
    weight_byte = machines.columns * machines.width * get_encoding(machines.encoding).w.bits / 8
    outputs = max(layer.n for layer in workload.layers)
    return {
        "area": by_area,
        "sram_bandwidth": np.floor(machines.sram_byte_per_cycle / weight_byte).astype(np.int64),
        "outputs": -(-outputs // machines.columns),
    }


def _power_limit(config: DesignSpace, technology: Technology, machines: Machines, most: Any) -> Any:
    """Return the largest number of arrays up to `most` within the power of the budget.

    It is 0 where one array is above it, and `most` + 1 where `most` is within it, so that another
    limit binds. Power increases with the number and is concave (the wires of an array get shorter),
    so the chord from 1 reaches the limit beyond where power does: chords converge from above, and
    single steps end the search.
    """
    limit_w = config.budget.power_w

    def total_power_w(arrays: Any) -> Any:
        return sum(power_w(replace(machines, arrays=arrays), technology).values())

    first_w, count = total_power_w(1), most.astype(float)
    value_w = total_power_w(count)
    within = value_w <= limit_w
    for _ in range(3):
        chord = 1 + (limit_w - first_w) * (count - 1) / np.where(count > 1, value_w - first_w, 1)
        count = np.where(within, count, np.clip(chord, 1, count))
        value_w = total_power_w(count)
    count = np.floor(count + 1e-9)  # a root that is whole, but for rounding
    while (above := (total_power_w(count) > limit_w) & (count > 1)).any():
        count = count - above
    count = np.where(first_w > limit_w, 0, count)
    return np.where(within, most + 1, count).astype(np.int64)
