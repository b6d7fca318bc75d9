"""Time of a batch of requests, and throughput of training, on an accelerator alone."""

from typing import Any

import numpy as np

from equinox.accelerator.machine import Machine
from equinox.accelerator.timing import matmul_timing
from equinox.accelerator.workloads import TrainingProduct, Workload


def service_cycles(machine: Machine, workload: Workload, *, batch: Any) -> Any:
    """Return the cycles of one batch of `workload` with its weights in SRAM.

    A layer waits for the results of the one before, as does each step of a recurrent layer; other
    repetitions are independent and follow each other as soon as the arrays take operands.
    """
    total: Any = 0
    for layer in workload.layers:
        m, repeat = layer.sizes(batch)
        timing = matmul_timing(
            machine,
            m=m,
            k=layer.k,
            n=layer.n,
            simd_op_per_output=layer.simd_op_per_output,
        )
        steps = repeat if layer.recurrent else 1
        total = total + steps * timing.result_cycles
        total = total + (repeat - steps) * timing.issue_cycles
    return total


def training_op_per_s(machine: Machine, products: tuple[TrainingProduct, ...]) -> Any:
    """Return the training throughput of `machine` doing nothing else.

    The roofline of a training step: the longer of all its products on the arrays, with their
    dependences, and all its bytes through DRAM.
    """
    cycles: Any = 0
    for product in products:
        timing = matmul_timing(
            machine,
            m=product.m,
            k=product.k,
            n=product.n,
            simd_op_per_output=product.simd_op / (product.m * product.n),
        )
        steps = product.repeat if product.dependent else 1
        cycles = cycles + steps * timing.result_cycles
        cycles = cycles + (product.repeat - steps) * timing.issue_cycles
    dram_byte = sum(product.repeat * product.dram_byte for product in products)
    time_s = np.maximum(cycles / machine.frequency_hz, dram_byte / machine.dram_byte_per_s)
    return sum(product.op for product in products) / time_s
