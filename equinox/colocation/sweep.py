"""One design under all policies, loads and seeds of the config."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf
from typing import Any, final

import numpy as np
import pandas as pd

from equinox.accelerator import Accelerator, Technology, Workload
from equinox.colocation.arrivals import Arrivals, make_arrivals
from equinox.colocation.metrics import summarize_latency
from equinox.colocation.programs import (
    Program,
    inference_program,
    keeps_weights,
    training_program,
)
from equinox.colocation.simulation import Outcome, simulate
from equinox.config.colocation import Colocation
from equinox.design_space.choose import accelerator_of

LOGGER = logging.getLogger(__name__)

DEDICATED = "dedicated_training"  # the design that training is measured against
_MICRO = 1e6  # us in a second
_ALONE = (2, 12)  # iterations: training alone is measured from the end of 2 to the end of 12
_SATURATED = 8  # batches back to back, after which their distance is the steady one


@final
@dataclass(frozen=True, kw_only=True)
class Site:
    """A machine with the programs that share it, and their times alone."""

    machine: Accelerator
    inference: Program
    training: Program
    service_cycles: int  # a full batch on an idle machine
    period_cycles: int  # between full batches back to back; load 1
    dedicated_op_per_s: float  # training on the dedicated machine
    arrivals: Arrivals
    resident: bool  # the service's weights stay in SRAM


def simulate_design(
    config: Colocation,
    designs: pd.DataFrame,
    design: str,
    *,
    technology: Technology,
    workload: Workload,
    training_workload: Workload,
) -> pd.DataFrame:
    """Return rows of the table colocation for `design` of the table `designs`.

    Load 1 is full batches back to back. A run measures `config.requests` requests, or those of
    `config.batches` full batches if they are more, after a warm-up of `config.warm_up` of the
    run. Runs of one seed have the same arrivals, but for their rate. With "training_only" no
    request is served and latencies are NaN. From load 1 on the queue grows for as long as a run
    lasts: latencies are infinite, and their lower bounds are what was measured in this run.

    Raises:
        ValueError: `designs` has not this design, or not the dedicated one, in
            `config.encoding`.
    """
    site = prepare_site(config, designs, design, technology, workload, training_workload)
    rows = pd.DataFrame(list(_simulate_all(config, site, workload.op_per_request)))
    names = {"design": design, "encoding": config.encoding, "workload": workload.name}
    names |= {"training_task": training_workload.name, "arrivals": config.arrivals}
    return rows.assign(**names)


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
    """
    machine = accelerator_of(_find(designs, design, config.encoding), technology)
    dedicated = accelerator_of(_find(designs, DEDICATED, config.encoding), technology)
    batch, encoding = config.training_batch, config.encoding
    fits = training_workload.weight_byte(encoding) < dedicated.sram_byte
    alone = training_workload.training(batch, encoding=encoding, resident=fits)
    beside = training_workload.training(batch, encoding=encoding)
    inference = inference_program(machine, workload)
    training = training_program(machine, beside)
    dedicated_op_per_cycle = train_alone(training_program(dedicated, alone)).training_op_per_cycle
    completions = np.unique(_saturate(inference, machine.rows).completion_cycle)
    return Site(
        machine=machine,
        inference=inference,
        training=training,
        service_cycles=int(completions[0]),
        period_cycles=int(completions[-1] - completions[-2]),
        dedicated_op_per_s=dedicated_op_per_cycle * dedicated.frequency_hz,
        arrivals=make_arrivals(config.arrivals),
        resident=keeps_weights(machine, workload),
    )


def train_alone(training: Program) -> Outcome:
    """Return the steady state of `training` with the machine to itself."""
    cycles = max(training.total_mmu_cycles, training.total_load_cycles)
    window = (_ALONE[0] * cycles, _ALONE[1] * cycles)
    return simulate(training, training, [], rows=1, scheduling="training_only", window=window)


def _saturate(inference: Program, rows: int) -> Outcome:
    arrivals = np.zeros(_SATURATED * rows)
    options: Any = {"scheduling": "inference_only", "batching": "full", "window": (0, 1)}
    return simulate(inference, inference, arrivals, rows=rows, **options)


