"""Latency statistics and their bounds."""

import numpy as np
import pytest

from equinox.colocation import simulate_queue
from equinox.colocation.metrics import (
    estimate,
    replicate_until,
    summarize_latency,
    transient_length,
)


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


def test_replications_stop_when_the_interval_is_tight():
    draws = np.random.default_rng(0).normal(10.0, 1.0, 1000)
    found = replicate_until(lambda seed: draws[seed], relative=0.02, most=1000)
    # half-width 1.96 / sqrt(n) is 0.2 at about n = 96
    assert found.tight
    assert 60 <= found.replications <= 140
    assert found.half_width <= 0.02 * found.value
    assert found.low < 10.0 < found.high


def test_replications_that_stay_loose_say_so():
    found = replicate_until(lambda seed: float(seed % 2), relative=0.001, most=20)
    assert (found.replications, found.tight) == (20, False)


def test_replications_are_5_to_100_by_default():
    assert replicate_until(lambda seed: 7.0, relative=0.1).replications == 5
    assert replicate_until(lambda seed: float(seed % 2), relative=0.001).replications == 100
    seeds = []
    replicate_until(lambda seed: seeds.append(seed) or 7.0, relative=0.1, least=2, most=2)
    assert seeds == [0, 1]


def test_an_estimate_by_hand():
    # 1, 2, 3: standard deviation 1, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3) = 2.484138
    found = estimate([1.0, 2.0, 3.0], relative=1.25)
    assert (found.value, found.tight) == (2.0, True)
    assert found.half_width == pytest.approx(2.484138, rel=1e-6)
    assert estimate([1.0], relative=9.0).tight is False
    assert estimate([1.0]).half_width == np.inf


@pytest.mark.parametrize("wrong", [{"relative": 0}, {"least": 1}, {"most": 3}])
def test_replications_out_of_range_are_an_error(wrong):
    with pytest.raises(ValueError, match="relative must be positive"):
        replicate_until(lambda seed: 1.0, **({"relative": 0.1} | wrong))


def test_the_transient_ends_where_the_steady_state_begins():
    noise = np.random.default_rng(0).normal(0.0, 1.0, 10_000)
    assert transient_length(noise) <= 500
    noise[:1000] += np.linspace(20.0, 0.0, 1000)
    assert 800 <= transient_length(noise) <= 1500


@pytest.mark.parametrize("size", [4, 5, 80, 81])
def test_the_transient_minimizes_the_standard_error_of_what_is_left(size):
    values = np.random.default_rng(1).exponential(1.0, 5 * size + 3)
    values += np.linspace(1, 0, len(values)) ** 2
    means = values[: 5 * size].reshape(size, 5).mean(axis=1)
    errors = [means[d:].var() / (size - d) for d in range(size // 2 + 1)]
    assert transient_length(values) == 5 * int(np.argmin(errors))


def test_half_of_a_run_stays_at_least():
    assert transient_length(np.arange(1000.0)[::-1]) <= 500
    assert transient_length(np.arange(19.0)) == 0
    assert transient_length(np.r_[[9.0] * 5, np.zeros(14)]) == 0
    assert transient_length(np.r_[[9.0] * 5, np.zeros(15)]) == 5


def test_bounds_by_hand():
    # 60 values in 30 batches of two: means 0.5, 2.5, ..., 58.5, of deviation sqrt(310); the first
    # 2 of 62 are in no batch
    found = summarize_latency(np.r_[[29.5, 29.5], np.arange(60.0)])
    half = 2.0452 * np.sqrt(310 / 30)
    assert (found["mean_low"], found["mean_high"]) == pytest.approx((29.5 - half, 29.5 + half))
    # half of the batches are below the median: indicators 1 and 0, of deviation sqrt(30 / 29) / 2
    share = 2.0452 * np.sqrt(30 / 29) / 2 / np.sqrt(30)
    ordered = np.sort(np.r_[[29.5, 29.5], np.arange(60.0)])
    low, high = (ordered[int(np.ceil(62 * (0.5 + sign * share))) - 1] for sign in (-1, 1))
    assert found["p50"] == 29.5
    assert (found["p50_low"], found["p50_high"]) == (low, high)
    # a mean of a few small values is not bounded below the least
    assert summarize_latency(np.r_[np.zeros(59), 1000.0])["mean_low"] == 0


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([1.0], 0.0), ([1.0], 1.0)])
def test_an_estimate_needs_a_value_and_a_confidence(values, confidence):
    with pytest.raises(ValueError, match="an estimate needs a value"):
        estimate(values, confidence=confidence)
