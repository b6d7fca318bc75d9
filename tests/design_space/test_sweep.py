import logging
from dataclasses import replace

import numpy as np
import pytest

from equinox.accelerator import area_mm2, power_w, service_cycles, training_op_per_s
from equinox.design_space import accelerator_of, sweep
from equinox.encodings.formats import get_encoding
from equinox.tables import check_table


@pytest.fixture(scope="module")
def points(config, technology, workload):
    return sweep(config, technology, workload, "hbfp8_16")


def sample(points, config, count=60):
    chosen = points.iloc[np.random.default_rng(0).integers(len(points), size=count)]
    budget = config.budget
    return chosen.assign(
        sram_byte=budget.sram_mib * 2**20, dram_byte_per_s=budget.dram_gb_per_s * 1e9
    ).iterrows()


def excesses(design, arrays, config, technology, workload):
    """Return the limits that the design would break with this number of arrays."""
    machine = accelerator_of({**design, "arrays": arrays}, technology)
    weight_byte = arrays * machine.columns * machine.width * get_encoding(machine.encoding).bits / 8
    used = {
        "area": (sum(area_mm2(machine, technology).values()), config.budget.area_mm2),
        "power": (sum(power_w(machine, technology).values()), config.budget.power_w),
        "sram_bandwidth": (weight_byte, machine.sram_byte_per_cycle),
        "outputs": ((arrays - 1) * machine.columns + 1, workload.layers[0].n),
    }
    return {name for name, (value, limit) in used.items() if value > limit * (1 + 1e-12)}


def test_points_fit_the_table(points):
    check_table(points, "design_space")


def test_every_point_is_within_the_budget(points, config):
    assert (points["area_mm2"] <= config.budget.area_mm2).all()
    assert (points["power_w"] <= config.budget.power_w).all()


def test_one_more_array_breaks_the_limit_that_is_named(points, config, technology, workload):
    for _, design in sample(points, config):
        arrays = design["arrays"]
        assert not excesses(design, arrays, config, technology, workload)
        assert design["bound_by"] in excesses(design, arrays + 1, config, technology, workload)
    assert set(points["bound_by"]) == {"area", "power", "sram_bandwidth", "outputs"}


def test_a_point_of_the_sweep_is_what_its_accelerator_does(points, config, technology, workload):
    products = workload.training(config.training_batch, encoding="hbfp8_16", resident=True)
    for _, design in sample(points, config, count=20):
        machine = accelerator_of(design, technology)
        time_s = service_cycles(machine, workload, batch=machine.rows) / machine.frequency_hz
        assert design["service_time_us"] == pytest.approx(1e6 * time_s)
        op = workload.op_per_request * machine.rows
        assert design["throughput_op_per_s"] == pytest.approx(op / time_s)
        assert design["training_op_per_s"] == pytest.approx(training_op_per_s(machine, products))
        assert design["peak_op_per_s"] == pytest.approx(machine.peak_op_per_s)
        assert design["area_mm2"] == pytest.approx(sum(area_mm2(machine, technology).values()))
        assert design["power_w"] == pytest.approx(sum(power_w(machine, technology).values()))


def test_no_point_exceeds_its_peak(points):
    for column in ("throughput_op_per_s", "training_op_per_s"):
        assert (points[column] <= points["peak_op_per_s"]).all()


def test_weights_that_do_not_fit_give_no_points_and_say_why(config, technology, workload, caplog):
    with caplog.at_level(logging.WARNING):
        assert sweep(config, technology, workload, "fp32").empty
    assert "take 128.0 MiB of 75 MiB SRAM" in caplog.text


def test_the_activations_of_a_batch_must_fit_beside_the_weights(config, technology, workload):
    # 66 MiB less 64 MiB of bf16 weights: 2 MiB for requests of 2 x (4096 + 8192) x 2 bytes.
    tight = replace(config, budget=replace(config.budget, sram_mib=66))
    assert sweep(tight, technology, workload, "bf16")["rows"].max() == 2 * 2**20 // 49152 == 42


def test_training_alone_keeps_its_weights_in_sram(config, technology, workload):
    slow = replace(config, max_rows=50, budget=replace(config.budget, dram_gb_per_s=1))
    products = workload.training(128, encoding="int8", resident=True)
    byte = sum(product.repeat * product.dram_byte for product in products)
    bound = sum(product.op for product in products) / byte * 1e9
    found = sweep(slow, technology, workload, "int8")["training_op_per_s"]
    assert found.max() == pytest.approx(bound)


def test_a_larger_budget_never_has_fewer_arrays(points, config, technology, workload):
    larger = replace(config, budget=replace(config.budget, power_w=100, area_mm2=320))
    shape = ["rows", "width", "voltage_v"]
    both = points.merge(sweep(larger, technology, workload, "hbfp8_16"), on=shape, how="left")
    assert (both["arrays_y"] >= both["arrays_x"]).all()
