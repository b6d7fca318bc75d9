import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equinox.design_space import find_fronts, pareto_front, sweep
from equinox.tables import check_table

values = st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan")])


def undominated(points, minimize, maximize):
    """The definition, one pair at a time."""
    costs = np.column_stack([points[minimize], -points[maximize]])
    keep = [
        not np.isnan(row).any()
        and not any((other <= row).all() and (other < row).any() for other in costs)
        for row in costs
    ]
    return points[np.array(keep, dtype=bool)]


@given(st.lists(st.tuples(values, values), max_size=40))
def test_the_front_of_two_columns_is_what_nothing_dominates(rows):
    points = pd.DataFrame(rows, columns=["time", "gain"], dtype=float)
    expected = undominated(points, ["time"], ["gain"])
    pd.testing.assert_frame_equal(
        pareto_front(points, minimize=["time"], maximize=["gain"]), expected
    )


@given(st.lists(st.tuples(values, values, values), max_size=40))
def test_the_front_of_three_columns_is_what_nothing_dominates(rows):
    points = pd.DataFrame(rows, columns=["time", "power", "gain"], dtype=float)
    expected = undominated(points, ["time", "power"], ["gain"])
    found = pareto_front(points, minimize=["time", "power"], maximize=["gain"])
    pd.testing.assert_frame_equal(found, expected)


def test_equal_points_both_stay():
    points = pd.DataFrame({"time": [1, 1, 2], "gain": [5, 5, 5]})
    assert pareto_front(points, minimize=["time"], maximize=["gain"]).index.tolist() == [0, 1]


def test_a_front_needs_a_column():
    with pytest.raises(ValueError, match="needs a column"):
        pareto_front(pd.DataFrame({"time": [1]}))


def test_throughput_grows_with_service_time_along_the_front(config, technology, workload):
    points = pd.concat(sweep(config, technology, workload, name) for name in ("bf16", "int8"))
    fronts = check_table(find_fronts(points), "pareto")
    assert set(fronts["encoding"]) == {"bf16", "int8"}
    for _, front in fronts.groupby("encoding"):
        front = front.sort_values("service_time_us")
        assert front["throughput_op_per_s"].is_monotonic_increasing
        assert len(front) > 3
