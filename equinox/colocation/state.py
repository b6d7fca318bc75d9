"""The state of a run of the engine: made here, advanced by `engine.run`."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import inf
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from equinox.colocation import engine, records
from equinox.colocation.batching import batch_timeout
from equinox.colocation.orders import ORDERS, Order
from equinox.colocation.policies import Action, decision_table, get_policy
from equinox.colocation.programs import Program

Integers = NDArray[np.int64]
Records = NDArray[np.void]
Record = Any  # one of them

_OF_MACHINE: Final = len(records.MACHINE.names or ())  # cells of the machine, the first
MAX_BODY: Final = 4  # rows of a repeated body, such as a step of a recurrent layer, at most


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Service:
    """An inference service: its programs, how it forms batches and what it promises.

    `programs` is one program, which a batch of any size takes (incomplete ones are padded), or
    one for each batch size, 1 to `rows` (incomplete ones are shortened, and nothing is padding).
    The operands that stream ahead of a batch are those of a full one, of the first service.
    """

    programs: Program | Sequence[Program]
    rows: int  # requests of a batch, at most
    batching: str = "adaptive"  # one of `BATCHINGS`
    timeout_cycles: float = inf  # that "adaptive" lets the oldest request wait for company
    guard_batches: float = 2.0  # full batches that may wait beside training
    target_cycles: float = inf  # latency that it promises; see `ORDERS`

    def __post_init__(self) -> None:
        """Raise a ValueError that names a number out of range."""
        if self.rows < 1:
            raise ValueError(f"rows is {self.rows}; a batch has 1 or more")
        if not self.guard_batches >= 0:
            raise ValueError(f"guard_batches is {self.guard_batches}; it must be 0 or more")
        if not self.target_cycles > 0:
            raise ValueError(f"target_cycles is {self.target_cycles}; it must be positive")
        if self.shortens and len(self.sizes) != self.rows:
            raise ValueError(
                f"{len(self.sizes)} programs for batches of up to {self.rows}; give one, or one "
                "for each size"
            )
        batch_timeout(self.batching, self.timeout_cycles)

    @property
    def shortens(self) -> bool:
        """Whether an incomplete batch has a program of its own."""
        return not isinstance(self.programs, Program)

    @property
    def sizes(self) -> Sequence[Program]:
        """The programs, the last one that of a full batch."""
        return (self.programs,) if isinstance(self.programs, Program) else self.programs


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """All that a run depends on: records and integers. Copy it to branch off a run."""

    code: Records
    entries: Records
    decisions: Integers
    services: Records
    cells: Integers  # `records.CELLS`
    marks: Records
    kept: Integers  # cells of each mark

    @property
    def machine(self) -> Record:
        """The machine's cells by name; written to as well."""
        return self.cells[:_OF_MACHINE].view(records.MACHINE)[0]

    @property
    def streams(self) -> Records:
        """The cells of the inference and the training program by name; written to as well."""
        return self.cells[_OF_MACHINE:].view(records.STREAM)

    def copy(self) -> "State":
        """Return a state that runs on by itself."""
        return deepcopy(self)

    def advance(self, arrival: Integers, start: Integers, completion: Integers) -> None:
        """Run as far as the arrivals that are known allow; see `engine.run`."""
        engine.run(
            self.code,
            self.entries,
            self.decisions,
            self.services,
            self.machine,
            self.streams,
            self.cells,
            self.marks,
            self.kept,
            self.kept[:, _OF_MACHINE:].view(records.STREAM),
            arrival,
            start,
            completion,
        )


