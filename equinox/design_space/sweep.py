"""All feasible design points: for every shape and voltage, as many arrays as the budget holds."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from equinox.accelerator import (
    Machine,
    Technology,
    Workload,
    area_mm2,
    service_cycles,
    training_op_per_s,
    wires_and_rest_w,
)
from equinox.config.design_space import DesignSpace
from equinox.design_space.grid import LIMITS, Chunk, scan
from equinox.tables import TABLES

_MICRO: Final = 1e6  # us in a second
_COUNTS: Final = ("rows", "columns", "width", "arrays")


def sweep(
    config: DesignSpace,
    technology: Technology,
    workload: Workload,
    encoding: str,
) -> pd.DataFrame:
    """Return all feasible design points of `encoding`: rows of the table design_space.

    A point has the largest number of arrays that fits (`grid.scan`); `bound_by` is what one more
    array would break.
    """
    parts = list(stream(config, technology, workload, encoding))
    if not parts:
        kinds = {"text": object, "integer": np.int64, "number": float}
        columns = TABLES["design_space"].columns
        return pd.DataFrame({c.name: pd.Series(dtype=kinds[c.kind]) for c in columns})
    points = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    points["bound_by"] = np.array(LIMITS, dtype=object)[points["bound_by"]]
    return frame_of(encoding, points)


def sweep_all(config: DesignSpace, technology: Technology, workload: Workload) -> pd.DataFrame:
    """Return the feasible design points of all encodings of `config`."""
    return pd.concat(sweep(config, technology, workload, name) for name in config.encodings)


def stream(
    config: DesignSpace, technology: Technology, workload: Workload, encoding: str
) -> Iterator[dict[str, Any]]:
    """Yield the feasible design points of `encoding`, some at a time, so that memory is bounded.

    The columns of the table design_space by name, but for the encoding; `bound_by` is an index of
    LIMITS.
    """
    for chunk in scan(config, technology, workload, encoding):
        columns = evaluate(
            chunk.machines, technology, workload, training_batch=config.training_batch
        )
        columns["bound_by"] = _binding(chunk)
        yield {
            name: np.broadcast_to(values, chunk.feasible.shape)[chunk.feasible]
            for name, values in columns.items()
        }


def evaluate(
    machine: Machine, technology: Technology, workload: Workload, *, training_batch: int
) -> dict[str, Any]:
    """Return the numbers of a design point, or of many: the columns of the tables by name.

    A batch has a request per row. Training has the machine to itself: the narrow weights stay in
    SRAM if they fit there.
    """
    encoding = machine.encoding
    units = machine.arrays * machine.rows * machine.columns
    resident = workload.weight_byte(encoding) < machine.sram_byte
    training = workload.training(training_batch, encoding=encoding, resident=resident)
    service_time_us, throughput = serve(machine, workload)
    return {
        "rows": machine.rows,
        "columns": machine.columns,
        "width": machine.width,
        "arrays": machine.arrays,
        "voltage_v": machine.voltage_v,
        "frequency_hz": machine.frequency_hz,
        "area_mm2": sum(area_mm2(machine, technology).values()),
        "power_w": sum(wires_and_rest_w(machine, technology)),
        "service_time_us": service_time_us,
        "throughput_op_per_s": throughput,
        "peak_op_per_s": 2 * units * machine.width * machine.frequency_hz,  # 2: multiply, add
        "training_op_per_s": training_op_per_s(machine, training),
    }


def serve(machine: Machine, workload: Workload) -> tuple[Any, Any]:
    """Return service time in us, and throughput in op/s, of full batches back to back."""
    time_s = service_cycles(machine, workload, batch=machine.rows) / machine.frequency_hz
    return time_s * _MICRO, workload.op_per_request * machine.rows / time_s


def frame_of(encoding: str, points: Mapping[str, Any]) -> pd.DataFrame:
    """Return evaluated points as rows, with whole numbers where they count."""
    whole = {name: np.asarray(points[name]).astype(np.int64) for name in _COUNTS}
    return pd.DataFrame({"encoding": encoding, **points, **whole})


def _binding(chunk: Chunk) -> Any:
    """Return the first of LIMITS that one more array would break, as its index."""
    first = np.full(chunk.feasible.shape, len(LIMITS) - 1, dtype=np.int8)
    for index in reversed(range(len(LIMITS) - 1)):
        binds = chunk.limits[LIMITS[index]] == chunk.machines.arrays
        first[np.broadcast_to(binds, first.shape)] = index
    return first
