import pandas as pd
import pytest

from equinox.design_space import choose_designs, compare_designs, sweep_all
from equinox.tables import check_table


@pytest.fixture(scope="module")
def designs(config, technology, workload):
    points = sweep_all(config, technology, workload)
    return choose_designs(points, config, technology, workload)


def test_an_experiment_stands_beside_the_designs_of_its_scale(
    designs, config, technology, workload
):
    changed = designs.assign(power_w=1.0)
    found = compare_designs(changed, config, technology, workload, "default@x", "default")
    found = check_table(found, "comparison").set_index("experiment")
    assert (found.loc["default@x", "power_w"] == 1.0).all()
    scale = found.loc["default"].reset_index(drop=True)
    pd.testing.assert_frame_equal(scale, check_table(designs, "designs"), check_dtype=False)


def test_a_scale_is_not_compared_with_itself(designs, config, technology, workload):
    found = compare_designs(designs, config, technology, workload, "default", "default")
    assert len(found) == len(designs)
