"""Several services on one accelerator, each with its own requests, batches and target."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.colocation import (
    ORDERS,
    POLICIES,
    Service,
    simulate,
    simulate_priority_queue,
    simulate_services,
)
from equinox.colocation.state import repeated_bodies

from .conftest import program
from .test_simulation import KINDS, arrivals

TRAIN = program(1)


def one_by_one(program, **options):
    return Service(programs=program, rows=1, batching="greedy", **options)


def serve(services, times, **options):
    served, _ = simulate_services(services, TRAIN, times, scheduling="inference_only", **options)
    return [each.completion_cycle for each in served]


def test_the_first_listed_goes_first_as_in_cobham():
    times = arrivals(300.0), arrivals(400.0, seed=1)
    found = serve([one_by_one(program(100)), one_by_one(program(170))], times)
    exact = simulate_priority_queue(*times, first_service_s=100.0, second_service_s=170.0)
    for ours, theirs in zip(found, exact, strict=True):
        assert np.array_equal(ours, theirs)


def test_the_oldest_first_is_one_queue():
    times = arrivals(300.0), arrivals(400.0, seed=1)
    found = serve([one_by_one(program(100)) for _ in times], times, order="oldest")
    merged = np.sort(np.concatenate(times))
    queue = simulate(program(100), TRAIN, merged, rows=1, batching="greedy")
    alone = simulate(
        program(100), TRAIN, merged, rows=1, batching="greedy", scheduling="inference_only"
    )
    assert np.array_equal(np.sort(np.concatenate(found)), alone.completion_cycle)
    assert (queue.completion_cycle >= alone.completion_cycle).all()


def test_each_service_has_its_own_programs_by_hand():
    # Batches of any size of the first take 3 x 10 cycles, of the second 2 x 7, full or not; of the
    # third 5 for each of up to 3 requests.
    sizes = [program(5 * size) for size in (1, 2, 3)]
    services = [
        Service(programs=program(10, size=3), rows=2, batching="greedy"),
        Service(programs=program(7, size=2), rows=3, batching="greedy"),
        Service(programs=sizes, rows=3, batching="greedy"),
    ]
    times = [0, 100, 100], [0, 100, 100, 100], [0, 100, 100, 200, 200, 200]
    found = serve(services, times, window=(0, 300))
    assert [each.tolist() for each in found] == [
        [30, 130, 130],
        [44, 144, 144, 144],
        [49, 154, 154, 215, 215, 215],
    ]


def test_a_service_without_a_target_comes_after_all_that_have_one():
    services = [one_by_one(program(10)), one_by_one(program(10), target_cycles=10**9)]
    found = serve(services, [[0, 5, 90], [0, 6]], order="deadline")
    assert [each.tolist() for each in found] == [[30, 40, 100], [10, 20]]


def test_a_target_beyond_all_time_is_as_none():
    for target in (5e18, 1e300):
        services = [one_by_one(program(10), target_cycles=target), one_by_one(program(10))]
        found = serve(services, [[], [0, 5]], order="deadline")
        assert [each.tolist() for each in found] == [[], [10, 20]]


def test_bodies_that_repeat_by_hand():
    def bodies(text):
        table = np.array([[ord(letter)] for letter in text])
        return [(length, end) for length, end in repeated_bodies(table).tolist()]

    assert bodies("ababc") == [(2, 4), (2, 4), (1, 3), (1, 4), (1, 5)]
    assert bodies("aaab") == [(1, 3), (1, 3), (1, 3), (1, 4)]
    assert bodies("a") == [(1, 1)]
    assert bodies("abcdabcda")[:6] == [(4, 9)] * 5 + [(1, 6)]
    assert bodies("abcdeabcde") == [(1, row + 1) for row in range(10)]  # longer than is looked for
    assert bodies("aabaabaab")[0] == (3, 9)  # lasts longer than two rows of one


def by_deadline(times, targets, cycles):
    """One request at a time, the earliest deadline first."""
    left = [list(each) for each in times]
    done, now = [[] for _ in times], 0
    while any(left):
        come = [i for i, each in enumerate(left) if each and each[0] <= now]
        if not come:
            now = min(each[0] for each in left if each)
            continue
        first = min(come, key=lambda i: (left[i][0] + targets[i], i))
        left[first].pop(0)
        now += cycles[first]
        done[first].append(now)
    return done


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=15), min_size=1, max_size=4),
    targets=st.lists(st.integers(1, 100), min_size=4, max_size=4),
    cycles=st.lists(st.integers(1, 20), min_size=4, max_size=4),
)
def test_deadlines_are_met_in_their_order(gaps, targets, cycles):
    times = [np.cumsum(each) for each in gaps]
    services = [one_by_one(program(cycles[i]), target_cycles=targets[i]) for i in range(len(times))]
    found = serve(services, times, order="deadline", window=(0, 1))
    assert [each.tolist() for each in found] == by_deadline(times, targets, cycles)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scheduling", [name for name in POLICIES if name != "training_only"])
def test_every_request_of_every_service_is_served_and_every_cycle_is_of_one_kind(order, scheduling):
    small = [program(30, simd=10, depends=True, size=size) for size in (1, 2, 3)]
    services = [
        Service(programs=small, rows=3, batching="greedy", target_cycles=400),
        Service(programs=program(90, size=4), rows=8, batching="full", target_cycles=9000),
    ]
    times = arrivals(300.0, 5000), arrivals(150.0, 9000, seed=1)
    window = (1000, 1_000_000)
    served, cycles = simulate_services(
        services,
        program(25, load=20, size=7),
        times,
        scheduling=scheduling,
        order=order,
        window=window,
    )
    assert sum(getattr(cycles, f"{kind}_cycles") for kind in KINDS) == cycles.window_cycles
    for each, service in zip(served, services, strict=True):
        assert (each.start_cycle >= each.arrival_cycle).all()
        assert (np.diff(each.start_cycle) >= 0).all()
        _, sizes = np.unique(each.start_cycle, return_counts=True)
        assert sizes.max() <= service.rows
    assert not set(served[0].start_cycle) & set(served[1].start_cycle)


def test_one_service_is_a_simulation():
    times, infer = arrivals(200.0), program(40, simd=30, depends=True, size=5)
    options = {"rows": 4, "batching": "adaptive", "timeout_cycles": 300}
    served, cycles = simulate_services([Service(programs=infer, **options)], TRAIN, [times])
    alone = simulate(infer, TRAIN, times, **options)
    assert np.array_equal(served[0].completion_cycle, alone.completion_cycle)
    assert cycles.training_cycles == alone.training_cycles


def test_shortened_batches_leave_no_padding_and_more_to_training():
    sizes = [program(10 * size, size=4) for size in range(1, 9)]
    times = arrivals(30.0)
    options = {"rows": 8, "batching": "greedy"}
    padded = simulate(sizes[-1], TRAIN, times, **options)
    shortened = simulate(sizes, TRAIN, times, **options)
    assert shortened.padding_cycles == 0 < padded.padding_cycles
    assert shortened.training_cycles > padded.training_cycles
    assert shortened.latency_cycles.mean() < padded.latency_cycles.mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"programs": [program(1)] * 2}, "2 programs for batches of up to 3"),
        ({"target_cycles": 0}, "target_cycles is 0"),
        ({"guard_batches": -1}, "guard_batches is -1"),
    ],
)
def test_a_service_out_of_range_is_an_error(change, message):
    with pytest.raises(ValueError, match=message):
        Service(**({"programs": program(1), "rows": 3} | change))


def test_an_unknown_order_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="order is 'random'; orders are listed, oldest, deadline"):
        serve([one_by_one(program(1))], [[5]], order="random")
