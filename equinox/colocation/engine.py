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
- A batch is of one service. It takes the requests that wait when its first instruction issues, and
  is complete with its last SIMD operation; the next batch issues after that. Of the services that
  may issue a batch, the one of the lowest rank does, the first of them if ranks are equal.

Identical instructions that follow each other are one row of a program, with a count. When an issue
differs from the one before it by nothing but a shift in time, the rest of the run is taken in one
step, up to the next event that the policy could see. The outcome is that of single steps.

So it is with longer periods, of both programs: between two decisions the engine is a function of
its state, so when a state comes back shifted in time, each program further in the same run or at
the same place of a repeated body, all in between repeats until a run, a body or the quiet ends. A
mark keeps a state to compare with: one inside runs; the other where a program enters another row,
moved to the state at hand after 1, 2, 4, ... looks, which finds a period of any length (Brent, An
improved Monte Carlo factorization algorithm, BIT 20, 1980).

All state is in the records below, so that a run may stop between two batches for want of arrivals
and go on when there are more, and a copy is a second run from there.

It is one file, since numba's cache on disk is renewed when the file of `run` changes, and not when
another one does that it calls into.
"""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from equinox.colocation.policies import Action

Integers = NDArray[np.int64]
Records = NDArray[np.void]
Record = Any  # one of Records; compiled code reads and writes its fields

NEVER: Final = 2**62  # cycle: later than any event
# An entry of the decisions: an `Action`, and FIRM if it does not depend on whether training can
# issue or the guard stops it; only inference that follows itself without a gap looks at that.
FIRM: Final = 4
_WAIT, _INFER = int(Action.WAIT), int(Action.INFER)


def _integers(names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names.split()])


#: A row of a program: the columns of `Program.table`, and the row that comes after it; rows of the
#: body that repeats from it on, and the first row that breaks the pattern.
ROW: Final = _integers("mmu simd load depends count follow body body_end")
#: A program in execution: its first row; row, and place in its run, of the next instruction and of
#: the next load; whether it has begun; when the operands of the next two instructions, and all
#: results, are there; the latest issue, and when the DRAM channel was free as of then.
STREAM: Final = _integers(
    "home next done ahead ahead_done begun loaded loaded_after result issued dram"
)
#: Where a batch begins: its first row, and what `STREAM` says of its third instruction's load.
ENTRY: Final = _integers("row ahead ahead_done")
#: A service: its first request in no batch yet; requests known, whether more may come, and how many
#: must be known then beyond the first for one batch; most requests of a batch; longest wait for
#: company; the most that may wait beside training; whether short batches are shortened; rank of a
#: batch, rank + rank_age x arrival of its oldest request; when its next batch may issue. Counted:
#: its cycles, those times requests, its batches.
SERVICE: Final = _integers(
    "first known open needed rows timeout guard shortens rank rank_age eligible "
    "used used_rows batches"
)
#: The machine: the cycle; when inference and training can issue, the guard stops training and the
#: next batch may issue; who issued last; when the shared units are free; service, first request
#: and rows of the batch in flight; `drain`; MMU cycles by kind from `begin` to `end`, and events.
MACHINE: Final = _integers(
    "now infer_at train_at guard_at eligible infer_last simd_free dram_free service oldest rows "
    "drain begin end training stalled idle iterations instructions"
)

#: What a mark keeps beside copies of streams, machine and services (two of each): looks since it
#: was set, and for how many it stays; the rows that the programs were in at the latest look.
MARK: Final = _integers("looks kept row other_row")
IN_RUN, BY_ROW = range(2)  # the marks
_SHORT = 5  # runs of fewer instructions are not worth a look
_MOST_KEPT = 8  # looks inside a run

# numba: its wheels bring their own code generator, so no C compiler is needed where this runs.
# Records, not arrays, and parts without wrappers of their own compile in half the time.
_njit: Any = njit  # its types do not have these options
_part = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)


@njit(cache=True)
def run(
    code: Records,
    entries: Records,
    decisions: Integers,
    services: Records,
    streams: Records,
    machine: Record,
    marks: tuple[Records, Records, Records, Records],
    arrival: Integers,
    start: Integers,
    completion: Integers,
) -> None:
    """Go on until all requests are served and `machine.end` is over, or more arrivals are needed.

    `streams` are the inference and the training program; `entries` say where a batch of each
    service and size begins; `arrival`, `start` and `completion` have a row for each service;
    `marks` are two of `MARK`, and of copies of streams, machine and services. All but `code`,
    `entries`, `decisions` and `arrival` are written to.
    """
    infer, train = streams[0], streams[1]
    enough = _look_ahead(services, arrival, machine)
    if infer.begun == 0:
        machine.infer_at = max(machine.eligible, max(infer.loaded, infer.result))
    while enough and (machine.infer_at < NEVER or machine.now < machine.end):
        _take_periods(code, services, streams, machine, marks)
        now = machine.now
        mid_batch = infer.begun > 0 or infer.result > now
        state = (machine.infer_at <= now) + 2 * (machine.train_at <= now)
        state += 4 * (machine.guard_at <= now) + 8 * machine.infer_last
        decision = decisions[state + 16 * mid_batch + 32 * train.begun]
        stalls = mid_batch or (machine.train_at < NEVER and machine.guard_at > now)
        if decision == _WAIT:
            then = _sooner(machine.infer_at, machine.train_at, now)
            then = _sooner(_sooner(then, machine.guard_at, now), infer.result, now)
            machine.now = _sooner(then, machine.end, now)
            if machine.now == NEVER:
                break  # the policy serves nobody
            _count_unused(machine, stalls, _inside(machine, now, machine.now))
            continue
        infers = decision & _INFER  # 1 or 0
        if infers and not mid_batch:
            _form_batch(entries, services, arrival, start, infer, machine)
            enough = _look_ahead(services, arrival, machine)
        # the next event that the policy could see
        seen = machine.train_at if infers else _sooner(machine.infer_at, infer.result, now)
        machine.infer_last = infers
        streams[infers].issued = -1  # of the other program
        busy = _issue(code, streams[1 - infers], machine, decision, seen, stalls)
        if not infers:
            machine.train_at = _ready(code, train, machine)
            machine.training += busy
            machine.iterations += 1 - train.begun
            continue
        service = services[machine.service]
        machine.infer_at = _ready(code, infer, machine)
        service.used += busy
        service.used_rows += busy * machine.rows
        if infer.begun == 0:
            for request in range(machine.oldest, service.first):
                completion[machine.service, request] = infer.result
            service.batches += 1
            machine.infer_at = max(machine.eligible, max(infer.loaded, infer.result))


@_part
def _sooner(event: int, other: int, now: int) -> Any:
    """Return the earlier of the two that is after `now`, or NEVER."""
    if event <= now:
        event = NEVER
    return other if now < other < event else event


@_part
def _inside(machine: Record, first: int, last: int) -> Any:
    """Return how many of the cycles from `first` to `last` are counted."""
    return max(min(last, machine.end) - max(first, machine.begin), 0)


@_part
def _count_unused(machine: Record, stalls: bool, cycles: int) -> None:
    if stalls:
        machine.stalled += cycles
    else:
        machine.idle += cycles


@_part
def _look_ahead(services: Records, arrival: Integers, machine: Record) -> bool:
    """Enter when the next batch may issue, and when the guard stops training.

    Return whether enough arrivals are known to do so again after the next batch has formed.
    """
    machine.eligible = machine.guard_at = NEVER
    enough = True
    for number in range(len(services)):
        service = services[number]
        first, left = service.first, service.known - service.first
        if service.open and left < service.needed:
            enough = False
        service.eligible = NEVER
        if left >= service.rows:
            full = arrival[number, first + service.rows - 1]
            service.eligible = min(full, arrival[number, first] + service.timeout)
        elif left > 0:
            last = arrival[number, service.known - 1]  # nobody is left to wait for
            service.eligible = (
                last if service.timeout == NEVER else arrival[number, first] + service.timeout
            )
        if service.guard < left:
            machine.guard_at = min(machine.guard_at, arrival[number, first + service.guard])
        machine.eligible = min(machine.eligible, service.eligible)
    return enough


@_part
def _form_batch(
    entries: Records,
    services: Records,
    arrival: Integers,
    start: Integers,
    infer: Record,
    machine: Record,
) -> None:
    """Take the requests of the next batch, and its program."""
    now, lowest = machine.now, NEVER
    for number in range(len(services)):
        service = services[number]
        if service.eligible <= now:
            rank = service.rank + service.rank_age * arrival[number, service.first]
            if rank < lowest:
                machine.service, lowest = number, rank
    chosen = machine.service
    service = services[chosen]
    first = last = service.first
    most = min(service.known, first + service.rows)
    while last < most and arrival[chosen, last] <= now:
        start[chosen, last] = now
        last += 1
    service.first, machine.oldest = last, first
    machine.rows = service.rows if service.shortens else last - first
    entry = entries[chosen, last - first - 1]
    if entry.row != infer.home:  # the loads that ran ahead were those of the first program
        infer.next, infer.done = entry.row, 0
        infer.ahead, infer.ahead_done = entry.ahead, entry.ahead_done


@_part
def _after(run: Record, row: int, done: int) -> tuple[int, int]:
    """Return row and place in its run of the instruction that follows `done` of a run."""
    return (row, done) if done < run.count else (run.follow, 0)


@_part
def _ready(code: Records, own: Record, machine: Record) -> Any:
    """Return from when on the next instruction of a program can issue on a free MMU."""
    row = code[own.next]
    if row.depends:
        return max(own.loaded, own.result)
    if row.simd > 0:
        return max(own.loaded, own.result - machine.drain - row.mmu)
    return own.loaded


@_part
def _issue(
    code: Records, own: Record, machine: Record, decision: int, seen: int, stalls: bool
) -> Any:
    """Issue the next instruction of a program, and those after it that repeat it.

    Return how many of their MMU cycles are counted.
    """
    now, row, ahead = machine.now, code[own.next], code[own.ahead]
    result, loaded = now + row.mmu + machine.drain, now + row.mmu
    if row.simd > 0:
        result = max(result, machine.simd_free) + row.simd
    result = max(own.result, result)
    if ahead.load > 0:
        loaded = max(loaded, machine.dram_free) + ahead.load
        machine.dram_free = loaded
    place, place_ahead, period = own.done + 1, own.ahead_done + 1, now - own.issued
    later = repeats = 0
    # The run has begun, its loads last on, and this issue shifts all that the one before left.
    if (
        (own.issued >= 0 and own.ahead == own.next and place >= 2 and place_ahead == place + 2)
        and own.loaded_after - own.loaded == period
        and loaded - own.loaded_after == period
        and result - own.result == period
        and (row.load == 0 or machine.dram_free - own.dram == period)
    ):
        until = _sooner(machine.begin, machine.end, own.issued)
        if decision < FIRM or period != row.mmu:
            until = _sooner(_sooner(until, seen, own.issued), machine.guard_at, own.issued)
        repeats = min(row.count - place_ahead, max(until - 1 - now, 0) // period)
        later = repeats * period
    own.loaded, own.loaded_after = own.loaded_after + later, loaded + later
    own.result = result + later
    if row.simd > 0:
        machine.simd_free = own.result
    if row.load > 0:
        machine.dram_free += later
    own.issued, own.dram = now + later, machine.dram_free
    busy = _inside(machine, now + later, now + later + row.mmu)
    if repeats > 0 and machine.begin <= now < machine.end:
        busy += repeats * row.mmu
        _count_unused(machine, stalls, later - repeats * row.mmu)
    machine.now = now + later + row.mmu
    machine.instructions += 1 + repeats
    own.ahead, own.ahead_done = _after(ahead, own.ahead, place_ahead + repeats)
    own.next, own.done = _after(row, own.next, place + repeats)
    own.begun = own.done > 0 or own.next != own.home
    return busy


@_part
def _take_periods(
    code: Records,
    services: Records,
    streams: Records,
    machine: Record,
    marks: tuple[Records, Records, Records, Records],
) -> None:
    """Look whether the state is that of a mark, and if so, take what repeats in one step."""
    looked = marks[0][IN_RUN]
    row, other, level = streams[0].next, streams[1].next, IN_RUN
    if row != looked.row or other != looked.other_row:
        looked.row, looked.other_row = row, other
        looked.kept = 0 if min(code[row].count, code[other].count) >= _SHORT else -1
        level = BY_ROW
    elif looked.kept < 0:
        return
    mark, kept = marks[0][level], marks[2][level]
    fresh = mark.kept <= 0 or kept.oldest != machine.oldest or kept.iterations != machine.iterations
    mark.looks += 1
    taken = False
    if not fresh:
        taken = _take(code, services, streams, machine, marks[1][level], kept, marks[3][level])
    if taken or fresh or mark.looks >= mark.kept:
        mark.kept = 1 if fresh else 2 * mark.kept
        if level == IN_RUN:
            mark.kept = min(mark.kept, _MOST_KEPT)
        mark.looks = 0
        marks[2][level] = machine
        for who in range(2):
            marks[1][level, who] = streams[who]
        for number in range(len(services)):
            marks[3][level, number] = services[number]


@_part
def _take(
    code: Records,
    services: Records,
    streams: Records,
    machine: Record,
    kept_streams: Records,
    kept: Record,
    kept_services: Records,
) -> bool:
    """Repeat what happened since the mark as often as it goes; return whether it did."""
    now, before = machine.now, kept.now
    if now <= before or machine.infer_last != kept.infer_last or machine.service != kept.service:
        return False
    room = min(_room(code, streams[0], kept_streams[0]), _room(code, streams[1], kept_streams[1]))
    if room <= 0 or not (
        max(machine.simd_free - now, 0) == max(kept.simd_free - before, 0)
        and max(machine.dram_free - now, 0) == max(kept.dram_free - before, 0)
    ):
        return False
    for who in range(2):
        own, then = streams[who], kept_streams[who]
        if not (
            max(own.loaded - now, 0) == max(then.loaded - before, 0)
            and max(own.loaded_after - now, 0) == max(then.loaded_after - before, 0)
            and max(own.result - now, 0) == max(then.result - before, 0)
        ):
            return False
    until = _sooner(_sooner(machine.begin, machine.end, before), machine.guard_at, before)
    if streams[0].begun == 0:
        until = _sooner(until, machine.infer_at, before)
    repeats = min(room, max(until - 1 - now, 0) // (now - before))
    if repeats <= 0:
        return False
    _repeat(services, streams, machine, kept_streams, kept, kept_services, repeats)
    if streams[0].begun:
        machine.infer_at = _ready(code, streams[0], machine)
    if machine.train_at < NEVER:
        machine.train_at = _ready(code, streams[1], machine)
    return True


@_part
def _room(code: Records, own: Record, then: Record) -> int:
    """Return how often a program can repeat what it did since a mark; -1 if it cannot."""
    rows, done = own.next - then.next, own.done - then.done
    if (
        own.ahead - then.ahead != rows
        or own.ahead_done - then.ahead_done != done
        or own.begun != then.begun
        or own.home != then.home
    ):
        return -1
    if rows == 0 and done == 0:
        return NEVER
    if own.ahead < own.next or (own.ahead == own.next and own.ahead_done <= own.done):
        return -1  # its loads are in the next repetition of the program
    if rows == 0 and done > 0 and own.ahead == own.next:
        return int((code[own.next].count - 1 - own.ahead_done) // done)
    first = code[then.next]
    if rows > 0 and done == 0 and rows % first.body == 0 and own.ahead < first.body_end:
        return int((first.body_end - 1 - own.ahead) // rows)
    return -1


@_part
def _repeat(
    services: Records,
    streams: Records,
    machine: Record,
    kept_streams: Records,
    kept: Record,
    kept_services: Records,
    times: int,
) -> None:
    """Advance the state by `times` what it advanced since the mark."""
    later = times * (machine.now - kept.now)
    for who in range(2):
        own, then = streams[who], kept_streams[who]
        own.next += times * (own.next - then.next)
        own.done += times * (own.done - then.done)
        own.ahead += times * (own.ahead - then.ahead)
        own.ahead_done += times * (own.ahead_done - then.ahead_done)
        own.loaded += later
        own.loaded_after += later
        own.result += later
        own.issued = -1
    machine.now += later
    machine.simd_free += later
    machine.dram_free += later
    machine.training += times * (machine.training - kept.training)
    machine.stalled += times * (machine.stalled - kept.stalled)
    machine.idle += times * (machine.idle - kept.idle)
    machine.instructions += times * (machine.instructions - kept.instructions)
    for number in range(len(services)):
        service, then = services[number], kept_services[number]
        service.used += times * (service.used - then.used)
        service.used_rows += times * (service.used_rows - then.used_rows)
