"""Search for a load: where the queue begins to grow, and the most within a latency target.

Both are bisections on a question whose answer turns from yes to no as load rises. Ask with the
same seed at each load, so that chance does not decide.
"""

from collections.abc import Callable
from math import isnan, nan
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLACK: Final = (
    0.01  # of all requests: a queue that grows by this share of the arrivals is not kept up with
)
STEPS: Final = 8  # loads that a search asks for before it bisects

#: What happens at a load: when requests arrive (rising) and when they are complete.
Simulation = Callable[[float], tuple[ArrayLike, ArrayLike]]


def bisect_load(
    holds: Callable[[float], bool],
    *,
    low: float = 0.0,
    high: float = 1.0,
    tolerance: float = 0.005,
    steps: int = STEPS,
) -> float:
    """Return the highest load between `low` and `high` at which `holds` is true, to `tolerance`.

    Of `steps` equal steps down from `high`, the first at which it holds begins the bisection, so
    that it may also fail at low loads. The load that is returned was asked for and holds; at most
    `tolerance` above it is one that does not. NaN if it holds at no step; `low` is not asked for.

    Raises:
        ValueError: not 0 <= `low` < `high`, or `tolerance` or `steps` is not positive.
    """
    if not (0 <= low < high and tolerance > 0 and steps > 0):
        raise ValueError(
            f"low is {low}, high is {high}, tolerance is {tolerance}, steps is {steps}; low must "
            "be 0 or more and below high, tolerance and steps positive"
        )
    step = (high - low) / steps
    loads = (high - i * step for i in range(steps))
    good = next((load for load in loads if holds(load)), nan)
    bad = good + step
    while good < high and bad - good > tolerance:
        middle = (good + bad) / 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def bisect_far(
    holds: Callable[[float], bool], *, low: float = 0.0, high: float, tolerance: float
) -> float:
    """Return `bisect_load`, and where it is NaN, that of its lowest step: a 64th is asked for."""
    found = bisect_load(holds, low=low, high=high, tolerance=tolerance)
    least = low + (high - low) / STEPS
    return bisect_load(holds, low=low, high=least, tolerance=tolerance) if isnan(found) else found


def keeps_up(arrival: ArrayLike, completion: ArrayLike, *, slack: float = SLACK) -> bool:
    """Return whether the queue of a run does not grow.

    It grows if the most requests that are not complete at an arrival are more in the second half
    of the run than in the first, by more than `slack` times the arrivals of a half: a server that
    completes the share s of what arrives falls behind by 1 - s of it. The most, since a queue that
    waits for training to end is long and short in turn. True for a run without requests.
    """
    arrivals: NDArray[Any] = np.asarray(arrival)
    done = np.sort(np.asarray(completion))
    count, half = len(arrivals), len(arrivals) // 2
    if half == 0:
        return True
    left = np.arange(1, count + 1) - np.searchsorted(done, arrivals, side="right")
    return bool(left[half:].max() - left[:half].max() <= slack * (count - half))


def saturation_load(
    simulate_at: Simulation,
    *,
    low: float = 0.0,
    high: float = 2.0,
    tolerance: float = 0.005,
    slack: float = SLACK,
) -> float:
    """Return the highest load at which `keeps_up` is true of `simulate_at`, to `tolerance`.

    The slack lets through loads that exceed the saturation load by a share of `slack`, and as
    much more as chance grows a queue in a run: for n requests some sqrt(8 / n) of the load. NaN
    if the queue grows at all that is asked for, down to a 64th of the way from `low` to `high`.

    Raises:
        ValueError: as `bisect_load`.
    """

    def holds(load: float) -> bool:
        return keeps_up(*simulate_at(load), slack=slack)

    return bisect_far(holds, low=low, high=high, tolerance=tolerance)


def largest_load_within(
    latency_at: Callable[[float], float],
    target: float,
    *,
    low: float = 0.0,
    high: float = 1.0,
    tolerance: float = 0.005,
) -> float:
    """Return the highest load at which `latency_at` is at most `target`, to `tolerance`.

    Latency must rise with load where it crosses the target from below for the last time. It may
    be above the target at low loads too, where requests wait for company in full batches. NaN
    if it is above at all of `STEPS` equally spaced loads.

    Raises:
        ValueError: as `bisect_load`.
    """
    return bisect_load(
        lambda load: latency_at(load) <= target, low=low, high=high, tolerance=tolerance
    )
