"""Arrival processes."""

import numpy as np
import pandas as pd
import pytest

from equinox.colocation import Poisson, Trace, read_trace


def test_poisson_has_the_mean_rate_and_exponential_gaps():
    times = Poisson().times_s(200_000, request_per_s=4.0, generator=np.random.default_rng(0))
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.25, rel=0.01)
    assert gaps.std() == pytest.approx(0.25, rel=0.02)


def test_a_trace_is_stretched_to_the_rate_and_keeps_its_shape():
    trace = Trace(recorded_s=np.array([10.0, 11.0, 14.0]))
    times = trace.times_s(6, request_per_s=1.0, generator=np.random.default_rng(0))
    # gaps 1 and 3, and their mean 2 where the trace repeats, each halved: mean rate 1
    assert sorted(np.diff(times, prepend=0).tolist()) == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]


def test_a_trace_is_read_from_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"time_s": [0.0, 0.5, 2.0]})
    frame.to_csv(tmp_path / "trace.csv", index=False)
    frame.to_parquet(tmp_path / "trace.parquet")
    for name in ("trace.csv", "trace.parquet"):
        assert read_trace(tmp_path / name).recorded_s.tolist() == [0.0, 0.5, 2.0]


def test_dates_are_times(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,tokens\n2023-11-16 18:17:03.5,1\n2023-11-16 18:17:05,2\n")
    assert read_trace(path).recorded_s.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_s\n0\nsoon\n", "row 2 is 'soon', not seconds or a date"),
        ("time_s\n0\n5\n4\n", "row 3 of the trace is 4.0, before row 2 at 5.0"),
        ("time_s\n", "no rows"),
        ("time_s\n1\n1\n", "a mean rate needs two rows"),
    ],
)
def test_a_bad_trace_is_an_error_that_names_the_row(tmp_path, text, message):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_trace(path)
