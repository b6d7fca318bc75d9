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

Identical instructions that follow each other are one row of a program, with a count, and so are the
bodies of rows that repeat. Between two decisions the engine is a function of its state, so when a
state comes back shifted in time, each program further in the same run or at the same place of a
repeated body, all in between repeats until a run, a body or the quiet ends, and is taken in one
step. The outcome is that of single steps. A mark keeps a state to compare with: one inside runs;
the other where a program enters another row. Both are moved to the state at hand after 1, 2, 4, ...
looks, which finds a period of any length (Brent, An improved Monte Carlo factorization algorithm,
BIT 20, 1980).

All state is in the records below, so that a run may stop between two batches for want of arrivals
and go on when there are more, and a copy is a second run from there.

It is one file, since numba's cache on disk is renewed when the file of `run` changes, and not when
another one does that it calls into.
"""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from equinox.colocation.compiling import compile_quickly
from equinox.colocation.policies import Action

Integers = NDArray[np.int64]
Records = NDArray[np.void]
Record = Any  # one of Records; compiled code reads and writes its fields

NEVER: Final = 2**62  # cycle: later than any event
_WAIT, _INFER = int(Action.WAIT), int(Action.INFER)


def _integers(names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names.split()])


#: A row of a program: the columns of `Program.table`, and the row that comes after it; rows of the
#: body that repeats from it on, and the first row that breaks the pattern.
ROW: Final = _integers("mmu simd load depends count follow body body_end")
#: A program in execution: its first row; row, and place in its run, of the next instruction and of
#: the next load; whether it has begun; when the operands of the next two instructions, and all
#: results, are there.
STREAM: Final = _integers("home next done ahead ahead_done begun loaded loaded_after result")
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
#: and rows of the batch in flight; `drain`; from when to when MMU cycles are counted: those of the
#: batch in flight and of training, and the others; events; and batches and iterations that began.
MACHINE: Final = _integers(
    "now infer_at train_at guard_at eligible infer_last simd_free dram_free service oldest rows "
    "drain begin end used training stalled idle instructions entered"
)
#: A mark: looks since it was set, and for how many it stays; the rows that the programs were in at
#: the latest look.
MARK: Final = _integers("looks kept row other_row")
IN_RUN, BY_ROW = range(2)  # the marks

#: The integers of machine, inference and training, one after the other: what a mark keeps.
CELLS: Final = (
    *MACHINE.fields,
    *(f"infer_{name}" for name in STREAM.fields),
    *(f"train_{name}" for name in STREAM.fields),
)
_NOW, _INFER_LAST, _ENTERED = map(CELLS.index, ("now", "infer_last", "entered"))
_USED, _TRAINING = CELLS.index("used"), CELLS.index("training")
_STALLED, _IDLE = CELLS.index("stalled"), CELLS.index("idle")


def _places(names: str) -> Integers:
    return np.array([CELLS.index(name) for name in names.split()])


#: Cells that are times, of which only how far they are ahead matters; and those that count.
TIMES: Final = _places(
    "now simd_free dram_free infer_loaded infer_loaded_after infer_result "
    "train_loaded train_loaded_after train_result"
)
COUNTS: Final = _places(
    "used training stalled idle instructions infer_next infer_done infer_ahead infer_ahead_done "
    "train_next train_done train_ahead train_ahead_done"
)

_SHORT = 5  # runs of fewer instructions are not worth a look
_MOST_KEPT = 8  # looks inside a run

# numba: its wheels bring their own code generator, so no C compiler is needed where this runs.
# It takes about a millisecond a statement, and 40 for a function: hence few of both, records (not
# arrays), no wrappers of parts, and no counting of references, since nothing is allocated.
_njit: Any = njit  # its types do not have these options
_part = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)


@compile_quickly
@_njit(cache=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)
def run(
    code: Records,
    entries: Records,
    decisions: Integers,
    services: Records,
    machine: Record,
    streams: Records,
    cells: Integers,
    marks: Records,
    kept: Integers,
    kept_streams: Records,
    arrival: Integers,
    start: Integers,
    completion: Integers,
) -> None:
    """Go on until all requests are served and `machine.end` is over, or more arrivals are needed.

    `streams` are the inference and the training program, and `cells` are they and `machine` as
    integers: one memory. `entries` say where a batch of each service and size begins; `arrival`,
    `start` and `completion` have a row for each service; `marks` are two of `MARK`, each with a row
    of `kept`, former `cells`, whose streams are `kept_streams`. All but `code`, `entries`,
    `decisions` and `arrival` are written to.
    """
    infer, train = streams[0], streams[1]
    enough = _look_ahead(services, arrival, machine)
    if infer.begun == 0:
        machine.infer_at = max(machine.eligible, max(infer.loaded, infer.result))
    while enough and (machine.infer_at < NEVER or machine.now < machine.end):
        _take_periods(code, machine, infer, train, cells, marks, kept, kept_streams)
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
            cells[_STALLED if stalls else _IDLE] += _inside(machine, now, machine.now)
            continue
        infers = decision & _INFER  # 1 or 0
        if infers and not mid_batch:
            _form_batch(entries, services, arrival, start, infer, machine)
            enough = _look_ahead(services, arrival, machine)
        machine.infer_last = infers
        _issue(code, streams[1 - infers], machine, cells, _USED if infers else _TRAINING)
        if not infers:
            machine.train_at = _ready(code, train, machine)
            machine.entered += 1 - train.begun
            continue
        machine.infer_at = _ready(code, infer, machine)
        if infer.begun == 0:
            service = services[machine.service]
            for request in range(machine.oldest, service.first):
                completion[machine.service, request] = infer.result
            service.batches += 1
            service.used += machine.used
            service.used_rows += machine.used * machine.rows
            machine.used = 0
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
    machine.entered += 1
    machine.rows = service.rows if service.shortens else last - first
    entry = entries[chosen, last - first - 1]
    if entry.row != infer.home:  # the loads that ran ahead were those of the first program
        infer.next, infer.done = entry.row, 0
        infer.ahead, infer.ahead_done = entry.ahead, entry.ahead_done


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
    code: Records,
    own: Record,
    machine: Record,
    cells: Integers,
    busy: int,
) -> None:
    """Issue the next instruction of a program; its MMU cycles are counted in the cell `busy`."""
    now, row, ahead = machine.now, code[own.next], code[own.ahead]
    result, loaded = now + row.mmu + machine.drain, now + row.mmu
    if row.simd > 0:
        result = max(result, machine.simd_free) + row.simd
    result = max(own.result, result)
    if ahead.load > 0:
        loaded = max(loaded, machine.dram_free) + ahead.load
        machine.dram_free = loaded
    own.loaded, own.loaded_after, own.result = own.loaded_after, loaded, result
    if row.simd > 0:
        machine.simd_free = result
    cells[busy] += _inside(machine, now, now + row.mmu)
    machine.now = now + row.mmu
    machine.instructions += 1
    own.done += 1
    if own.done == row.count:
        own.next, own.done = row.follow, 0
    own.ahead_done += 1
    if own.ahead_done == ahead.count:
        own.ahead, own.ahead_done = ahead.follow, 0
    own.begun = own.done > 0 or own.next != own.home


@_part
def _take_periods(
    code: Records,
    machine: Record,
    infer: Record,
    train: Record,
    cells: Integers,
    marks: Records,
    kept: Integers,
    kept_streams: Records,
) -> None:
    """Look whether the state is that of a mark, and if so, take what repeats in one step."""
    looked, level, row, other = marks[IN_RUN], IN_RUN, infer.next, train.next
    if row != looked.row or other != looked.other_row:
        looked.row, looked.other_row = row, other
        looked.kept = 0 if max(code[row].count, code[other].count) >= _SHORT else -1
        level = BY_ROW
    elif looked.kept < 0:
        return
    mark, former = marks[level], kept[level]
    mark.looks += 1
    fresh, repeats = mark.kept <= 0 or former[_ENTERED] != machine.entered, 0
    if not fresh and former[_INFER_LAST] == machine.infer_last:
        repeats = _repeats(code, machine, infer, train, cells, former, kept_streams[level])
    if repeats > 0:
        later = repeats * (machine.now - former[_NOW])
        for place in COUNTS:
            cells[place] += repeats * (cells[place] - former[place])
        for place in TIMES:
            cells[place] += later
        if infer.begun:
            machine.infer_at = _ready(code, infer, machine)
        if machine.train_at < NEVER:
            machine.train_at = _ready(code, train, machine)
    if repeats > 0 or fresh or mark.looks >= mark.kept:
        mark.kept = 1 if fresh else 2 * mark.kept
        if level == IN_RUN:
            mark.kept = min(mark.kept, _MOST_KEPT)
        mark.looks = 0
        for place in range(len(cells)):
            former[place] = cells[place]


@_part
def _repeats(
    code: Records,
    machine: Record,
    infer: Record,
    train: Record,
    cells: Integers,
    former: Integers,
    former_streams: Records,
) -> Any:
    """Return how often what happened since a mark repeats; 0 or less if it does not."""
    now, before = machine.now, former[_NOW]
    if now <= before:
        return 0
    for place in TIMES:
        left, then = cells[place] - now, former[place] - before
        if left != then and (left > 0 or then > 0):
            return 0
    until = _sooner(_sooner(machine.begin, machine.end, before), machine.guard_at, before)
    if infer.begun == 0:
        until = _sooner(until, machine.infer_at, before)
    room = min(_room(code, infer, former_streams[0]), _room(code, train, former_streams[1]))
    return min(room, (until - 1 - now) // (now - before))


@_part
def _room(code: Records, own: Record, then: Record) -> Any:
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
        return (code[own.next].count - 1 - own.ahead_done) // done
    first = code[then.next]
    if rows > 0 and done == 0 and rows % first.body == 0 and own.ahead < first.body_end:
        return (first.body_end - 1 - own.ahead) // rows
    return -1
