"""A day of a fleet."""

from dataclasses import replace

import numpy as np
import pytest

from equinox.colocation import simulate_fleet
from equinox.colocation.fleet import day_load
from equinox.colocation.replications import summarize_replications
from equinox.tables import check_table


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
