"""One parameter at a time."""

from dataclasses import replace

import pytest

from equinox.accelerator import load_technology, load_workload
from equinox.colocation.study import study_sensitivity
from equinox.tables import check_table

#: The settings of the config of these tests; the baseline is a setting of each parameter too.
CHANGED = {"baseline", "172", "250.0", "8", "400", "gamma:8", "4.0"}


@pytest.fixture(scope="module")
def study(config, designs):
    workload = load_workload("lstm_2048_25")
    found = study_sensitivity(
        replace(config, seeds=(0, 1)),
        designs,
        technology=load_technology("28nm"),
        workload=workload,
        training_workload=workload,
    )
    rows = check_table(found, "colocation_sensitivity")
    changed = (rows["scheduling"] == "priority") & rows["setting"].isin(CHANGED)
    return rows[changed].set_index("parameter")


def test_every_parameter_is_varied_beside_the_baseline(study):
    assert set(study.index) == {
        *("baseline", "training_batch", "dram_gb_per_s", "instruction_folds"),
        *("instruction_reduction", "arrivals", "adaptive_timeout"),
    }


def test_a_training_batch_that_fills_the_rows_trains_more(study):
    relative = study["training_relative"]
    assert relative["training_batch"] > 1.1 * relative["baseline"]  # 172 rows of 172, not 128


def test_a_quarter_of_the_bandwidth_takes_training_away_from_both(study):
    assert (
        study["training_op_per_s"]["dram_gb_per_s"] < 0.8 * study["training_op_per_s"]["baseline"]
    )
    assert study["dedicated_op_per_s"]["dram_gb_per_s"] < study["dedicated_op_per_s"]["baseline"]


def test_longer_instructions_are_waited_for(study):
    assert study["p99_increase"]["instruction_folds"] > study["p99_increase"]["baseline"]


def test_bursts_wait_longer(study):
    assert study["p99_latency_us"]["arrivals"] > study["p99_latency_us"]["baseline"]
