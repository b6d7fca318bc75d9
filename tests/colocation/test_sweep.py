"""A design under all policies, loads and seeds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinox.colocation import simulate
from equinox.colocation.sweep import (
    latency_us,
    measure_work,
    run_load,
    same_batching,
    sweep_loads,
)
from equinox.tables import check_table


def test_work_by_hand(site_by_hand, outcome_by_hand):
    found = measure_work(site_by_hand, outcome_by_hand)
    # Of 800 ns, with shares 0.2 of batches and 0.5 of training. Loads: 3 batches of 450 cycles
    # until the last is complete at 1500, and 50 in 100 cycles of training.
    busy, dram = 0.2 + 0.5, 3 * 450 / 1500 + 0.5 * 50 / 100
    request_w, sample_w = 0.2 * (40 + 10 / busy) + 0.9 * 20, 0.5 * (40 + 10 / busy) + 0.25 * 20
    assert found == pytest.approx(
        {
            "inference_op_per_s": 2 * 100 / 800e-9,
            "training_op_per_s": 0.5e9,
            "training_relative": 0.25,
            "inference_share": 0.125,
            "padding_share": 0.075,
            "training_share": 0.5,
            "stalled_share": 0.1,
            "idle_share": 0.2,
            "dram_share": 1.0,  # 1.15
            "power_w": 10 + busy * 40 + dram * 20,
            "energy_per_request_j": request_w * 800e-9 / 2,
            "energy_per_sample_j": sample_w * 800e-9 / (4 * 8),
        }
    )
    fewer = measure_work(site_by_hand, replace(outcome_by_hand, batches=1))
    assert fewer["dram_share"] == pytest.approx(0.3 + 0.25)


def test_no_work_has_no_energy(site_by_hand, outcome_by_hand):
    kinds = ("inference", "padding", "training", "stalled")
    none = dict.fromkeys((f"{kind}_cycles" for kind in kinds), 0)
    none |= dict.fromkeys(("arrival_cycle", "completion_cycle"), np.array([], np.int64))
    rest = {"idle_cycles": 800, "training_iterations": 0.0, "training_op_per_cycle": 0.0}
    found = measure_work(site_by_hand, replace(outcome_by_hand, batches=0, **none, **rest))
    assert (found["power_w"], found["dram_share"], found["idle_share"]) == (10.0, 0.0, 1.0)
    assert np.isnan([found["energy_per_request_j"], found["energy_per_sample_j"]]).all()
    assert found["inference_op_per_s"] == 0


def test_latencies_after_the_warm_up_are_in_us(site_by_hand, outcome_by_hand):
    assert latency_us(site_by_hand, outcome_by_hand, 0.3) == pytest.approx([0.3, 0.5, 0.5])
    assert latency_us(site_by_hand, outcome_by_hand, 0.0) == pytest.approx([0.2, 0.3, 0.5, 0.5])


#: Changes of the config, scheduling, load, and requests before the share 0.1 of a warm-up is added.
LENGTHS = [
    ({}, "priority", 0.5, 2000),  # requests / (1 - load)
    ({}, "priority", 0.9, 4000),  # but 4 times as many at most
    ({}, "priority", 1.0, 4000),
    ({}, "priority", 1.5, 4000),
    ({"batches": 700}, "priority", 0.5, 2800),  # of 4
    # An iteration takes 200 ns, in which 0.4 requests come.
    ({"iterations": 9000}, "priority", 0.5, 3600),
    ({"iterations": 9000}, "inference_only", 0.5, 2000),
]


@pytest.mark.parametrize(("change", "scheduling", "load", "measured"), LENGTHS)
@pytest.mark.parametrize("batching", ["adaptive", "shortened"])
def test_a_run_by_hand(config, site_by_hand, change, scheduling, load, measured, batching):
    changed = replace(config, adaptive_timeout=0.3, guard_batches=1.5, **change)
    found = run_load(changed, site_by_hand, batching, scheduling, load, 3)
    count = int(np.ceil(measured / 0.9))
    times_s = site_by_hand.arrivals.times_s(
        count, request_per_s=load * 4e6, generator=np.random.default_rng(3)
    )
    arrival = np.ceil(times_s * 1e9)
    programs = site_by_hand.shortened if batching == "shortened" else site_by_hand.inference
    expected = simulate(
        programs,
        site_by_hand.training,
        arrival,
        rows=4,
        scheduling=scheduling,
        batching=batching,
        timeout_cycles=600,
        guard_batches=1.5,
        window=(int(arrival[count // 10]), int(arrival[-1])),
    )
    assert found.completion_cycle.tolist() == expected.completion_cycle.tolist()
    assert found.training_cycles == expected.training_cycles
    assert found.window_cycles == expected.window_cycles


def test_batchings_that_are_the_same_by_hand(config, site_by_hand):
    one_size = replace(site_by_hand, shortened=site_by_hand.shortened[:1])
    one_row = replace(one_size, machine=replace(site_by_hand.machine, rows=1))
    full_first = replace(config, batchings=("full", "shortened"))
    assert same_batching(config, site_by_hand, "shortened") == "shortened"
    assert same_batching(config, one_size, "shortened") == "adaptive"
    assert same_batching(config, one_size, "full") == "full"
    assert same_batching(full_first, one_size, "shortened") == "shortened"
    assert same_batching(full_first, one_row, "shortened") == "full"


@pytest.mark.parametrize("of_full", [0.1, np.nan])  # NaN: no load is kept up with
def test_above_saturation_latencies_are_infinite_and_at_it_they_are_not(
    config, site_by_hand, of_full
):
    # A batch of 900 cycles and a load of 1 at 4 requests in 1000: both loads are kept up with.
    own = replace(config, batchings=("adaptive", "full"), schedulings=("priority", "training_only"))
    limits = {("adaptive", "priority"): 0.2, ("full", "priority"): of_full}
    rows = sweep_loads(own, site_by_hand, limits).set_index(["batching", "scheduling", "load"])
    names = ["mean_latency_us", "p50_latency_us", "p99_latency_us", "p999_latency_us"]
    grows = np.isinf(rows[names]).all(axis=1).groupby(level=[0, 1, 2]).all()
    assert list(grows[grows].index) == [
        ("adaptive", "priority", 0.8),
        ("full", "priority", 0.2),
        ("full", "priority", 0.8),
    ]
    assert np.isfinite(rows.loc[("adaptive", "priority", 0.2), names]).all().all()
    assert np.isinf(rows.loc[("full", "priority"), "mean_latency_us_high"]).all()
    assert np.isfinite(rows.loc[("full", "priority"), "mean_latency_us_low"]).all()
    alone = rows.loc[("full", "training_only")]
    assert (alone["requests"] == 4).all()  # what stands in for training alone here
    assert (alone["training_relative"] == 0.25).all()
    assert (rows["service_time_us"] == 2.0).all()
    assert (rows["weights"] == "streamed").all()
    assert rows.loc[("adaptive", "priority", 0.2), "requests"].tolist() == [1251, 1251]
    default = sweep_loads(replace(own, loads=(0.5, 1.0), seeds=(0,)), site_by_hand, {})
    assert np.isfinite(default["p99_latency_us"]).all()  # load 1 is not above 1


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
