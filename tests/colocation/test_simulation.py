"""One simulation of two programs."""

from dataclasses import replace

import numpy as np
import pytest

from equinox.colocation import POLICIES, Service, simulate, simulate_queue, simulate_services
from equinox.colocation.state import first_state

from .conftest import program

KINDS = ("inference", "padding", "training", "stalled", "idle")


def arrivals(gap, count=20_000, seed=0):
    return np.ceil(np.random.default_rng(seed).exponential(gap, count).cumsum())


def test_worked_example():
    # A batch of two instructions of 10 cycles on the MMU, then 4 of SIMD, in a chain: SIMD is over
    # at 14 and at 28. One request of two rows at cycle 5: half of the 20 MMU cycles is padding.
    infer = program(10, simd=4, depends=True, size=2)
    options = {"rows": 2, "batching": "greedy", "window": (0, 50)}
    outcome = simulate(infer, program(3), [5], scheduling="inference_only", **options)
    assert outcome.latency_cycles.tolist() == [28]
    assert [getattr(outcome, f"{kind}_cycles") for kind in KINDS] == [10, 10, 0, 8, 22]
    # Training, 3 cycles each, is at its second when the request comes (6), fills the bubbles
    # from 16 to 22 and from 32 to 50, and delays the second step by 2: 22 + 14 = 36 - 5.
    outcome = simulate(infer, program(3), [5], scheduling="priority", **options)
    assert outcome.latency_cycles.tolist() == [31]
    assert [getattr(outcome, f"{kind}_cycles") for kind in KINDS] == [10, 10, 30, 0, 0]
    assert outcome.training_iterations == 10
    assert (outcome.batches, outcome.instructions) == (1, 2 + 10)
    assert outcome.training_op_per_cycle == 10 * 1000 / 50


def test_the_window_is_by_default_from_0_to_the_last_arrival_of_all():
    # of batches at 5 and at 30, the second is out of the window
    infer, options = program(10), {"rows": 1, "batching": "greedy"}
    outcome = simulate(infer, program(3), [5, 30], scheduling="inference_only", **options)
    assert (outcome.window_cycles, outcome.inference_cycles, outcome.idle_cycles) == (30, 10, 20)
    services = [Service(programs=infer, **options)] * 3
    served, cycles = simulate_services(services, program(3), [[1, 2], [7, 40, 41], []])
    assert cycles.window_cycles == 41
    assert [len(each.completion_cycle) for each in served] == [2, 3, 0]
    assert [each.arrival_cycle.tolist() for each in served] == [[1, 2], [7, 40, 41], []]
    assert cycles.batches == 5


def test_without_arrivals_a_window_must_be_given():
    with pytest.raises(ValueError, match=r"window is \(0, 0\)"):
        simulate(program(10), program(3), [], rows=1)


