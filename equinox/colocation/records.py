"""What a run of the engine keeps: records of integers, and what compiled parts read off them."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from equinox.colocation.compiling import part

Integers = NDArray[np.int64]
Records = NDArray[np.void]
Record = Any  # one of Records; compiled code reads and writes its fields

NEVER: Final = 2**62  # cycle: later than any event


def _integers(names: str) -> np.dtype[Any]:
    # np.record: with NUMBA_DISABLE_JIT=1 the kernels run as Python, which reads fields as they do.
    return np.dtype((np.record, [(name, np.int64) for name in names.split()]))


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
    *(MACHINE.names or ()),
    *(f"{program}_{name}" for program in ("infer", "train") for name in STREAM.names or ()),
)
NOW, INFER_LAST, ENTERED = map(CELLS.index, ("now", "infer_last", "entered"))
USED, TRAINING = CELLS.index("used"), CELLS.index("training")
STALLED, IDLE = CELLS.index("stalled"), CELLS.index("idle")


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


@part
def sooner(event: int, other: int, now: int) -> Any:
    """Return the earlier of the two that is after `now`, or NEVER."""
    if event <= now:
        event = NEVER
    return other if now < other < event else event


@part
def ready(code: Records, own: Record, machine: Record) -> Any:
    """Return from when on the next instruction of a program can issue on a free MMU."""
    row = code[own.next]
    if row.depends:
        return max(own.loaded, own.result)
    if row.simd > 0:
        return max(own.loaded, own.result - machine.drain - row.mmu)
    return own.loaded
