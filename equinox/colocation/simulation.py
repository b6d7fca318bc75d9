"""One simulation: two programs, requests and policies in; latencies and cycles out."""

from dataclasses import dataclass
from math import inf
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equinox.colocation import engine
from equinox.colocation.arrivals import check_times
from equinox.colocation.batching import batch_timeout
from equinox.colocation.policies import decision_table, get_policy
from equinox.colocation.programs import Program

Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What happened: requests in the order of arrival, and MMU cycles of the window."""

    arrival_cycle: Integers
    start_cycle: Integers  # when the first instruction of the request's batch issues
    completion_cycle: Integers
    inference_cycles: int
    padding_cycles: int  # rows of a batch without a request
    training_cycles: int
    stalled_cycles: int  # a program has work but waits for operands or results
    idle_cycles: int  # no batch in flight, and no training that may run
    window_cycles: int  # the sum of the five
    training_iterations: float  # in the window; a part counts as its share of MMU cycles
    training_op_per_cycle: float  # over the window
    batches: int  # of the whole run, as are the instructions
    instructions: int

    @property
    def latency_cycles(self) -> Integers:
        """Completion - arrival of each request."""
        return self.completion_cycle - self.arrival_cycle


def simulate(
    inference: Program,
    training: Program,
    arrival_cycle: ArrayLike,
    *,
    rows: int,
    scheduling: str = "priority",
    batching: str = "adaptive",
    timeout_cycles: float = inf,
    guard_batches: float = 2.0,
    window: tuple[int, int] | None = None,
) -> Outcome:
    """Return what happens when `inference` and `training` share one accelerator.

    Requests come at `arrival_cycle` (rising) and are served in their order, `rows` at most in a
    batch; each is served, however long it takes. Training repeats for ever. `scheduling` is one
    of `POLICIES`; "training_only" leaves the requests out. `batching` is one of `BATCHINGS`;
    "adaptive" issues an incomplete batch when its oldest request has waited `timeout_cycles`.
    Training stops while more than `guard_batches` full batches wait. `window` is where cycles are
    counted, by default from 0 to the last arrival.

    Raises:
        ValueError: a name is unknown, a number is out of range, or the programs' drains differ.
    """
    decisions = decision_table(get_policy(scheduling))
    arrival = _whole_cycles(arrival_cycle)
    if scheduling == "training_only":
        arrival = arrival[:0]
    window = window or (0, int(arrival[-1]) if len(arrival) else 0)
    _check(inference, training, rows, guard_batches, window)
    timeout = batch_timeout(batching, timeout_cycles)
    start, completion, cycles, events = engine.run(
        inference.table(),
        training.table(),
        arrival,
        rows,
        inference.drain_cycles,
        engine.NEVER if timeout == inf else int(timeout),
        len(arrival) if guard_batches == inf else int(guard_batches * rows),
        decisions,
        window,
    )
    counted = cycles.tolist()
    inference_cycles = counted[engine.INFERENCE_ROWS] // rows
    iterations = counted[engine.TRAINING] / training.total_mmu_cycles
    return Outcome(
        arrival_cycle=arrival,
        start_cycle=start,
        completion_cycle=completion,
        inference_cycles=inference_cycles,
        padding_cycles=counted[engine.INFERENCE] - inference_cycles,
        training_cycles=counted[engine.TRAINING],
        stalled_cycles=counted[engine.STALLED],
        idle_cycles=counted[engine.IDLE],
        window_cycles=window[1] - window[0],
        training_iterations=iterations,
        training_op_per_cycle=iterations * training.op / (window[1] - window[0]),
        batches=int(events[engine.BATCHES]),
        instructions=int(events[engine.INSTRUCTIONS]),
    )


def _whole_cycles(arrival_cycle: ArrayLike) -> Integers:
    arrival: NDArray[Any] = np.asarray(arrival_cycle)
    check_times(arrival, "arrival_cycle")
    if len(arrival) and (arrival[0] < 0 or (arrival % 1 != 0).any()):
        raise ValueError("arrival_cycle must hold whole numbers of cycles from 0 on; round them up")
    return np.ascontiguousarray(arrival, np.int64)


def _check(
    inference: Program, training: Program, rows: int, guard: float, window: tuple[int, int]
) -> None:
    if rows < 1:
        raise ValueError(f"rows is {rows}; a batch has 1 or more")
    if not guard >= 0:
        raise ValueError(f"guard_batches is {guard}; it must be 0 or more")
    if not 0 <= window[0] < window[1]:
        raise ValueError(f"window is {window}; it must begin at 0 or later and end after that")
    if inference.drain_cycles != training.drain_cycles:
        raise ValueError(
            f"the programs drain in {inference.drain_cycles} and {training.drain_cycles} cycles; "
            "make both for one accelerator"
        )
