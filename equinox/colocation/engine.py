"""The compiled core: two in-order programs share a matrix unit, a SIMD unit and a DRAM channel.

Time is a whole number of cycles. An instruction streams its operands from DRAM, occupies the
matrix unit (MMU), and hands its result to the SIMD unit:

- A load may start once the MMU operation two instructions earlier is over (two operand buffers);
  a program's first two start at 0. Programs repeat, so loads run ahead across batches and
  iterations. The DRAM channel and the SIMD unit serve in the order of request.
- A result reaches the SIMD unit `drain` cycles after its MMU operation: skew, drain and pipeline
  of the arrays, which keep nobody waiting but who `depends`.
- An instruction can issue when the MMU is free, its operands are there, earlier SIMD operations of
  its program will be over when its own begins (there is one output buffer) and, if it `depends`,
  all earlier results of its program are there. A policy chooses among those that can issue.
- MMU operations are not interrupted.
- A batch takes the requests that wait when its first instruction issues, and is complete with
  its last SIMD operation; the next batch issues after that.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from equinox.colocation.policies import Action

Integers = NDArray[np.int64]

NEVER = 2**62  # cycle: later than any event
MMU, SIMD, LOAD, DEPENDS = range(4)  # columns of a program
INFERENCE_ROWS, INFERENCE, TRAINING, STALLED, IDLE = range(5)  # kinds of counted cycles
BATCHES, ITERATIONS, INSTRUCTIONS = range(3)  # kinds of events

_SIMD_FREE, _DRAM_FREE = range(2)  # state of the shared units
_NEXT, _LOADED, _LOADED_AFTER, _RESULT = range(4)  # state of one program
_FIRST, _BATCH = range(2)  # the first request in no batch yet; requests in the latest batch
_WAIT, _INFER, _TRAIN = int(Action.WAIT), int(Action.INFER), int(Action.TRAIN)


# numba: its wheels bring their own code generator, so no C compiler is needed where this runs.
@njit(cache=True)
def run(
    inference: Integers,
    training: Integers,
    arrival: Integers,
    rows: int,
    drain: int,
    timeout: int,
    guard: int,
    decisions: Integers,
    window: tuple[int, int],
) -> tuple[Integers, Integers, Integers, Integers]:
    """Run until all requests are served and `window` is over.

    Programs are arrays of the four columns above; `decisions` is a `decision_table`.

    Returns:
        start and completion of each request (NEVER if the policy serves none); MMU cycles inside
        `window` by kind (INFERENCE_ROWS: inference cycles times requests of the batch); events.
    """
    start, completion = np.full(len(arrival), NEVER), np.full(len(arrival), NEVER)
    cycles, events = np.zeros(5, np.int64), np.zeros(3, np.int64)
    infers, trains = (decisions == _INFER).any(), (decisions == _TRAIN).any()
    shared, queue = np.zeros(2, np.int64), np.zeros(2, np.int64)
    infer = _new_stream(inference, shared, infers)
    train = _new_stream(training, shared, trains)
    now = infer_last = 0
    infer_at = max(_eligible(arrival, 0, rows, timeout), infer[_LOADED]) if infers else NEVER
    train_at = _ready(training, train, drain) if trains else NEVER
    while infer_at < NEVER or now < window[1]:
        begin, blocking = now, queue[_FIRST] + guard
        guard_at = arrival[blocking] if blocking < len(arrival) else NEVER
        mid_batch = infer[_NEXT] > 0 or infer[_RESULT] > now
        state = (infer_at <= now) + 2 * (train_at <= now) + 4 * (guard_at <= now)
        state += 8 * infer_last + 16 * mid_batch + 32 * (train[_NEXT] > 0)
        action = decisions[state]
        if action == _WAIT:
            kind = STALLED if mid_batch or (trains and guard_at > now) else IDLE
            now = _earliest_after(now, (infer_at, train_at, guard_at, infer[_RESULT], window[1]))
            if now == NEVER:
                break  # the policy serves nobody
        elif action == _INFER:
            kind, infer_last = INFERENCE, 1
            if infer[_NEXT] == 0:
                _form_batch(queue, arrival, start, rows, now)
            now = _issue(inference, infer, shared, drain, now)
            infer_at = _ready(inference, infer, drain)
            if infer[_NEXT] == 0:
                completion[queue[_FIRST] - queue[_BATCH] : queue[_FIRST]] = infer[_RESULT]
                eligible = _eligible(arrival, queue[_FIRST], rows, timeout)
                infer_at = max(infer_at, infer[_RESULT], eligible)
                events[BATCHES] += 1
            cycles[INFERENCE_ROWS] += _inside(begin, now, window) * queue[_BATCH]
        else:
            kind, infer_last = TRAINING, 0
            now = _issue(training, train, shared, drain, now)
            train_at = _ready(training, train, drain)
            events[ITERATIONS] += train[_NEXT] == 0
        cycles[kind] += _inside(begin, now, window)
        events[INSTRUCTIONS] += action != _WAIT
    return start, completion, cycles, events


@njit(cache=True)
def _new_stream(program: Integers, shared: Integers, active: bool) -> Integers:
    """Return the state of `program` at cycle 0, its first two loads requested if `active`."""
    stream = np.zeros(4, np.int64)
    if active:
        stream[_LOADED] = _load(program[0, LOAD], shared, 0)
        stream[_LOADED_AFTER] = _load(program[1 % len(program), LOAD], shared, 0)
    return stream


@njit(cache=True)
def _form_batch(queue: Integers, arrival: Integers, start: Integers, rows: int, now: int) -> None:
    """Start a batch of the requests that wait at `now`, `rows` at most."""
    first = end = queue[_FIRST]
    while end < len(arrival) and end < first + rows and arrival[end] <= now:
        start[end] = now
        end += 1
    queue[_FIRST], queue[_BATCH] = end, end - first


@njit(cache=True)
def _load(duration: int, shared: Integers, now: int) -> int:
    """Request a load at `now`; return when it is done."""
    if duration > 0:
        shared[_DRAM_FREE] = max(now, shared[_DRAM_FREE]) + duration
        return int(shared[_DRAM_FREE])
    return now


@njit(cache=True)
def _ready(program: Integers, stream: Integers, drain: int) -> int:
    """Return from when on the next instruction of `stream` can issue on a free MMU."""
    index, ready = stream[_NEXT], stream[_LOADED]
    if program[index, DEPENDS]:
        ready = max(ready, stream[_RESULT])
    elif program[index, SIMD] > 0:
        ready = max(ready, stream[_RESULT] - drain - program[index, MMU])
    return int(ready)


@njit(cache=True)
def _issue(program: Integers, stream: Integers, shared: Integers, drain: int, now: int) -> int:
    """Issue the next instruction of `stream` at `now`; return when it leaves the MMU."""
    index = stream[_NEXT]
    following = index + 1 if index + 1 < len(program) else 0
    after = following + 1 if following + 1 < len(program) else 0
    end = now + program[index, MMU]
    result = end + drain
    if program[index, SIMD] > 0:
        result = max(result, shared[_SIMD_FREE]) + program[index, SIMD]
        shared[_SIMD_FREE] = result
    stream[_RESULT] = max(stream[_RESULT], result)
    stream[_LOADED] = stream[_LOADED_AFTER]
    stream[_LOADED_AFTER] = _load(program[after, LOAD], shared, end)
    stream[_NEXT] = following
    return int(end)


@njit(cache=True)
def _eligible(arrival: Integers, first: int, rows: int, timeout: int) -> int:
    """Return from when on a batch that starts with request `first` may issue."""
    if first >= len(arrival):
        return NEVER
    deadline = min(arrival[first] + timeout, NEVER)
    last = first + rows - 1
    if last < len(arrival):
        return int(min(arrival[last], deadline))
    return int(deadline) if timeout < NEVER else int(arrival[-1])


@njit(cache=True)
def _earliest_after(now: int, events: tuple[int, int, int, int, int]) -> int:
    """Return the earliest of `events` that is after `now`, or NEVER."""
    then = NEVER
    for event in events:
        if event > now:
            then = min(then, event)
    return then


@njit(cache=True)
def _inside(begin: int, end: int, window: tuple[int, int]) -> int:
    """Return how many of the cycles from `begin` to `end` lie in `window`."""
    return max(min(end, window[1]) - max(begin, window[0]), 0)
