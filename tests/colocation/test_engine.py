"""The compiled engine against a plain-Python machine that is stepped cycle by cycle."""

from collections import deque
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equinox.colocation.policies import POLICIES, Action, State
from equinox.colocation.programs import Program
from equinox.colocation.simulation import Outcome, simulate


class Stream:
    """One program in execution: what is loaded, what has no result yet.

    Positions count instructions over all repetitions. What follows a batch is taken to be a full
    one, whose program is `home`, until there is another.
    """

    def __init__(self, home: Program) -> None:
        self.home = self.program = home
        self.first = 0  # position of the first instruction of `program`
        self.issued = 0
        self.loaded: set[int] = set()
        self.results_due = 0

    @property
    def index(self) -> int:
        return self.issued - self.first

    @property
    def ready(self) -> bool:
        waits = self.program.depends[self.index] and self.results_due > 0
        return self.issued in self.loaded and not waits

    def load_cycles(self, position: int) -> int:
        beyond = position - self.first - len(self.program.mmu_cycles)
        if beyond < 0:
            return int(self.program.load_cycles[beyond])
        return int(self.home.load_cycles[beyond % len(self.home.mmu_cycles)])

    def issue(self) -> tuple[int, int]:
        """Return MMU and SIMD cycles of the next instruction, which is issued."""
        cycles = self.program.mmu_cycles[self.index], self.program.simd_cycles[self.index]
        self.issued += 1
        self.results_due += 1
        if self.index == len(self.program.mmu_cycles):
            self.first, self.program = self.issued, self.home
        return cycles


class Unit:
    """A unit that serves its queue of (cycles, owner) in order."""

    def __init__(self) -> None:
        self.queue: deque[list] = deque()

    def step(self) -> list:
        """Spend one cycle; return the owners of work that ends with it."""
        if not self.queue:
            return []
        self.queue[0][0] -= 1
        return [self.queue.popleft()[1]] if self.queue[0][0] == 0 else []


class Machine:
    """Two programs on an MMU, a SIMD unit and a DRAM channel, one cycle at a time."""

    def __init__(self, inference, training, arrivals, *, rows, policy, timeout, guard, window):
        self.sizes = inference  # one program for all batches, or one for each size
        self.infer, self.train = Stream(inference[-1]), Stream(training)
        self.arrivals, self.rows, self.policy = arrivals, rows, POLICIES[policy]
        self.timeout, self.guard, self.window = timeout, guard, window
        self.trains, self.infers = policy != "inference_only", policy != "training_only"
        self.simd, self.dram = Unit(), Unit()
        self.draining: list[tuple[int, int, Stream]] = []  # cycle at the SIMD unit, work, owner
        self.mmu_left, self.simd_next, self.owner, self.last = 0, 0, None, None
        self.waiting: list[int] = []
        self.batch: list[int] = []
        self.start, self.completion = {}, {}
        self.counts = dict.fromkeys(("rows", "inference", "training", "stalled", "idle"), 0)
        for stream, active in ((self.infer, self.infers), (self.train, self.trains)):
            for position in range(2 if active else 0):
                self.request_load(stream, position)

    def request_load(self, stream: Stream, position: int) -> None:
        cycles = stream.load_cycles(position)
        if cycles:
            self.dram.queue.append([cycles, (stream, position)])
        else:
            stream.loaded.add(position)

    def run(self) -> "Machine":
        now = 0
        while True:
            self.arrive(now)
            self.deliver(now)
            if self.infers and len(self.completion) < len(self.arrivals) or now < self.window[1]:
                self.spend(now)
                now += 1
            else:
                return self

    def arrive(self, now: int) -> None:
        self.waiting += [i for i, cycle in enumerate(self.arrivals) if cycle == now]

    def deliver(self, now: int) -> None:
        """Pass results on to the SIMD unit; complete the batch whose results are all there."""
        for item in [item for item in self.draining if item[0] == now]:
            self.draining.remove(item)
            if item[1]:
                self.simd.queue.append([item[1], item[2]])
            else:
                item[2].results_due -= 1
        done = self.infer.index == 0 and self.infer.results_due == 0
        if self.batch and done and (self.mmu_left == 0 or self.owner is not self.infer):
            self.completion |= dict.fromkeys(self.batch, now)
            self.batch = []

    def state(self, now: int) -> State:
        infer_ready = self.infers and self.infer.ready and self.simd_free_for(self.infer, now)
        if not self.batch:
            infer_ready = infer_ready and self.may_start(now)
        elif self.infer.index == 0:
            infer_ready = False  # issued to its end, not complete
        return State(
            inference_ready=infer_ready,
            training_ready=self.trains and self.train.ready and self.simd_free_for(self.train, now),
            guarded=len(self.waiting) > self.guard,
            inference_last=self.last is self.infer,
            mid_batch=bool(self.batch),
            mid_iteration=self.train.index > 0,
        )

    def simd_free_for(self, stream: Stream, now: int) -> bool:
        """Whether earlier results of `stream` are done when its next one reaches the SIMD unit."""
        program, index = stream.program, stream.index
        reached = now + program.mmu_cycles[index] + program.drain_cycles
        free, own = now, now
        items = [(now, *item) for item in self.simd.queue] + [i for i in self.draining if i[1]]
        for at, work, owner in items:
            free = max(free, at) + work
            own = free if owner is stream else own
        return program.simd_cycles[index] == 0 or own <= reached

    def may_start(self, now: int) -> bool:
        if len(self.waiting) >= self.rows:
            return True
        if not self.waiting:
            return False
        rest = self.timeout == inf and now >= self.arrivals[-1]
        return rest or now >= self.arrivals[self.waiting[0]] + self.timeout

    def spend(self, now: int) -> None:
        """Let every unit work for the cycle that begins at `now`."""
        kind = self.issue(now) if self.mmu_left == 0 else self.busy()
        if self.window[0] <= now < self.window[1]:
            self.counts[kind] += 1
            full = len(self.sizes) > 1  # shortened batches have no padding
            rows = self.rows if full else len(self.batch)
            self.counts["rows"] += rows if kind == "inference" else 0
        for stream in self.simd.step():
            stream.results_due -= 1
        for stream, position in self.dram.step():
            stream.loaded.add(position)
        if self.mmu_left:
            self.mmu_left -= 1
            if self.mmu_left == 0:
                self.finish(now + 1)

    def busy(self) -> str:
        return "inference" if self.owner is self.infer else "training"

    def issue(self, now: int) -> str:
        state = self.state(now)
        action = self.policy(state)
        if action is Action.WAIT:
            work = state.mid_batch or (self.trains and not state.guarded)
            return "stalled" if work else "idle"
        self.owner = self.last = self.infer if action is Action.INFER else self.train
        if self.owner is self.infer and not self.batch:
            self.batch, self.waiting = self.waiting[: self.rows], self.waiting[self.rows :]
            self.start |= dict.fromkeys(self.batch, now)
            if len(self.sizes) > 1:
                self.infer.program = self.sizes[len(self.batch) - 1]
        self.mmu_left, self.simd_next = self.owner.issue()
        return self.busy()

    def finish(self, now: int) -> None:
        drain = self.owner.program.drain_cycles
        self.draining.append((now + drain, self.simd_next, self.owner))
        self.request_load(self.owner, self.owner.issued + 1)


