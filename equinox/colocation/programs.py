"""Programs: a batch of inference, or an iteration of training, as instructions of an accelerator.

An instruction is one fold of a matrix product: what the arrays hold at once, `rows` by
`arrays * columns` outputs with their whole reduction. It cannot be interrupted. Identical
instructions that follow each other are one entry of a program with a count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import final

import numpy as np
from numpy.typing import NDArray

from equinox.accelerator import Accelerator, TrainingProduct, Workload, matmul_timing
from equinox.encodings.formats import Format, get_encoding

Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Runs of identical instructions in their order: arrays with one entry a run, in cycles."""

    mmu_cycles: Integers  # on the matrix unit, 1 or more
    simd_cycles: Integers  # of the SIMD operation that follows, 0 for none
    load_cycles: Integers  # of DRAM for the operands and results, 0 for none
    depends: NDArray[np.bool_]  # waits for all earlier SIMD operations of the program
    count: Integers  # instructions of the run, 1 or more
    drain_cycles: int  # from the matrix unit to the SIMD unit; one number for a machine
    op: int  # operations of all instructions

    def __post_init__(self) -> None:
        """Raise a ValueError that names the first instruction out of range."""
        low = {"mmu_cycles": 1, "simd_cycles": 0, "load_cycles": 0, "depends": 0, "count": 1}
        sizes = {name: np.shape(getattr(self, name)) for name in low}
        if len(set(sizes.values())) > 1 or len(self.mmu_cycles) == 0:
            raise ValueError(f"a program has arrays of the shapes {sizes}; give each one entry")
        for name, smallest in low.items():
            bad = np.flatnonzero(getattr(self, name) < smallest)
            if len(bad):
                value = getattr(self, name)[bad[0]]
                raise ValueError(
                    f"{name} of instruction {bad[0]} is {value}; it must be {smallest} or more"
                )

    @property
    def total_mmu_cycles(self) -> int:
        """Cycles on the matrix unit of all instructions."""
        return int(self.mmu_cycles @ self.count)

    @property
    def total_load_cycles(self) -> int:
        """Cycles of DRAM of all instructions."""
        return int(self.load_cycles @ self.count)

    def table(self) -> Integers:
        """Return the instructions as rows for `engine.run`."""
        columns = (self.mmu_cycles, self.simd_cycles, self.load_cycles, self.depends, self.count)
        return np.ascontiguousarray(np.stack(columns, axis=1), np.int64)


def inference_program(
    machine: Accelerator, workload: Workload, *, batch: int | None = None
) -> Program:
    """Return a batch of `workload` as instructions: of the `rows` of the array, or of `batch`.

    The array streams the same operands through all its rows, used or not, so a fold takes as long
    with an incomplete batch as with a full one; fewer requests take less time only where a request
    has many rows, so that there are fewer folds. Weights stay in SRAM if `keeps_weights`; otherwise
    every use streams them from DRAM, once for the whole batch, whose activations cross DRAM as well
    if SRAM does not hold them.
    """
    batch = machine.rows if batch is None else batch
    w_byte, x_byte = (form.bits / 8 for form in _operands(machine))
    resident = keeps_weights(machine, workload)
    spilled_byte = batch * workload.activation_byte_per_request(machine.encoding)
    spills = not resident and spilled_byte > machine.sram_byte
    parts = []
    for layer in workload.layers:
        m, repeat = layer.sizes(batch)
        byte = 0.0 if resident or not layer.has_weights else layer.k * layer.n * w_byte
        product = TrainingProduct(
            name=layer.name,
            m=m,
            k=layer.k,
            n=layer.n,
            repeat=repeat,
            dependent=layer.recurrent,
            dram_byte=byte + (m * (layer.k + layer.n) * x_byte if spills else 0.0),
            simd_op=m * layer.n * layer.simd_op_per_output,
        )
        parts.append(_runs(machine, product))
    return _join(machine, parts, op=batch * workload.op_per_request)


def keeps_weights(machine: Accelerator, workload: Workload) -> bool:
    """Return whether the weights stay in SRAM, beside activations."""
    byte = workload.weight_byte(machine.encoding) + activation_byte(machine, workload)
    return byte <= machine.sram_byte


