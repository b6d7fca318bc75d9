"""One simulation: programs, requests and policies in; latencies and cycles out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equinox.colocation import records
from equinox.colocation.arrivals import check_times
from equinox.colocation.programs import Program
from equinox.colocation.state import Service, State, first_state

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycles:
    """MMU cycles of a window, each of one kind, and what was done in them."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """The requests of a service in the order of arrival; NEVER if the policy serves none."""

    arrival_cycle: Integers
    start_cycle: Integers  # when the first instruction of the request's batch issues
    completion_cycle: Integers

    @property
    def latency_cycles(self) -> Integers:
        """Completion - arrival of each request."""
        return self.completion_cycle - self.arrival_cycle


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome(Served, Cycles):
    """What happened with one service: its requests, and MMU cycles of the window."""


def simulate(
    inference: Program | Sequence[Program],
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

    `inference` is a program that a batch of any size takes, the incomplete ones padded, or a
    program for each batch size: incomplete ones are shortened (see `Service`). Requests come at
    `arrival_cycle` (rising) and are served in their order, `rows` at most in a batch; each is
    served, however long it takes. Training repeats for ever. `scheduling` is one of `POLICIES`;
    "training_only" leaves the requests out. `batching` is one of `BATCHINGS`; "adaptive" issues
    an incomplete batch when its oldest request has waited `timeout_cycles`. Training stops while
    more than `guard_batches` full batches wait. `window` is where cycles are counted, by default
    from 0 to the last arrival.

    Raises:
        ValueError: a name is unknown, a number is out of range, or the programs' drains differ.
    """
    service = Service(
        programs=inference,
        rows=rows,
        batching=batching,
        timeout_cycles=timeout_cycles,
        guard_batches=guard_batches,
    )
    served, cycles = simulate_services(
        [service], training, [arrival_cycle], scheduling=scheduling, window=window
    )
    return Outcome(**vars(served[0]), **vars(cycles))


def simulate_services(
    services: Sequence[Service],
    training: Program,
    arrival_cycles: Sequence[ArrayLike],
    *,
    scheduling: str = "priority",
    order: str = "listed",
    window: tuple[int, int] | None = None,
) -> tuple[tuple[Served, ...], Cycles]:
    """Return what happens when `services` and `training` share one accelerator.

    As `simulate`, with the requests of each service in `arrival_cycles`. Batches follow each
    other; where several services may issue one, `order`, one of `ORDERS`, chooses: "listed" the
    first service in `services`, "oldest" the oldest request, "deadline" that with the earliest
    deadline, arrival + `target_cycles`.

    Raises:
        ValueError: as `simulate`, or there is not one array of arrivals a service.
    """
    if not services or len(services) != len(arrival_cycles):
        raise ValueError(f"{len(services)} services, {len(arrival_cycles)} arrays of arrivals")
    arrivals = [whole_cycles(cycles) for cycles in arrival_cycles]
    if scheduling == "training_only":
        arrivals = [cycles[:0] for cycles in arrivals]
    if window is None:
        window = (0, max((int(cycles[-1]) for cycles in arrivals if len(cycles)), default=0))
    state = first_state(services, training, scheduling=scheduling, order=order, window=window)
    known = [len(cycles) for cycles in arrivals]
    state.services["known"], state.services["open"] = known, 0
    arrival = np.zeros((len(services), max(known)), np.int64)
    for row, cycles in zip(arrival, arrivals, strict=True):
        row[: len(cycles)] = cycles
    start, completion = np.full_like(arrival, records.NEVER), np.full_like(arrival, records.NEVER)
    state.advance(arrival, start, completion)
    served = tuple(
        Served(
            arrival_cycle=arrivals[i], start_cycle=start[i, :n], completion_cycle=completion[i, :n]
        )
        for i, n in enumerate(known)
    )
    return served, count_cycles(state, training)


def count_cycles(state: State, training: Program) -> Cycles:
    """Return what `state` has counted in its window."""
    machine, services = state.machine, state.services
    rows = int((services["used_rows"] // services["rows"]).sum())
    window_cycles = int(machine["end"] - machine["begin"])
    iterations = float(machine["training"] / training.total_mmu_cycles)
    return Cycles(
        inference_cycles=rows,
        padding_cycles=int(services["used"].sum()) - rows,
        training_cycles=int(machine["training"]),
        stalled_cycles=int(machine["stalled"]),
        idle_cycles=int(machine["idle"]),
        window_cycles=window_cycles,
        training_iterations=iterations,
        training_op_per_cycle=iterations * training.op / window_cycles,
        batches=int(services["batches"].sum()),
        instructions=int(machine["instructions"]),
    )


def whole_cycles(arrival_cycle: ArrayLike) -> Integers:
    """Return arrivals as integers.

    Raises:
        ValueError: they are not whole, not rising, or negative.
    """
    arrival: NDArray[Any] = np.asarray(arrival_cycle)
    check_times(arrival, "arrival_cycle")
    if len(arrival) and (arrival[0] < 0 or (arrival % 1 != 0).any()):
        raise ValueError("arrival_cycle must hold whole numbers of cycles from 0 on; round them up")
    return np.ascontiguousarray(arrival, np.int64)
