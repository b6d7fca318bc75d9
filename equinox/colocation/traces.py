"""Traces: recorded arrivals, read from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equinox.colocation.arrivals import TRACE_SUFFIXES, Trace


def read_trace(path: str | Path) -> Trace:
    """Return the Trace in the first column of the CSV (one header line) or Parquet file `path`.

    Times are numbers of seconds, or dates with time of day (ISO 8601).

    Raises:
        ValueError: the file cannot be read or has no row or no header line, or a row is not a
            time, or comes before the row above it.
    """
    column: Any = _first_column(Path(path))
    times, dated = _to_seconds(column)
    bad = np.flatnonzero(times.isna())
    if len(bad):
        value = column.iloc[bad[0]]
        what = "blank" if pd.isna(value) else repr(value)
        raise ValueError(f"trace {path}: row {bad[0] + 1} is {what}, not seconds or a date")
    bad = np.flatnonzero(times < 0)
    if len(bad) and not dated:  # dates count from the first, and may not come before it either
        raise ValueError(f"trace {path}: row {bad[0] + 1} is {times.iloc[bad[0]]}, before time 0")
    try:
        return Trace(recorded_s=times.to_numpy(np.float64))
    except ValueError as error:
        raise ValueError(f"trace {path}: {error}") from None


def _first_column(path: Path) -> Any:
    if path.suffix not in TRACE_SUFFIXES:
        raise ValueError(f"trace {path}: the suffix is {path.suffix!r}; use .csv or .parquet")
    try:
        frame = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(path, dtype=str, skip_blank_lines=False)
        )
    except (OSError, ValueError) as error:  # pandas' and Arrow's own among them
        raise ValueError(f"trace {path}: it cannot be read: {error}") from None
    if frame.empty:
        raise ValueError(f"trace {path}: no rows; it needs a column of times in seconds")
    name = frame.columns[0]
    has_digit = any(character.isdigit() for character in str(name))
    if path.suffix == ".csv" and has_digit and not _to_seconds(pd.Series([name]))[0].isna().any():
        raise ValueError(f"trace {path}: the first line, {name!r}, is a time; let it name columns")
    column = frame.iloc[:, 0]
    while path.suffix == ".csv" and len(column) > 1 and pd.isna(column.iloc[-1]):
        column = column.iloc[:-1]  # blank lines at the end
    return column


def _to_seconds(column: Any) -> tuple[Any, bool]:
    """Return times, NaN for what is none, and whether they are dates: seconds after the first."""
    dated = pd.api.types.is_datetime64_any_dtype(column)
    if not dated:
        times = pd.to_numeric(column, errors="coerce")
        if not times.isna().all():
            return times, False
    dates: Any = pd.to_datetime(column, errors="coerce", format="ISO8601")
    return (dates - dates.iloc[0]).dt.total_seconds(), True
