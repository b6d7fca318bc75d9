"""One accelerator: its parameters, area, power and timing, and the DNNs that run on it."""

from equinox.accelerator.machine import Accelerator, Machine
from equinox.accelerator.service import service_cycles, training_op_per_s
from equinox.accelerator.timing import (
    MatmulTiming,
    matmul_cycles,
    matmul_timing,
    systolic_cycles,
)
from equinox.accelerator.workloads import Layer, TrainingProduct, Workload, load_workload

__all__ = [
    "Accelerator",
    "Layer",
    "Machine",
    "MatmulTiming",
    "TrainingProduct",
    "Workload",
    "load_workload",
    "matmul_cycles",
    "matmul_timing",
    "service_cycles",
    "systolic_cycles",
    "training_op_per_s",
]
