"""The queue level alone: requests, batches and uninterruptible chunks of training on one server.

It knows no instructions, so it can be held to the exact results of queueing theory.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equinox.colocation.arrivals import check_times, mark_last
from equinox.colocation.batching import batch_timeout
from equinox.colocation.compiling import kernel
from equinox.colocation.tally import add_values, new_tally, tallied_quantile

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


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Summary:
    """What happened to many requests, without each one's times."""

    requests: int  # measured, after the warm-up; the rest is of the whole run
    mean_wait_s: float
    mean_latency_s: float
    batches: int
    busy_s: float  # serving
    training_s: float
    idle_s: float
    end_s: float  # the last completion; busy_s + training_s + idle_s
    tally: NDArray[np.int64]  # of waiting times; see `tally.py`

    def wait_quantile_s(self, share: float) -> float:
        """Return a quantile of the waiting times, to 0.05 %."""
        return tallied_quantile(self.tally, share)


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
    _check_arrivals(arrival)
    timeout, chunk = batch_timeout(batching, timeout_s), _chunk(training_chunk_s)
    duration = _batch_durations(batch_s, max_batch)
    start, completion, totals = np.empty_like(arrival), np.empty_like(arrival), np.zeros(4)
    _serve(arrival, duration, timeout, chunk, True, totals, start, completion)
    end, busy, training, _ = totals.tolist()
    return Outcome(
        wait_s=start - arrival,
        start_s=start,
        completion_s=completion,
        busy_s=busy,
        training_s=training,
        idle_s=max(end - busy - training, 0.0),
        end_s=end,
    )


def stream_queue(
    blocks: Iterable[Times],
    *,
    batch_s: ArrayLike,
    max_batch: int = 1,
    batching: str = "greedy",
    timeout_s: float = inf,
    training_chunk_s: float | None = None,
    warm_up: int = 0,
) -> Summary:
    """Return what happens to requests that come in `blocks`, in memory for a few blocks.

    The server is that of `simulate_queue`. `blocks` hold rising times; see `Arrivals.blocks_s`.
    The first `warm_up` requests are left out of waiting times and latencies.

    Raises:
        ValueError: as `simulate_queue`.
    """
    timeout, chunk = batch_timeout(batching, timeout_s), _chunk(training_chunk_s)
    duration, totals = _batch_durations(batch_s, max_batch), np.zeros(4)
    tally, left, count, sums = new_tally(), np.empty(0), 0, np.zeros(2)
    for block, ends in mark_last(blocks):
        arrival = np.concatenate([left, block])
        _check_arrivals(arrival)
        start, completion = np.empty_like(arrival), np.empty_like(arrival)
        served = _serve(arrival, duration, timeout, chunk, ends, totals, start, completion)
        measured = slice(min(max(warm_up - count, 0), served), served)
        wait_s = start[measured] - arrival[measured]
        add_values(tally, wait_s)
        sums += wait_s.sum(), (completion[measured] - arrival[measured]).sum()
        count, left = count + served, arrival[served:]
    end, busy, training, batches = totals.tolist()
    measured_count = int(tally.sum())
    return Summary(
        requests=measured_count,
        mean_wait_s=float(sums[0]) / max(measured_count, 1),
        mean_latency_s=float(sums[1]) / max(measured_count, 1),
        batches=int(batches),
        busy_s=busy,
        training_s=training,
        idle_s=max(end - busy - training, 0.0),
        end_s=end,
        tally=tally,
    )


def _check_arrivals(arrival: Times) -> None:
    check_times(arrival, "arrival_s")
    if len(arrival) and arrival[0] < 0:
        raise ValueError(f"arrival_s starts at {arrival[0]}; the simulation starts at 0")


def _chunk(training_chunk_s: float | None) -> float:
    """Return the chunk for `_serve`."""
    if training_chunk_s is None:
        return -1.0
    if not 0 <= training_chunk_s < inf:
        raise ValueError(f"training_chunk_s is {training_chunk_s}; it must be 0 or more, or None")
    return float(training_chunk_s)


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


@kernel
def _serve(
    arrival: Times,
    duration: Times,
    timeout: float,
    chunk: float,
    ends: bool,
    totals: Times,
    start: Times,
    completion: Times,
) -> int:
    """Serve all requests, or if there are more to come, as many as that cannot matter to.

    A `chunk` below 0 means no training. `totals` are when the server is free, time serving, time
    training, and batches. Return how many are served.
    """
    count, max_batch, first = len(arrival), len(duration), 0
    free, busy, training, batches = totals
    while first < count and (ends or first + max_batch <= count):
        last = first + max_batch - 1
        now = max(free, arrival[first] + timeout)
        if last < count:
            now = max(free, min(arrival[last], arrival[first] + timeout))
        elif timeout == inf:
            now = max(free, arrival[count - 1])
        if chunk == 0.0:
            training += now - free
        elif chunk > 0.0 and now > free:
            chunks = np.ceil((now - free) / chunk)
            if free + chunks * chunk < now:  # rounding of the quotient
                chunks += 1.0
            training += chunks * chunk
            now = free + chunks * chunk
        end = first + 1
        while end < count and end <= last and arrival[end] <= now:
            end += 1
        free = now + duration[end - first - 1]
        busy += duration[end - first - 1]
        batches += 1.0
        for request in range(first, end):
            start[request] = now
            completion[request] = free
        first = end
    # One by one: numba compiles the message of a slice's shape mismatch, which takes 2 s.
    totals[0], totals[1], totals[2], totals[3] = free, busy, training, batches
    return first
