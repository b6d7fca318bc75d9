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

Identical instructions that follow each other are one row of a program, with a count, and what
repeats in both programs at once is taken in one step; see `periods.py`.

All state is in the records of `records.py`, so that a run may stop between two batches for want of
arrivals and go on when there are more, and a copy is a second run from there.
"""

from typing import Any

from equinox.colocation.compiling import kernel, part
from equinox.colocation.periods import take_periods
from equinox.colocation.policies import Action
from equinox.colocation.records import (
    IDLE,
    NEVER,
    STALLED,
    TRAINING,
    USED,
    Integers,
    Record,
    Records,
    ready,
    sooner,
)

_WAIT, _INFER = int(Action.WAIT), int(Action.INFER)


@kernel
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
        take_periods(code, machine, infer, train, cells, marks, kept, kept_streams)
        now = machine.now
        mid_batch = infer.begun > 0 or infer.result > now
        state = (machine.infer_at <= now) + 2 * (machine.train_at <= now)
        state += 4 * (machine.guard_at <= now) + 8 * machine.infer_last
        decision = decisions[state + 16 * mid_batch + 32 * train.begun]
        stalls = mid_batch or (machine.train_at < NEVER and machine.guard_at > now)
        if decision == _WAIT:
            then = sooner(machine.infer_at, machine.train_at, now)
            then = sooner(sooner(then, machine.guard_at, now), infer.result, now)
            machine.now = sooner(then, machine.end, now)
            if machine.now == NEVER:
                break  # the policy serves nobody
            cells[STALLED if stalls else IDLE] += _inside(machine, now, machine.now)
            continue
        infers = decision & _INFER  # 1 or 0
        if infers and not mid_batch:
            _form_batch(entries, services, arrival, start, infer, machine)
            enough = _look_ahead(services, arrival, machine)
        machine.infer_last = infers
        _issue(code, streams[1 - infers], machine, cells, USED if infers else TRAINING)
        if not infers:
            machine.train_at = ready(code, train, machine)
            machine.entered += 1 - train.begun
            continue
        machine.infer_at = ready(code, infer, machine)
        if infer.begun == 0:
            _complete_batch(services, machine, infer, completion)


@part
def _complete_batch(
    services: Records, machine: Record, infer: Record, completion: Integers
) -> None:
    """Enter when the batch that has issued its last instruction is complete, and what it took."""
    service = services[machine.service]
    for request in range(machine.oldest, service.first):
        completion[machine.service, request] = infer.result
    service.batches += 1
    service.used += machine.used
    service.used_rows += machine.used * machine.rows
    machine.used = 0
    machine.infer_at = max(machine.eligible, max(infer.loaded, infer.result))


@part
def _inside(machine: Record, first: int, last: int) -> Any:
    """Return how many of the cycles from `first` to `last` are counted."""
    return max(min(last, machine.end) - max(first, machine.begin), 0)


@part
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


@part
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


@part
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
