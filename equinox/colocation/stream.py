"""Simulation of any number of requests in the memory of a few blocks of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import final

import numpy as np
from numpy.typing import NDArray

from equinox.colocation import records
from equinox.colocation.arrivals import mark_last
from equinox.colocation.programs import Program
from equinox.colocation.simulation import Cycles, count_cycles, whole_cycles
from equinox.colocation.state import Service, State, first_state
from equinox.colocation.tally import add_values, new_tally, tallied_quantile

Integers = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class StreamOutcome(Cycles):
    """What happened to many requests, without each one's times."""

    requests: int  # measured, after the warm-up
    mean_latency_cycles: float
    tally: Integers  # of their latencies; see `tally.py`

    def latency_quantile_cycles(self, share: float) -> float:
        """Return a quantile of the latencies, to 0.05 %."""
        return tallied_quantile(self.tally, share)


def simulate_stream(
    inference: Program | Sequence[Program],
    training: Program,
    blocks: Iterable[Integers],
    *,
    rows: int,
    scheduling: str = "priority",
    batching: str = "adaptive",
    timeout_cycles: float = inf,
    guard_batches: float = 2.0,
    warm_up: int = 0,
) -> StreamOutcome:
    """Return what happens when requests come in `blocks`, as `simulate` would have it.

    `blocks` hold rising whole cycles. The first `warm_up` requests are left out of latencies;
    cycles are counted from the arrival of the one after them to the last arrival, or from and to
    when the simulation learns of these, if that is later: with a queue of more than a block. With
    nothing to measure the window is one cycle.

    Raises:
        ValueError: as `simulate`; or `scheduling` is "training_only", which serves no request.
    """
    if scheduling == "training_only":
        raise ValueError("scheduling is 'training_only', which serves no request; use simulate")
    service = Service(
        programs=inference,
        rows=rows,
        batching=batching,
        timeout_cycles=timeout_cycles,
        guard_batches=guard_batches,
    )
    window = (records.NEVER - 1, records.NEVER)
    state = first_state([service], training, scheduling=scheduling, order="listed", window=window)
    machine, tally, total, seen = state.machine, new_tally(), 0, 0
    left = start = completion = np.empty(0, np.int64)
    for block, ends in mark_last(block for block in blocks if len(block)):
        new = np.full(len(block), records.NEVER)
        arrival = whole_cycles(np.concatenate([left, block]))
        start, completion = np.concatenate([start, new]), np.concatenate([completion, new])
        if machine["begin"] == window[0] and (ends or warm_up < seen + len(arrival)):
            first = min(warm_up - seen, len(arrival) - 1)
            machine["begin"] = max(machine["now"], arrival[first])
        if ends:
            machine["end"] = max(machine["now"], machine["begin"] + 1, arrival[-1])
        state.services["known"], state.services["open"] = len(arrival), not ends
        done = _advance(state, arrival, start, completion)
        latency = (completion - arrival)[max(warm_up - seen, 0) : done]
        add_values(tally, latency.astype(np.float64))
        total += int(latency.sum())
        left, start, completion = arrival[done:], start[done:], completion[done:]
        seen += done
    requests = int(tally.sum())
    return StreamOutcome(
        **vars(count_cycles(state, training)),
        requests=requests,
        mean_latency_cycles=total / max(requests, 1),
        tally=tally,
    )


def _advance(state: State, arrival: Integers, start: Integers, completion: Integers) -> int:
    """Run on; return how many requests are complete and forgotten by `state`."""
    state.advance(arrival[None], start[None], completion[None])
    machine, service = state.machine, state.services[0]
    done = int(machine["oldest"] if state.streams[0]["begun"] else service["first"])
    machine["oldest"] -= done
    service["first"] -= done
    return done