def test_padding_of_services_is_of_the_rows_of_each():
    # one request of 2 rows, and one of 4, 10 cycles each: a half and three quarters are padding
    services = [Service(programs=program(10), rows=rows, batching="greedy") for rows in (2, 4)]
    options = {"scheduling": "inference_only", "window": (0, 50)}
    _, cycles = simulate_services(services, program(3), [[0], [0]], **options)
    assert (cycles.inference_cycles, cycles.padding_cycles) == (5 + 10 // 4, 5 + 8)
    assert cycles.idle_cycles == 30


def test_training_alone_leaves_requests_out():
    options = {"rows": 1, "scheduling": "training_only", "window": (0, 30)}
    outcome = simulate(program(10), program(3), [5, 9], **options)
    assert len(outcome.completion_cycle) == len(outcome.arrival_cycle) == 0
    assert (outcome.training_cycles, outcome.batches) == (30, 0)


def test_there_are_arrivals_for_each_service():
    service = Service(programs=program(1), rows=1)
    for services, arrivals_of_each in (([], []), ([service], []), ([service], [[1], [2]])):
        with pytest.raises(ValueError, match=f"{len(services)} services, {len(arrivals_of_each)} "):
            simulate_services(services, program(1), arrivals_of_each)


@pytest.mark.parametrize("scheduling", POLICIES)
@pytest.mark.parametrize("batching", ["greedy", "full", "adaptive"])
def test_every_cycle_is_of_one_kind_and_every_request_is_served_in_order(scheduling, batching):
    outcome = simulate(
        program(40, simd=30, depends=True, size=5),
        program(25, simd=10, load=20, size=7),
        arrivals(200.0),
        rows=4,
        scheduling=scheduling,
        batching=batching,
        timeout_cycles=300,
        window=(1000, 2_000_000),
    )
    counted = sum(getattr(outcome, f"{kind}_cycles") for kind in KINDS)
    assert counted == outcome.window_cycles == 1_999_000
    assert (outcome.start_cycle >= outcome.arrival_cycle).all()
    assert (np.diff(outcome.start_cycle) >= 0).all()
    assert (outcome.completion_cycle - outcome.start_cycle >= 5 * 70).all()


@pytest.mark.parametrize("batching", ["greedy", "full", "adaptive"])
def test_one_instruction_a_batch_is_the_queue_level(batching):
    times = arrivals(40.0)
    outcome = simulate(
        program(100),
        program(1),
        times,
        rows=4,
        scheduling="inference_only",
        batching=batching,
        timeout_cycles=150,
    )
    queue = simulate_queue(times, batch_s=100.0, max_batch=4, batching=batching, timeout_s=150.0)
    assert np.array_equal(outcome.completion_cycle, queue.completion_s)


def test_uninterrupted_training_is_a_server_with_vacations():
    times = arrivals(200.0)
    options = {"scheduling": "priority", "batching": "greedy", "guard_batches": np.inf}
    outcome = simulate(program(100), program(37), times, rows=1, **options)
    queue = simulate_queue(times, batch_s=100.0, training_chunk_s=37.0)
    assert np.array_equal(outcome.completion_cycle, queue.completion_s)


def test_training_alone_runs_at_its_roofline():
    # 10 instructions: 40 cycles of MMU each; loads of 25 hide behind them, loads of 60 do not
    for load, cycles in ((25, 40), (60, 60)):
        train = program(40, load=load, size=10)
        options = {"scheduling": "training_only", "window": (10_000, 70_000)}
        outcome = simulate(train, train, [], rows=1, **options)
        assert outcome.training_iterations == pytest.approx(60_000 / cycles / 10)


def test_instructions_of_training_delay_a_batch_by_less_than_one_of_them_a_step():
    infer, train = program(50, simd=20, depends=True, size=6), program(33)
    alone = 6 * 70
    options = {"scheduling": "priority", "batching": "greedy"}
    outcome = simulate(infer, train, np.arange(20) * 5000, rows=1, **options)
    assert alone < outcome.latency_cycles.max() < alone + 6 * 33


def test_the_guard_keeps_latency_bounded_where_fair_turns_would_not():
    infer, train = program(100, size=5), program(100)
    times = arrivals(625.0)  # load 0.8; turns leave inference half of the MMU
    latencies = [
        simulate(infer, train, times, rows=1, scheduling="fair", guard_batches=guard).latency_cycles
        for guard in (2.0, np.inf)
    ]
    assert latencies[0][-1000:].mean() < 10_000 < latencies[1][-1000:].mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"guard_batches": -1}, "guard_batches is -1"),
        ({"window": (5, 5)}, "window is"),
        ({"window": (-1, 5)}, "window is"),
        ({"arrival_cycle": [-1, 5]}, "whole numbers of cycles"),
        ({"arrival_cycle": [0.5]}, "whole numbers of cycles"),
        ({"scheduling": "fifo"}, "scheduling is 'fifo'"),
        ({"training": replace(program(1), drain_cycles=3)}, "drain in 0 and 3 cycles"),
    ],
)
def test_errors_name_the_value_and_the_rule(change, message):
    given = {"inference": program(1), "training": program(1), "arrival_cycle": [0, 9], "rows": 1}
    with pytest.raises(ValueError, match=message):
        simulate(**(given | change))


@pytest.mark.parametrize("scheduling", [name for name in POLICIES if name != "training_only"])
@pytest.mark.parametrize(("timeout", "same_as"), [(0, "greedy"), (np.inf, "full")])
def test_the_ends_of_the_timeout_are_greedy_and_full(scheduling, timeout, same_as):
    infer, train = program(40, simd=30, depends=True, size=5), program(25, load=20, size=7)
    options = {"rows": 4, "scheduling": scheduling}
    timer = simulate(infer, train, arrivals(200.0), timeout_cycles=timeout, **options)
    other = simulate(infer, train, arrivals(200.0), batching=same_as, **options)
    assert np.array_equal(timer.start_cycle, other.start_cycle)
    assert np.array_equal(timer.completion_cycle, other.completion_cycle)
    assert timer.training_cycles == other.training_cycles


@pytest.mark.parametrize("batching", ["greedy", "full"])
def test_little_law_holds(batching):
    # L = lambda W, with L the mean of what Poisson arrivals see (they see time averages)
    gap, count = 200.0, 500_000
    outcome = simulate(
        program(100, size=5), program(25), arrivals(gap, count), rows=4, batching=batching
    )
    done = np.searchsorted(outcome.completion_cycle, outcome.arrival_cycle, side="right")
    seen = np.arange(count) - done
    assert seen.mean() == pytest.approx(outcome.latency_cycles.mean() / gap, rel=0.01)


def test_a_copy_of_the_state_is_another_run():
    service = Service(programs=program(40, size=5), rows=4, batching="greedy")
    options = {"scheduling": "priority", "order": "listed", "window": (0, 10**6)}
    state = first_state([service], program(25, size=3), **options)
    arrival = arrivals(200.0, 2000).astype(np.int64)[None]
    results = []
    state.services["known"], state.services["open"] = 1000, 1
    start, completion = np.zeros_like(arrival), np.zeros_like(arrival)
    state.advance(arrival, start, completion)
    for branch in (state.copy(), state):
        branch.services["known"], branch.services["open"] = 2000, 0
        own = start.copy(), completion.copy()
        branch.advance(arrival, *own)
        results.append((own[1], branch.machine))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
    whole = simulate(
        program(40, size=5), program(25, size=3), arrival[0], rows=4, batching="greedy"
    )
    assert np.array_equal(results[0][0][0], whole.completion_cycle)
