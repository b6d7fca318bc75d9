from dataclasses import replace

import numpy as np
import pytest

from equinox.design_space import choose_designs, search, study_sensitivity, sweep
from equinox.design_space.sensitivity import measure_ratios
from equinox.tables import check_table


@pytest.fixture(scope="module")
def small(config):
    return replace(config, max_rows=90, voltage_steps=5, widths=(16, 32))


@pytest.fixture(scope="module")
def study(small, technology, workload):
    return check_table(study_sensitivity(small, technology, workload), "sensitivity")


def test_every_constant_and_choice_is_studied(study, technology):
    single = study[study["study"] == "one_at_a_time"]
    assert set(technology.constants) < set(single["constant"])
    assert {"budget.area_mm2", "budget.sram_mib"} < set(single["constant"])
    assert set(single.groupby("constant")["setting"].agg(lambda s: len(set(s)))) == {2}
    banks = study[study["constant"] == "bank"]
    assert set(banks["setting"]) == set(technology.banks)
    assert set(study["study"]) == {
        "baseline",
        "one_at_a_time",
        "choice",
        "monte_carlo",
        "two_choices",
    }


def test_a_choice_that_changes_nothing_gives_the_baseline(study, technology):
    ratios = study.pivot_table(index="setting", columns="quantity", values="value")
    assert ratios.loc[technology.bank].tolist() == ratios.loc["baseline"].tolist()
    assert ratios.loc["epfl_256k_32"].tolist() != ratios.loc["baseline"].tolist()


def test_draws_lie_apart_and_repeat_with_their_seed(small, study, technology, workload):
    draws = study[study["study"] == "monte_carlo"]
    assert draws["setting"].nunique() == small.monte_carlo_draws
    area = draws[draws["quantity"] == "controller_area"]["value"]
    assert area.nunique() == len(area)
    again = study_sensitivity(small, technology, workload)
    assert check_table(again, "sensitivity").equals(study)


def test_ratios_are_those_of_the_designs(small, technology, workload, study):
    ratios = study[study["study"] == "baseline"].set_index("quantity")["value"]
    assert 0 < ratios["near_optimal"] <= 1
    assert ratios["throughput_500us"] > 1
    assert ratios["energy_like_fixed8"] == pytest.approx(1 + ratios["encoding_power"])
    assert ratios["controller_area"] < 0.01


def test_the_overhead_is_that_of_the_machine_of_the_baseline(study):
    # Constants that only move the search leave it as it is; a width is a machine of its own.
    values = study[study["quantity"] == "encoding_area"].set_index("constant")["value"]
    assert values["budget.power_w"].tolist() == pytest.approx([values["none"]] * 2, rel=1e-12)
    assert len(set(values["width"])) == 2
    searched = study[study["quantity"] == "encoding_area_searched"].set_index("constant")["value"]
    assert searched["none"] == values["none"]


def test_widths_are_studied_with_each_accumulator_of_blocks(study, small):
    rows = study[study["study"] == "two_choices"]
    assert set(rows["constant"]) == {"width, block_accumulator=fp32"}
    assert set(rows["constant_value"]) == set(small.widths)
    area = rows[rows["quantity"] == "encoding_area"].set_index("constant_value")["value"]
    single = study[(study["constant"] == "width") & (study["quantity"] == "encoding_area")]
    assert (area > single.set_index("constant_value")["value"]).all()


def test_all_draws_stay_in_their_range(small, technology, workload):
    # A constant at its low end, where low is high, is drawn as it is.
    fixed = {
        name: replace(constant, low=constant.value, high=constant.value)
        for name, constant in technology.constants.items()
    }
    certain = replace(technology, constants=fixed)
    study = study_sensitivity(replace(small, monte_carlo_draws=1), certain, workload)
    values = study.set_index(["study", "quantity"])["value"]
    assert np.allclose(values["monte_carlo"], values["baseline"])


def test_a_design_that_does_not_exist_leaves_a_ratio_empty(small, technology, workload):
    tight = replace(small, budget=replace(small.budget, sram_mib=66))  # bf16 needs 64 and more
    tight = replace(tight, service_limits_us=(1e-3,))
    families = {name: search(tight, technology, workload, name) for name in tight.encodings}
    ratios = measure_ratios(tight, technology, families)
    assert np.isnan(list(ratios.values())).all()
    points = sweep(small, technology, workload, "hbfp8_16")
    assert len(choose_designs(points, small, technology, workload)) == 6
