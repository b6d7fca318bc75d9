"""Which rows a figure shows, on tables small enough to check by eye."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from equinox.figures import experiment_accuracy
from equinox.figures._select import (
    final_epochs,
    mean_intervals,
    named_limits_us,
    of_several_tasks,
    operating_points,
    over_seeds,
    with_interval,
)
from tests.figures._tables import random_table


def test_encodings_of_one_task_alone_are_left_out_unless_all_are() -> None:
    rows = pd.DataFrame({"task": ["a", "b", "a"], "encoding": ["x", "x", "y"]})
    assert of_several_tasks(rows)["encoding"].tolist() == ["x", "x"]
    alone = rows[rows["task"] == "a"]
    assert of_several_tasks(alone)["encoding"].tolist() == ["x", "y"]


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    rows = pd.DataFrame({"epoch": [1, 1, 1, 2], "value": [1.0, 2.0, 3.0, 5.0]})
    found = mean_intervals(rows, "epoch", "value")
    half = 2.919986 / np.sqrt(3)  # t(0.95, 2) times a deviation of 1
    assert found.loc[1].to_list() == pytest.approx([2.0, 2.0 - half, 2.0 + half])
    assert found.loc[2].to_list() == [5.0, 5.0, 5.0]


def test_the_last_row_of_a_run_is_its_latest_epoch_even_if_it_diverged() -> None:
    final = final_epochs(random_table("accuracy"))
    assert set(final["epoch"]) == {3}
    assert set(final.loc[final["status"] == "diverged", "encoding"]) == {"bfp8"}


def test_the_interval_is_the_range_of_seeds() -> None:
    rows = pd.DataFrame({"load": [0.5] * 3, "seed": [0, 1, 2], "x": [1.0, 2.0, 6.0]})
    assert over_seeds(rows, "load", "x", scale=10).loc[0.5].to_dict() == {
        "mean": 30.0,
        "low": 10.0,
        "high": 60.0,
    }


def test_a_single_seed_has_the_interval_of_its_own_bounds() -> None:
    rows = pd.DataFrame({"load": [0.5], "seed": [0], "x": [2.0], "x_low": [1.0], "x_high": [4.0]})
    assert over_seeds(rows, "load", "x").loc[0.5].to_list() == [2.0, 1.0, 4.0]


def test_rows_without_a_value_are_left_out() -> None:
    rows = pd.DataFrame({"load": [0.5, 0.6], "seed": [0, 0], "x": [2.0, np.nan]})
    assert over_seeds(rows, "load", "x").index.to_list() == [0.5]


def test_the_interval_of_an_operating_point_is_in_its_columns() -> None:
    points = pd.DataFrame({"load": [0.6, 0.5, 0.7], "x": [2.0, 1.0, np.inf]})
    points["x_low"], points["x_high"] = [1.5, np.nan, 2.0], [3.0, np.nan, np.inf]
    found = with_interval(points, "load", "x", scale=10)
    assert found.loc[0.6].to_list() == [20.0, 15.0, 30.0]
    assert found.loc[0.5].to_list() == [10.0, 10.0, 10.0]
    assert found.index.to_list() == [0.5, 0.6]


def test_an_operating_point_is_of_one_study() -> None:
    points = random_table("operating_points")
    few = points.head(3).assign(workload="another")
    rows = operating_points(pd.concat([points, few]), design="500us")
    assert set(rows["design"]) == {"500us"}
    assert set(rows["batching"]) == {"adaptive"}
    assert set(rows["workload"]) == {"lstm_2048_25"}
    assert "priority" in set(rows["scheduling"])


def test_a_missing_design_is_named_beside_those_that_exist() -> None:
    points = random_table("operating_points").query("design == '50us'")
    with pytest.raises(ValueError, match=r"table operating_points .* design 500us \(it has 50us\)"):
        operating_points(points, design="500us")


def test_limits_come_from_the_names_of_designs() -> None:
    assert named_limits_us(pd.Series(["500us", "min_latency", "50us"])) == {
        "500us": 500.0,
        "50us": 50.0,
    }


def compared(tasks: int, encodings: int, **changes: float) -> pd.DataFrame:
    """A table accuracy_comparison in which `changes` of an encoding's difference are all."""
    names = [f"e{number:02}" for number in range(encodings)]
    usual = {"dataset": "d", "metric": "error", "margin": 0.005, "seeds": 3, "diverged": 0}
    rows = [
        {"experiment": name, "task": f"t{task}", "encoding": encoding, **usual}
        | {"difference": 0.001 + (changes.get(encoding, 0.0) if "@" in name else 0.0)}
        for name in ("default", "default@mine")
        for task in range(tasks)
        for encoding in names
    ]
    frame = pd.DataFrame(rows)
    ends = {"low": frame["difference"] - 0.001, "high": frame["difference"] + 0.001}
    return frame.assign(**ends, outcome="equivalent")


def rows_of(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_an_experiment_shows_the_encodings_that_it_changes() -> None:
    assert rows_of(experiment_accuracy.plot({}, compared(2, 30, e07=0.001, e21=-0.002))) == [
        "e07",
        "e21",
    ]
    missing = compared(1, 4).drop(index=2)  # of the scale
    assert rows_of(experiment_accuracy.plot({}, missing)) == ["e02"]


def test_an_experiment_that_changes_everything_shows_what_it_changes_most_on_a_page() -> None:
    changes = {f"e{number:02}": 0.0001 * (number + 1) for number in range(47)}
    figure = experiment_accuracy.plot({}, compared(6, 47, **changes))
    assert rows_of(figure) == [f"e{number}" for number in range(33, 47)]
    assert figure.get_figheight() < 10
    assert len([axes for axes in figure.axes if axes.get_visible()]) == 6
