"""Two classes of requests on one server, the first before the second: Cobham's queue."""

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equinox.colocation.arrivals import check_times
from equinox.colocation.compiling import kernel

Times = NDArray[np.float64]


def simulate_priority_queue(
    first_s: ArrayLike,
    second_s: ArrayLike,
    *,
    first_service_s: float,
    second_service_s: float,
    preempts: bool = False,
) -> tuple[Times, Times]:
    """Return the completion times of requests of two classes that come at these (rising) times.

    A free server takes the oldest request of the first class, else of the second. If `preempts`,
    a request of the first class interrupts one of the second, which resumes where it was.

    Raises:
        ValueError: times are not finite and rising, or a service time is not positive.

    Source: Cobham, Priority assignment in waiting line problems, Operations Research 2 (1954);
    White and Christie, Queuing with preemptive priorities, Operations Research 6 (1958).
    """
    first = np.ascontiguousarray(first_s, np.float64)
    second = np.ascontiguousarray(second_s, np.float64)
    check_times(first, "first_s")
    check_times(second, "second_s")
    if not min(first_service_s, second_service_s) > 0:
        raise ValueError(
            f"service times are {first_service_s} and {second_service_s}; they must be positive"
        )
    durations = float(first_service_s), float(second_service_s)
    first_done, second_done = np.empty_like(first), np.empty_like(second)
    _serve_classes(first, second, *durations, preempts, first_done, second_done)
    return first_done, second_done


@kernel
def _serve_classes(
    first: Times,
    second: Times,
    first_service: float,
    second_service: float,
    preempts: bool,
    first_done: Times,
    second_done: Times,
) -> None:
    now, i, j = 0.0, 0, 0
    left = second_service  # of the request of the second class that is next
    while i < len(first) or j < len(second):
        first_at = first[i] if i < len(first) else inf
        second_at = second[j] if j < len(second) else inf
        if first_at <= max(now, second_at):
            now = max(now, first_at) + first_service
            first_done[i] = now
            i += 1
            continue
        now = max(now, second_at)
        if preempts and first_at < now + left:
            left -= first_at - now
            now = first_at
            continue
        now += left
        left = second_service
        second_done[j] = now
        j += 1
