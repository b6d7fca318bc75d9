"""What a site can take: its work alone, and the loads at which each policy gives way."""

import logging
from dataclasses import replace
from itertools import product
from math import isnan, nan
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equinox.colocation.search import largest_load_within, saturation_load
from equinox.colocation.site import Site
from equinox.colocation.sweep import latency_us, measure_work, run_load, same_batching
from equinox.config.colocation import Colocation

LOGGER = logging.getLogger(__name__)

LONGER: Final = 2  # how much the search's runs exceed the sweep's, against chance
_MICRO = 1e6  # us in a second
_GROWING = (
    "%s, %s: the queue grows at every load that was tried, in runs of %d requests or more; "
    "longer runs (colocation.requests) tell bursts from growth"
)
_HIGHEST = 1.2  # load that the search for saturation starts from


def describe_site(site: Site) -> dict[str, Any]:
    """Return the row of the table sites: the service and the training of `site`, each alone.

    The products of the three factors fill, use of the MMU, and peak is the training throughput:
    `fill_share` is the operations of an iteration over those that the matrix unit could do in the
    cycles that they take, what is missing being rows, columns and operands that are not filled;
    `training_share` is the MMU cycles in use, what is missing being dependences and DRAM.
    """
    machine, training, inference = site.machine, site.training, site.inference
    work = measure_work(site, site.alone)
    op_per_cycle = 2 * machine.macs_per_cycle
    frequency_hz = machine.frequency_hz
    return {
        "weights": "resident" if site.resident else "streamed",
        "rows": machine.rows,
        "service_time_us": site.service_cycles / frequency_hz * _MICRO,
        "saturation_request_per_s": site.request_per_s,
        "service_fill_share": inference.op / inference.total_mmu_cycles / op_per_cycle,
        "service_stalled_share": max(0.0, 1 - inference.total_mmu_cycles / site.period_cycles),
        "iteration_us": site.alone.window_cycles
        / site.alone.training_iterations
        / frequency_hz
        * _MICRO,
        "fill_share": training.op / training.total_mmu_cycles / op_per_cycle,
        "training_share": work["training_share"],
        "dram_share": work["dram_share"],
        "training_op_per_s": work["training_op_per_s"],
        "training_relative": work["training_relative"],
        "dedicated_op_per_s": site.dedicated_op_per_s,
        "energy_per_sample_j": work["energy_per_sample_j"],
        "idle_power_w": site.power.steady_w,
    }


def find_limits(config: Colocation, site: Site, target_us: float | None) -> pd.DataFrame:
    """Return rows of the table saturation: one for each batching and scheduling that serves.

    Loads are found by bisection, to `config.load_tolerance`, in runs of the first seed and of at
    least `LONGER` times `config.requests`: the highest whose queue does not grow, and the highest
    whose p99 latency is within `target_us`. Both are NaN where there is none, or no target.
    """
    config = replace(config, requests=LONGER * config.requests)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    schedulings = [name for name in config.schedulings if name != "training_only"]
    for batching, scheduling in product(config.batchings, schedulings):
        same = same_batching(config, site, batching), scheduling
        if same not in rows:
            rows[same] = _limits(config, site, *same, target_us)
            if isnan(rows[same]["saturation_load"]):
                LOGGER.warning(_GROWING, batching, scheduling, config.requests)
        names = {"batching": batching, "scheduling": scheduling}
        rows[batching, scheduling] = rows[same] | names
    return pd.DataFrame(list(rows.values()))


def _limits(
    config: Colocation, site: Site, batching: str, scheduling: str, target_us: float | None
) -> dict[str, float]:
    seed = config.seeds[0]

    def run(load: float) -> Any:
        return run_load(config, site, batching, scheduling, load, seed)

    def times(load: float) -> tuple[NDArray[Any], NDArray[Any]]:
        outcome = run(load)
        return outcome.arrival_cycle, outcome.completion_cycle

    def p99_us(load: float) -> float:
        return float(np.quantile(latency_us(site, run(load), config.warm_up), 0.99))

    most = saturation_load(times, high=_HIGHEST, tolerance=config.load_tolerance)
    within = nan
    if target_us is not None and most > 0:
        high, tolerance = min(most, 1.0), config.load_tolerance
        within = largest_load_within(p99_us, target_us, high=high, tolerance=tolerance)
    share = measure_work(site, run(within))["training_relative"] if within > 0 else nan
    return {
        "saturation_load": most,
        "latency_target_us": nan if target_us is None else target_us,
        "load_within_target": within,
        "training_within_target": share,
    }
