"""Traces in files."""

import numpy as np
import pandas as pd
import pytest

from equinox.colocation import read_trace


def test_a_trace_is_read_from_csv_and_parquet(tmp_path):
    frame = pd.DataFrame({"time_s": [0.0, 0.5, 2.0]})
    frame.to_csv(tmp_path / "trace.csv", index=False)
    frame.to_parquet(tmp_path / "trace.parquet")
    for name in ("trace.csv", "trace.parquet"):
        assert read_trace(tmp_path / name).recorded_s.tolist() == [0.0, 0.5, 2.0]


def test_parquet_may_hold_dates(tmp_path):
    dates = pd.to_datetime(["2023-11-16 18:17:03.5", "2023-11-16 18:17:05.0"])
    for zone in (None, "UTC"):
        pd.DataFrame({"time": dates.tz_localize(zone)}).to_parquet(tmp_path / "trace.parquet")
        assert read_trace(tmp_path / "trace.parquet").recorded_s.tolist() == [0.0, 1.5]


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
        ("time_s\n-1\n0\n", "row 1 is -1, before time 0"),
        ('time_s\n0\n""\n5\n', "row 2 is blank, not seconds or a date"),
        ("time_s\n0\n\n5\n", "row 2 is blank, not seconds or a date"),
        ("0\n1\n2\n", "the first line, '0', is a time"),
        ("2023-11-16 18:17:03\n2023-11-16 18:17:05\n", "the first line, .* is a time"),
        ("", "trace .*trace.csv: it cannot be read: No columns"),
        ("t\n2023-11-16 18:17:03\nsoon\n", "row 2 is 'soon', not seconds or a date"),
        (
            "t\n2023-11-16 18:17:03\n2023-11-16 18:17:02\n",
            "row 2 of the trace is -1.0, before row 1",
        ),
    ],
)
def test_a_bad_trace_is_an_error_that_names_the_row(tmp_path, text, message):
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_trace(path)


def test_blank_lines_may_end_a_trace(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("time_s\n0\n5\n\n\n")
    assert read_trace(path).recorded_s.tolist() == [0, 5]


def test_a_damaged_trace_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "trace.parquet"
    pd.DataFrame({"time_s": np.arange(1000.0)}).to_parquet(path)
    whole = path.read_bytes()
    half = bytes(len(whole) // 2 - 4) + whole[len(whole) // 2 - 4 :]
    for damaged in (b"no", half, whole[:-20] + bytes(20)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"trace .*trace\.parquet: it cannot be read"):
            read_trace(path)
    path.unlink()
    with pytest.raises(ValueError, match=r"trace .*trace\.parquet: it cannot be read"):
        read_trace(path)
