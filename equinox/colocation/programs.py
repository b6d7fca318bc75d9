"""Programs: a batch of inference, or an iteration of training, as instructions of an accelerator.

An instruction is one fold of a matrix product: what the arrays hold at once, `rows` by
`arrays * columns` outputs with their whole reduction. It cannot be interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from equinox.accelerator import Accelerator, TrainingProduct, Workload, matmul_timing
from equinox.encodings.formats import get_encoding

Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Instructions in their order: arrays with one entry each, in cycles."""

    mmu_cycles: Integers  # on the matrix unit, 1 or more
    simd_cycles: Integers  # of the SIMD operation that follows, 0 for none
    load_cycles: Integers  # of DRAM for the operands and results, 0 for none
    depends: NDArray[np.bool_]  # waits for all earlier SIMD operations of the program
    drain_cycles: int  # from the matrix unit to the SIMD unit; one number for a machine
    op: int  # operations of all instructions

    def __post_init__(self) -> None:
        """Raise a ValueError that names the first instruction out of range."""
        low = {"mmu_cycles": 1, "simd_cycles": 0, "load_cycles": 0, "depends": 0}
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

    def table(self) -> Integers:
        """Return the instructions as rows for `engine.run`."""
        columns = (self.mmu_cycles, self.simd_cycles, self.load_cycles, self.depends)
        return np.ascontiguousarray(np.stack(columns, axis=1), np.int64)


def inference_program(machine: Accelerator, workload: Workload) -> Program:
    """Return a batch of `workload` as instructions.

    The batch is always the `rows` of the array. The array streams the same operands through all
    its rows, used or not, so an incomplete batch takes as long as a full one; cycles of rows
    without a request are padding. Weights stay in SRAM if they and the activations of a batch
    fit; otherwise every use streams them from DRAM.
    """
    formats = get_encoding(machine.encoding)
    activation_byte = machine.rows * workload.activation_byte_per_request(machine.encoding)
    resident = workload.weight_byte(machine.encoding) + activation_byte <= machine.sram_byte
    parts = []
    for layer in workload.layers:
        m = machine.rows * layer.m_per_request
        product = TrainingProduct(
            name=layer.name,
            m=m,
            k=layer.k,
            n=layer.n,
            repeat=layer.repeat,
            dependent=layer.recurrent,
            dram_byte=0.0 if resident else layer.k * layer.n * formats.w.bits / 8,
            simd_op=m * layer.n * layer.simd_op_per_output,
        )
        parts.append(_instructions(machine, product))
    return _join(machine, parts, op=machine.rows * workload.op_per_request)


def training_program(machine: Accelerator, products: Sequence[TrainingProduct]) -> Program:
    """Return a training iteration, `Workload.training(...)`, as instructions.

    The bytes of a product, results included, cross DRAM in equal shares before its folds. Rows
    that a training batch leaves empty take time all the same and count as training.
    """
    parts = [_instructions(machine, product) for product in products]
    return _join(machine, parts, op=sum(product.op for product in products))


def _instructions(machine: Accelerator, product: TrainingProduct) -> Integers:
    """Return the folds of all repetitions of `product` as rows of the engine's columns."""
    across = machine.arrays * machine.columns
    folds = -(-product.m // machine.rows) * -(-product.n // across)
    simd_op = product.simd_op / (product.m * product.n)
    fold = matmul_timing(machine, m=1, k=product.k, n=1, simd_op_per_output=simd_op)
    load = product.dram_byte * machine.frequency_hz / machine.dram_byte_per_s
    once = np.zeros((folds, 4), np.int64)
    once[:, 0] = fold.issue_cycles
    once[:, 1] = fold.result_cycles - fold.issue_cycles - _drain_cycles(machine)
    once[:, 2] = np.diff(np.ceil(load * np.arange(folds + 1) / folds))
    once[0, 3] = 1
    instructions = np.tile(once, (product.repeat, 1))
    if not product.dependent:
        instructions[folds:, 3] = 0  # the first waits for the product before
    return instructions


def _join(machine: Accelerator, parts: Sequence[Integers], *, op: int) -> Program:
    mmu, simd, load, depends = np.concatenate(parts).T
    return Program(
        mmu_cycles=mmu,
        simd_cycles=simd,
        load_cycles=load,
        depends=depends.astype(bool),
        drain_cycles=_drain_cycles(machine),
        op=op,
    )


def _drain_cycles(machine: Accelerator) -> int:
    """Return the cycles from the last operand of a fold to its results, without SIMD work."""
    fold = matmul_timing(machine, m=1, k=1, n=1)
    return int(fold.result_cycles - fold.issue_cycles)