def activation_byte(machine: Accelerator, workload: Workload) -> float:
    """Return the bytes of the activations of the requests that share the array, at most in a layer.

    Those are all of a batch where a request has a row; where it has many, requests follow each
    other.
    """
    values = (
        -(-machine.rows // layer.m_per_request) * layer.m_per_request * (layer.k + layer.n)
        for layer in workload.layers
    )
    return max(values) * _operands(machine)[1].bits / 8


def training_program(
    machine: Accelerator,
    products: Sequence[TrainingProduct],
    *,
    folds: int = 1,
    reduction: int | None = None,
) -> Program:
    """Return a training iteration, `Workload.training(...)`, as instructions of `folds` folds.

    An instruction of training is what inference can wait for at most; the last of a product is
    shorter if folds are left over. A fold reduces at most `reduction` values, if that is given: a
    weight gradient reduces over all samples and positions of the batch, and is cut into parts whose
    sums leave the arrays and are added by the SIMD unit, an operation an output and part.

    The bytes of a product, results included, cross DRAM in equal shares before its instructions,
    but for a rest of cycles before the first ones. Rows that a training batch leaves empty take
    time all the same and count as training.

    Raises:
        ValueError: `folds` or `reduction` is not positive.
    """
    if folds < 1:
        raise ValueError(f"folds is {folds}; an instruction has 1 or more")
    if reduction is not None and reduction < 1:
        raise ValueError(f"reduction is {reduction}; a fold reduces 1 value or more")
    parts = [_runs(machine, _cut(product, reduction), folds) for product in products]
    return _join(machine, parts, op=sum(product.op for product in products))


def _cut(product: TrainingProduct, reduction: int | None) -> TrainingProduct:
    """Return `product` as repetitions that reduce at most `reduction` values each.

    Dependent ones stay whole: only the last of their parts would wait for the product before.
    """
    parts = 1 if reduction is None or product.dependent else ceil(product.k / reduction)
    if parts == 1:
        return product
    return replace(
        product,
        k=ceil(product.k / parts),
        repeat=product.repeat * parts,
        dram_byte=product.dram_byte / parts,
        simd_op=(product.simd_op + (parts - 1) * product.m * product.n) / parts,
    )


def _operands(machine: Accelerator) -> tuple[Format, Format]:
    formats = get_encoding(machine.encoding)
    return formats.w, formats.x


def _runs(machine: Accelerator, product: TrainingProduct, size: int = 1) -> Integers:
    """Return all repetitions of `product`, `size` folds an instruction, as rows for the engine.

    Repetitions that do not depend on each other are one long run.
    """
    times = 1 if product.dependent else product.repeat
    across = machine.arrays * machine.columns
    folds = times * -(-product.m // machine.rows) * -(-product.n // across)
    simd_op = product.simd_op / (product.m * product.n)
    fold = matmul_timing(machine, m=1, k=product.k, n=1, simd_op_per_output=simd_op)
    simd_cycles = fold.result_cycles - fold.issue_cycles - _drain_cycles(machine)
    byte_per_cycle = machine.dram_byte_per_s / machine.frequency_hz
    count, left = -(-folds // size), folds % size
    load, rest = divmod(ceil(times * product.dram_byte / byte_per_cycle), count)
    # The first waits for the product before it; those of the rest load a cycle more.
    runs = [(1, load + (rest > 0), 1), (max(rest - 1, 0), load + 1, 0)]
    runs.append((count - 1 - runs[1][0], load, 0))
    kinds = [(size, *run) for run in runs if run[0]]
    if left:
        last = kinds.pop()
        kinds += [(size, last[1] - 1, *last[2:]), (left, 1, *last[2:])]
    once = [
        (n * fold.issue_cycles, n * simd_cycles, load, depends, same)
        for n, same, load, depends in kinds
        if same
    ]
    return np.tile(np.array(once, np.int64), (product.repeat // times, 1))


def _join(machine: Accelerator, parts: Sequence[Integers], *, op: int) -> Program:
    mmu, simd, load, depends, count = np.concatenate(parts).T
    return Program(
        mmu_cycles=mmu,
        simd_cycles=simd,
        load_cycles=load,
        depends=depends.astype(bool),
        count=count,
        drain_cycles=_drain_cycles(machine),
        op=op,
    )


def _drain_cycles(machine: Accelerator) -> int:
    """Return the cycles from the last operand of a fold to its results, without SIMD work."""
    fold = matmul_timing(machine, m=1, k=1, n=1)
    return int(fold.result_cycles - fold.issue_cycles)