@st.composite
def programs(draw, drain):
    size = draw(st.integers(1, 4))
    steps = draw(st.sampled_from([1, 1, 3, 12]))  # as of a recurrent layer

    def column(low, high):
        values = draw(st.lists(st.integers(low, high), min_size=size, max_size=size))
        return np.tile(values, steps)

    long = draw(st.lists(st.sampled_from([1, 2, 3, 5, 9, 17]), min_size=size, max_size=size))

    return Program(
        mmu_cycles=column(1, 5),
        simd_cycles=column(0, 4),
        load_cycles=column(0, 6) * draw(st.integers(0, 1)),
        depends=column(0, 1).astype(bool),
        count=np.tile(long, steps),
        drain_cycles=drain,
        op=1000,
    )


@st.composite
def cases(draw):
    drain = draw(st.integers(0, 4))
    gaps = draw(st.lists(st.integers(0, 20), min_size=1, max_size=12))
    begin = draw(st.integers(0, 20))
    rows = draw(st.integers(1, 4))
    shortened = st.lists(programs(drain), min_size=rows, max_size=rows)
    return {
        "inference": draw(programs(drain) | shortened),
        "training": draw(programs(drain)),
        "arrival_cycle": np.cumsum(gaps),
        "rows": rows,
        "batching": draw(st.sampled_from(["greedy", "full", "adaptive"])),
        "timeout_cycles": draw(st.integers(0, 25)),
        "guard_batches": draw(st.sampled_from([0, 0.5, 1, 2, inf])),
        "window": (begin, begin + draw(st.integers(1, 200))),
    }


def one_by_one(program: Program) -> Program:
    """Return `program` without runs."""
    names = ("mmu_cycles", "simd_cycles", "load_cycles", "depends", "count")
    columns = {name: np.repeat(getattr(program, name), program.count) for name in names}
    return replace(program, **columns | {"count": np.ones_like(columns["count"])})


def step(case, scheduling) -> Machine:
    timeouts = {"greedy": 0, "full": inf, "adaptive": case["timeout_cycles"]}
    given = case["inference"]
    return Machine(
        [one_by_one(program) for program in ([given] if isinstance(given, Program) else given)],
        one_by_one(case["training"]),
        [] if scheduling == "training_only" else case["arrival_cycle"].tolist(),
        rows=case["rows"],
        policy=scheduling,
        timeout=timeouts[case["batching"]],
        guard=case["guard_batches"] * case["rows"],
        window=case["window"],
    ).run()


def engine_counts(outcome: Outcome) -> tuple[int, int, int, int]:
    inference = outcome.inference_cycles + outcome.padding_cycles
    return inference, outcome.training_cycles, outcome.stalled_cycles, outcome.idle_cycles


@pytest.mark.parametrize("scheduling", POLICIES)
@settings(deadline=None)
@given(case=cases())
def test_agrees_with_the_stepped_machine_to_the_cycle(scheduling, case):
    stepped, outcome = step(case, scheduling), simulate(**case, scheduling=scheduling)
    counts = stepped.counts
    served = range(len(outcome.arrival_cycle))
    assert outcome.start_cycle.tolist() == [stepped.start[i] for i in served]
    assert outcome.completion_cycle.tolist() == [stepped.completion[i] for i in served]
    assert engine_counts(outcome) == tuple(
        counts[kind] for kind in ("inference", "training", "stalled", "idle")
    )
    assert outcome.inference_cycles == counts["rows"] // case["rows"]
    assert outcome.batches == len(set(stepped.start.values()))
