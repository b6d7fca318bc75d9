"""Programs of inference and training."""

from math import ceil

import numpy as np
import pytest

from equinox.accelerator import (
    TrainingProduct,
    load_workload,
    matmul_timing,
    service_cycles,
)
from equinox.colocation import Program, inference_program, simulate, training_program
from equinox.encodings.formats import get_encoding
from tests.accelerator._machines import machine as small_machine

LSTM = load_workload("lstm_2048_25")


def machine(rows=64, **changes):
    numbers = {
        "encoding": "hbfp8_16",
        "arrays": 2,
        "rows": rows,
        "columns": rows,
        "width": 16,
        "sram_byte": 75 * 2**20,
        "dram_byte_per_s": 1e12,
        "pipeline_cycles": 6,
        "simd_latency_cycles": 9,
        "simd_op_per_cycle": 4000.0,
    }
    return small_machine(**numbers | changes)


@pytest.mark.parametrize(
    ("workload", "rows"),
    [
        ("lstm_2048_25", 1),
        ("lstm_2048_25", 64),
        ("resnet50", 16),
        ("resnet50", 64),
        ("bert_base_128", 16),
    ],
)
def test_a_batch_alone_takes_the_service_time_of_the_design_space(workload, rows):
    design, service = machine(rows, sram_byte=2**32), load_workload(workload)
    program = inference_program(design, service)
    options = {"rows": rows, "scheduling": "inference_only", "batching": "full"}
    outcome = simulate(program, program, np.zeros(rows), window=(0, 1), **options)
    assert outcome.completion_cycle[-1] == service_cycles(design, service, batch=rows)


def test_weights_that_do_not_fit_are_streamed():
    assert inference_program(machine(), LSTM).total_load_cycles == 0
    program = inference_program(machine(sram_byte=2**20), LSTM)
    # each of 25 steps streams all weights: 1 TB/s at 1 GHz is 1000 bytes a cycle
    byte = 25 * LSTM.weight_byte("hbfp8_16")
    assert program.total_load_cycles == pytest.approx(byte / 1000, rel=0.001)


def test_training_moves_all_bytes_and_does_all_operations():
    products = LSTM.training(128, encoding="hbfp8_16")
    program = training_program(machine(), products)
    byte = sum(product.repeat * product.dram_byte for product in products)
    assert program.total_load_cycles == pytest.approx(byte / 1000, rel=0.01)
    assert program.op == sum(product.op for product in products)
    # forward, backward-data and backward-weights are each an inference of 128 samples
    assert program.op == 3 * 128 * LSTM.op_per_request


def small(folds=1, reduction=None, **changes):
    """Return a product as rows of an array of 2 x 2 units, 4 wide; DRAM moves a byte a cycle."""
    own = machine(2, arrays=1, width=4, dram_byte_per_s=1e9, simd_op_per_cycle=5.0)
    numbers = {"name": "one", "m": 4, "k": 40, "n": 3, "repeat": 1, "dependent": False}
    product = TrainingProduct(**numbers | {"dram_byte": 21.5, "simd_op": 84.0} | changes)
    found = training_program(own, [product], folds=folds, reduction=reduction)
    return [tuple(row) for row in found.table().tolist()], found


def fold(k=40, simd_op_per_output=7.0):
    """Return the cycles of a fold on the matrix unit, and of its SIMD operation."""
    own = machine(2, arrays=1, width=4, dram_byte_per_s=1e9, simd_op_per_cycle=5.0)
    work = matmul_timing(own, m=1, k=k, n=1, simd_op_per_output=simd_op_per_output)
    none = matmul_timing(own, m=1, k=k, n=1)
    return int(work.issue_cycles), int(work.result_cycles - none.result_cycles)


