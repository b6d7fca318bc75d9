from dataclasses import replace

import pandas as pd
import pytest

from equinox.accelerator import CONTROLLER
from equinox.design_space import break_down, choose_designs, sweep
from equinox.tables import check_table


@pytest.fixture(scope="module")
def points(config, technology, workload):
    return pd.concat(sweep(config, technology, workload, name) for name in config.encodings)


@pytest.fixture(scope="module")
def designs(points, config, technology, workload):
    return choose_designs(points, config, technology, workload)


def named(designs, design, encoding="hbfp8_16"):
    return designs.set_index(["design", "encoding"]).loc[(design, encoding)]


def test_designs_fit_the_table(designs):
    check_table(designs, "designs")


def test_each_design_is_the_best_of_its_kind(points, designs):
    own = points[points["encoding"] == "hbfp8_16"]
    fast = named(designs, "min_latency")
    assert fast["service_time_us"] == own["service_time_us"].min()
    best = own[own["service_time_us"] <= 500]["throughput_op_per_s"].max()
    assert named(designs, "500us")["throughput_op_per_s"] == best
    assert named(designs, "500us")["service_time_us"] <= 500
    best = own["throughput_op_per_s"].max()
    assert named(designs, "unconstrained")["throughput_op_per_s"] == best
    best = own["training_op_per_s"].max()
    assert named(designs, "dedicated_training")["training_op_per_s"] == best


def test_a_longer_limit_never_costs_throughput(designs):
    family = ["min_latency", "50us", "500us", "unconstrained"]
    throughput = [named(designs, design)["throughput_op_per_s"] for design in family]
    assert throughput == sorted(throughput)


def test_a_limit_that_no_point_meets_has_no_design(points, config, technology, workload):
    hurried = replace(config, service_limits_us=(1e-3,))
    designs = choose_designs(points, hurried, technology, workload)
    assert set(designs["design"]) == {"min_latency", "unconstrained", "dedicated_training"}


def test_no_points_have_no_designs(points, config, technology, workload):
    assert choose_designs(points.iloc[:0], config, technology, workload).empty


def test_the_fixed_point_twin_does_the_same_work_with_less(designs):
    own, twin = named(designs, "500us"), named(designs, "fixed_point_inference", "int8")
    same = ["rows", "columns", "width", "arrays", "frequency_hz", "service_time_us"]
    assert own[same].tolist() == twin[same].tolist()
    assert twin["area_mm2"] < own["area_mm2"]
    assert twin["power_w"] < own["power_w"]
    assert twin["training_op_per_s"] == 0


def test_components_sum_to_the_design(designs, technology):
    breakdown = check_table(break_down(designs, technology), "breakdown")
    sums = breakdown.groupby(["design", "encoding"])[["area_mm2", "power_w"]].sum()
    for _, design in designs.iterrows():
        found = sums.loc[(design["design"], design["encoding"])]
        assert found.tolist() == pytest.approx([design["area_mm2"], design["power_w"]])


def test_what_components_leak_sums_to_the_component_of_leakage(designs, technology):
    for _, parts in break_down(designs, technology).groupby(["design", "encoding"]):
        leakage = parts.set_index("component").loc["leakage", "power_w"]
        assert parts["leakage_w"].sum() == pytest.approx(leakage)


def test_the_controller_is_small(designs, technology):
    parts = break_down(designs, technology).set_index(["design", "encoding"])
    parts = parts.loc[("500us", "hbfp8_16")]
    controller = parts[parts["component"].isin(CONTROLLER)]
    assert len(controller) == len(CONTROLLER)
    assert (controller[["area_mm2", "power_w"]] > 0).all(axis=None)
    assert controller["area_mm2"].sum() < 3
    assert controller["power_w"].sum() < 0.75