def first_state(
    services: Sequence[Service],
    training: Program,
    *,
    scheduling: str,
    order: str,
    window: tuple[int, int],
) -> State:
    """Return the state at cycle 0, with no arrivals known and more to come.

    Raises:
        ValueError: a name is unknown, the programs' drains differ, or the window is empty.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; orders are {', '.join(ORDERS)}")
    if not 0 <= window[0] < window[1]:
        raise ValueError(f"window is {window}; it must begin at 0 or later and end after that")
    decisions = decision_table(get_policy(scheduling))
    code, entries, drain = _assemble(services, training)
    state = State(
        code=code,
        entries=entries,
        decisions=decisions,
        services=np.array(
            [_row(*item, ORDERS[order]) for item in enumerate(services)], records.SERVICE
        ),
        cells=np.zeros(len(records.CELLS), np.int64),
        marks=np.full(2, -1, records.MARK),
        kept=np.zeros((2, len(records.CELLS)), np.int64),
    )
    streams, machine = state.streams, state.machine
    homes = (entries["row"][0, services[0].rows - 1], len(code) - len(training.table()))
    actives = [bool((decisions == action).any()) for action in (Action.INFER, Action.TRAIN)]
    for stream, home, active in zip(streams, homes, actives, strict=True):
        _begin(code, stream, machine, int(home), active)
    machine["train_at"] = streams[1]["loaded"] if actives[1] else records.NEVER
    machine["drain"], (machine["begin"], machine["end"]) = drain, window
    return state


def _assemble(services: Sequence[Service], training: Program) -> tuple[Records, Records, int]:
    """Return all programs as one table, where each begins, and their drain."""
    programs = [program for service in services for program in service.sizes] + [training]
    drains = sorted({program.drain_cycles for program in programs})
    if len(drains) > 1:
        raise ValueError(
            f"the programs drain in {' and '.join(map(str, drains))} cycles; make all for one "
            "accelerator"
        )
    tables = [program.table() for program in programs]
    firsts = np.cumsum([0] + [len(table) for table in tables])
    full = firsts[len(services[0].sizes) - 1]  # the program of a full batch, first service
    follow = np.arange(1, firsts[-1] + 1)
    follow[firsts[1:] - 1] = full
    follow[-1] = firsts[-2]
    bodies = [
        repeated_bodies(table) + [0, first]
        for table, first in zip(tables, firsts[:-1], strict=True)
    ]
    columns = np.column_stack([np.concatenate(tables), follow, np.concatenate(bodies)])
    code = columns.view(records.ROW).reshape(-1)
    entries = np.zeros((len(services), max(service.rows for service in services)), records.ENTRY)
    begins = iter(firsts.tolist())
    for of_service, service in zip(entries, services, strict=True):
        rows = [next(begins) for _ in service.sizes]
        of_service[: len(rows)] = [(row, *_skip(code, row, 2)) for row in rows]
        of_service[len(rows) :] = of_service[len(rows) - 1]
    return code, entries, drains[0]


def _skip(code: Records, row: int, count: int) -> tuple[int, int]:
    """Return row and place in its run of the instruction `count` after the first of `row`."""
    while count >= code[row]["count"]:
        row, count = int(code[row]["follow"]), count - int(code[row]["count"])
    return row, count


def repeated_bodies(table: Integers) -> Integers:
    """Return for each row of a program the length of the body that repeats from it on, and its end.

    The end is the first row that breaks the pattern; of bodies of up to `MAX_BODY` rows, the one
    that lasts longest is taken.
    """
    rows = np.arange(len(table))
    found = np.stack([np.ones_like(rows), rows + 1], axis=1)
    for length in range(1, min(MAX_BODY, len(table) - 1) + 1):
        same = (table[:-length] == table[length:]).all(axis=1)
        breaks = np.append(np.flatnonzero(~same), len(same))
        end = breaks[np.searchsorted(breaks, rows[: len(same)])] + length
        longer = np.flatnonzero(same & (end > found[: len(same), 1]))
        found[longer, 0], found[longer, 1] = length, end[longer]
    return found


def _begin(code: Records, stream: Record, machine: Record, home: int, active: bool) -> None:
    """Enter the state of a program at cycle 0, its first two loads requested if `active`."""
    stream["home"] = stream["next"] = home
    for place, loaded in enumerate(("loaded", "loaded_after")):
        load = code[_skip(code, home, place)[0]]["load"]
        if active and load > 0:
            machine["dram_free"] += load
            stream[loaded] = machine["dram_free"]
    stream["ahead"], stream["ahead_done"] = _skip(code, home, 2)


def _row(place: int, service: Service, order: Order) -> tuple[int, ...]:
    """Return a record of `State.services`."""
    timeout = batch_timeout(service.batching, service.timeout_cycles)
    guard = service.guard_batches * service.rows
    # Below any time, so that the latest deadline is still before NEVER.
    target = int(min(service.target_cycles, records.NEVER // 4))
    needed = service.rows + max(service.rows, 0 if guard == inf else int(guard) + 1)
    return (
        *(0, 0, 1, needed, service.rows),
        int(min(timeout, records.NEVER)),
        int(min(guard, records.NEVER)),
        int(service.shortens),
        *order(place, target),
        *(0, 0, 0, 0),
    )
