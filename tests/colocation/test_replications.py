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
