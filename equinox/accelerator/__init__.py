"""One accelerator: its parameters, area, power and timing, and the DNNs that run on it."""

from equinox.accelerator.cost import (
    COMPONENTS,
    CONTROLLER,
    area_mm2,
    leakage_w,
    power_w,
    wires_and_rest_w,
)
from equinox.accelerator.datapath import UnitCost, unit_cost
from equinox.accelerator.machine import Accelerator, Machine, Machines
from equinox.accelerator.service import service_cycles, training_op_per_s
from equinox.accelerator.technology import Constant, Technology
from equinox.accelerator.technology_file import load_technology, technology_files
from equinox.accelerator.timing import (
    MatmulTiming,
    matmul_cycles,
    matmul_timing,
    systolic_cycles,
)
from equinox.accelerator.workloads import Layer, TrainingProduct, Workload, load_workload

__all__ = [
    "COMPONENTS",
    "CONTROLLER",
    "Accelerator",
    "Constant",
    "Layer",
    "Machine",
    "Machines",
    "MatmulTiming",
    "Technology",
    "TrainingProduct",
    "UnitCost",
    "Workload",
    "area_mm2",
    "leakage_w",
    "load_technology",
    "load_workload",
    "matmul_cycles",
    "matmul_timing",
    "power_w",
    "service_cycles",
    "systolic_cycles",
    "technology_files",
    "training_op_per_s",
    "unit_cost",
    "wires_and_rest_w",
]
