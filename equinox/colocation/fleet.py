"""A day of a fleet of accelerators, from simulated operating points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equinox.colocation.balancers import BALANCERS
from equinox.colocation.replications import ALONE
from equinox.colocation.site import DEDICATED, find_design
from equinox.colocation.traces import read_trace
from equinox.config.colocation import COSINE, Colocation, Fleet

Values = NDArray[np.float64]
HOURS: Final = 24.0
_SECONDS = 3600.0  # of an hour


@final
@dataclass(frozen=True, kw_only=True)
class Points:
    """Operating points of one design and scheduling over rising load."""

    load: Values
    p99_latency_us: Values
    training_relative: Values
    power_w: Values
    saturation_load: float
    resting_relative: float  # training of an accelerator without requests
    resting_w: float


def simulate_fleet(
    config: Colocation,
    points: pd.DataFrame,
    sites: pd.DataFrame,
    saturation: pd.DataFrame,
    designs: pd.DataFrame,
) -> pd.DataFrame:
    """Return rows of the table fleet: each balancer, design and scheduling over a day.

    Accelerators without requests train, if the scheduling has training. Values between the loads
    of `points` are interpolated linearly; below the lowest load, latency is that of the lowest,
    and training and power go to those of an accelerator without requests. Above the highest
    simulated load latency is unknown, and above the saturation load infinite; training counts
    as 0 there. The workload and the batching are the first of the config.

    `separate_power_w` is what the same service and the same training draw apart: the fleet under
    inference_only with the same balancer, and dedicated training accelerators at full use.

    Raises:
        ValueError: a balancer is unknown, a scheduling has no simulated points, or the trace of
            the day cannot be read.
    """
    fleet = config.fleet
    load = day_load(fleet)
    hours = HOURS / fleet.intervals
    dedicated_w = float(find_design(designs, DEDICATED, config.encoding)["power_w"])
    frames = []
    for design in config.designs:
        alone = _points(config, points, sites, saturation, design, ALONE)
        for scheduling in fleet.schedulings:
            mine = _points(config, points, sites, saturation, design, scheduling)
            for balancer in fleet.balancers:
                day = _spread(fleet, balancer, load, mine)
                apart_w = _spread(fleet, balancer, load, alone)["power_w"]
                day["separate_power_w"] = apart_w + day["reclaimed_accelerators"] * dedicated_w
                day["energy_j"] = day["power_w"] * hours * _SECONDS
                names = {"balancer": balancer, "design": design, "scheduling": scheduling}
                frames.append(day.assign(time_h=np.arange(len(load)) * hours, **names))
    return pd.concat(frames, ignore_index=True)


def day_load(fleet: Fleet) -> Values:
    """Return the load of the fleet in each interval of a day, with the mean `fleet.mean_load`.

    The profile "cosine" is mean (1 - a cos(2 pi t / 24 h)), a = (r - 1) / (r + 1) for a ratio r of
    peak to trough. A trace file is stretched to a day; its load is the requests in each interval.
    """
    if fleet.profile == COSINE:
        swing = (fleet.peak_to_trough - 1) / (fleet.peak_to_trough + 1)
        turn = 2 * np.pi * np.arange(fleet.intervals) / fleet.intervals
        load: Values = fleet.mean_load * (1 - swing * np.cos(turn))
        return load
    times = read_trace(fleet.profile).recorded_s
    counts, _ = np.histogram(times, bins=fleet.intervals)
    profile: Values = fleet.mean_load * counts / counts.mean()
    return profile


def _points(
    config: Colocation,
    points: pd.DataFrame,
    sites: pd.DataFrame,
    saturation: pd.DataFrame,
    design: str,
    scheduling: str,
) -> Points:
    service = {"design": design, "workload": config.workloads[0]}
    policy = service | {"batching": config.batchings[0]}
    rows = _where(points, policy).sort_values("load")
    mine = _where(rows, {"scheduling": scheduling})
    limit = _where(saturation, policy | {"scheduling": scheduling})["saturation_load"]
    if mine.empty or limit.empty:
        known = sorted(set(rows["scheduling"]))
        raise ValueError(
            f"the fleet's scheduling {scheduling!r} of {design} is not simulated; there are {known}"
        )
    relative, resting_w = 0.0, float(_where(sites, service)["idle_power_w"].iloc[0])
    alone = _where(rows, {"scheduling": "training_only"})
    if (mine["training_relative"] > 0).any():
        first = alone.iloc[0] if len(alone) else mine.iloc[0]
        relative, resting_w = float(first["training_relative"]), float(first["power_w"])
    return Points(
        load=mine["load"].to_numpy(),
        p99_latency_us=mine["p99_latency_us"].to_numpy(),
        training_relative=mine["training_relative"].to_numpy(),
        power_w=mine["power_w"].to_numpy(),
        saturation_load=float(limit.iloc[0]),
        resting_relative=relative,
        resting_w=resting_w,
    )


def _where(frame: pd.DataFrame, values: Mapping[str, str]) -> pd.DataFrame:
    keep = np.ones(len(frame), bool)
    for column, value in values.items():
        keep &= (frame[column] == value).to_numpy()
    return frame[keep]


def _spread(fleet: Fleet, balancer: str, load: Values, points: Points) -> pd.DataFrame:
    if balancer not in BALANCERS:
        raise ValueError(f"balancer is {balancer!r}; balancers are {', '.join(BALANCERS)}")
    serving = BALANCERS[balancer](load, fleet)
    resting = fleet.accelerators - serving
    each = load * fleet.accelerators / serving
    loads = np.append(0.0, points.load)
    training = np.interp(
        each, loads, np.append(points.resting_relative, points.training_relative), right=0.0
    )
    power_w = np.interp(each, loads, np.append(points.resting_w, points.power_w))
    p99 = np.interp(each, points.load, points.p99_latency_us, right=np.nan)
    saturated = ~(each <= points.saturation_load)  # at all loads, if NaN
    known = each <= points.load[-1]
    return pd.DataFrame(
        {
            "interval": np.arange(len(load)),
            "load": load,
            "accelerators": fleet.accelerators,
            "serving": serving.astype(np.int64),
            "load_each": each,
            "status": np.select([saturated, known], ["saturated", "ok"], "not_simulated"),
            "p99_latency_us": np.where(saturated, np.inf, p99),
            "reclaimed_accelerators": serving * training + resting * points.resting_relative,
            "power_w": serving * power_w + resting * points.resting_w,
        }
    )
