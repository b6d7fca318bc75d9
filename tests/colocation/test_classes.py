"""Two classes against Cobham, and White and Christie."""

import numpy as np
import pytest

from equinox.colocation.classes import simulate_priority_queue

COUNT = 2_000_000


def arrivals(rate, seed):
    return np.random.default_rng(seed).exponential(1 / rate, int(COUNT * rate)).cumsum()


@pytest.mark.parametrize(("first", "second"), [(0.3, 0.3), (0.5, 0.3), (0.2, 0.6)])
@pytest.mark.parametrize("preempts", [False, True])
def test_mean_times_are_those_of_theory(first, second, preempts):
    times = arrivals(first, 0), arrivals(second, 1)
    options = {"first_service_s": 1.0, "second_service_s": 1.0, "preempts": preempts}
    latencies = [
        (done - came).mean()
        for done, came in zip(simulate_priority_queue(*times, **options), times, strict=True)
    ]
    residual, rest = (first + second) / 2, 1 - first - second
    if preempts:
        expected = 1 + first / 2 / (1 - first), (rest + residual) / ((1 - first) * rest)
    else:
        expected = 1 + residual / (1 - first), 1 + residual / ((1 - first) * rest)
    assert latencies[0] == pytest.approx(expected[0], rel=0.01)
    assert latencies[1] == pytest.approx(expected[1], rel=0.02)


def test_preemption_leaves_the_first_class_as_if_alone():
    times = arrivals(0.4, 0)
    alone = simulate_priority_queue(times, [], first_service_s=1.0, second_service_s=1.0)
    beside = simulate_priority_queue(
        times, arrivals(0.5, 1), first_service_s=1.0, second_service_s=7.0, preempts=True
    )
    assert np.array_equal(alone[0], beside[0])


def test_worked_example():
    # The second class starts at 0; the first comes at 1 for 2, so that the second ends at 3 or 5.
    for preempts, expected in ((False, (5.0, 3.0)), (True, (3.0, 5.0))):
        first, second = simulate_priority_queue(
            [1.0], [0.0], first_service_s=2.0, second_service_s=3.0, preempts=preempts
        )
        assert (first[0], second[0]) == expected


def test_a_service_time_of_nothing_is_an_error():
    for times in ((-1, 1), (1, -1), (1, 0)):
        with pytest.raises(ValueError, match="they must be positive"):
            simulate_priority_queue([], [], first_service_s=times[0], second_service_s=times[1])
    with pytest.raises(ValueError, match="service times are 0 and 1; they must be positive"):
        simulate_priority_queue([], [], first_service_s=0, second_service_s=1)
