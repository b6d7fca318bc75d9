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

Identical instructions that follow each other are one row of a program, with a count. When an issue
differs from the one before it by nothing but a shift in time, the rest of the run is taken in one
step, up to the next event that the policy could see. The outcome is that of single steps.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from equinox.colocation.policies import Action

Integers = NDArray[np.int64]

NEVER = 2**62  # cycle: later than any event
MMU, SIMD, LOAD, DEPENDS, COUNT = range(5)  # columns of a program
INFERENCE_ROWS, INFERENCE, TRAINING, STALLED, IDLE = range(5)  # kinds of counted cycles
BATCHES, ITERATIONS, INSTRUCTIONS = range(3)  # kinds of events

_SIMD_FREE, _DRAM_FREE = range(2)  # state of the shared units
# State of one program: row, and place in its run, of the next instruction and of the next load;
# when the operands of the next two instructions and all results are there; the latest issue, and
# when the DRAM channel was free as of then.
_NEXT, _DONE, _AHEAD, _AHEAD_DONE, _LOADED, _LOADED_AFTER, _RESULT, _ISSUED, _DRAM = range(9)
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

    Programs are arrays of the five columns above; `decisions` is a `decision_table`.

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
    firm = _firm_states(decisions)
    now = infer_last = 0
    infer_at = max(_eligible(arrival, 0, rows, timeout), infer[_LOADED]) if infers else NEVER
    train_at = _ready(training, train, drain) if trains else NEVER
    while infer_at < NEVER or now < window[1]:
        begin, blocking = now, queue[_FIRST] + guard
        guard_at = arrival[blocking] if blocking < len(arrival) else NEVER
        mid_batch = _begun(infer) or infer[_RESULT] > now
        state = (infer_at <= now) + 2 * (train_at <= now) + 4 * (guard_at <= now)
        state += 8 * infer_last + 16 * mid_batch + 32 * _begun(train)
        action = decisions[state]
        unused = STALLED if mid_batch or (trains and guard_at > now) else IDLE
        if action == _WAIT:
            now = _earliest_after(now, (infer_at, train_at, guard_at, infer[_RESULT], window[1]))
            if now == NEVER:
                break  # the policy serves nobody
            cycles[unused] += _inside(begin, now, window)
        elif action == _INFER:
            infer_last, train[_ISSUED] = 1, -1
            if not _begun(infer):
                _form_batch(queue, arrival, start, rows, now)
            seen = (train_at, guard_at, NEVER)
            spent = _issue_run(inference, infer, shared, drain, now, seen, firm[state], window)
            now = spent[0]
            cycles[INFERENCE_ROWS] += spent[1] * queue[_BATCH]
            _count(cycles, events, INFERENCE, unused, spent)
            infer_at = _ready(inference, infer, drain)
            if not _begun(infer):
                completion[queue[_FIRST] - queue[_BATCH] : queue[_FIRST]] = infer[_RESULT]
                eligible = _eligible(arrival, queue[_FIRST], rows, timeout)
                infer_at = max(infer_at, infer[_RESULT], eligible)
                events[BATCHES] += 1
        else:
            infer_last, infer[_ISSUED] = 0, -1
            seen = (infer_at, guard_at, infer[_RESULT])
            spent = _issue_run(training, train, shared, drain, now, seen, False, window)
            now = spent[0]
            _count(cycles, events, TRAINING, unused, spent)
            train_at = _ready(training, train, drain)
            events[ITERATIONS] += not _begun(train)
    return start, completion, cycles, events


@njit(cache=True)
def _new_stream(program: Integers, shared: Integers, active: bool) -> Integers:
    """Return the state of `program` at cycle 0, its first two loads requested if `active`."""
    stream = np.zeros(_DRAM + 1, np.int64)
    stream[_ISSUED] = -1
    for at in (_LOADED, _LOADED_AFTER):
        if active:
            stream[at] = _load(program[stream[_AHEAD], LOAD], shared, 0)
        row, done = stream[_AHEAD], stream[_AHEAD_DONE] + 1
        stream[_AHEAD], stream[_AHEAD_DONE] = _after(row, done, program[row, COUNT], len(program))
    return stream


@njit(cache=True)
def _begun(stream: Integers) -> bool:
    """Return whether `stream` is not at the start of its program."""
    return bool(stream[_NEXT] + stream[_DONE] > 0)


