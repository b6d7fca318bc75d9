"""Kernels: they compute what Python does, quickly at the first call, with any release of numba."""

import os
import subprocess
import sys
from math import ceil, inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from equinox.colocation import compiling
from equinox.colocation.compiling import kernel, part

PAIR = np.dtype((np.record, [("first", np.int64), ("second", np.int64)]))
WEIGHTS = np.array([3, 1, 2])
SIMULATION = """
import sys
import numba
{change}
import numpy as np
from equinox.colocation import Poisson, Program, simulate, simulate_queue
columns = dict(mmu_cycles=[9, 4, 9, 4], simd_cycles=[2, 0, 2, 0], load_cycles=[5, 9, 5, 9])
program = Program(
    **{{name: np.array(column) for name, column in columns.items()}}, depends=np.arange(4) % 2 > 0,
    count=np.array([1, 30, 1, 7]), drain_cycles=3, op=1,
)
times = Poisson().times_s(1000, request_per_s=1e-3, generator=np.random.default_rng(0))
found = simulate(program, program, np.ceil(times), rows=2, timeout_cycles=900)
served = simulate_queue(times, batch_s=900, training_chunk_s=70, max_batch=2)
print(found.completion_cycle.sum(), found.training_cycles, repr(served.wait_s.sum()))
"""


def run(code: str, cache) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    return process.stdout


@part
def total(pairs, place):
    pair = pairs[place]
    return pair.first + pair.second


@kernel
def of_integers(rows, columns, grid, pairs, value, other, found):
    found[0] = rows[value] + columns[value] + grid[value, other] + grid[other][value]
    found[1] = (value - 5) // 3 + (value - 5) % 3
    found[2] = max(value, other) - 10 * min(value, 2) + len(rows)
    for place in range(len(pairs)):
        pairs[place].second = total(pairs, place) + place
    for place in WEIGHTS:
        found[place] += place * rows[place]
        if value < 2 and other > 1 or value == 3:
            grid[value, place] = -other
    found[3] = pairs[other].second


@settings(deadline=None)  # the first one compiles
@given(st.integers(0, 3), st.integers(0, 3), st.data())
def test_integers_records_and_arrays_are_as_in_python(value, other, data):
    numbers = st.lists(st.integers(-9, 9), min_size=24, max_size=24)
    memory = np.array(data.draw(numbers))
    of_python, of_kernel = [], []
    for call, parts in ((of_integers.__wrapped__, of_python), (of_integers, of_kernel)):
        own = memory.copy()
        whole = own[:16].reshape(4, 4)
        pairs, found = own[16:].view(PAIR), np.zeros(4, np.int64)
        for grid in (whole, whole.T, whole[:, ::-1]):  # by rows, by columns, and neither
            call(whole[1], whole[:, 2], grid, pairs, value, other, found)
        parts += [own.tolist(), found.tolist()]
    assert of_kernel == of_python


@kernel
def of_numbers(value, other, found):
    found[0], found[1] = max(value, other), min(value, other)
    found[2], found[3] = np.ceil(value), max(value, 0.0) / 3


@settings(deadline=None)
@given(*[st.floats(-1e9, 1e9) | st.sampled_from([inf, -inf, nan, -0.0])] * 2)
def test_numbers_are_as_in_python(value, other):
    found = np.zeros(4)
    of_numbers(value, other, found)
    up = float(ceil(value)) if abs(value) < inf else value
    expected = [max(value, other), min(value, other), up, max(value, 0.0) / 3]
    np.testing.assert_array_equal(found, expected)
    assert np.signbit(found[:2]).tolist() == np.signbit(expected[:2]).tolist()


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    loaded = "print(bool({'scipy.linalg', 'pandas', 'numba.np.linalg'} & set(sys.modules)))"
    return cache, run(SIMULATION.format(change="") + loaded, cache)


def test_a_first_call_loads_no_linear_algebra_and_no_pandas(first_run):
    assert first_run[1].endswith("\nFalse\n")


def test_the_next_process_finds_machine_code_on_disk(first_run):
    cache, found = first_run
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*.nb*")}
    assert len(before) == 4  # an index and the code of each kernel
    assert found.startswith(run(SIMULATION.format(change=""), cache))
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*.nb*")} == before


def test_another_release_of_numba_compiles_the_same_in_its_own_way(first_run, tmp_path):
    change = "numba.version_info = numba.version_info._replace(short=(0, 99))"
    named = "print('equinox.colocation.target' in sys.modules)"
    code = SIMULATION.format(change=change) + named
    assert run(code, tmp_path) == first_run[1]  # the same numbers, and no `target` either


def test_the_release_of_numba_here_is_the_one_whose_inner_parts_are_known():
    advice = "numba was updated: let compiling.py take target.py with it, and see these tests pass"
    assert compiling.compiled_kernel.__module__ == "equinox.colocation.target", advice


def test_what_numba_compiles_by_itself_is_as_ever():
    @njit
    def summed(values):
        rows = np.zeros((2, len(values)))
        rows[-1] = np.ceil(values)  # the last row, of an array that it allocates
        return rows[-1, -1] + rows.sum() + max(values[0], values[-1], 1.0)

    found = np.zeros(4)
    of_numbers(0.5, 1.5, found)
    assert summed(np.array([0.25, 1.5, 2.5])) == 3 + 6 + 2.5
    of_numbers(2.5, 1.5, found)
    assert found[0] == 2.5
