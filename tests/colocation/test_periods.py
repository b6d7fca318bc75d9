"""What repeats is taken in one step: instructions that are issued one by one are few.

Calls are counted, so the kernels run as Python here: where numba compiles, in a process of its own.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import config

from equinox.colocation import Program, engine, simulate

as_python = pytest.mark.skipif(not config.DISABLE_JIT, reason="calls of compiled code")


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="it is the process of its own")
def test_in_a_process_without_the_compiler():
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", __file__]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def program(rows, repeat=1):
    """Rows are MMU, SIMD and load cycles, whether it depends, and the length of the run."""
    mmu, simd, load, depends, count = np.tile(np.array(rows), (repeat, 1)).T
    return Program(
        mmu_cycles=mmu,
        simd_cycles=simd,
        load_cycles=load,
        depends=depends.astype(bool),
        count=count,
        drain_cycles=7,
        op=1000,
    )


RUN = program([(3, 2, 2, 0, 2000)])
STEPS = program([(40, 3, 0, 1, 1), (4, 1, 0, 0, 7), (2, 5, 1, 0, 3)], 200)
CHAIN = program([(11, 5, 0, 1, 3000)])
#: Programs of inference and training, scheduling, instructions, and those issued one by one.
CASES = {
    "training alone": (RUN, RUN, "training_only", 20_000, 50),
    "a body that repeats": (STEPS, STEPS, "training_only", 7_173, 100),
    "a batch alone": (CHAIN, RUN, "inference_only", 6_000, 13),
    "steps of a batch in the gaps of a run": (STEPS, RUN, "priority", 13_866, 125),
    "in turn": (CHAIN, RUN, "fair", 30_012, 224),
    "training in the bubbles of a batch": (CHAIN, RUN, "priority", 30_012, 224),
}


@as_python
@pytest.mark.parametrize("case", CASES)
def test_few_instructions_are_issued_one_by_one_though_all_are_counted(case, monkeypatch):
    inference, training, scheduling, all_of_them, most = CASES[case]
    one_by_one = []
    issue = engine._issue
    monkeypatch.setattr(engine, "_issue", lambda *state: one_by_one.append(issue(*state)))
    arrivals = [] if scheduling == "training_only" else [50, 30_000]
    window = (0, 60_000)
    outcome = simulate(inference, training, arrivals, rows=1, scheduling=scheduling, window=window)
    assert outcome.instructions == all_of_them
    assert len(one_by_one) <= most
