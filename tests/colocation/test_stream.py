"""Requests in blocks: the same outcome as at once, in memory that does not grow."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.colocation import (
    POLICIES,
    Poisson,
    simulate,
    simulate_queue,
    simulate_stream,
    stream_queue,
)
from equinox.colocation.arrivals import take
from equinox.colocation.metrics import summarize_latency
from equinox.colocation.simulation import Cycles

from .conftest import program
from .test_engine import cases
from .test_simulation import arrivals

SERVING = [name for name in POLICIES if name != "training_only"]


def cut(times, sizes):
    """Return `times` in blocks of these sizes, the rest in one more."""
    return np.split(times, np.unique(np.clip(np.cumsum(sizes), 0, len(times))))


@pytest.mark.parametrize("scheduling", SERVING)
@settings(max_examples=50, deadline=None)
@given(case=cases(), sizes=st.lists(st.integers(1, 5), max_size=10))
def test_blocks_change_nothing(scheduling, case, sizes):
    times = case["arrival_cycle"]
    options = {**case, "scheduling": scheduling, "window": None}
    del options["arrival_cycle"]
    if times[-1] == 0:
        return
    at_once = simulate(arrival_cycle=times, **options)
    del options["window"]
    streamed = simulate_stream(blocks=cut(times, sizes), **options)
    assert streamed.mean_latency_cycles == at_once.latency_cycles.mean()
    assert streamed.tally.sum() == len(times)
    assert (streamed.batches, streamed.instructions) == (at_once.batches, at_once.instructions)
    counted = [getattr(streamed, name) for name in list(vars(streamed))[:5]]
    assert sum(counted) == streamed.window_cycles


def test_a_steady_stream_counts_the_cycles_and_latencies_of_one_run():
    infer, train = program(40, simd=30, depends=True, size=5), program(25, load=20, size=7)
    times = arrivals(200.0, 200_000).astype(np.int64)
    options = {"rows": 4, "batching": "adaptive", "timeout_cycles": 500}
    warm = 1000
    at_once = simulate(infer, train, times, window=(int(times[warm]), int(times[-1])), **options)
    streamed = simulate_stream(infer, train, np.split(times, 40), warm_up=warm, **options)
    for name in Cycles.__dataclass_fields__:
        assert getattr(streamed, name) == getattr(at_once, name)
    exact = summarize_latency(at_once.latency_cycles[warm:].astype(float))
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
        assert streamed.latency_quantile_cycles(share) == pytest.approx(exact[name], rel=0.0005)


@given(
    count=st.integers(1, 200),
    sizes=st.lists(st.integers(1, 30), max_size=10),
    max_batch=st.integers(1, 5),
    batching=st.sampled_from(["greedy", "full", "adaptive"]),
    chunk=st.none() | st.sampled_from([0.0, 0.3]),
)
@settings(deadline=None)
def test_blocks_change_nothing_in_a_queue(count, sizes, max_batch, batching, chunk):
    times = np.random.default_rng(count).exponential(0.4, count).cumsum()
    options = {"batch_s": 1.0, "max_batch": max_batch, "batching": batching, "timeout_s": 0.7}
    at_once = simulate_queue(times, training_chunk_s=chunk, **options)
    streamed = stream_queue(cut(times, sizes), training_chunk_s=chunk, **options)
    assert streamed.end_s == at_once.end_s
    assert (streamed.busy_s, streamed.training_s) == (at_once.busy_s, at_once.training_s)
    assert streamed.mean_wait_s == pytest.approx(at_once.wait_s.mean())


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1], [2, 1, 1], [1, 3], [3, 1], []])
@pytest.mark.parametrize(("batching", "starts"), [("greedy", (0, 1)), ("adaptive", (0.25, 1.25))])
def test_a_queue_in_blocks_by_hand(sizes, batching, starts):
    # The first is served alone, or with that of 0.25; then all others: who is known decides not.
    times = np.array([0.0, 0.25, 0.5, 0.75])
    options = {"batch_s": 1.0, "max_batch": 3, "batching": batching, "timeout_s": 0.25}
    found = stream_queue(cut(times, sizes), **options)
    first = 1 if batching == "greedy" else 2
    waits = np.array([starts[0]] * first + [starts[1]] * (4 - first)) - times
    assert found.mean_wait_s == waits.mean()
    assert found.mean_latency_s == waits.mean() + 1
    assert (found.requests, found.batches) == (4, 2)
    assert (found.busy_s, found.end_s) == (2.0, starts[1] + 1)
    assert (found.idle_s, found.training_s) == (starts[0], 0.0)
    later = stream_queue(cut(times, sizes), warm_up=3, **options)
    assert (later.requests, later.mean_wait_s) == (1, waits[3])
    assert later.wait_quantile_s(0.5) == pytest.approx(waits[3], rel=0.0005)
    assert (later.busy_s, later.end_s) == (found.busy_s, found.end_s)
    trained = stream_queue(cut(times, sizes), training_chunk_s=0.125, **options)
    assert (trained.training_s, trained.idle_s) == (starts[0], 0.0)


@pytest.mark.parametrize("warm_up", [2, 5])
def test_a_warm_up_of_all_requests_or_more_ends_and_measures_nothing(warm_up):
    times, options = [np.array([0]), np.array([5])], {"rows": 1, "batching": "greedy"}
    found = simulate_stream(program(10), program(7, load=3), times, warm_up=warm_up, **options)
    assert (found.requests, found.mean_latency_cycles, found.window_cycles) == (0, 0.0, 1)
    assert found.batches == 2


def test_one_request_is_measured_in_one_cycle_and_no_block_in_none():
    infer, train = program(10), program(3)
    for blocks in ([np.array([7])], [np.array([]), np.array([7]), np.array([])]):
        found = simulate_stream(infer, train, blocks, rows=1, scheduling="inference_only")
        assert (found.requests, found.mean_latency_cycles) == (1, 10.0)
        assert (found.window_cycles, found.inference_cycles, found.idle_cycles) == (1, 1, 0)
    for blocks in ([], [np.array([])]):
        found = simulate_stream(infer, train, blocks, rows=1)
        assert (found.requests, found.mean_latency_cycles, found.batches) == (0, 0.0, 0)


@pytest.mark.parametrize("sizes", [[1, 1, 1], [2, 1], []])
def test_a_machine_in_blocks_by_hand(sizes):
    # One at a time, 10 cycles each: from 4, 14 and 40 on; measured are the last two, from 6 to 40.
    times = np.array([4, 6, 40])
    options = {"rows": 1, "scheduling": "inference_only", "batching": "greedy", "warm_up": 1}
    found = simulate_stream(program(10), program(3), cut(times, sizes), **options)
    assert (found.requests, found.mean_latency_cycles) == (2, (18 + 10) / 2)
    assert found.latency_quantile_cycles(0.5) == pytest.approx(10, rel=0.0005)
    assert (found.window_cycles, found.inference_cycles, found.idle_cycles) == (34, 18, 16)
    assert (found.batches, found.instructions) == (3, 3)


def test_cycles_of_a_warm_up_of_more_than_a_block_are_not_counted():
    # The first is served before it is known when the warm-up ends: at 40, of which 50 remain.
    times = [np.array([4, 6]), np.array([40]), np.array([90])]
    options = {"scheduling": "inference_only", "batching": "greedy", "guard_batches": 0}
    found = simulate_stream(program(10), program(3), times, rows=1, warm_up=2, **options)
    assert (found.requests, found.mean_latency_cycles, found.batches) == (2, 10.0, 4)
    assert (found.window_cycles, found.inference_cycles, found.idle_cycles) == (50, 10, 40)


def test_no_block_is_no_request():
    found = stream_queue([], batch_s=1.0)
    assert (found.requests, found.batches, found.mean_wait_s, found.mean_latency_s) == (0, 0, 0, 0)


def blocks(count):
    return take(Poisson().blocks_s(request_per_s=0.7, generator=np.random.default_rng(0)), count)


def queue(count):
    return stream_queue(blocks(count), batch_s=1.0, training_chunk_s=0.1).requests


def machine(count):
    cycles = (np.ceil(100 * block).astype(np.int64) for block in blocks(count))
    return simulate_stream(program(100), program(7), cycles, rows=1).requests


@pytest.mark.parametrize("run", [queue, machine])
def test_memory_does_not_grow_with_the_number_of_requests(run):
    run(1000)  # compiles
    peaks = []
    for count in (500_000, 5_000_000):
        tracemalloc.start()
        assert run(count) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 10e6


def test_training_alone_serves_no_stream():
    with pytest.raises(ValueError, match="serves no request"):
        simulate_stream(program(1), program(1), [], rows=1, scheduling="training_only")
