"""A machine with the programs that share it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinox.accelerator import load_technology, load_workload, power_w, service_cycles
from equinox.colocation.site import (
    DEDICATED,
    STEADY,
    Power,
    find_design,
    place,
    power_of,
    prepare_site,
    same_machine,
    train_alone,
    train_dedicated,
)
from equinox.design_space.choose import accelerator_of

from .conftest import design, program

TECHNOLOGY = load_technology("28nm")
LSTM = load_workload("lstm_2048_25")


def machine(designs, name="500us"):
    return accelerator_of(find_design(designs, name, "hbfp8_16"), TECHNOLOGY)


def place_lstm(config, own, workload=LSTM):
    return place(config, own, TECHNOLOGY, workload, LSTM, 1e12)


@pytest.fixture(scope="module")
def site(config, designs):
    return prepare_site(config, designs, "500us", TECHNOLOGY, LSTM, LSTM)


def test_mean_power_by_hand():
    power = Power(steady_w=10.0, busy_w=40.0, dram_w=20.0)
    assert power.mean_w(busy_share=0.5, dram_share=0.25) == 10 + 20 + 5


def test_power_is_what_is_always_drawn_and_what_work_draws(designs):
    own = machine(designs)
    found, parts = power_of(own, TECHNOLOGY), power_w(own, TECHNOLOGY)
    assert found.steady_w == pytest.approx(sum(float(parts[name]) for name in STEADY))
    assert found.busy_w + found.steady_w + found.dram_w == pytest.approx(
        sum(float(value) for value in parts.values())
    )
    assert found.dram_w == float(parts.get("dram", 0.0))
    assert found.busy_w > found.steady_w > 0


def test_training_alone_is_measured_over_ten_iterations():
    # 5 instructions of 20 cycles, loads hidden; and loads of 30 that are not.
    for load, cycles in ((10, 100), (30, 150)):
        found = train_alone(program(20, load=load, size=5))
        assert found.window_cycles == 10 * cycles
        assert found.training_iterations == pytest.approx(10)
        assert found.training_cycles == 10 * 100
    assert len(found.arrival_cycle) == 0


def test_a_batch_of_the_site_is_that_of_the_design_space(site, designs):
    own = machine(designs)
    assert site.machine == own
    assert site.service_cycles == service_cycles(own, LSTM, batch=own.rows)
    # back to back, a batch begins when the one before is complete
    assert site.period_cycles == site.service_cycles
    assert site.request_per_s == own.rows * own.frequency_hz / site.period_cycles
    assert (site.training_batch, site.op_per_request) == (128, LSTM.op_per_request)
    assert site.training.op == 3 * 128 * LSTM.op_per_request
    assert site.resident


def test_training_is_measured_against_the_dedicated_machine_which_keeps_its_weights(
    config, site, designs
):
    dedicated = machine(designs, DEDICATED)
    peak = dedicated.peak_op_per_s
    assert 0.5 * peak < site.dedicated_op_per_s < peak
    # without room for the weights it streams them, as the co-located machine does
    small = replace(dedicated, sram_byte=2**20, dram_byte_per_s=1e11)
    roomy = replace(dedicated, dram_byte_per_s=1e11)
    found = [train_dedicated(config, each, LSTM) for each in (small, roomy)]
    assert found[0] < 0.8 * found[1]
    assert site.training.total_load_cycles > 0


def test_batches_are_shortened_only_where_they_take_less_time(config, site, designs):
    assert len(site.shortened) == 1
    assert site.shortened[0].total_mmu_cycles == site.inference.total_mmu_cycles
    image = load_workload("resnet50")
    small = machine(pd.DataFrame([design("500us", 4, 2)]))
    found = place_lstm(config, small, image)
    cycles = [each.total_mmu_cycles for each in found.shortened]
    assert len(cycles) == small.rows
    assert (np.diff(cycles) > 0).all()
    assert cycles[-1] == found.inference.total_mmu_cycles


def test_instructions_are_as_long_as_the_config_says(config, site, designs):
    changed = replace(config, instruction_folds=4, instruction_reduction=400)
    own = machine(designs)
    found = place_lstm(changed, own).training
    assert found.mmu_cycles.max() != site.training.mmu_cycles.max()
    assert found.op == site.training.op


def test_the_first_of_the_same_machines_stands_for_all(config):
    frame = pd.DataFrame([design("a", 86, 2), design("b", 43, 8), design("c", 86, 2)])
    own = replace(config, designs=("a", "b", "c"))
    assert [same_machine(own, frame, name) for name in "abc"] == ["a", "b", "a"]
    frame.loc[2, "dram_byte_per_s"] = 2e12
    assert same_machine(own, frame, "c") == "c"


def test_a_design_is_of_an_encoding(designs):
    twice = pd.concat([designs, designs.assign(encoding="int8", power_w=50.0)])
    assert find_design(twice, "500us", "int8")["power_w"] == 50.0
    assert find_design(twice, "500us", "hbfp8_16")["power_w"] == 75.0
    with pytest.raises(ValueError, match="0 rows of design 'none' in int8; it has ..500us"):
        find_design(twice, "none", "int8")
    with pytest.raises(ValueError, match="2 rows of design '500us'"):
        find_design(pd.concat([designs, designs]), "500us", "hbfp8_16")
