"""Several services on one accelerator: each one's latency and target, and the training beside."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import ceil, isnan, nan
from typing import Any, Final, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equinox.accelerator import Technology, Workload
from equinox.colocation.arrivals import take_until
from equinox.colocation.metrics import summarize_latency
from equinox.colocation.replications import summarize_replications
from equinox.colocation.search import bisect_far, keeps_up
from equinox.colocation.simulation import Cycles, Served, simulate_services
from equinox.colocation.site import DEDICATED, find_design
from equinox.colocation.sweep import cycle_shares, least_requests, name_latencies
from equinox.colocation.tenants import Tenant, make_tenants
from equinox.config.colocation import Colocation
from equinox.design_space.choose import accelerator_of

LOGGER = logging.getLogger(__name__)

HIGHEST: Final = 1.2  # load that the search for saturation starts from
_ROUNDED = 1 + 1e-9  # 1.2 - 2 * 0.15 is below 0.9
_MICRO = 1e6  # us in a second


@final
@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A run of a mix: what each service was served, and the cycles of the window."""

    served: tuple[Served, ...]
    cycles: Cycles
    window: tuple[int, int]

    def latency_cycles(self, place: int) -> NDArray[np.int64]:
        """Return the latencies of a service's requests that came in the window, in their order."""
        served, (begin, end) = self.served[place], self.window
        came = (served.arrival_cycle >= begin) & (served.arrival_cycle <= end)
        return served.latency_cycles[came]


def share_accelerator(
    config: Colocation,
    designs: pd.DataFrame,
    *,
    technology: Technology,
    workloads: Mapping[str, Workload],
) -> pd.DataFrame:
    """Return rows of the table sharing: each service of all mixes, orders, schedulings and loads.

    `workloads` are those that the mixes and `config.training_workload` name. Load is that of all
    services of a mix: the sum of each one's arrival rate over its saturation rate alone, in full
    batches of the array's rows. Latencies of a service whose queue grows are infinite.

    Raises:
        ValueError: `designs` lacks the design of the mixes, or the dedicated one.
    """
    chosen = config.sharing
    machine, dedicated = (
        accelerator_of(find_design(designs, name, config.encoding), technology)
        for name in (chosen.design, DEDICATED)
    )
    parts = []
    for mix, services in chosen.mixes.items():
        tenants = make_tenants(config, services, (machine, dedicated), technology, workloads)
        trained = config.training_workload or services[0].workload
        for order, scheduling in product(chosen.orders, chosen.schedulings):
            LOGGER.info("%s, %s, %s: %d loads", mix, order, scheduling, len(chosen.loads))
            rows = pd.DataFrame(list(_rows(config, tenants, order, scheduling)))
            names = {"mix": mix, "order": order, "scheduling": scheduling}
            parts.append(rows.assign(**names, training_task=trained))
    names = {"design": chosen.design, "encoding": config.encoding}
    names |= {"arrivals": config.arrivals, "batching": chosen.batching}
    points = summarize_replications(pd.concat(parts).assign(**names), "sharing")
    return points.assign(max_batch=points["max_batch"].astype(int), target=judge_targets(points))


def run_mix(
    config: Colocation,
    tenants: Sequence[Tenant],
    *,
    order: str,
    scheduling: str,
    load: float,
    seed: int,
) -> Mixed:
    """Return a run of `tenants` at `load`, of the saturation of all.

    It lasts until the service whose `least_requests` take longest has got them; all have arrivals
    until it ends. Runs of one seed have the same arrivals, but for their rate.
    """
    site = tenants[0].site
    hz = site.machine.frequency_hz
    rates = [load * tenant.request_per_s for tenant in tenants]
    least_s = [
        least_requests(config, site, scheduling, load, rate=rate, rows=tenant.service.rows) / rate
        for tenant, rate in zip(tenants, rates, strict=True)
    ]
    duration_s = max(least_s) / (1 - config.warm_up)
    generators = np.random.default_rng(seed).spawn(len(tenants))
    arrivals = []
    for rate, generator in zip(rates, generators, strict=True):
        blocks = site.arrivals.blocks_s(request_per_s=rate, generator=generator)
        arrivals.append(np.ceil(take_until(blocks, duration_s) * hz).astype(np.int64))
    end = ceil(duration_s * hz)
    window = (int(end * config.warm_up), end)
    served, cycles = simulate_services(
        [tenant.service for tenant in tenants],
        site.training,
        arrivals,
        scheduling=scheduling,
        order=order,
        window=window,
    )
    return Mixed(served=served, cycles=cycles, window=window)


