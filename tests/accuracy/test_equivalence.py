"""Tests of equivalence against scipy, a worked example, and their own definition."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from equinox.accuracy.equivalence import ALPHA, compare, equivalence_table
from equinox.tables import check_table, read_table, write_table

MARGINS = {"error": 0.005, "perplexity": 0.02}
differences = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=3, max_size=8).filter(
    lambda values: np.std(values) > 1e-3
)


def test_a_worked_example():
    # Mean 2, deviation 1, n = 4: error 0.5, t(0.95, 3) = 2.3534, so 2 +- 1.1767.
    found = compare(np.array([1.0, 2.0, 2.0, 3.0]), 4.0)
    error = np.sqrt(2 / 3) / 2
    assert found.difference == 2
    assert found.high - 2 == pytest.approx(2.353363 * error, rel=1e-6)
    assert found.p_value == pytest.approx(stats.t.sf(2 / error, 3))
    assert found.outcome == "equivalent"


@given(differences, st.floats(0.01, 2))
def test_tests_are_those_of_scipy(values, margin):
    found = compare(np.array(values), margin)
    above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(values, margin, alternative="less").pvalue
    assert found.p_value == pytest.approx(max(above, below), rel=1e-6, abs=1e-12)
    interval = stats.ttest_1samp(values, 0).confidence_interval(1 - 2 * ALPHA)
    assert (found.low, found.high) == pytest.approx(tuple(interval), rel=1e-9, abs=1e-12)


@given(differences, st.floats(0.01, 2))
def test_equivalent_is_an_interval_within_the_margin(values, margin):
    found = compare(np.array(values), margin)
    inside = -margin < found.low and found.high < margin
    assert (found.outcome == "equivalent") == inside
    if found.outcome == "different":
        assert found.low > 0 or found.high < 0


@given(differences, st.floats(0.01, 2))
def test_better_and_worse_are_judged_alike(values, margin):
    one, other = compare(np.array(values), margin), compare(-np.array(values), margin)
    assert one.outcome == other.outcome
    assert one.p_value == pytest.approx(other.p_value, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([0.0, 0.0, 0.0], "equivalent"),  # no spread at all
        ([2.0, 2.0], "different"),
        ([0.01], "inconclusive"),  # one pair says nothing of its spread
        ([], "inconclusive"),
        ([0.01, np.inf, 0.01], "different"),  # a run diverged
        ([0.01, np.nan, 0.01], "inconclusive"),  # the run of fp32 diverged
        ([-3.0, 3.0, 1.0], "inconclusive"),
    ],
)
def test_corners(values, outcome):
    assert compare(np.array(values), 1.0).outcome == outcome


def test_the_error_of_the_first_kind_is_as_stated():
    # At the margin itself, equivalence may be found in 5 % of studies: 3 deviations of 4000.
    generator = np.random.default_rng(0)
    found = [compare(generator.normal(1.0, 0.2, 4), 1.0).outcome for _ in range(4000)]
    assert found.count("equivalent") / 4000 == pytest.approx(ALPHA, abs=0.0104)


def accuracy(
    values: dict[str, list[float]], *, task: str = "cnn", metric: str = "error"
) -> pd.DataFrame:
    """Return a study of two epochs, whose last one has `values` by encoding, one a seed."""
    rows = [
        {"task": task, "dataset": "images", "encoding": encoding, "seed": seed, "epoch": epoch}
        | {"mantissa_bits": 8, "exponent_bits": 10, "tile": "24x24", "blocks": "sample"}
        | {"storage_bits": 16, "gradient_rounding": "stochastic", "storage_rounding": "nearest"}
        | {"metric": metric, "value": value if epoch == 2 else 9.0, "train_loss": 1.0}
        | {"status": "ok" if np.isfinite(value) or epoch == 1 else "diverged"}
        for encoding, by_seed in values.items()
        for seed, value in enumerate(by_seed)
        for epoch in (1, 2)
    ]
    return check_table(pd.DataFrame(rows), "accuracy")


def test_pairs_have_the_same_seed_and_the_last_epoch():
    study = accuracy({"fp32": [0.1, 0.2, 0.3], "hbfp8_16": [0.101, 0.203]})
    (row,) = equivalence_table(study, MARGINS).to_dict("records")
    assert row["seeds"] == 2
    assert row["difference"] == pytest.approx(0.002)
    assert row["fp32_value"] == pytest.approx(0.15)


def test_perplexities_differ_by_a_share():
    study = accuracy({"fp32": [50.0, 100.0], "hbfp8_16": [51.0, 102.0]}, metric="perplexity")
    (row,) = equivalence_table(study, MARGINS).to_dict("records")
    assert row["difference"] == pytest.approx(0.02)
    assert row["margin"] == 0.02


def test_diverged_runs_are_counted_and_decide():
    study = accuracy({"fp32": [0.1, 0.1, 0.1], "bfp8": [0.1, np.nan, 0.1]})
    (row,) = check_table(equivalence_table(study, MARGINS), "equivalence").to_dict("records")
    assert (row["seeds"], row["diverged"], row["outcome"]) == (3, 1, "different")
    assert np.isnan(row["difference"])
    assert row["value"] == pytest.approx(0.1)


def test_a_task_without_fp32_has_no_row():
    table = equivalence_table(accuracy({"hbfp8_16": [0.1, 0.2]}), MARGINS)
    assert len(check_table(table, "equivalence")) == 0


def test_a_metric_without_a_margin_is_an_error():
    with pytest.raises(ValueError, match=r"'error' has no margin; set training.margins.error"):
        equivalence_table(accuracy({"fp32": [0.1]}), {"perplexity": 0.02})


def test_the_command_writes_the_table(tmp_path):
    write_table(accuracy({"fp32": [0.1, 0.2], "hbfp8_16": [0.1, 0.2]}), "accuracy", tmp_path / "a")
    arguments = ["--accuracy", tmp_path / "a", "--margins", json.dumps(MARGINS)]
    subprocess.run(
        [sys.executable, "-m", "equinox.accuracy", *arguments, "--output", tmp_path / "e"],
        check=True,
    )
    table = read_table("equivalence", tmp_path / "e")
    assert table["outcome"].tolist() == ["equivalent"]
