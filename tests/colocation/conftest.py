"""A small co-location that all tests of the sweep and the fleet share."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from equinox.accelerator import load_technology
from equinox.colocation import Poisson, Program, simulate_design
from equinox.colocation.simulation import Outcome
from equinox.colocation.site import Power, Site
from equinox.config.colocation import Colocation, Fleet, MixedService, Sensitivity, Sharing
from tests.accelerator._machines import machine

FLEET = Fleet(
    accelerators=100,
    intervals=24,
    mean_load=0.3,
    peak_to_trough=4,
    balancers=("even", "pack"),
    schedulings=("inference_only", "priority"),
    pack_load=0.8,
    profile="cosine",
)
SENSITIVITY = Sensitivity(
    design="500us",
    workload="lstm_2048_25",
    batching="full",
    loads=(0.5,),
    training_batch=(172,),
    dram_gb_per_s=(250.0,),
    instruction_folds=(8,),
    instruction_reduction=(400,),
    arrivals=("gamma:8",),
    adaptive_timeout=(4.0,),
)
SHARING = Sharing(
    design="500us",
    batching="shortened",
    orders=("listed", "deadline"),
    schedulings=("inference_only", "priority"),
    loads=(0.3, 0.7),
    mixes={
        "whole": (MixedService(workload="lstm_2048_25"), MixedService(workload="bert_base_128")),
        "by_2": (
            MixedService(workload="lstm_2048_25"),
            MixedService(workload="bert_base_128", weight=3, max_batch=2),
        ),
    },
)
CONFIG = Colocation(
    encoding="hbfp8_16",
    designs=("500us",),
    workloads=("lstm_2048_25",),
    training_batch=128,
    batchings=("adaptive", "full"),
    schedulings=("inference_only", "priority", "fair", "training_only"),
    loads=(0.2, 0.8),
    seeds=(0, 1),
    requests=1000,
    batches=40,
    iterations=2,
    warm_up=0.1,
    adaptive_timeout=1.0,
    guard_batches=2,
    instruction_folds=1,
    load_tolerance=0.05,
    latency_target_us={"lstm_2048_25": 2000.0},
    sensitivity=SENSITIVITY,
    sharing=SHARING,
    fleet=FLEET,
)


def design(name, rows, arrays):
    technology = load_technology("28nm")
    accelerator = technology.accelerator(
        encoding="hbfp8_16",
        arrays=arrays,
        rows=rows,
        width=16,
        voltage_v=0.73,
        sram_byte=75 * 2**20,
        dram_byte_per_s=1e12,
    )
    unused = ("area_mm2", "service_time_us", "throughput_op_per_s", "training_op_per_s")
    return {
        "design": name,
        **asdict(accelerator),
        **dict.fromkeys(unused, 1.0),
        "power_w": 75.0,
        "peak_op_per_s": accelerator.peak_op_per_s,
    }


def program(mmu, simd=0, load=0, depends=False, size=1, drain=0):
    ones = np.ones(size, np.int64)
    return Program(
        mmu_cycles=ones * mmu,
        simd_cycles=ones * simd,
        load_cycles=ones * load,
        depends=np.full(size, depends),
        count=ones,
        drain_cycles=drain,
        op=1000,
    )


@pytest.fixture(scope="session")
def designs():
    return pd.DataFrame([design("500us", 86, 2), design("dedicated_training", 43, 8)])


@pytest.fixture(scope="session")
def simulate_parts(designs):
    """Simulate the design under a config: parts of tables by name."""

    def simulated(config):
        return simulate_design(
            config,
            designs,
            "500us",
            technology="28nm",
            workload="lstm_2048_25",
            training_workload="lstm_2048_25",
        )

    return simulated


@pytest.fixture(scope="session")
def simulate_one(simulate_parts):
    """Return the rows of the table colocation under a config."""
    return lambda config: simulate_parts(config)["colocation"]


@pytest.fixture(scope="session")
def outcome_by_hand():
    """Return four requests, the second and third complete in the window, from 200 to 1000."""
    return Outcome(
        arrival_cycle=np.array([0, 100, 500, 1000]),
        start_cycle=np.array([10, 100, 500, 1000]),
        completion_cycle=np.array([200, 400, 1000, 1500]),
        inference_cycles=100,
        padding_cycles=60,
        training_cycles=400,
        stalled_cycles=80,
        idle_cycles=160,
        window_cycles=800,
        training_iterations=4.0,
        training_op_per_cycle=0.5,
        batches=3,
        instructions=20,
    )


@pytest.fixture(scope="session")
def site_by_hand(outcome_by_hand):
    """Return a machine of 4 rows at 1 GHz with small programs; load 1 is 4 requests in 1000 ns."""
    return Site(
        machine=machine(
            encoding="hbfp8_16",
            arrays=2,
            width=8,
            sram_byte=2**20,
            dram_byte_per_s=1e12,
            simd_op_per_cycle=1000.0,
        ),
        inference=program(10, load=5, size=90),
        shortened=tuple(program(size, size=90) for size in (4, 6, 8, 10)),
        training=program(20, load=10, size=5),
        training_batch=8,
        op_per_request=100,
        service_cycles=2000,
        period_cycles=1000,
        alone=outcome_by_hand,
        dedicated_op_per_s=2e9,
        arrivals=Poisson(),
        resident=False,
        power=Power(steady_w=10.0, busy_w=40.0, dram_w=20.0),
    )


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def parts(simulate_parts):
    return simulate_parts(CONFIG)


@pytest.fixture(scope="session")
def colocation(parts):
    return parts["colocation"]
