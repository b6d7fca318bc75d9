"""A design under all policies, loads and seeds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinox.tables import check_table


def test_the_rows_fit_the_table_and_are_all_combinations(colocation):
    assert len(check_table(colocation, "colocation")) == 2 * 4 * 2 * 2


def test_shares_sum_to_one(colocation):
    kinds = ("inference", "padding", "training", "stalled", "idle")
    shares = colocation[[f"{kind}_share" for kind in kinds]].sum(axis=1)
    assert shares.to_numpy() == pytest.approx(1.0)


def test_steady_and_busy_power_are_all_divided_between_requests_and_samples(colocation):
    rows = colocation[colocation["scheduling"] == "priority"]
    op_per_request, op_per_sample = 2 * 4096 * 8192 * 25, 3 * 2 * 4096 * 8192 * 25
    requests_w = rows["energy_per_request_j"] * rows["inference_op_per_s"] / op_per_request
    samples_w = rows["energy_per_sample_j"] * rows["training_op_per_s"] / op_per_sample
    assert (requests_w + samples_w).to_numpy() == pytest.approx(rows["power_w"].to_numpy())


def test_inference_only_does_not_train_and_training_only_does_not_serve(colocation):
    by = colocation.groupby("scheduling")
    assert by.get_group("inference_only")["training_op_per_s"].max() == 0
    served = by.get_group("training_only")
    assert served["p99_latency_us"].isna().all()
    assert served["inference_op_per_s"].max() == 0


def test_the_load_is_served(colocation):
    rows = colocation[colocation["scheduling"] != "training_only"]
    saturated = rows["inference_op_per_s"] / rows["load"]
    full_batches = 86 * 2 * 4096 * 8192 * 25 / rows["service_time_us"] * 1e6
    assert (saturated / full_batches).to_numpy() == pytest.approx(1.0, abs=0.06)


def test_training_runs_at_most_as_alone_and_less_with_more_load(colocation):
    full = colocation[colocation["batching"] == "full"]
    relative = full.groupby(["scheduling", "load"])["training_relative"].mean()
    assert relative["training_only", 0.2] > relative["priority", 0.2] > relative["priority", 0.8]
    # 128 samples fill 2 x 86 rows to 0.74 and 3 x 43 to 0.99: at most three quarters
    assert 0.7 < relative["training_only", 0.2] < 0.85


def test_full_batches_leave_training_more_than_padded_ones(colocation):
    rows = colocation[(colocation["scheduling"] == "priority") & (colocation["load"] == 0.2)]
    relative = rows.groupby("batching")["training_relative"].mean()
    assert relative["full"] > 2 * relative["adaptive"]


def test_the_same_config_gives_the_same_rows(simulate_one, config, colocation):
    again = simulate_one(replace(config, schedulings=("priority",)))
    first = colocation[colocation["scheduling"] == "priority"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)


def test_batchings_that_are_the_same_are_simulated_once_and_are_equal(simulate_one, config):
    # a request of the LSTM is one row, so that an incomplete batch takes as long as a full one
    short = replace(config, batchings=("adaptive", "shortened"), schedulings=("priority",))
    rows = simulate_one(short).drop(columns="batching")
    half = len(rows) // 2
    pd.testing.assert_frame_equal(rows[:half], rows[half:].reset_index(drop=True))


def test_an_overloaded_queue_has_infinite_latency_and_a_measured_lower_bound(simulate_one, config):
    rows = simulate_one(
        replace(config, loads=(1.2,), seeds=(0,), schedulings=("fair",), batchings=("full",))
    )
    row = check_table(rows, "colocation").iloc[0]
    assert row["p99_latency_us"] == row["p99_latency_us_high"] == np.inf
    assert 1000 < row["p99_latency_us_low"] < np.inf


def test_an_unknown_design_is_an_error_that_lists_the_known(simulate_one, config):
    with pytest.raises(ValueError, match="0 rows of design '500us' in bf16"):
        simulate_one(replace(config, encoding="bf16"))
