"""The queue level against queueing theory: every row of queueing.csv.

Its exact values are of M/D/1 (Pollaczek and Khinchine; Erlang 1909, Franx 2001), of bulk service,
greedy and full, and of a server with vacations (embedded Markov chains: Bailey 1954, Downton 1955,
Levy and Yechiali 1975), of two classes (Cobham 1954, White and Christie 1958); those of batches
with a timer are of another simulation of 30 x 1e6 requests, with its 95 % half-width. The unit of
time is a service time; `parameter` is the timeout, or the length of a chunk of training.
"""

import csv
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from equinox.colocation import Poisson, estimate, simulate_priority_queue
from equinox.colocation.arrivals import take
from equinox.colocation.queue import stream_queue

ROWS = list(csv.DictReader(Path(__file__).with_name("queueing.csv").open()))
POINT = ("model", "batching", "max_batch", "parameter", "load")
POINTS = {key: list(rows) for key, rows in groupby(ROWS, lambda row: tuple(row[k] for k in POINT))}
QUEUES = [key for key in POINTS if key[0] != "classes"]
CLASSES = [key for key in POINTS if key[0] == "classes"]
REPLICATIONS = 10
REQUESTS = 1_000_000
WARM_UP = 50_000


def within(row, values, resolution=0.0):
    """Whether the mean is within 1 %, or three half-widths of 95 % intervals, of a row."""
    found = estimate(values)
    truth = float(row["exact"] or row["simulated"])
    theirs = 0.0 if row["exact"] else float(row["half_width"])
    allowed = max(0.01 * abs(truth), 3 * (found.half_width + theirs), resolution)
    return abs(found.value - truth) <= allowed


def measure(model, batching, max_batch, parameter, load, seed):
    """Return every metric of a replication."""
    size = int(max_batch)
    blocks = take(
        Poisson().blocks_s(request_per_s=float(load) * size, generator=np.random.default_rng(seed)),
        REQUESTS + WARM_UP,
    )
    found = stream_queue(
        blocks,
        batch_s=1.0,
        max_batch=size,
        batching=batching,
        timeout_s=float(parameter) if batching == "adaptive" else np.inf,
        training_chunk_s=float(parameter) if model == "chunks" else None,
        warm_up=WARM_UP,
    )
    return {
        "mean_wait": found.mean_wait_s,
        "P_wait_zero(=idle fraction)": found.idle_s / found.end_s,
        "server_busy_fraction": found.busy_s / found.end_s,
        "idle_or_training_fraction": (found.idle_s + found.training_s) / found.end_s,
        "mean_batch": (REQUESTS + WARM_UP) / found.batches,
        "no_wait": found.tally[0] / found.requests,
    } | {f"wait_p{100 * s:g}": found.wait_quantile_s(s) for s in (0.5, 0.9, 0.95, 0.99, 0.999)}


def test_all_rows_are_tested():
    assert len(ROWS) == sum(len(rows) for rows in POINTS.values()) == 339
    assert (len(QUEUES), len(CLASSES)) == (37, 8)


@pytest.mark.parametrize("point", QUEUES, ids=" ".join)
def test_a_queue_is_that_of_theory(point):
    found = [measure(*point, seed) for seed in range(REPLICATIONS)]
    # A share of time that no batch of a run has seen is not told from 0: rule of three.
    resolution = 3 / (REPLICATIONS * REQUESTS / int(point[2]))
    for row in POINTS[point]:
        values = [metrics[row["metric"]] for metrics in found]
        share = row["metric"].endswith("fraction")
        assert within(row, values, resolution if share else 0.0), (row, np.mean(values))
        if row["metric"].startswith("P_wait_zero"):  # Poisson arrivals see time averages
            assert within(row, [metrics["no_wait"] for metrics in found])


@pytest.mark.parametrize("point", CLASSES, ids=" ".join)
def test_two_classes_are_those_of_cobham(point):
    first, second = (float(load) for load in point[4].split("+"))
    preempts = point[1] == "preemptive"
    means = []
    for seed in range(REPLICATIONS):
        generator = np.random.default_rng(seed)
        span = REQUESTS / (first + second)
        came = [
            generator.exponential(1 / rate, int(rate * span)).cumsum() for rate in (first, second)
        ]
        done = simulate_priority_queue(
            *came, first_service_s=1.0, second_service_s=1.0, preempts=preempts
        )
        means.append([(after - at).mean() for after, at in zip(done, came, strict=True)])
    for row, values in zip(POINTS[point], np.transpose(means), strict=True):
        served = 1.0 if row["metric"].endswith("wait") else 0.0
        assert within(row, values - served), (row, values.mean() - served)
