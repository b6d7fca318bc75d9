"""A day of a fleet."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from equinox.colocation import simulate_fleet
from equinox.colocation.balancers import BALANCERS
from equinox.colocation.fleet import day_load
from equinox.colocation.replications import summarize_replications
from equinox.tables import check_table

HERE = {"design": "500us", "workload": "lstm_2048_25", "batching": "adaptive"}


def points_by_hand():
    """Two loads, in the wrong order, of two schedulings; training alone; rows of others."""
    columns = ("scheduling", "load", "p99_latency_us", "training_relative", "power_w")
    rows = [
        ("priority", 0.5, 200.0, 0.4, 60.0),
        ("priority", 0.25, 100.0, 0.6, 50.0),
        ("inference_only", 0.5, 180.0, 0.0, 40.0),
        ("inference_only", 0.25, 90.0, 0.0, 30.0),
        ("training_only", 0.25, np.nan, 0.9, 70.0),
    ]
    mine = pd.DataFrame(rows, columns=columns).assign(**HERE)
    others = [
        mine.assign(**{name: "another", "p99_latency_us": 1e9, "training_relative": 0.1})
        for name in HERE
    ]
    return pd.concat([*others, mine], ignore_index=True)


def fleet_by_hand(config, designs, points, **changes):
    """Ten accelerators in four intervals at loads 0.2, 0.4, 0.6 and 0.4; saturated above 0.55."""
    named = [HERE | {"scheduling": name} for name in ("priority", "inference_only")]
    saturation = pd.DataFrame(named).assign(saturation_load=0.55)
    sites = pd.DataFrame([HERE | {"design": "another", "idle_power_w": 1.0}, HERE])
    sites = sites.drop(columns="batching").fillna({"idle_power_w": 20.0})
    numbers = {"accelerators": 10, "intervals": 4, "mean_load": 0.4, "peak_to_trough": 3}
    fleet = replace(config.fleet, **numbers | {"pack_load": 0.5} | changes)
    designs = designs.assign(power_w=np.where(designs["design"] == "500us", 75.0, 80.0))
    rows = simulate_fleet(replace(config, fleet=fleet), points, sites, saturation, designs)
    return rows.set_index(["balancer", "scheduling"]).sort_index()


def test_a_day_by_hand(config, designs):
    rows = fleet_by_hand(config, designs, points_by_hand())
    # All serve 0.2 each: below the lowest load latency is that of 0.25; training is 0.8 of the
    # way from 0.9 to 0.6, and power of that from 70 to 50 W. 0.6 is beyond saturation.
    even = rows.loc[("even", "priority")]
    assert even["time_h"].tolist() == [0, 6, 12, 18]
    assert even["load_each"].tolist() == pytest.approx([0.2, 0.4, 0.6, 0.4])
    assert even["serving"].tolist() == [10] * 4
    assert even["status"].tolist() == ["ok", "ok", "saturated", "ok"]
    assert even["p99_latency_us"].tolist() == pytest.approx([100, 160, np.inf, 160])
    assert even["reclaimed_accelerators"].tolist() == pytest.approx([6.6, 4.8, 0, 4.8])
    assert even["power_w"].tolist() == pytest.approx([540, 560, 600, 560])
    assert even["energy_j"].tolist() == pytest.approx([w * 21_600 for w in (540, 560, 600, 560)])
    # Alone, an accelerator goes from 20 W at rest to 30 and 40; a dedicated one draws 80.
    apart = [280 + 6.6 * 80, 360 + 4.8 * 80, 400, 360 + 4.8 * 80]
    assert even["separate_power_w"].tolist() == pytest.approx(apart)
    # As few as can serve 0.5 each: 4, 8, all and 8; the others train at 0.9 for 70 W.
    pack = rows.loc[("pack", "priority")]
    assert pack["serving"].tolist() == [4, 8, 10, 8]
    assert pack["load_each"].tolist() == pytest.approx([0.5, 0.5, 0.6, 0.5])
    assert pack["p99_latency_us"].tolist() == pytest.approx([200, 200, np.inf, 200])
    assert pack["reclaimed_accelerators"].tolist() == pytest.approx([7.0, 5.0, 0, 5.0])
    assert pack["power_w"].tolist() == pytest.approx([660, 620, 600, 620])
    apart = [160 + 120 + 7 * 80, 320 + 40 + 5 * 80, 400, 320 + 40 + 5 * 80]
    assert pack["separate_power_w"].tolist() == pytest.approx(apart)
    alone = rows.loc[("pack", "inference_only")]
    assert alone["power_w"].tolist() == pytest.approx([280, 360, 400, 360])
    assert alone["p99_latency_us"].tolist() == pytest.approx([180, 180, np.inf, 180])
    assert not alone["reclaimed_accelerators"].any()


def test_between_the_simulated_loads_and_saturation_latency_is_unknown(config, designs):
    points = points_by_hand()
    row = fleet_by_hand(config, designs, points, mean_load=0.52, peak_to_trough=1).iloc[0]
    assert row["status"] == "not_simulated"
    assert np.isnan(row["p99_latency_us"])
    # Where training alone is not simulated, rest is like the lowest load.
    points = points[points["scheduling"] != "training_only"]
    row = fleet_by_hand(config, designs, points).loc[("pack", "priority")].iloc[0]
    assert row["reclaimed_accelerators"] == pytest.approx(4 * 0.4 + 6 * 0.6)
    assert row["power_w"] == pytest.approx(4 * 60 + 6 * 50)


def test_balancers_by_hand(config):
    fleet = replace(config.fleet, accelerators=10, pack_load=0.8)
    load = np.array([0.0, 0.08, 0.081, 0.4, 0.72, 0.8, 1.5])
    assert BALANCERS["even"](load, fleet).tolist() == [10] * 7
    assert BALANCERS["pack"](load, fleet).tolist() == [1, 1, 2, 5, 9, 10, 10]


@pytest.fixture(scope="module")
def tables(parts):
    return summarize_replications(parts["colocation"]), parts["sites"], parts["saturation"]


@pytest.fixture(scope="module")
def day(config, tables, designs):
    return check_table(simulate_fleet(config, *tables, designs), "fleet")


def test_the_day_has_the_mean_and_the_swing_that_are_asked_for(day):
    load = day.groupby("interval")["load"].first()
    assert load.mean() == pytest.approx(0.3)
    assert load.max() / load.min() == pytest.approx(4)


def test_packing_reclaims_more_and_waits_longer(day):
    rows = day[day["scheduling"] == "priority"].set_index(["balancer", "interval"])
    pack, even = rows.loc["pack"], rows.loc["even"]
    assert pack["reclaimed_accelerators"].sum() > even["reclaimed_accelerators"].sum()


def test_without_training_nothing_is_reclaimed_and_power_is_less(day):
    by = day.groupby("scheduling")
    assert by["reclaimed_accelerators"].max()["inference_only"] == 0
    assert by["power_w"].mean()["inference_only"] < by["power_w"].mean()["priority"]
    assert (day["energy_j"] == day["power_w"] * 3600).all()  # 24 intervals of an hour


def test_sharing_draws_less_than_separate_machines(day):
    shared = day[day["scheduling"] == "priority"]
    assert (shared["power_w"] < shared["separate_power_w"]).all()
    alone = day[day["scheduling"] == "inference_only"]
    assert (alone["power_w"] == alone["separate_power_w"]).all()


def test_even_load_at_a_simulated_point_is_that_point(config, tables, colocation, designs):
    flat = replace(config, fleet=replace(config.fleet, mean_load=0.2, peak_to_trough=1.0))
    row = simulate_fleet(flat, *tables, designs).query(
        "balancer == 'even' and scheduling == 'priority'"
    )
    point = colocation.query("scheduling == 'priority' and batching == 'adaptive' and load == 0.2")
    assert row["p99_latency_us"].iloc[0] == pytest.approx(point["p99_latency_us"].mean())
    relative = point["training_relative"].mean()
    assert row["reclaimed_accelerators"].iloc[0] == pytest.approx(100 * relative)


def test_unknown_names_are_errors(config, tables, designs):
    for change, message in (
        ({"balancers": ("odd",)}, "balancer is 'odd'; balancers are even, pack"),
        ({"schedulings": ("software",)}, "'software' of 500us is not simulated"),
    ):
        changed = replace(config, fleet=replace(config.fleet, **change))
        with pytest.raises(ValueError, match=message):
            simulate_fleet(changed, *tables, designs)


def test_beyond_the_simulated_loads_latency_is_unknown_and_beyond_saturation_infinite(
    config, tables, designs
):
    for mean_load, status, p99_us in ((0.9, "not_simulated", np.nan), (1.5, "saturated", np.inf)):
        fleet = replace(config.fleet, mean_load=mean_load, peak_to_trough=1.0, balancers=("even",))
        rows = check_table(simulate_fleet(replace(config, fleet=fleet), *tables, designs), "fleet")
        assert set(rows["status"]) == {status}
        assert np.array_equal(rows["p99_latency_us"].unique(), [p99_us], equal_nan=True)
        assert rows["reclaimed_accelerators"].max() == 0
    points, sites, saturation = tables
    never = points, sites, saturation.assign(saturation_load=np.nan)
    assert set(simulate_fleet(config, *never, designs)["status"]) == {"saturated"}


def test_a_trace_gives_the_day_its_profile(config, tmp_path):
    path = tmp_path / "day.csv"
    path.write_text("seconds\n" + "\n".join(map(str, [0, 1, 2, 3, 60, 90, 100])))
    fleet = replace(config.fleet, intervals=2, profile=str(path), mean_load=0.35)
    assert day_load(fleet).tolist() == pytest.approx([0.4, 0.3])  # 4 and 3 requests


def test_a_large_fleet_is_as_quick_as_a_small_one(config, tables, designs):
    large = replace(config, fleet=replace(config.fleet, accelerators=100_000, intervals=1440))
    rows = simulate_fleet(large, *tables, designs)
    assert (rows["serving"] <= 100_000).all()
    assert len(rows) == 2 * 2 * 1440
