"""A machine with the programs that share it: their times, work and power alone."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import pandas as pd

from equinox.accelerator import Accelerator, Technology, Workload, power_w
from equinox.colocation.arrivals import Arrivals, make_arrivals
from equinox.colocation.programs import (
    Program,
    inference_program,
    keeps_weights,
    training_program,
)
from equinox.colocation.simulation import Outcome, simulate
from equinox.config.colocation import Colocation
from equinox.design_space.choose import accelerator_of

DEDICATED: Final = "dedicated_training"  # the design that training is measured against
#: Components that draw power whether or not the matrix unit has work: no gating is assumed.
STEADY: Final = (
    *("leakage", "clock", "instruction_memory", "request_dispatcher", "scheduler"),
    *("hbm_interface", "host_interface"),
)
_ALONE = (2, 12)  # iterations: training alone is measured from the end of 2 to the end of 12
_SATURATED = 8  # batches back to back, after which their distance is the steady one
_SAME = ("encoding", "rows", "columns", "width", "arrays", "voltage_v", "sram_byte")


@final
@dataclass(frozen=True, kw_only=True)
class Power:
    """What an accelerator draws."""

    steady_w: float  # always
    busy_w: float  # more, while the matrix unit works
    dram_w: float  # more, while the DRAM channel works, where its chips count

    def mean_w(self, *, busy_share: float, dram_share: float) -> float:
        """Return the mean power for these shares of time."""
        return self.steady_w + busy_share * self.busy_w + dram_share * self.dram_w


@final
@dataclass(frozen=True, kw_only=True)
class Site:
    """A machine with the programs that share it, and their times alone."""

    machine: Accelerator
    inference: Program
    shortened: tuple[Program, ...]  # by batch size - 1; one if all sizes take the same time
    training: Program
    training_batch: int
    op_per_request: int
    service_cycles: int  # a full batch on an idle machine
    period_cycles: int  # between full batches back to back; load 1
    alone: Outcome  # training with the machine to itself
    dedicated_op_per_s: float  # training on the dedicated machine
    arrivals: Arrivals
    resident: bool  # the service's weights stay in SRAM
    power: Power

    @property
    def request_per_s(self) -> float:
        """Requests of full batches back to back: load 1."""
        return self.machine.rows * self.machine.frequency_hz / self.period_cycles

    @property
    def iteration_s(self) -> float:
        """A training iteration with the machine to itself."""
        alone = self.alone
        return alone.window_cycles / alone.training_iterations / self.machine.frequency_hz


def prepare_site(
    config: Colocation,
    designs: pd.DataFrame,
    design: str,
    technology: Technology,
    workload: Workload,
    training_workload: Workload,
) -> Site:
    """Return `design` with its programs.

    Beside inference, training streams its weights from DRAM: the SRAM is the inference
    service's. The dedicated machine keeps them in SRAM if they fit there.

    Raises:
        ValueError: `designs` has not this design, or not the dedicated one, in
            `config.encoding`.
    """
    machine = accelerator_of(find_design(designs, design, config.encoding), technology)
    dedicated = accelerator_of(find_design(designs, DEDICATED, config.encoding), technology)
    best = train_dedicated(config, dedicated, training_workload)
    return place(config, machine, technology, workload, training_workload, best)


def train_dedicated(config: Colocation, dedicated: Accelerator, workload: Workload) -> float:
    """Return the operations per second of training `workload` alone on the machine `dedicated`."""
    fits = workload.weight_byte(config.encoding) < dedicated.sram_byte
    training = _train_on(config, dedicated, workload, resident=fits)
    return train_alone(training).training_op_per_cycle * dedicated.frequency_hz


def place(
    config: Colocation,
    machine: Accelerator,
    technology: Technology,
    workload: Workload,
    training_workload: Workload,
    dedicated_op_per_s: float,
) -> Site:
    """Return `machine` with its programs; training is measured against `dedicated_op_per_s`."""
    inference = inference_program(machine, workload)
    training = _train_on(config, machine, training_workload, resident=False)
    completions = np.unique(_saturate(inference, machine.rows).completion_cycle)
    return Site(
        machine=machine,
        inference=inference,
        shortened=_shorten(machine, workload),
        training=training,
        training_batch=config.training_batch,
        op_per_request=workload.op_per_request,
        service_cycles=int(completions[0]),
        period_cycles=int(completions[-1] - completions[-2]),
        alone=train_alone(training),
        dedicated_op_per_s=dedicated_op_per_s,
        arrivals=make_arrivals(config.arrivals),
        resident=keeps_weights(machine, workload),
        power=power_of(machine, technology),
    )


def power_of(machine: Accelerator, technology: Technology) -> Power:
    """Return the power of `machine` by what has to work for it.

    DRAM chips count if the technology's choice `dram_energy` is "inside".
    """
    parts = {name: float(value) for name, value in power_w(machine, technology).items()}
    steady_w = sum(parts[name] for name in STEADY)
    dram_w = parts.get("dram", 0.0)
    busy_w = sum(parts.values()) - steady_w - dram_w
    return Power(steady_w=steady_w, busy_w=busy_w, dram_w=dram_w)


def train_alone(training: Program) -> Outcome:
    """Return the steady state of `training` with the machine to itself."""
    cycles = max(training.total_mmu_cycles, training.total_load_cycles)
    window = (_ALONE[0] * cycles, _ALONE[1] * cycles)
    return simulate(training, training, [], rows=1, scheduling="training_only", window=window)


def find_design(designs: pd.DataFrame, design: str, encoding: str) -> Any:
    """Return the row of `design` in the table designs.

    Raises:
        ValueError: there is none.
    """
    found = designs[(designs["design"] == design) & (designs["encoding"] == encoding)]
    if len(found) != 1:
        known = designs.loc[designs["encoding"] == encoding, "design"].tolist()
        raise ValueError(
            f"the table designs has {len(found)} rows of design {design!r} in {encoding}; "
            f"it has {known}"
        )
    return found.iloc[0]


def same_machine(config: Colocation, designs: pd.DataFrame, design: str) -> str:
    """Return the first design of `config` that is the same machine as `design`."""

    def shape(name: str) -> tuple[Any, ...]:
        row = find_design(designs, name, config.encoding)
        return tuple(row[list(_SAME)]) + (row["dram_byte_per_s"],)

    return next(name for name in config.designs if shape(name) == shape(design))


def _train_on(
    config: Colocation, machine: Accelerator, workload: Workload, *, resident: bool
) -> Program:
    products = workload.training(config.training_batch, encoding=config.encoding, resident=resident)
    return training_program(
        machine,
        products,
        folds=config.instruction_folds,
        reduction=config.instruction_reduction,
    )


def _shorten(machine: Accelerator, workload: Workload) -> tuple[Program, ...]:
    """Return a program for each batch size, or the one that all take."""
    one_row = all(layer.has_weights and layer.m_per_request == 1 for layer in workload.layers)
    sizes = [machine.rows] if one_row else range(1, machine.rows + 1)
    return tuple(inference_program(machine, workload, batch=size) for size in sizes)


def _saturate(inference: Program, rows: int) -> Outcome:
    arrivals = np.zeros(_SATURATED * rows)
    options: Any = {"scheduling": "inference_only", "batching": "full", "window": (0, 1)}
    return simulate(inference, inference, arrivals, rows=rows, **options)
