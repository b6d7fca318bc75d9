"""A day of a fleet of accelerators, from simulated operating points."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equinox.config.colocation import Colocation, Fleet

Values = NDArray[np.float64]
HOURS = 24.0

#: How a fleet's load is spread: load and fleet size -> accelerators that serve, in each interval.
#: A new balancer is one entry.
BALANCERS: Mapping[str, Callable[[Values, Fleet], Values]] = {
    # all serve, at the fleet's load
    "even": lambda load, fleet: np.full(len(load), float(fleet.accelerators)),
    # as few as can serve with `pack_load` each
    "pack": lambda load, fleet: np.clip(
        np.ceil(load * fleet.accelerators / fleet.pack_load - 1e-9), 1, fleet.accelerators
    ),
}


@final
@dataclass(frozen=True, kw_only=True)
class Points:
    """Operating points of one design and scheduling over rising load, means over seeds."""

    load: Values
    p99_latency_us: Values
    training_relative: Values
    used_share: Values  # of MMU cycles: inference, padding and training
    unloaded_relative: float  # training without a request
    unloaded_share: float


def simulate_fleet(
    config: Colocation, colocation: pd.DataFrame, designs: pd.DataFrame
) -> pd.DataFrame:
    """Return rows of the table fleet: each balancer, design and scheduling over a day.

    The load of the fleet is mean (1 - a cos(2 pi t / 24 h)), a = (r - 1) / (r + 1) for a ratio r
    of peak to trough. Accelerators without requests train, if the scheduling has training. Values
    between simulated loads are interpolated linearly; below the lowest load, latency is that of
    the lowest and training goes to training alone; above the highest, latency is infinite and
    training 0. The workload and the batching are the first of the config.

    Power assumes that an accelerator draws a fixed share (`idle_power_share`) of its power at
    full utilization when idle, and rises linearly with the share of MMU cycles in use.

    Raises:
        ValueError: a balancer is unknown, or a scheduling has no simulated points.
    """
    fleet = config.fleet
    time_h = np.arange(fleet.intervals) * HOURS / fleet.intervals
    swing = (fleet.peak_to_trough - 1) / (fleet.peak_to_trough + 1)
    load = fleet.mean_load * (1 - swing * np.cos(2 * np.pi * time_h / HOURS))
    frames = []
    for design in config.designs:
        mine = designs[(designs["design"] == design) & (designs["encoding"] == config.encoding)]
        for scheduling in fleet.schedulings:
            points = _points(config, colocation, design, scheduling)
            for balancer in fleet.balancers:
                day = _spread(fleet, balancer, load, points, float(mine["power_w"].iloc[0]))
                names = {"balancer": balancer, "design": design, "scheduling": scheduling}
                frames.append(day.assign(time_h=time_h, **names))
    return pd.concat(frames, ignore_index=True)


def _points(config: Colocation, colocation: pd.DataFrame, design: str, scheduling: str) -> Points:
    rows = colocation[
        (colocation["design"] == design)
        & (colocation["workload"] == config.workloads[0])
        & (colocation["batching"] == config.batchings[0])
    ]
    mine = rows[rows["scheduling"] == scheduling]
    if mine.empty:
        known = sorted(set(rows["scheduling"]))
        raise ValueError(
            f"the fleet's scheduling {scheduling!r} of {design} is not simulated; there are {known}"
        )
    used = mine["inference_share"] + mine["padding_share"] + mine["training_share"]
    mean = mine.assign(used_share=used).groupby("load").mean(numeric_only=True)
    trains = bool((mine["training_relative"] > 0).any())
    alone = rows[rows["scheduling"] == "training_only"] if trains else rows[:0]
    first = mean.iloc[0]
    relative, share = 0.0, 0.0  # of an accelerator without requests: idle, or training
    if len(alone):
        relative, share = alone["training_relative"].mean(), alone["training_share"].mean()
    elif trains:
        relative, share = first["training_relative"], first["used_share"]
    return Points(
        load=mean.index.to_numpy(np.float64),
        p99_latency_us=mean["p99_latency_us"].to_numpy(),
        training_relative=mean["training_relative"].to_numpy(),
        used_share=mean["used_share"].to_numpy(),
        unloaded_relative=float(relative),
        unloaded_share=float(share),
    )


def _spread(
    fleet: Fleet, balancer: str, load: Values, points: Points, power_w: float
) -> pd.DataFrame:
    if balancer not in BALANCERS:
        raise ValueError(f"balancer is {balancer!r}; balancers are {', '.join(BALANCERS)}")
    serving = BALANCERS[balancer](load, fleet)
    resting = fleet.accelerators - serving
    each = load * fleet.accelerators / serving
    loads = np.append(0.0, points.load)
    relative = np.append(points.unloaded_relative, points.training_relative)
    shares = np.append(points.unloaded_share, points.used_share)
    training = np.interp(each, loads, relative, right=0.0)
    used = serving * np.interp(each, loads, shares, right=1.0) + resting * points.unloaded_share
    idle_w = fleet.idle_power_share * power_w
    return pd.DataFrame(
        {
            "interval": np.arange(len(load)),
            "load": load,
            "accelerators": fleet.accelerators,
            "p99_latency_us": np.interp(each, points.load, points.p99_latency_us, right=np.inf),
            "reclaimed_accelerators": serving * training + resting * points.unloaded_relative,
            "power_w": fleet.accelerators * idle_w + used * (power_w - idle_w),
        }
    )
