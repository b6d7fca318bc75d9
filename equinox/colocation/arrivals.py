"""Arrival processes: when requests come, in seconds.

An arrival process is a frozen class with `times_s`; a new one is one class.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Times = NDArray[np.float64]


class Arrivals(Protocol):
    """What `simulate` and the sweep need of an arrival process."""

    def times_s(self, count: int, *, request_per_s: float, generator: np.random.Generator) -> Times:
        """Return `count` arrival times in rising order at the mean rate `request_per_s`."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class Poisson:
    """Independent requests: exponential gaps."""

    def times_s(self, count: int, *, request_per_s: float, generator: np.random.Generator) -> Times:
        """Return `count` arrival times drawn from `generator`."""
        return generator.exponential(1 / request_per_s, count).cumsum()


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Recorded requests, stretched in time to the mean rate that is asked for.

    `recorded_s` holds the recorded times in rising order, at least two of them, not all equal.
    """

    recorded_s: Times

    def __post_init__(self) -> None:
        """Raise a ValueError that names the first bad row."""
        check_times(self.recorded_s, "the trace")
        if len(self.recorded_s) < 2 or self.recorded_s[0] == self.recorded_s[-1]:
            raise ValueError(
                f"the trace has {len(self.recorded_s)} rows at one time; a mean rate needs two "
                "rows at different times"
            )

    def times_s(self, count: int, *, request_per_s: float, generator: np.random.Generator) -> Times:
        """Return `count` times of the trace at mean rate `request_per_s`.

        The trace starts at a request drawn from `generator` and repeats from its start when it
        is used up, after one mean gap.
        """
        gaps = np.diff(self.recorded_s)
        gaps = np.append(gaps, gaps.mean()) / (gaps.mean() * request_per_s)
        return np.resize(np.roll(gaps, -int(generator.integers(len(gaps)))), count).cumsum()


def read_trace(path: str | Path) -> Trace:
    """Return the Trace in the first column of the CSV (one header line) or Parquet file `path`.

    Times are numbers of seconds, or dates with time of day (ISO 8601).

    Raises:
        ValueError: the file has no row, or a row is not a time, or comes before the row above it.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix == ".csv":
        frame = pd.read_csv(path, dtype=str)
    else:
        raise ValueError(f"trace {path}: the suffix is {path.suffix!r}; use .csv or .parquet")
    if frame.empty:
        raise ValueError(f"trace {path}: no rows; it needs a column of times in seconds")
    times: Any = pd.to_numeric(frame.iloc[:, 0], errors="coerce")
    if times.isna().all():
        dates = pd.to_datetime(frame.iloc[:, 0], errors="coerce", format="ISO8601")
        times = (dates - dates.iloc[0]).dt.total_seconds()
    bad = np.flatnonzero(times.isna())
    if len(bad):
        value = frame.iloc[bad[0], 0]
        raise ValueError(f"trace {path}: row {bad[0] + 1} is {value!r}, not seconds or a date")
    try:
        return Trace(recorded_s=times.to_numpy(np.float64))
    except ValueError as error:
        raise ValueError(f"trace {path}: {error}") from None


def check_times(times: NDArray[Any], what: str) -> None:
    """Raise a ValueError unless `times` is one column of finite values in rising order."""
    if times.ndim != 1:
        raise ValueError(f"{what} has {times.ndim} dimensions; give one column of times")
    bad = np.flatnonzero(~np.isfinite(times))
    if len(bad):
        raise ValueError(f"row {bad[0] + 1} of {what} is {times[bad[0]]}; times must be finite")
    bad = np.flatnonzero(np.diff(times) < 0) + 1
    if len(bad):
        row = bad[0]
        raise ValueError(
            f"row {row + 1} of {what} is {times[row]}, before row {row} at {times[row - 1]}; "
            "sort the times"
        )