def _find(designs: pd.DataFrame, design: str, encoding: str) -> Any:
    found = designs[(designs["design"] == design) & (designs["encoding"] == encoding)]
    if len(found) != 1:
        known = designs.loc[designs["encoding"] == encoding, "design"].tolist()
        raise ValueError(
            f"the table designs has {len(found)} rows of design {design!r} in {encoding}; "
            f"it has {known}"
        )
    return found.iloc[0]


def _simulate_all(
    config: Colocation, site: Site, op_per_request: int
) -> Iterator[Mapping[str, Any]]:
    done: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for batching in config.batchings:
        for scheduling in config.schedulings:
            LOGGER.info("%s, %s: %d loads", batching, scheduling, len(config.loads))
            # batches of one are the same under any batching
            key = (scheduling,) if site.machine.rows == 1 else (scheduling, batching)
            if key not in done:
                done[key] = list(
                    _simulate_loads(config, site, batching, scheduling, op_per_request)
                )
            for row in done[key]:
                yield {**row, "batching": batching, "scheduling": scheduling}


def _simulate_loads(
    config: Colocation, site: Site, batching: str, scheduling: str, op_per_request: int
) -> Iterator[dict[str, Any]]:
    alone = train_alone(site.training) if scheduling == "training_only" else None
    for load in config.loads:
        for seed in config.seeds:
            outcome = alone or _run(config, site, batching, scheduling, load, seed)
            measured = _measure(site, outcome, load, config.warm_up, op_per_request)
            yield {"load": load, "seed": seed, **measured}


def _run(
    config: Colocation, site: Site, batching: str, scheduling: str, load: float, seed: int
) -> Outcome:
    machine = site.machine
    count = ceil(max(config.requests, config.batches * machine.rows) / (1 - config.warm_up))
    rate = load * machine.rows * machine.frequency_hz / site.period_cycles
    times_s = site.arrivals.times_s(
        count, request_per_s=rate, generator=np.random.default_rng(seed)
    )
    arrival = np.ceil(times_s * machine.frequency_hz).astype(np.int64)
    return simulate(
        site.inference,
        site.training,
        arrival,
        rows=machine.rows,
        scheduling=scheduling,
        batching=batching,
        timeout_cycles=round(config.adaptive_timeout * site.service_cycles),
        guard_batches=config.guard_batches,
        window=(int(arrival[_warm(count, config.warm_up)]), int(arrival[-1])),
    )


def _warm(count: int, warm_up: float) -> int:
    return int(count * warm_up)


def _measure(
    site: Site, outcome: Outcome, load: float, warm_up: float, op_per_request: int
) -> dict[str, Any]:
    frequency_hz, window = site.machine.frequency_hz, outcome.window_cycles
    count = len(outcome.arrival_cycle)
    latency_us = outcome.latency_cycles[_warm(count, warm_up) :] / frequency_hz * _MICRO
    completed = 0
    if count:
        end = outcome.arrival_cycle[-1]
        done = outcome.completion_cycle
        completed = int(((done > end - window) & (done <= end)).sum())
    training_op_per_s = outcome.training_op_per_cycle * frequency_hz
    return {
        "requests": len(latency_us),
        "weights": "resident" if site.resident else "streamed",
        **_name_latencies(summarize_latency(latency_us), growing=load >= 1 and count > 0),
        "service_time_us": site.service_cycles / frequency_hz * _MICRO,
        "inference_op_per_s": completed * op_per_request / window * frequency_hz,
        "training_op_per_s": training_op_per_s,
        "training_relative": training_op_per_s / site.dedicated_op_per_s,
        **_shares(outcome),
    }


def _name_latencies(found: Mapping[str, float], *, growing: bool) -> dict[str, float]:
    """Return statistics under the names of the table; those of a growing queue are infinite."""
    named = {}
    for name, value in found.items():
        statistic, _, end = name.partition("_")
        infinite = growing and end != "low"
        column = f"{statistic}_latency_us" + (f"_{end}" if end else "")
        named[column] = inf if infinite else value
    if growing:
        named |= {f"{key}_latency_us_low": found[key] for key in ("mean", "p50", "p99", "p999")}
    return named


def _shares(outcome: Outcome) -> dict[str, float]:
    kinds = ("inference", "padding", "training", "stalled", "idle")
    return {
        f"{kind}_share": getattr(outcome, f"{kind}_cycles") / outcome.window_cycles
        for kind in kinds
    }
