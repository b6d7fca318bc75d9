"""Latency statistics and their bounds."""

import numpy as np
import pytest

from equinox.colocation import simulate_queue
from equinox.colocation.metrics import summarize_latency


def test_worked_example():
    # 1..1000 in turn: the 99th percentile is the 990th of 1000 values
    found = summarize_latency(np.arange(1000.0, 0.0, -1.0))
    assert (found["mean"], found["p50"], found["p99"], found["p999"]) == (500.5, 500, 990, 999)


def test_bounds_enclose_the_value_and_are_in_order():
    found = summarize_latency(np.random.default_rng(0).exponential(1.0, 10_000))
    for name in ("mean", "p50", "p99", "p999"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    assert found["p50_low"] <= found["p99_low"] <= found["p999_low"]


def test_bounds_cover_the_truth_about_as_often_as_they_say_though_requests_are_correlated():
    # M/D/1 at load 0.5: mean wait 0.5, 99th percentile 3.336256 (Erlang 1909)
    covered = {"mean": 0, "p99": 0}
    for seed in range(200):
        arrival = np.random.default_rng(seed).exponential(2.0, 30_000).cumsum()
        found = summarize_latency(simulate_queue(arrival, batch_s=1.0).wait_s)
        for name, truth in (("mean", 0.5), ("p99", 3.336256)):
            covered[name] += found[f"{name}_low"] <= truth <= found[f"{name}_high"]
    assert 180 <= covered["mean"] <= 198
    assert 178 <= covered["p99"] <= 199


def test_no_request_has_no_latency():
    assert all(np.isnan(value) for value in summarize_latency(np.array([])).values())


@pytest.mark.parametrize("count", [1, 29])
def test_few_requests_are_bounded_by_their_extremes(count):
    found = summarize_latency(np.arange(count) + 1.0)
    assert (found["mean_low"], found["mean_high"]) == (1, count)
    assert (found["p99_low"], found["p99_high"]) == (1, count)
