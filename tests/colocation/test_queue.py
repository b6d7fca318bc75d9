"""The queue level against identities, and against a plain loop; test_theory.py has the rest."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.colocation import simulate_queue


def arrivals(rate, count=1_000_000, seed=0):
    return np.random.default_rng(seed).exponential(1 / rate, count).cumsum()


@pytest.mark.parametrize("chunk", [0.1, 1.0, 5.0])
def test_chunks_of_training_add_half_a_chunk_to_m_d_1(chunk):
    # W = W(M/D/1) + Uniform(0, V): Levy and Yechiali 1975, Fuhrmann and Cooper 1985.
    outcome = simulate_queue(arrivals(0.5), batch_s=1.0, training_chunk_s=chunk)
    assert outcome.wait_s.mean() == pytest.approx(0.5 + chunk / 2, rel=0.02)
    assert outcome.training_s / outcome.end_s == pytest.approx(0.5, abs=0.003)
    assert outcome.idle_s == pytest.approx(0, abs=1e-6 * outcome.end_s)


def test_chunks_of_training_lengthen_the_tail_as_published():
    # M/D/1 with vacations, load 0.5, V = 1: 99th percentile 3.887589 (3.336256 without).
    outcome = simulate_queue(arrivals(0.5, 3_000_000), batch_s=1.0, training_chunk_s=1.0)
    assert np.quantile(outcome.wait_s, 0.99) == pytest.approx(3.887589, rel=0.02)


def test_training_that_yields_at_once_costs_inference_nothing():
    times = arrivals(8.0, 50_000)
    options = {"batch_s": 1.0, "max_batch": 16, "batching": "adaptive", "timeout_s": 0.7}
    alone = simulate_queue(times, **options)
    beside = simulate_queue(times, **options, training_chunk_s=0.0)
    assert np.array_equal(alone.completion_s, beside.completion_s)
    assert beside.training_s == pytest.approx(alone.idle_s)


@pytest.mark.parametrize(("timeout", "same_as"), [(0.0, "greedy"), (inf, "full")])
def test_the_ends_of_the_timeout_are_greedy_and_full(timeout, same_as):
    times = arrivals(4.0, 50_000)
    options = {"batch_s": 1.0, "max_batch": 16}
    adaptive = simulate_queue(times, **options, batching="adaptive", timeout_s=timeout)
    other = simulate_queue(times, **options, batching=same_as)
    assert np.array_equal(adaptive.start_s, other.start_s)
    assert np.array_equal(adaptive.completion_s, other.completion_s)


def serve_plainly(arrival, duration, timeout, chunk):
    """One decision at a time; times are multiples of 1/8, so that all sums are exact."""
    now, first, starts = 0.0, 0, []
    while first < len(arrival):
        waiting = [time for time in arrival[first:] if time <= now]
        rest = timeout == inf and first + len(waiting) == len(arrival)
        due = waiting and (now >= waiting[0] + timeout or rest)
        if len(waiting) >= len(duration) or due:
            size = min(len(waiting), len(duration))
            starts += [now] * size
            first += size
            now += duration[size - 1]
        else:
            now += chunk or 0.125
    return starts


def test_worked_example():
    # Two at a time, 2 s, one alone 1 s: 0 and 1 from 1 on; 1.5 waits for nobody until 3, and is
    # alone; training is from 0 to 1 in chunks of half a second.
    options = {"batch_s": [1.0, 2.0], "max_batch": 2, "batching": "full"}
    found = simulate_queue([0.0, 1.0, 1.5], training_chunk_s=0.5, **options)
    assert found.start_s.tolist() == [1.0, 1.0, 3.0]
    assert found.completion_s.tolist() == [3.0, 3.0, 4.0]
    assert found.wait_s.tolist() == [1.0, 0.0, 1.5]
    assert found.latency_s.tolist() == [3.0, 2.0, 2.5]
    assert (found.busy_s, found.training_s, found.idle_s, found.end_s) == (3.0, 1.0, 0.0, 4.0)
    assert simulate_queue([0.0, 1.0, 1.5], **options).idle_s == 1.0
    assert simulate_queue([0.0, 1.0, 1.5], training_chunk_s=0.0, **options).training_s == 1.0
    # Chunks of 0.4 end at 1.2, when both that came by then begin.
    longer = simulate_queue([0.0, 1.0, 1.5], training_chunk_s=0.4, **options)
    assert longer.start_s.tolist() == pytest.approx([1.2, 1.2, 3.2])
    assert longer.training_s == pytest.approx(1.2)


def test_no_request_is_served_before_it_comes_where_chunks_are_rounded():
    came = 0.9000000000000001  # over 0.1 it is 9, but 9 x 0.1 is less
    found = simulate_queue([came], batch_s=1.0, training_chunk_s=0.1)
    assert found.start_s[0] == found.training_s == 10 * 0.1


eighths = st.integers(0, 40).map(lambda count: count / 8)


@settings(deadline=None)
@given(
    gaps=st.lists(eighths, min_size=1, max_size=12),
    duration=st.lists(eighths, min_size=1, max_size=4),
    timeout=eighths | st.just(inf),
    chunk=st.none() | st.integers(1, 20).map(lambda count: count / 8),
)
def test_starts_when_a_plain_loop_starts(gaps, duration, timeout, chunk):
    arrival = np.cumsum(gaps)
    outcome = simulate_queue(
        arrival,
        batch_s=duration,
        max_batch=len(duration),
        batching="adaptive",
        timeout_s=timeout,
        training_chunk_s=chunk,
    )
    assert outcome.start_s.tolist() == serve_plainly(arrival, duration, timeout, chunk)
    assert outcome.busy_s + outcome.training_s + outcome.idle_s == outcome.end_s


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arrival_s": [1.0, 0.5]}, "row 2 of arrival_s is 0.5, before row 1"),
        ({"arrival_s": [0.0, np.nan]}, "row 2 of arrival_s is nan"),
        ({"batch_s": [1.0, 2.0]}, "give one number, or 1 of them"),
        ({"batching": "ful"}, "batching is 'ful'; policies are greedy, full, adaptive"),
        ({"max_batch": 0}, "max_batch is 0"),
        ({"arrival_s": [-0.5, 1.0]}, "arrival_s starts at -0.5"),
        ({"batch_s": -1.0}, "durations must be finite and not negative"),
        ({"batch_s": inf}, "durations must be finite and not negative"),
        ({"training_chunk_s": inf}, "training_chunk_s is inf"),
        ({"training_chunk_s": -1.0}, "training_chunk_s is -1.0"),
    ],
)
def test_errors_name_the_value_and_the_rule(change, message):
    with pytest.raises(ValueError, match=message):
        simulate_queue(**({"arrival_s": [0.0], "batch_s": 1.0} | change))


def test_no_request_at_all_is_an_empty_outcome():
    assert simulate_queue([], batch_s=1.0).end_s == 0
