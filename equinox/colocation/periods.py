"""Take in one step what repeats: stretches of a run that come back, shifted in time.

Between two decisions the engine is a function of its state, so when a state comes back shifted in
time, each program further in the same run or at the same place of a repeated body, all in between
repeats until a run, a body or the quiet ends. The outcome is that of single steps. A mark keeps a
state to compare with: one inside runs; the other where a program enters another row. Both are moved
to the state at hand after 1, 2, 4, ... looks, which finds a period of any length.

Source: Brent, An improved Monte Carlo factorization algorithm, BIT 20 (1980).
"""

from typing import Any

from equinox.colocation.compiling import part
from equinox.colocation.records import (
    BY_ROW,
    COUNTS,
    ENTERED,
    IN_RUN,
    INFER_LAST,
    NEVER,
    NOW,
    TIMES,
    Integers,
    Record,
    Records,
    ready,
    sooner,
)

_SHORT = 5  # runs of fewer instructions are not worth a look
_MOST_KEPT = 8  # looks inside a run


@part
def take_periods(
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
    fresh, repeats = mark.kept <= 0 or former[ENTERED] != machine.entered, 0
    if not fresh and former[INFER_LAST] == machine.infer_last:
        repeats = _repeats(code, machine, infer, train, cells, former, kept_streams[level])
    if repeats > 0:
        later = repeats * (machine.now - former[NOW])
        for place in COUNTS:
            cells[place] += repeats * (cells[place] - former[place])
        for place in TIMES:
            cells[place] += later
        if infer.begun:
            machine.infer_at = ready(code, infer, machine)
        if machine.train_at < NEVER:
            machine.train_at = ready(code, train, machine)
    if repeats > 0 or fresh or mark.looks >= mark.kept:
        mark.kept = 1 if fresh else 2 * mark.kept
        if level == IN_RUN:
            mark.kept = min(mark.kept, _MOST_KEPT)
        mark.looks = 0
        for place in range(len(cells)):
            former[place] = cells[place]


@part
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
    now, before = machine.now, former[NOW]
    if now <= before:
        return 0
    for place in TIMES:
        left, then = cells[place] - now, former[place] - before
        if left != then and (left > 0 or then > 0):
            return 0
    until = sooner(sooner(machine.begin, machine.end, before), machine.guard_at, before)
    if infer.begun == 0:
        until = sooner(until, machine.infer_at, before)
    room = min(_room(code, infer, former_streams[0]), _room(code, train, former_streams[1]))
    return min(room, (until - 1 - now) // (now - before))


@part
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
