"""Cycles of a matrix product on the arrays: one model, used by design space and co-location."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from equinox.accelerator.machine import Machine
from equinox.encodings.formats import get_encoding

Dataflow = Literal["ws", "is", "os"]
Folds = Literal["overlapped", "separate"]


def systolic_cycles(m: int, k: int, n: int, *, rows: int, columns: int, dataflow: Dataflow) -> int:
    """Return the cycles of an m x k by k x n product on one plain systolic array.

    A fold is what the array holds at once: weights ("ws"), inputs ("is") or outputs ("os"). Folds
    follow each other without overlap, a partly filled one costs what a full one does, and "os"
    leaves out the draining of outputs:

        ws  ceil(k/rows) ceil(n/columns) (2 rows + columns + m - 2)
        is  ceil(k/rows) ceil(m/columns) (2 rows + columns + n - 2)
        os  ceil(m/rows) ceil(n/columns) (rows + columns + k - 2)

    Raises:
        ValueError: the dataflow is unknown or a size is not positive.

    Source: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
    Accelerators using SCALE-Sim", ISPASS 2020; equal to the cycles of SCALE-Sim v2.0.2.
    """
    if min(m, k, n, rows, columns) < 1:
        raise ValueError(
            f"a product of {m} x {k} x {n} on {rows} x {columns} units; sizes must be positive"
        )
    match dataflow:
        case "ws":
            folds, fold_cycles = _ceil(k, rows) * _ceil(n, columns), 2 * rows + columns + m - 2
        case "is":
            folds, fold_cycles = _ceil(k, rows) * _ceil(m, columns), 2 * rows + columns + n - 2
        case "os":
            folds, fold_cycles = _ceil(m, rows) * _ceil(n, columns), rows + columns + k - 2
        case _:
            raise ValueError(f"dataflow is {dataflow!r}; choose ws, is or os")
    return int(folds * fold_cycles)


@final
@dataclass(frozen=True, kw_only=True)
class MatmulTiming:
    """When the arrays, and when the results of a matrix product, are free for the next one."""

    #: Cycles that the product takes operands: an independent product may follow then.
    issue_cycles: Any
    #: Cycles until its last result is back in SRAM: a dependent product may follow then.
    result_cycles: Any


def matmul_timing(
    machine: Machine,
    *,
    m: Any,
    k: Any,
    n: Any,
    simd_op_per_output: float = 0,
    dram_byte: Any = 0,
    folds: Folds = "overlapped",
) -> MatmulTiming:
    """Return the cycles of an m x k by k x n product: m rows of a batch, n output features.

    The rows of all arrays hold the same `rows` of the batch; the output features are split over
    `arrays * columns` columns; k is reduced `width` values a cycle. With

        folds    = ceil(m / rows) ceil(n / (arrays columns))
        stream   = ceil(k / width)                operands enter the array
        skew     = rows + columns - 2             from its first unit to its last
        drain    = rows                           outputs leave through the columns
        tail     = ceil(log2 width) + pipeline + SIMD latency + SIMD work of the last fold

    overlapped folds (operands and outputs double-buffered: the steady state) take

        interval = max(stream, drain, weight bytes of a fold / SRAM bytes per cycle,
                       SIMD work of a fold)
        issue    = max(folds interval, dram_byte / DRAM bytes per cycle)
        result   = issue + skew + drain + tail

    (a last fold shorter than the drain is held for it too), and separate ones
    interval = max(stream + skew + drain, ...) and result = issue + tail.
    `dram_byte` are the bytes that the product moves to or from DRAM while it runs.
    Every argument and every number of `machine` may be an array.

    Raises:
        ValueError: `folds` is unknown.
    """
    if folds not in ("overlapped", "separate"):
        raise ValueError(f"folds is {folds!r}; choose overlapped or separate")
    across = machine.arrays * machine.columns
    count = _ceil(m, machine.rows) * _ceil(n, across)
    through = machine.rows + machine.columns - 2 + machine.rows  # skew and drain
    stream = _ceil(k, machine.width)
    weight_byte = k * across * get_encoding(machine.encoding).w.bits / 8
    simd = simd_op_per_output * machine.rows * across / machine.simd_op_per_cycle
    own = stream + through if folds == "separate" else np.maximum(stream, machine.rows)
    interval = _largest(own, weight_byte / machine.sram_byte_per_cycle, simd)
    issue = count * interval
    if np.any(dram_byte):
        moved = dram_byte * machine.frequency_hz / machine.dram_byte_per_s
        issue = _largest(issue, moved)
    tail = (
        np.ceil(np.log2(machine.width))
        + machine.pipeline_cycles
        + machine.simd_latency_cycles
        + np.ceil(simd)
    )
    result = issue + tail + (through if folds == "overlapped" else 0)
    return MatmulTiming(issue_cycles=_whole(issue), result_cycles=_whole(result))


def matmul_cycles(
    machine: Machine,
    *,
    m: Any,
    k: Any,
    n: Any,
    simd_op_per_output: float = 0,
    dram_byte: Any = 0,
    folds: Folds = "overlapped",
) -> Any:
    """Return the cycles until the last result of a product: `result_cycles` of `matmul_timing`.

    An int, or an array of integers where an argument or a number of `machine` is an array.
    """
    return matmul_timing(
        machine,
        m=m,
        k=k,
        n=n,
        simd_op_per_output=simd_op_per_output,
        dram_byte=dram_byte,
        folds=folds,
    ).result_cycles


def _ceil(value: Any, divisor: Any) -> Any:
    """Return the quotient, rounded up: for integers below 2^53, floats round it up exactly."""
    if isinstance(value, np.ndarray) or isinstance(divisor, np.ndarray):
        return np.ceil(value / divisor)  # several times faster than dividing arrays of integers
    return -(-value // divisor)


def _largest(own: Any, *bounds: Any) -> Any:
    """Return the most cycles; a bound that is not whole ends in the cycle after."""
    for bound in bounds:
        own = np.maximum(own, np.ceil(bound))
    return own


def _whole(cycles: Any) -> Any:
    whole = np.asarray(cycles).astype(np.int64)
    return whole if whole.ndim else int(whole)
