"""One design under all policies, loads and seeds of the config."""

import logging
from collections.abc import Iterator, Mapping
from itertools import product
from math import ceil, inf
from typing import Any, Final

import numpy as np
import pandas as pd

from equinox.colocation.batching import SHORTENED
from equinox.colocation.metrics import QUANTILES, summarize_latency
from equinox.colocation.simulation import Cycles, Outcome, simulate
from equinox.colocation.site import Site
from equinox.config.colocation import Colocation

LOGGER = logging.getLogger(__name__)

ADAPTIVE: Final = "adaptive"
MOST: Final = 4.0
_MICRO = 1e6  # us in a second


def sweep_loads(config: Colocation, site: Site, saturation: Mapping[Any, float]) -> pd.DataFrame:
    """Return a row for each batching, scheduling, load and seed of `config`.

    Load 1 is full batches back to back. Runs of one seed have the same arrivals, but for their
    rate. With "training_only" no request is served and latencies are NaN. Above the load in
    `saturation`, by batching and scheduling, the queue grows for as long as a run lasts: latencies
    are infinite, and their lower bounds are what was measured in this run.
    """
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for batching, scheduling in product(config.batchings, config.schedulings):
        same = same_batching(config, site, batching), scheduling
        if same not in rows:
            LOGGER.info("%s, %s: %d loads", batching, scheduling, len(config.loads))
            limit = saturation.get((batching, scheduling), 1.0)
            rows[same] = list(_rows(config, site, batching, scheduling, limit))
        names = {"batching": batching, "scheduling": scheduling}
        rows[batching, scheduling] = [row | names for row in rows[same]]
    return pd.DataFrame([row for part in rows.values() for row in part])


def same_batching(config: Colocation, site: Site, batching: str) -> str:
    """Return the first batching of `config` that is the same as `batching` on `site`.

    All are if a batch is one request; shortened batches are adaptive ones if all sizes take the
    same time.
    """
    if site.machine.rows == 1:
        return config.batchings[0]
    if batching == SHORTENED and len(site.shortened) == 1 and ADAPTIVE in config.batchings:
        return ADAPTIVE
    return batching


def run_load(
    config: Colocation, site: Site, batching: str, scheduling: str, load: float, seed: int
) -> Outcome:
    """Return a run of `site` at `load`, of `least_requests` after `config.warm_up` of the run."""
    machine = site.machine
    rate = load * site.request_per_s
    least = least_requests(config, site, scheduling, load, rate=rate, rows=machine.rows)
    count = ceil(least / (1 - config.warm_up))
    generator = np.random.default_rng(seed)
    times_s = site.arrivals.times_s(count, request_per_s=rate, generator=generator)
    arrival = np.ceil(times_s * machine.frequency_hz).astype(np.int64)
    shortens = batching == SHORTENED and len(site.shortened) > 1
    return simulate(
        site.shortened if shortens else site.inference,
        site.training,
        arrival,
        rows=machine.rows,
        scheduling=scheduling,
        batching=batching,
        timeout_cycles=round(config.adaptive_timeout * site.service_cycles),
        guard_batches=config.guard_batches,
        window=(int(arrival[_warm(count, config.warm_up)]), int(arrival[-1])),
    )


def least_requests(
    config: Colocation, site: Site, scheduling: str, load: float, *, rate: float, rows: int
) -> float:
    """Return how many requests of a service a run at `load` measures at least.

    They come at `rate` per second and are served in batches of `rows`. `config.requests` over
    1 - load, but at most `MOST` times as many, for the higher the load, the longer queues take to
    forget; or the requests of `config.batches` full batches, or of the time of `config.iterations`
    training iterations, if they are more.
    """
    longer = min(1 / (1 - load), MOST) if load < 1 else MOST
    least = max(longer * config.requests, config.batches * rows)
    if scheduling == "inference_only":
        return least
    return max(least, config.iterations * site.iteration_s * rate)


