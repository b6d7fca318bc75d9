"""Loads found by bisection."""

from math import isnan

import numpy as np
import pytest

from equinox.colocation import simulate_queue
from equinox.colocation.search import (
    bisect_load,
    keeps_up,
    largest_load_within,
    saturation_load,
)


@pytest.mark.parametrize("edge", [0.013, 0.4, 0.7777, 0.999])
def test_the_edge_is_found_to_the_tolerance_from_below(edge):
    found = bisect_load(lambda load: load <= edge, tolerance=0.001, steps=100)
    assert edge - 0.001 <= found <= edge


def test_the_last_of_several_edges_is_found():
    # waiting for company at low loads, for others at high ones
    assert bisect_load(lambda load: 0.3 < load < 0.8) == pytest.approx(0.8, abs=0.005)


def test_the_ends_of_the_range_are_answers_too():
    assert bisect_load(lambda load: True, high=1.5) == 1.5
    assert isnan(bisect_load(lambda load: False))


def test_the_loads_that_are_asked_for_by_hand():
    asked = []

    def holds(load):
        asked.append(load)
        return load <= 0.8

    # Down in quarters to 0.75, then half of the rest as long as that is more than a sixteenth.
    assert bisect_load(holds, low=0.25, high=1.25, tolerance=0.0625, steps=4) == 0.75
    assert asked == [1.25, 1.0, 0.75, 0.875, 0.8125]
    asked.clear()
    assert bisect_load(holds) == 0.796875  # by eighths, then to 1/256 < 0.005
    assert asked == [1.0, 0.875, 0.75, 0.8125, 0.78125, 0.796875, 0.8046875, 0.80078125]
    assert bisect_load(lambda load: True, steps=1) == 1.0


def test_a_queue_grows_by_what_is_left_at_arrivals_by_hand():
    # Each of 10 is complete at once, but of the second half none: 1 to 5 are left, 4 more.
    times = np.arange(10.0)
    done = np.where(times < 5, times + 0.5, 100.0)
    assert keeps_up(times, done, slack=0.8)
    assert not keeps_up(times, done, slack=0.79)
    # What is complete when the next one arrives is not left.
    assert keeps_up(times, np.where(times < 5, times + 0.5, times + 1), slack=0.0)
    # Of 5, 3 are in the second half, and 2 more are left there.
    assert keeps_up(times[:5], [0.5, 1.5, 9, 9, 9], slack=0.67)
    assert not keeps_up(times[:5], [0.5, 1.5, 9, 9, 9], slack=0.66)
    assert keeps_up([0], [9])
    assert not keeps_up([0, 1], [9, 9])


@pytest.mark.parametrize(("late", "keeps"), [(6, True), (7, False)])
def test_a_hundredth_of_the_arrivals_is_let_through(late, keeps):
    times = np.arange(1000.0)  # 500 in a half: up to 5 more
    done = np.where(times < 1000 - late, times + 0.5, 5000.0)
    assert keeps_up(times, done) is keeps


def test_searches_ask_the_question_at_loads_from_the_top():
    asked = []

    def simulate_at(load):
        asked.append(load)
        return np.arange(2), [0, 1] if load <= 1.25 else [9, 9]

    assert saturation_load(simulate_at) == 1.25
    assert asked[:4] == [2.0, 1.75, 1.5, 1.25]
    assert 1.25 < min(asked[4:]) <= 1.255
    assert saturation_load(lambda load: ([0, 1], [9, 9]), slack=1.0) == 2.0
    asked.clear()

    def latency_at(load):
        asked.append(load)
        return 8 * load

    assert largest_load_within(latency_at, 2.0) == 0.25
    assert asked[:3] == [1.0, 0.875, 0.75]
    assert 0.25 < min(asked[7:]) <= 0.255


def poisson_queue(load, **options):
    arrival = np.random.default_rng(0).exponential(1 / load, 200_000).cumsum()
    outcome = simulate_queue(arrival, **options)
    return arrival, outcome.completion_s


def test_a_queue_saturates_at_load_1_and_earlier_for_a_slower_server():
    for batch_s in (1.0, 1.25):
        found = saturation_load(lambda load, s=batch_s: poisson_queue(load, batch_s=s))
        assert found == pytest.approx(1 / batch_s, rel=0.02)


def test_a_queue_that_grows_at_all_steps_is_searched_for_below_the_lowest():
    def simulate_at(load):  # all done at once up to load 0.1; above, nothing is
        return np.arange(200.0), np.arange(200.0) + (0.5 if load <= 0.1 else 1e6)

    found = saturation_load(simulate_at, high=1.2, tolerance=0.01)
    assert 0.09 < found <= 0.1
    assert np.isnan(saturation_load(lambda load: (np.arange(200.0), np.full(200, 1e6)), high=1.2))


def test_batches_raise_the_saturation_load_by_their_size():
    found = saturation_load(lambda load: poisson_queue(load, batch_s=1.0, max_batch=4), high=8)
    assert found == pytest.approx(4, rel=0.02)


def test_a_growing_queue_is_not_kept_up_with():
    times = np.arange(1000.0)
    assert keeps_up(times, times + 400)  # late, but no later at the end
    assert not keeps_up(times, times * 1.1)
    assert keeps_up([], [])


def test_the_largest_load_within_a_mean_wait_is_that_of_pollaczek_and_khinchine():
    # W = rho / (2 (1 - rho)) is 1 at rho = 2/3
    def wait(load):
        arrival = np.random.default_rng(1).exponential(1 / load, 1_000_000).cumsum()
        return simulate_queue(arrival, batch_s=1.0).wait_s.mean()

    assert largest_load_within(wait, 1.0, high=0.95) == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize(
    "wrong", [{"low": 1.0}, {"low": -1.0}, {"tolerance": 0}, {"steps": 0}, {"steps": -1}]
)
def test_a_range_without_loads_is_an_error(wrong):
    with pytest.raises(ValueError, match="low must be 0 or more"):
        bisect_load(lambda load: True, **wrong)
