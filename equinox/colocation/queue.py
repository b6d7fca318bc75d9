"""The queue level alone: requests, batches and uninterruptible chunks of training on one server.

It knows no instructions, so it can be held to the exact results of queueing theory.
"""

from dataclasses import dataclass
from math import inf
from typing import final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from equinox.colocation.arrivals import check_times
from equinox.colocation.batching import batch_timeout

Times = NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What happened: arrays have one entry a request, in the order of arrival."""

    wait_s: Times  # start - arrival
    start_s: Times
    completion_s: Times
    busy_s: float  # serving
    training_s: float
    idle_s: float
    end_s: float  # the last completion; busy_s + training_s + idle_s

    @property
    def latency_s(self) -> Times:
        """Completion - arrival."""
        return self.wait_s + (self.completion_s - self.start_s)


def simulate_queue(
    arrival_s: ArrayLike,
    *,
    batch_s: ArrayLike,
    max_batch: int = 1,
    batching: str = "greedy",
    timeout_s: float = inf,
    training_chunk_s: float | None = None,
) -> Outcome:
    """Return what happens to requests that come at `arrival_s` (rising), served in their order.

    A free server starts a batch of all waiting requests, `max_batch` at most, when `max_batch`
    wait or when the oldest has waited as long as `batching` lets it: "greedy" 0, "full" for
    ever, "adaptive" `timeout_s`. "full", or an infinite timeout, also serves the incomplete rest
    once the last request has come. `batch_s` is the time of any batch, or an array of times
    indexed by batch size - 1.

    `training_chunk_s` adds training that always has work: the server, when it may not start a
    batch, trains for a chunk and cannot be interrupted in it; chunks of 0 yield at once. None is
    no training.

    Raises:
        ValueError: times are not finite and rising from 0, or a duration or size is out of range.
    """
    arrival = np.ascontiguousarray(arrival_s, np.float64)
    check_times(arrival, "arrival_s")
    if len(arrival) and arrival[0] < 0:
        raise ValueError(f"arrival_s starts at {arrival[0]}; the simulation starts at 0")
    timeout = batch_timeout(batching, timeout_s)
    duration = _batch_durations(batch_s, max_batch)
    chunk = -1.0 if training_chunk_s is None else float(training_chunk_s)
    if training_chunk_s is not None and not 0 <= chunk < inf:
        raise ValueError(f"training_chunk_s is {training_chunk_s}; it must be 0 or more, or None")
    start, completion, busy, training, end = _serve(arrival, duration, timeout, chunk)
    return Outcome(
        wait_s=start - arrival,
        start_s=start,
        completion_s=completion,
        busy_s=busy,
        training_s=training,
        idle_s=max(end - busy - training, 0.0),
        end_s=end,
    )


def _batch_durations(batch_s: ArrayLike, max_batch: int) -> Times:
    if max_batch < 1:
        raise ValueError(f"max_batch is {max_batch}; it must be 1 or more")
    duration = np.array(batch_s, np.float64)
    if duration.ndim == 0:
        duration = np.full(max_batch, duration)
    if duration.shape != (max_batch,):
        raise ValueError(
            f"batch_s has shape {duration.shape}; give one number, or {max_batch} of them, one "
            "for each batch size"
        )
    if not (np.isfinite(duration) & (duration >= 0)).all():
        raise ValueError(f"batch_s is {duration}; durations must be finite and not negative")
    return duration


# numba: its wheels bring their own code generator, so no C compiler is needed where this runs.
@njit(cache=True)
def _serve(
    arrival: Times, duration: Times, timeout: float, chunk: float
) -> tuple[Times, Times, float, float, float]:
    """Serve all requests; a `chunk` below 0 means no training."""
    count, max_batch = len(arrival), len(duration)
    start, completion = np.empty(count), np.empty(count)
    free = busy = training = 0.0
    first = 0
    while first < count:
        now = max(free, _eligible(arrival, first, max_batch, timeout))
        if chunk == 0.0:
            training += now - free
        elif chunk > 0.0 and now > free:
            chunks = np.ceil((now - free) / chunk)
            if free + chunks * chunk < now:  # rounding of the quotient
                chunks += 1.0
            training += chunks * chunk
            now = free + chunks * chunk
        end = first + 1
        while end < count and end < first + max_batch and arrival[end] <= now:
            end += 1
        free = now + duration[end - first - 1]
        busy += duration[end - first - 1]
        start[first:end] = now
        completion[first:end] = free
        first = end
    return start, completion, busy, training, free


@njit(cache=True)
def _eligible(arrival: Times, first: int, max_batch: int, timeout: float) -> float:
    """Return when a batch that starts with request `first` may start on a free server."""
    last = first + max_batch - 1
    if last < len(arrival):
        return float(min(arrival[last], arrival[first] + timeout))
    if timeout == inf:
        return float(arrival[-1])
    return float(arrival[first] + timeout)
