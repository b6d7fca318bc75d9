"""Operating points from replications."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from equinox.colocation.replications import summarize_replications
from equinox.tables import check_table


@pytest.fixture(scope="module")
def points(colocation):
    return check_table(summarize_replications(colocation), "operating_points")


def replications_by_hand(**columns):
    """Return two seeds of inference alone and of priority, with `columns` of these four rows."""
    names = ("design", "encoding", "workload", "training_task", "arrivals", "batching")
    rows = pd.DataFrame([dict.fromkeys(names, "one") | {"load": 0.5, "weights": "resident"}] * 4)
    rows["scheduling"] = ["inference_only"] * 2 + ["priority"] * 2
    rows["seed"] = [0, 1, 1, 0]
    latencies = [f"{name}_latency_us" for name in ("mean", "p50", "p99", "p999")]
    for name in latencies:
        rows[name], rows[f"{name}_low"], rows[f"{name}_high"] = 100.0, 90.0, 110.0
    rows["training_relative"], rows["power_w"] = 0.5, [40.0, 50.0, 60.0, 80.0]
    return rows.assign(**columns)


def test_intervals_by_hand():
    # p99 of seeds 0 and 1: 100 and 200 alone, 110 and 260 (listed first) beside training: mean
    # 185, deviation 150 / sqrt 2, t(0.975, 1) = 12.7062, over sqrt 2: 953. An increase of 0.1 and
    # 0.3: mean 0.2, half 1.27, and not below -1.
    rows = replications_by_hand(
        p99_latency_us=[100.0, 200.0, 260.0, 110.0], training_relative=[0.0, 0.0, 0.5, 0.502]
    )
    alone, point = (each for _, each in summarize_replications(rows).iterrows())
    assert (point["scheduling"], point["replications"], point["weights"]) == (
        "priority",
        2,
        "resident",
    )
    assert point["p99_latency_us"] == 185
    assert point["p99_latency_us_high"] == pytest.approx(185 + 12.7062 * 75, rel=1e-5)
    assert point["p99_latency_us_low"] == 0
    assert point["p99_increase"] == pytest.approx(0.2)
    assert point["p99_increase_high"] == pytest.approx(0.2 + 12.7062 * 0.1, rel=1e-5)
    assert point["p99_increase_low"] == -1
    assert point["training_relative_low"] == pytest.approx(0.501 - 0.012706, rel=1e-4)
    assert alone["training_relative_low"] == alone["training_relative_high"] == 0
    assert (alone["p99_increase"], alone["p99_increase_high"]) == (0, 0)
    assert (alone["power_w"], point["power_w"]) == (45, 70)
    wide = summarize_replications(rows.assign(training_relative=[0, 0, 0.1, 0.9])).iloc[1]
    assert wide["training_relative_low"] == 0
    steady = summarize_replications(rows.assign(p50_latency_us=[1.0, 2.0, 100.0, 101.0])).iloc[1]
    assert steady["p50_latency_us_low"] == pytest.approx(100.5 - 12.7062 * 0.5, rel=1e-5)


def test_one_replication_has_the_interval_of_its_run():
    rows = replications_by_hand().query("seed == 0")
    point = summarize_replications(rows).iloc[1]
    assert point["replications"] == 1
    assert (point["p99_latency_us_low"], point["p99_latency_us_high"]) == (90, 110)
    assert np.isnan([point["training_relative_low"], point["training_relative_high"]]).all()


def test_an_infinite_replication_makes_the_point_infinite():
    rows = replications_by_hand(p99_latency_us=[100, 100, np.inf, 200])
    rows["p99_latency_us_low"], rows["p99_latency_us_high"] = [90, 90, 80, 100], [99, 99, np.inf, 9]
    point = summarize_replications(rows).iloc[1]
    assert point["p99_latency_us"] == point["p99_latency_us_high"] == np.inf
    assert point["p99_latency_us_low"] == 90
    assert point["p99_increase"] == np.inf
    without = summarize_replications(rows.query("scheduling == 'priority'")).iloc[0]
    assert np.isnan(without["p99_increase"])


def test_there_is_a_point_for_all_seeds_of_a_run(points, colocation):
    assert len(points) == len(colocation) / 2
    assert set(points["replications"]) == {2}


def test_the_interval_is_students_t_over_seeds(points, colocation):
    same = "scheduling == 'priority' and batching == 'full' and load == 0.8"
    seeds = colocation.query(same)["p99_latency_us"]
    point = points.query(same).iloc[0]
    half = stats.t.ppf(0.975, 1) * seeds.std() / np.sqrt(2)
    assert point["p99_latency_us"] == pytest.approx(seeds.mean())
    assert point["p99_latency_us_high"] == pytest.approx(seeds.mean() + half)


def test_the_tail_is_compared_with_inference_alone_at_the_same_point(points, colocation):
    alone = points[points["scheduling"] == "inference_only"]
    assert (alone["p99_increase"] == 0).all()
    p99 = colocation.query("load == 0.2 and batching == 'full'").pivot(
        index="seed", columns="scheduling", values="p99_latency_us"
    )
    fair = points.query("load == 0.2 and batching == 'full' and scheduling == 'fair'").iloc[0]
    assert fair["p99_increase"] == pytest.approx((p99["fair"] / p99["inference_only"] - 1).mean())
    assert points.query("scheduling == 'training_only'")["p99_increase"].isna().all()


def test_a_queue_that_grows_is_infinite_with_a_measured_lower_bound(colocation):
    grown = colocation.query("scheduling == 'fair' and load == 0.8").copy()
    grown["p99_latency_us_low"] = grown["p99_latency_us"]
    grown["p99_latency_us"] = grown["p99_latency_us_high"] = np.inf
    point = summarize_replications(pd.DataFrame(grown)).iloc[0]
    assert point["p99_latency_us"] == point["p99_latency_us_high"] == np.inf
    assert 0 < point["p99_latency_us_low"] < np.inf
