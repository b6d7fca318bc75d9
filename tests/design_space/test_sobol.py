from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from equinox.design_space import decompose_variance, search
from equinox.design_space.sensitivity import measure_ratios
from equinox.design_space.sobol import _evaluate, saltelli_sample, sobol_indices
from equinox.tables import check_table


@pytest.fixture(scope="module")
def small(config):
    return replace(config, max_rows=90, voltage_steps=5, widths=(16, 32), encodings=("hbfp8_16",))


def ishigami(x):
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def ishigami_values(draws):
    a, b = np.split(
        np.pi * (2 * stats.qmc.Sobol(6, seed=1).random_base2(int(np.log2(draws))) - 1), 2, axis=1
    )
    mixed = [np.where(np.arange(3) == i, b, a) for i in range(3)]
    return np.stack([ishigami(x) for x in (a, b, *mixed)])


def test_indices_of_the_ishigami_function_are_the_known_ones():
    # Ishigami and Homma, 1990, for a = 7 and b = 0.1: exact to the digits given.
    found = sobol_indices(ishigami_values(2**12), seed=0)
    assert found["first"] == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert found["total"] == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)
    for order in ("first", "total"):
        assert (found[f"{order}_low"] <= found[order]).all()
        assert (found[order] <= found[f"{order}_high"]).all()
        assert (found[f"{order}_high"] - found[f"{order}_low"] < 0.1).all()


def test_indices_are_those_of_scipy():
    values = ishigami_values(2**8)
    f_a, f_b, f_ab = values[:1], values[1:2], values[2:, None]
    expected = stats.sobol_indices(func={"f_A": f_a, "f_B": f_b, "f_AB": f_ab}, n=2**8)
    found = sobol_indices(values, seed=0)
    assert found["total"] == pytest.approx(expected.total_order.ravel(), abs=1e-12)
    assert found["first"] == pytest.approx(expected.first_order.ravel(), abs=1e-12)


def test_indices_leave_out_draws_without_a_design_and_are_empty_where_nothing_varies():
    values = ishigami_values(2**8)
    with_gap = values.copy()
    with_gap[2, 5] = np.nan
    found = sobol_indices(with_gap, seed=0)
    assert set(found["draws"]) == {2**8 - 1}
    expected = sobol_indices(np.delete(values, 5, axis=1), seed=0)
    assert found["total"].tolist() == expected["total"].tolist()
    assert np.isnan(sobol_indices(np.full((5, 8), 3.0), seed=0)["total"]).all()


def test_a_sample_exchanges_one_constant_at_a_time(technology):
    a, b, *mixed = saltelli_sample(technology, 4, seed=0)
    for index, sample in enumerate(mixed):
        assert sample[:, index].tolist() == b[:, index].tolist()
        assert np.delete(sample, index, axis=1).tolist() == np.delete(a, index, axis=1).tolist()
    for column, constant in zip(a.T, technology.constants.values(), strict=True):
        assert (column >= constant.low).all()
        assert (column <= constant.high).all()


def test_ratios_of_many_technologies_are_those_of_each(small, technology, workload):
    sample = saltelli_sample(technology, 4, seed=3)[:2].reshape(-1, len(technology.constants))
    found = next(_evaluate(small, technology, workload, sample))
    shape = search(small, technology, workload, "hbfp8_16")["500us"]
    for index, row in enumerate(sample):
        own = technology.with_values(dict(zip(technology.constants, map(float, row), strict=True)))
        families = {"hbfp8_16": search(small, own, workload, "hbfp8_16")}
        ratios = measure_ratios(small, own, families, shape=shape)
        for quantity, values in found.items():
            assert values[index] == pytest.approx(ratios[quantity], rel=1e-9), quantity


def test_the_table_names_what_decides_and_repeats_with_its_seed(small, technology, workload):
    table = check_table(decompose_variance(small, technology, workload), "sobol")
    assert set(table["constant"]) == set(technology.constants)
    totals = table.set_index(["quantity", "constant"])["total"]
    # What only FP32 units use explains nothing; the dispatcher's area moves the controller's.
    assert (totals.xs("multiply_fp32_j", level="constant").dropna() == 0).all()
    assert totals["controller_area", "dispatcher_mm2"] > 0
    again = check_table(decompose_variance(small, technology, workload), "sobol")
    assert again.equals(table)


def test_without_a_design_there_is_nothing_to_decompose(small, technology, workload):
    hurried = replace(small, service_limits_us=(1e-3,))
    crowded = replace(small, budget=replace(small.budget, sram_mib=1))
    for config in (hurried, crowded):
        table = check_table(decompose_variance(config, technology, workload), "sobol")
        assert table["total"].isna().all()
        assert set(table["draws"]) == {0}
