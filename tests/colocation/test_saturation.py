"""What a site can take."""

from dataclasses import replace

import pandas as pd
import pytest

from equinox.colocation.saturation import describe_site, find_limits
from equinox.colocation.stages import PARTS
from equinox.tables import check_table

from .conftest import program


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_a_design_fit_their_tables(parts, name):
    assert len(check_table(pd.DataFrame(parts[name]), name))


def test_a_site_by_hand(site_by_hand):
    # 2 arrays of 4 x 4 units, 8 wide: 512 operations a cycle. A program has 1000 operations; the
    # batch is 900 cycles of 1000, the iteration 100, of which 4 take 800 ns with training alone.
    found = describe_site(site_by_hand)
    expected = {
        "weights": "streamed",
        "rows": 4,
        "service_time_us": 2.0,
        "saturation_request_per_s": 4e6,
        "service_fill_share": 1000 / 900 / 512,
        "service_stalled_share": 0.1,
        "iteration_us": 0.2,
        "fill_share": 1000 / 100 / 512,
        "training_share": 0.5,
        "dram_share": 1.0,
        "training_op_per_s": 0.5e9,
        "training_relative": 0.25,
        "dedicated_op_per_s": 2e9,
        "idle_power_w": 10.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["energy_per_sample_j"] > 0
    fast = replace(site_by_hand, resident=True, period_cycles=800)
    assert describe_site(fast)["weights"] == "resident"
    assert describe_site(fast)["service_stalled_share"] == 0


def test_limits_of_a_server_by_hand(config, site_by_hand):
    # Full batches of 900 cycles, 4 requests in 1000 at load 1: beyond load 10 / 9 queues grow.
    own = replace(
        config,
        batchings=("full", "adaptive"),
        schedulings=("inference_only", "priority", "training_only"),
        load_tolerance=0.1,
        requests=500,
        seeds=(5,),
    )
    inference_only = find_limits(replace(own, schedulings=("inference_only",)), site_by_hand, None)
    assert inference_only["batching"].tolist() == ["full", "adaptive"]
    assert inference_only["saturation_load"].between(0.9, 1.2).all()
    assert inference_only["latency_target_us"].isna().all()
    assert inference_only["load_within_target"].isna().all()
    assert inference_only["training_within_target"].isna().all()
    rows = find_limits(own, site_by_hand, 4.0)
    assert list(zip(rows["batching"], rows["scheduling"], strict=True)) == [
        ("full", "inference_only"),
        ("full", "priority"),
        ("adaptive", "inference_only"),
        ("adaptive", "priority"),
    ]
    assert (rows["latency_target_us"] == 4.0).all()
    within = rows.set_index(["batching", "scheduling"])["load_within_target"]
    assert within.between(0.1, 1.0).all()
    trains = rows.set_index(["batching", "scheduling"])["training_within_target"]
    assert (trains.xs("inference_only", level=1) == 0).all()
    assert (trains.xs("priority", level=1) > 0).all()
    # Within reach of any load, but not above 1; out of reach of all.
    fast = replace(site_by_hand, inference=program(10, size=50))
    within = find_limits(own, fast, 1e9)
    assert (within["saturation_load"] == 1.2).all()
    assert (within["load_within_target"] == 1.0).all()
    never = find_limits(own, site_by_hand, 0.5)
    assert never[["load_within_target", "training_within_target"]].isna().all().all()


def test_every_policy_that_serves_has_its_loads(parts, config):
    rows = parts["saturation"]
    assert len(rows) == len(config.batchings) * 3
    assert rows["saturation_load"].between(0.7, 1.2).all()
    within = rows["load_within_target"].dropna()
    assert (within <= 1).all()


def test_the_factors_of_training_are_its_share_of_the_peak(parts):
    site = parts["sites"].iloc[0]
    peak = site["training_op_per_s"] / (site["fill_share"] * site["training_share"])
    # 2 arrays of 86 x 86 units, 16 wide, at 689 MHz
    assert peak == pytest.approx(2 * 2 * 86 * 86 * 16 * 689.1e6, rel=1e-3)
    # a batch of 128 fills 2 x 86 rows to three quarters, in two of the three products
    assert 0.74 < site["fill_share"] < 0.85
