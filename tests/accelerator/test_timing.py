import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox.accelerator import matmul_cycles, matmul_timing, systolic_cycles

from ._machines import machine

# Cycles reported by SCALE-Sim v2.0.2, plus one: it reports the index of the last cycle.
SCALE_SIM = [
    # dataflow, rows, columns, m, k, n, cycles
    ("ws", 8, 8, 65, 189, 7, 2088),
    ("ws", 8, 8, 285, 300, 39, 58330),
    ("ws", 8, 8, 1, 37, 100, 1495),
    ("ws", 32, 32, 17, 500, 1, 1776),
    ("ws", 32, 32, 250, 129, 33, 3440),
    ("ws", 128, 128, 1, 2048, 2048, 98048),
    ("ws", 128, 128, 128, 2048, 2048, 130560),
    ("is", 8, 8, 252, 2, 16, 1216),
    ("is", 8, 8, 24, 18, 41, 567),
    ("is", 8, 8, 17, 500, 1, 4347),
    ("is", 32, 32, 1, 1, 1, 95),
    ("is", 32, 32, 100, 300, 200, 11760),
    ("os", 8, 8, 228, 2, 65, 4176),
    ("os", 8, 8, 90, 10, 54, 2016),
    ("os", 8, 8, 17, 500, 1, 1542),
    ("os", 32, 32, 33, 31, 65, 558),
    ("os", 32, 32, 64, 7, 130, 690),
    ("os", 128, 128, 128, 2048, 2048, 36832),
]
sizes = st.integers(1, 300)


@pytest.mark.parametrize(("dataflow", "rows", "columns", "m", "k", "n", "cycles"), SCALE_SIM)
def test_a_plain_array_takes_the_cycles_of_a_published_simulator(
    dataflow, rows, columns, m, k, n, cycles
):
    assert systolic_cycles(m, k, n, rows=rows, columns=columns, dataflow=dataflow) == cycles


def test_weights_are_loaded_then_inputs_stream_through():
    # k = 10 on 8 rows: 2 folds; n = 8 on 8 columns: 1. Each loads 8 rows, streams m = 5 inputs,
    # and the last result leaves 7 columns and 7 rows later: 8 + 5 + 7 + 7 = 27.
    assert systolic_cycles(5, 10, 8, rows=8, columns=8, dataflow="ws") == 2 * 27


@pytest.mark.parametrize(
    ("size", "dataflow", "message"),
    [(0, "ws", "must be positive"), (1, "rs", "choose ws, is or os")],
)
def test_wrong_sizes_and_dataflows_are_refused(size, dataflow, message):
    with pytest.raises(ValueError, match=message):
        systolic_cycles(size, 1, 1, rows=8, columns=8, dataflow=dataflow)


@given(sizes, sizes, sizes, st.integers(1, 16), st.integers(1, 16))
def test_separate_folds_are_the_plain_array_with_its_outputs_drained(m, k, n, rows, columns):
    folds = -(-m // rows) * -(-n // columns)
    plain = systolic_cycles(m, k, n, rows=rows, columns=columns, dataflow="os")
    cycles = matmul_cycles(machine(rows=rows, columns=columns), m=m, k=k, n=n, folds="separate")
    assert cycles == plain + folds * rows


def test_overlapped_folds_by_hand():
    # 6 rows of a batch on 4: 2 folds; 40 outputs on 2 x 4 columns: 5 folds; k = 20 at 8 a cycle:
    # 3 cycles, but draining 4 rows takes 4. Skew 4 + 4 - 2, drain 4, tree of 8: 3, pipeline 5,
    # SIMD latency 7. SIMD and DRAM, slow as both are, have nothing to do unless it is said.
    own = machine(
        arrays=2, width=8, pipeline_cycles=5, simd_latency_cycles=7, simd_op_per_cycle=1,
        dram_byte_per_s=1e6,
    )  # fmt: skip
    timing = matmul_timing(own, m=6, k=20, n=40)
    assert timing.issue_cycles == 2 * 5 * 4
    assert timing.result_cycles == 40 + 6 + 4 + 3 + 5 + 7
    assert matmul_cycles(own, m=6, k=20, n=40) == timing.result_cycles


def test_sram_dram_and_simd_bound_the_folds():
    # A fold of the only array reads 4 columns x 20 weights of one byte: 80 bytes, at 16 a cycle 5
    # cycles, against 20 / 8 = 3 of streaming and 4 of draining.
    shape = {"m": 4, "k": 20, "n": 4}
    assert matmul_timing(machine(width=8, sram_byte_per_cycle=16), **shape).issue_cycles == 5
    # 16 outputs x 10 operations at 4 a cycle.
    simd = matmul_timing(machine(width=8, simd_op_per_cycle=4), simd_op_per_output=10, **shape)
    assert simd.issue_cycles == 40
    assert simd.result_cycles == 40 + 6 + 4 + 3 + 40  # the work of the last fold is not hidden
    # 1 byte a cycle: 1e9 bytes/s at 1 GHz.
    assert matmul_timing(machine(), dram_byte=1000, **shape).issue_cycles == 1000


@given(sizes, sizes, sizes, st.integers(1, 8), st.integers(1, 3))
def test_overlap_saves_time_but_not_work(m, k, n, rows, log_width):
    own = machine(arrays=3, rows=rows, columns=rows, width=2**log_width)
    overlapped = matmul_cycles(own, m=m, k=k, n=n)
    # A fold that streams for less than the drain of outputs is held for it, the last one too.
    held = max(0, rows - -(-k // own.width))
    assert overlapped <= matmul_cycles(own, m=m, k=k, n=n, folds="separate") + held
    assert overlapped * own.macs_per_cycle >= m * k * n  # roofline


def test_many_products_at_once_take_what_each_takes():
    own = machine(arrays=2, width=4, simd_op_per_cycle=64, sram_byte_per_cycle=10)
    m, k, n = np.array([1, 5, 90]), np.array([7, 64, 300]), np.array([3, 200, 11])
    together = matmul_cycles(own, m=m, k=k, n=n, simd_op_per_output=3)
    alone = [
        matmul_cycles(own, m=int(a), k=int(b), n=int(c), simd_op_per_output=3)
        for a, b, c in zip(m, k, n, strict=True)
    ]
    assert together.tolist() == alone
    assert all(isinstance(cycles, int) for cycles in alone)


def test_an_unknown_kind_of_folds_is_refused():
    with pytest.raises(ValueError, match="choose overlapped or separate"):
        matmul_cycles(machine(), m=1, k=1, n=1, folds="other")