@njit(cache=True)
def _firm_states(decisions: Integers) -> NDArray[np.bool_]:
    """Return for each state whether "training_ready" and "guarded" leave its decision as it is."""
    firm = np.zeros(len(decisions), np.bool_)
    for state in range(len(decisions)):
        other = state & ~6
        firm[state] = (
            decisions[other] == decisions[other + 2] == decisions[other + 4] == decisions[other + 6]
        )
    return firm


@njit(cache=True)
def _count(
    cycles: Integers, events: Integers, kind: int, unused: int, spent: tuple[int, int, int, int]
) -> None:
    """Enter what `_issue_run` returned."""
    cycles[kind] += spent[1]
    cycles[unused] += spent[2]
    events[INSTRUCTIONS] += spent[3]


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
def _issue_run(
    program: Integers,
    stream: Integers,
    shared: Integers,
    drain: int,
    now: int,
    seen: tuple[int, int, int],
    firm: bool,
    window: tuple[int, int],
) -> tuple[int, int, int, int]:
    """Issue the next instruction of `stream` at `now`, and those after it that repeat it.

    `seen` are events that the policy could see; if `firm`, not while an issue follows another.
    All in one function: in compiled code a call with arrays costs more than an issue.

    Returns:
        when the last one leaves the MMU; MMU cycles, and cycles between issues, that are inside
        `window`; how many were issued.
    """
    row, ahead, before = stream[_NEXT], stream[_AHEAD], stream[_ISSUED]
    mmu, simd, load = program[row, MMU], program[row, SIMD], program[row, LOAD]
    period, result, loaded = now - before, now + mmu + drain, now + mmu
    if simd > 0:
        result = max(result, shared[_SIMD_FREE]) + simd
    result = max(stream[_RESULT], result)
    if program[ahead, LOAD] > 0:
        loaded = max(loaded, shared[_DRAM_FREE]) + program[ahead, LOAD]
        shared[_DRAM_FREE] = loaded
    place, left = stream[_DONE] + 1, program[row, COUNT] - stream[_AHEAD_DONE] - 1
    later = repeats = 0
    # The run has begun, its loads last on, and this issue shifts all that the one before left.
    if (
        (before >= 0 and ahead == row and place >= 2 and left > 0)
        and stream[_AHEAD_DONE] == place + 1
        and stream[_LOADED_AFTER] - stream[_LOADED] == period == loaded - stream[_LOADED_AFTER]
        and result - stream[_RESULT] == period
        and (load == 0 or shared[_DRAM_FREE] - stream[_DRAM] == period)
    ):
        until = _earliest_after(before, (window[0], window[1], NEVER, NEVER, NEVER))
        if not (firm and period == mmu):
            until = _earliest_after(before, (until, seen[0], seen[1], seen[2], NEVER))
        repeats = min(left, (until - 1 - now) // period) if until > now else 0
        later = repeats * period
    stream[_LOADED] = stream[_LOADED_AFTER] + later
    stream[_LOADED_AFTER], stream[_RESULT], stream[_ISSUED] = loaded + later, result + later, now
    stream[_ISSUED] += later
    if simd > 0:
        shared[_SIMD_FREE] = result + later
    if load > 0:
        shared[_DRAM_FREE] += later
    stream[_DRAM] = shared[_DRAM_FREE]
    rows = len(program)
    stream[_NEXT], stream[_DONE] = _after(row, place + repeats, program[row, COUNT], rows)
    requested = stream[_AHEAD_DONE] + 1 + repeats
    stream[_AHEAD], stream[_AHEAD_DONE] = _after(ahead, requested, program[ahead, COUNT], rows)
    busy = _inside(now + later, now + later + mmu, window)
    if not window[0] <= now < window[1]:
        return now + later + mmu, busy, 0, 1 + repeats
    return now + later + mmu, busy + repeats * mmu, later - repeats * mmu, 1 + repeats


@njit(cache=True)
def _after(row: int, done: int, count: int, rows: int) -> tuple[int, int]:
    """Return row and place in its run of the instruction that follows `done` of `row`."""
    if done < count:
        return row, done
    return (row + 1 if row + 1 < rows else 0), 0


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