def test_a_product_by_hand():
    # 2 x 2 folds of 10 cycles; 7 operations for 2 x 2 outputs at 5 a cycle; of 22 cycles of DRAM 5
    # before each fold, and one more before the first two, of which the first waits.
    mmu, simd = fold()
    assert (mmu, simd) == (10, 6)
    assert small()[0] == [(10, 6, 6, 1, 1), (10, 6, 6, 0, 1), (10, 6, 5, 0, 2)]
    assert small(dram_byte=20.0)[0] == [(10, 6, 5, 1, 1), (10, 6, 5, 0, 3)]
    assert small(dram_byte=20.5)[0] == [(10, 6, 6, 1, 1), (10, 6, 5, 0, 3)]
    assert small(dram_byte=0.0)[0] == [(10, 6, 0, 1, 1), (10, 6, 0, 0, 3)]
    assert small(m=2, n=2, simd_op=0.0)[0] == [(10, 0, 22, 1, 1)]
    assert small()[1].op == 2 * 4 * 40 * 3
    # 3 folds an instruction: the second has the one that is left. 2 of them: none is left.
    assert small(folds=3)[0] == [(30, 18, 11, 1, 1), (10, 6, 11, 0, 1)]
    assert small(folds=2)[0] == [(20, 12, 11, 1, 1), (20, 12, 11, 0, 1)]
    assert small(folds=3, m=10)[0][-1] == (10, fold(40, 2.8)[1], 5, 0, 1)  # of 10, 22 in 4 parts
    assert small(folds=5)[0] == [(40, 24, 22, 1, 1)]


def test_repetitions_by_hand():
    # those that depend on each other all wait and load for themselves
    once = small()[0]
    assert small(repeat=3, dependent=True)[0] == once * 3
    assert small(repeat=2)[0] == [(10, 6, 6, 1, 1), (10, 6, 6, 0, 2), (10, 6, 5, 0, 5)]


def test_a_cut_product_by_hand():
    # 40 values in parts of 15 at most: 3 parts of 14, 4 cycles each. 2 x 12 more operations for
    # their sums: 108 for 3 x 12 outputs, 3 each. Bytes stay 21.5.
    rows, found = small(reduction=15)
    assert fold(14, 3.0) == (4, 3)
    assert rows == [(4, 3, 2, 1, 1), (4, 3, 2, 0, 9), (4, 3, 1, 0, 2)]
    assert found.op == 2 * 4 * 40 * 3
    # 6 parts of 7, 2 cycles each: 144 operations for 6 x 12 outputs, 2 each
    assert small(reduction=7)[0] == [
        (2, fold(7, 2.0)[1], 1, 1, 1),
        (2, 2, 1, 0, 21),
        (2, 2, 0, 0, 2),
    ]
    assert small(reduction=40)[0] == small()[0]
    assert small(reduction=15, dependent=True)[0] == small(dependent=True)[0]
    assert sum(row[-1] for row in small(reduction=1)[0]) == 40 * 4


def test_weights_stay_where_they_fit_beside_the_activations_of_the_rows():
    # 4096 inputs and 8192 outputs of 64 requests
    weights = LSTM.weight_byte("hbfp8_16")
    activations = 64 * (4096 + 8192) * get_encoding("hbfp8_16").x.bits / 8
    byte = ceil(weights + activations)
    assert inference_program(machine(sram_byte=byte), LSTM).total_load_cycles == 0
    streamed = inference_program(machine(sram_byte=byte - 1), LSTM)
    assert streamed.total_load_cycles == pytest.approx(25 * weights / 1000, rel=1e-3)
    # Activations that do not fit either cross DRAM in each of 25 steps.
    spilled = inference_program(machine(sram_byte=1000), LSTM)
    both = 25 * (weights + activations)
    assert spilled.total_load_cycles == pytest.approx(both / 1000, rel=1e-3)
    assert streamed.op == 64 * LSTM.op_per_request
    wide = inference_program(machine(encoding="bf16", sram_byte=1000), LSTM)
    both = 25 * 2 * (4096 * 8192 + 64 * (4096 + 8192))
    assert wide.total_load_cycles == pytest.approx(both / 1000, rel=1e-3)


@pytest.mark.parametrize("folds", [2, 7, 64])
def test_longer_instructions_do_the_same_work(folds):
    products = LSTM.training(128, encoding="hbfp8_16")
    one, many = (training_program(machine(), products, folds=n) for n in (1, folds))
    assert many.total_mmu_cycles == one.total_mmu_cycles
    assert many.total_load_cycles == one.total_load_cycles
    assert many.mmu_cycles.max() == folds * one.mmu_cycles.max()
    assert many.count.sum() < one.count.sum()