def latency_us(site: Site, outcome: Outcome, warm_up: float) -> Any:
    """Return the latencies after the warm-up, in the order of arrival."""
    first = _warm(len(outcome.arrival_cycle), warm_up)
    return outcome.latency_cycles[first:] / site.machine.frequency_hz * _MICRO


def measure_work(site: Site, outcome: Outcome) -> dict[str, float]:
    """Return throughput, use and energy in the window of `outcome`, by column of the tables.

    The steady power is divided between inference and training as the matrix unit's cycles are.
    """
    window, frequency_hz = outcome.window_cycles, site.machine.frequency_hz
    window_s = window / frequency_hz
    served = _completed(outcome)
    samples = outcome.training_iterations * site.training_batch
    shares = cycle_shares(outcome)
    serving = shares["inference_share"] + shares["padding_share"]
    training = shares["training_share"]
    dram = {
        "serving": outcome.batches * site.inference.total_load_cycles / _end(outcome),
        "training": training * site.training.total_load_cycles / site.training.total_mmu_cycles,
    }
    power, busy = site.power, serving + training
    divided_w = power.steady_w / busy if busy else 0.0
    energy_j = {
        "request": serving * (power.busy_w + divided_w) + dram["serving"] * power.dram_w,
        "sample": training * (power.busy_w + divided_w) + dram["training"] * power.dram_w,
    }
    op_per_s = outcome.training_op_per_cycle * frequency_hz
    return {
        "inference_op_per_s": served * site.op_per_request / window_s,
        "training_op_per_s": op_per_s,
        "training_relative": op_per_s / site.dedicated_op_per_s,
        **shares,
        "dram_share": min(sum(dram.values()), 1.0),  # above by the rounding of whole instructions
        "power_w": power.mean_w(busy_share=busy, dram_share=sum(dram.values())),
        "energy_per_request_j": energy_j["request"] * window_s / served if served else np.nan,
        "energy_per_sample_j": energy_j["sample"] * window_s / samples if samples else np.nan,
    }


def name_latencies(found: Mapping[str, float], *, growing: bool) -> dict[str, float]:
    """Return statistics under the names of the table; those of a growing queue are infinite."""
    named = {}
    for name in ("mean", *QUANTILES):
        value, low, high = found[name], found[f"{name}_low"], found[f"{name}_high"]
        named[f"{name}_latency_us"] = inf if growing else value
        named[f"{name}_latency_us_low"] = value if growing else low
        named[f"{name}_latency_us_high"] = inf if growing else high
    return named


def cycle_shares(cycles: Cycles) -> dict[str, float]:
    """Return the shares of the MMU cycles of the window, by column of the tables."""
    kinds = ("inference", "padding", "training", "stalled", "idle")
    return {
        f"{kind}_share": getattr(cycles, f"{kind}_cycles") / cycles.window_cycles for kind in kinds
    }


def _rows(
    config: Colocation, site: Site, batching: str, scheduling: str, limit: float
) -> Iterator[dict[str, Any]]:
    for load in config.loads:
        for seed in config.seeds:
            outcome = (
                site.alone
                if scheduling == "training_only"
                else run_load(config, site, batching, scheduling, load, seed)
            )
            latencies = latency_us(site, outcome, config.warm_up)
            growing = len(latencies) > 0 and not load <= limit  # at none, if NaN
            yield {
                "load": load,
                "seed": seed,
                "requests": len(latencies),
                "weights": "resident" if site.resident else "streamed",
                "service_time_us": site.service_cycles / site.machine.frequency_hz * _MICRO,
                **name_latencies(summarize_latency(latencies), growing=growing),
                **measure_work(site, outcome),
            }


def _warm(count: int, warm_up: float) -> int:
    return int(count * warm_up)


def _completed(outcome: Outcome) -> int:
    """Return how many requests were completed in the window, which ends with the last arrival."""
    if not len(outcome.arrival_cycle):
        return 0
    end, done = outcome.arrival_cycle[-1], outcome.completion_cycle
    return int(((done > end - outcome.window_cycles) & (done <= end)).sum())


def _end(outcome: Outcome) -> int:
    return int(outcome.completion_cycle.max()) if len(outcome.completion_cycle) else 1