def find_saturation(
    config: Colocation, tenants: Sequence[Tenant], order: str, scheduling: str
) -> list[float]:
    """Return for each service the highest load of the mix at which its queue does not grow.

    To `config.load_tolerance`, in runs of the first seed, as `search.saturation_load` for one
    service alone. The search begins at `HIGHEST`, or at the highest load of the table if that is
    more; NaN if it grows at all that is asked for, down to a 64th of that.
    """
    high = max(HIGHEST, *config.sharing.loads)

    @cache
    def keep_up(load: float) -> list[bool]:
        seed = config.seeds[0]
        run = run_mix(config, tenants, order=order, scheduling=scheduling, load=load, seed=seed)
        return [keeps_up(each.arrival_cycle, each.completion_cycle) for each in run.served]

    def limit(place: int) -> float:
        return bisect_far(
            lambda load: keep_up(load)[place], high=high, tolerance=config.load_tolerance
        )

    found = [limit(place) for place in range(len(tenants))]
    for tenant, load in zip(tenants, found, strict=True):
        if isnan(load):
            LOGGER.warning(
                "%s, %s: the queue of %s grows at every load", order, scheduling, tenant.name
            )
    return found


def judge_targets(points: pd.DataFrame) -> NDArray[np.str_]:
    """Return whether the interval of p99 of each row is below its target: kept, missed, undecided.

    "none" without a target. Of a queue that grows it is missed.
    """
    target_us = points["latency_target_us"]
    kept = points["p99_latency_us_high"] <= target_us
    missed = (points["p99_latency_us_low"] > target_us) | np.isinf(points["p99_latency_us"])
    return np.select([target_us.isna(), kept, missed], ["none", "kept", "missed"], "undecided")


def _rows(
    config: Colocation, tenants: Sequence[Tenant], order: str, scheduling: str
) -> Iterator[dict[str, Any]]:
    saturation = find_saturation(config, tenants, order, scheduling)
    site = tenants[0].site
    hz = site.machine.frequency_hz
    for load, seed in product(config.sharing.loads, config.seeds):
        run = run_mix(config, tenants, order=order, scheduling=scheduling, load=load, seed=seed)
        op_per_s = run.cycles.training_op_per_cycle * hz
        for place, tenant in enumerate(tenants):
            latency_us = run.latency_cycles(place) / hz * _MICRO
            target_us = nan if tenant.target_us is None else tenant.target_us
            growing = not load <= saturation[place] * _ROUNDED
            within = nan if growing or target_us != target_us else (latency_us <= target_us).mean()
            yield {
                "workload": tenant.name,
                "load": load,
                "seed": seed,
                "max_batch": tenant.service.rows,
                "load_share": tenant.load_share,
                "weights": "resident" if tenant.site.resident else "streamed",
                "service_time_us": tenant.service_cycles / hz * _MICRO,
                **name_latencies(summarize_latency(latency_us), growing=growing),
                "latency_target_us": target_us,
                "within_target_share": within,
                "saturation_load": saturation[place],
                "training_op_per_s": op_per_s,
                "training_relative": op_per_s / site.dedicated_op_per_s,
                **cycle_shares(run.cycles),
            }
