"""A day of a fleet."""

from dataclasses import replace

import pytest

from equinox.colocation import simulate_fleet
from equinox.tables import check_table


@pytest.fixture(scope="module")
def day(config, colocation, designs):
    return check_table(simulate_fleet(config, colocation, designs), "fleet")


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
    assert day["power_w"].between(0.4 * 75 * 100, 75 * 100).all()


def test_even_load_at_a_simulated_point_is_that_point(config, colocation, designs):
    flat = replace(config, fleet=replace(config.fleet, mean_load=0.2, peak_to_trough=1.0))
    row = simulate_fleet(flat, colocation, designs).query(
        "balancer == 'even' and scheduling == 'priority'"
    )
    point = colocation.query("scheduling == 'priority' and batching == 'adaptive' and load == 0.2")
    assert row["p99_latency_us"].iloc[0] == pytest.approx(point["p99_latency_us"].mean())
    relative = point["training_relative"].mean()
    assert row["reclaimed_accelerators"].iloc[0] == pytest.approx(100 * relative)


def test_unknown_names_are_errors(config, colocation, designs):
    for change, message in (
        ({"balancers": ("odd",)}, "balancer is 'odd'; balancers are even, pack"),
        ({"schedulings": ("software",)}, "'software' of 500us is not simulated"),
    ):
        changed = replace(config, fleet=replace(config.fleet, **change))
        with pytest.raises(ValueError, match=message):
            simulate_fleet(changed, colocation, designs)
