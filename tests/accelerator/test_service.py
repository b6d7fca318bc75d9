from dataclasses import replace

import pytest

from equinox.accelerator import (
    Layer,
    TrainingProduct,
    Workload,
    load_technology,
    load_workload,
    service_cycles,
    training_op_per_s,
)

from ._machines import machine


@pytest.fixture(scope="module")
def own():
    return load_technology("28nm").accelerator(
        encoding="hbfp8_16",
        arrays=2,
        rows=86,
        width=16,
        voltage_v=0.73,
        sram_byte=75 * 2**20,
        dram_byte_per_s=1e12,
    )


def test_a_step_of_an_lstm_by_hand(own):
    # 8192 outputs on 172 columns: 48 folds of 4096 / 16 = 256 cycles; skew 170, drain 86, tree 4,
    # pipeline 12, SIMD latency 40 and its work for the last fold: 86 x 172 x 10 / 1024 = 144.5.
    step = 48 * 256 + 170 + 86 + 4 + 12 + 40 + 145
    assert service_cycles(own, load_workload("lstm_2048_25"), batch=86) == 25 * step


def test_independent_repetitions_follow_each_other_without_waiting(own):
    layer = Layer(name="a", k=1600, n=172, m_per_request=3, repeat=4)
    alone = Workload(name="a", source="none", layers=(layer,), update_op_per_weight=0)
    # 30 rows in one fold of 1600 / 16 = 100 cycles; what follows a fold is paid once.
    tail = 170 + 86 + 4 + 12 + 40
    assert service_cycles(own, alone, batch=10) == 4 * 100 + tail
    # Recurrent ones wait for each other, and layers do.
    waiting = replace(alone, layers=(replace(layer, recurrent=True), layer))
    assert service_cycles(own, waiting, batch=10) == 4 * (100 + tail) + 4 * 100 + tail


def test_brainwave_is_met_within_three_times():
    # Fowers et al., ISCA 2018, table 5: LSTM 2048, 25 steps, batch 1 in 0.074 ms on 96,000 MACs at
    # 250 MHz. Here: as many MACs in arrays of one row.
    brainwave = machine(
        arrays=750, rows=1, columns=1, width=128, frequency_hz=250e6, sram_byte=40e6
    )
    time_s = service_cycles(brainwave, load_workload("lstm_2048_25"), batch=1) / 250e6
    assert 1 / 3 < time_s / 74e-6 < 1


def test_training_is_within_its_roofline(own):
    lstm = load_workload("lstm_2048_25")
    streamed = lstm.training(128, encoding="hbfp8_16")
    op = sum(product.op for product in streamed)
    byte = sum(product.repeat * product.dram_byte for product in streamed)
    throughput = training_op_per_s(own, streamed)
    assert throughput <= own.peak_op_per_s
    assert throughput <= op / byte * own.dram_byte_per_s
    # 128 samples on rows of 86 fill 128 of 172: forward and data take that share of the peak.
    assert throughput / own.peak_op_per_s == pytest.approx(3 / (2 * 172 / 128 + 1), rel=0.05)


def test_the_products_of_a_training_step_by_hand(own):
    # A fold of 1600 / 16 = 100 cycles; then skew 170, drain 86, tree 4, pipeline 12, SIMD latency
    # 40 and 1.5 operations for 86 x 172 outputs at 1024 a cycle: 21.7.
    shape = {"m": 86, "k": 1600, "n": 172, "simd_op": 1.5 * 86 * 172, "dram_byte": 1000.0}
    waiting = TrainingProduct(name="a", repeat=3, dependent=True, **shape)
    free = TrainingProduct(name="b", repeat=4, dependent=False, **shape)
    result = 100 + 170 + 86 + 4 + 12 + 40 + 22
    cycles = 3 * result + result + (4 - 1) * 100
    op = 2 * 86 * 1600 * 172 * (3 + 4)
    throughput = training_op_per_s(own, (waiting, free))
    assert throughput == pytest.approx(op / (cycles / own.frequency_hz))
    # At 1 GB/s, 7000 bytes take longer.
    slow = replace(own, dram_byte_per_s=1e9)
    assert training_op_per_s(slow, (waiting, free)) == pytest.approx(op / 7e-6)


def test_slow_dram_bounds_training():
    slow = machine(rows=64, columns=64, width=64)
    products = load_workload("lstm_2048_25").training(128, encoding="int8")
    byte = sum(product.repeat * product.dram_byte for product in products)
    op = sum(product.op for product in products)
    assert training_op_per_s(slow, products) == pytest.approx(op / byte * 1e9)