@pytest.mark.parametrize("reduction", [3200, 1600, 1000])
def test_weight_gradients_are_cut_and_their_sums_are_added(reduction):
    products = LSTM.training(128, encoding="hbfp8_16")
    whole = training_program(machine(), products)
    cut = training_program(machine(), products, reduction=reduction)
    parts = -(-3200 // reduction)  # of the reduction over 128 samples and 25 steps
    assert cut.op == whole.op
    assert cut.total_load_cycles == pytest.approx(whole.total_load_cycles, rel=0.001)
    # 4096 inputs on 64 rows by 8192 outputs on 2 x 64 columns; 16 values a cycle, and the draining
    # of 64 rows at least
    folds, fold = 64 * 64, max(-(-(3200 // parts) // 16), 64)
    assert (cut.mmu_cycles < whole.mmu_cycles.max()).any()
    assert cut.count[cut.mmu_cycles == fold].sum() == parts * folds
    # the recurrent products, 4096 and 8192 long, stay whole
    recurrent = whole.mmu_cycles != 3200 // 16
    same = np.isin(cut.mmu_cycles, whole.mmu_cycles[recurrent])
    assert cut.count[same].sum() == whole.count[recurrent].sum()
    added = (cut.simd_cycles * cut.count).sum() - (whole.simd_cycles * whole.count).sum()
    # an operation an output and part, 4000 a cycle, rounded up in each fold
    assert added >= (parts - 1) * 4096 * 8192 / 4000


def test_folds_of_nothing_are_an_error():
    with pytest.raises(ValueError, match="folds is 0; an instruction has 1 or more"):
        training_program(machine(), LSTM.training(128, encoding="hbfp8_16"), folds=0)


def test_a_reduction_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="reduction is 0; a fold reduces 1 value or more"):
        training_program(machine(), LSTM.training(128, encoding="hbfp8_16"), reduction=0)


def test_a_shortened_batch_takes_less_time_only_if_a_request_has_many_rows():
    image = load_workload("resnet50")
    full, single = (inference_program(machine(), image, batch=n) for n in (64, 1))
    assert single.total_mmu_cycles < full.total_mmu_cycles / 30
    lstm = [inference_program(machine(), LSTM, batch=n).total_mmu_cycles for n in (1, 64)]
    assert lstm[0] == lstm[1]


def test_recurrent_steps_wait_and_their_folds_do_not():
    program = training_program(machine(), LSTM.training(128, encoding="hbfp8_16"))
    # forward: 128 samples on 64 rows by 8192 outputs on 2 x 64 columns are 2 x 64 folds a step
    place = np.cumsum(program.count) - program.count
    assert place[program.depends][:3].tolist() == [0, 128, 256]


def test_an_instruction_out_of_range_is_an_error_that_names_it():
    columns = {"simd_cycles": np.zeros(2, int), "load_cycles": np.zeros(2, int)}
    columns["count"] = np.ones(2, int)
    with pytest.raises(ValueError, match="mmu_cycles of instruction 1 is 0; it must be 1"):
        Program(
            mmu_cycles=np.array([3, 0]),
            depends=np.zeros(2, bool),
            drain_cycles=0,
            op=1,
            **columns,
        )


def test_a_program_has_one_entry_a_run_and_instructions():
    ones = np.ones(2, np.int64)
    columns = dict.fromkeys(("mmu_cycles", "simd_cycles", "load_cycles", "count"), ones)
    columns |= {"depends": ones > 0, "drain_cycles": 0, "op": 1}
    assert Program(**columns | {"simd_cycles": 0 * ones, "load_cycles": 0 * ones}).op == 1
    for name, wrong in (("simd_cycles", -ones), ("load_cycles", -ones), ("count", 0 * ones)):
        with pytest.raises(ValueError, match=f"{name} of instruction 0 is"):
            Program(**columns | {name: wrong})
    with pytest.raises(ValueError, match="give each one entry"):
        Program(**columns | {"count": np.ones(3, np.int64)})
    none = {name: value[:0] for name, value in columns.items() if np.ndim(value)}
    with pytest.raises(ValueError, match="give each one entry"):
        Program(**columns | none)
    long = Program(**columns | {"mmu_cycles": 3 * ones, "load_cycles": 5 * ones, "count": 4 * ones})
    assert (long.total_mmu_cycles, long.total_load_cycles) == (24, 40)
