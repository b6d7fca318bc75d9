"""Arrival processes: when requests come, in seconds.

An arrival process is a frozen class with `blocks_s`; a new one is one class.
"""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import gamma
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

BISECTIONS: Final = 60  # halve an interval down to the precision of a float
BLOCK: Final = 16_384  # requests that are drawn at once; a few such arrays stay in a core's cache


class Arrivals(abc.ABC):
    """When requests come: drawn from a `generator`, at the mean rate `request_per_s`."""

    @abc.abstractmethod
    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of arrival times, rising from 0 on, without an end."""

    def times_s(self, count: int, *, request_per_s: float, generator: np.random.Generator) -> Times:
        """Return the first `count` arrival times."""
        return np.concatenate(
            [
                np.empty(0),
                *take(self.blocks_s(request_per_s=request_per_s, generator=generator), count),
            ]
        )


def take(blocks: Iterator[Times], count: int) -> Iterator[Times]:
    """Return the first `count` times of `blocks`, in blocks."""
    while count > 0:
        block = next(blocks)[:count]
        count -= len(block)
        yield block


def take_until(blocks: Iterator[Times], end_s: float) -> Times:
    """Return the times of `blocks`, which rise, up to `end_s`."""
    taken = [next(blocks)]
    while taken[-1][-1] <= end_s:
        taken.append(next(blocks))
    times = np.concatenate(taken)
    return times[: np.searchsorted(times, end_s, side="right")]


def mark_last(blocks: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], bool]]:
    """Return each of `blocks`, and whether it is the last."""
    rest = iter(blocks)
    block = next(rest, None)
    while block is not None:
        following = next(rest, None)
        yield block, following is None
        block = following


def _add_up(draw: Callable[[], Times]) -> Iterator[Times]:
    """Return times whose gaps are `draw()`, block by block."""
    last = 0.0
    while True:
        gaps = draw()
        gaps[0] += last
        times = gaps.cumsum()
        last = times[-1]
        yield times


@final
@dataclass(frozen=True, kw_only=True)
class Poisson(Arrivals):
    """Independent requests: exponential gaps."""

    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of arrival times."""
        return _add_up(lambda: generator.exponential(1 / request_per_s, BLOCK))


@final
@dataclass(frozen=True, kw_only=True)
class Renewal(Arrivals):
    """Independent gaps of a squared coefficient of variation `gap_scv` (Poisson: 1).

    `shape` is "gamma" or "weibull"; both are exponential at a `gap_scv` of 1.
    """

    shape: Literal["gamma", "weibull"]
    gap_scv: float

    def __post_init__(self) -> None:
        """Raise a ValueError if there is no such process."""
        if self.shape not in ("gamma", "weibull"):
            raise ValueError(f"shape is {self.shape!r}; choose gamma or weibull")
        if not 0.001 <= self.gap_scv <= 1000:
            raise ValueError(f"gap_scv is {self.gap_scv}; it must be from 0.001 to 1000")

    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of arrival times."""
        if self.shape == "gamma":
            scale = self.gap_scv / request_per_s
            return _add_up(lambda: generator.gamma(1 / self.gap_scv, scale, BLOCK))
        form = weibull_form(self.gap_scv)
        scale = 1 / (gamma(1 + 1 / form) * request_per_s)
        return _add_up(lambda: scale * generator.weibull(form, BLOCK))


@final
@dataclass(frozen=True, kw_only=True)
class Modulated(Arrivals):
    """Poisson requests whose rate switches between two levels: bursts and calm.

    In a burst the rate is `burst_factor` times that of calm. Both last exponential times of
    `burst_requests` requests on average at the mean rate for bursts, and as much longer for calm
    as makes bursts a share `burst_share` of time (a two-state Markov-modulated Poisson process).

    Source: Fischer and Meier-Hellstern, The Markov-modulated Poisson process cookbook, Performance
    Evaluation 18 (1993).
    """

    burst_factor: float
    burst_share: float
    burst_requests: float

    def __post_init__(self) -> None:
        """Raise a ValueError if a parameter is out of range."""
        if not (self.burst_factor >= 1 and 0 < self.burst_share < 1 and self.burst_requests > 0):
            raise ValueError(
                f"{self}: burst_factor must be 1 or more, burst_share between 0 and 1, "
                "burst_requests above 0"
            )

    @property
    def gap_scv(self) -> float:
        """Squared coefficient of variation of the gaps, at any mean rate."""
        high, low, to_calm, to_burst = self._rates()
        share = np.array([self.burst_share * high, (1 - self.burst_share) * low])  # of arrivals
        leave = np.array([[high + to_calm, -to_calm], [-to_burst, low + to_burst]])
        once = np.linalg.solve(leave, np.ones(2))
        mean, second = share @ once, 2 * share @ np.linalg.solve(leave, once)
        return float(second / mean**2 - 1)

    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of arrival times; the first level is a steady one."""
        high, low, to_calm, to_burst = self._rates()
        first = bool(generator.random() < self.burst_share)
        means = np.array([1 / to_calm, 1 / to_burst] if first else [1 / to_burst, 1 / to_calm])
        rates = np.array([high, low] if first else [low, high])
        pairs = int(BLOCK / means.sum()) + 16
        edges, levels = np.zeros(1), np.zeros(1)
        # Arrivals are a Poisson process of rate 1 in a time that runs as fast as the rate.
        for operational in _add_up(lambda: generator.exponential(1.0, BLOCK)):
            while levels[-1] < operational[-1]:
                spans = generator.exponential(1.0, (pairs, 2)) * means
                edges = np.append(edges, edges[-1] + spans.ravel().cumsum())
                levels = np.append(levels, levels[-1] + (spans * rates).ravel().cumsum())
            yield np.interp(operational, levels, edges) / request_per_s
            past = np.searchsorted(levels, operational[-1]) - 1
            edges, levels = edges[past:], levels[past:]

    def _rates(self) -> tuple[float, float, float, float]:
        """Return the rates of bursts, of calm, and of leaving each, at a mean rate of 1."""
        low = 1 / (1 + self.burst_share * (self.burst_factor - 1))
        to_calm = 1 / self.burst_requests
        to_burst = to_calm * self.burst_share / (1 - self.burst_share)
        return self.burst_factor * low, low, to_calm, to_burst


@final
@dataclass(frozen=True, kw_only=True)
class Diurnal(Arrivals):
    """Poisson requests whose rate follows 1 - a cos(2 pi t / day_s), a = (r - 1) / (r + 1).

    `peak_to_trough` is the ratio r of the highest to the lowest rate.
    """

    peak_to_trough: float
    day_s: float = 86_400.0

    def __post_init__(self) -> None:
        """Raise a ValueError if a parameter is out of range."""
        if not (self.peak_to_trough >= 1 and self.day_s > 0):
            raise ValueError(f"{self}: peak_to_trough must be 1 or more, day_s above 0")

    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of arrival times, from the trough at time 0 on."""
        swing = (self.peak_to_trough - 1) / (self.peak_to_trough + 1)
        # The integral of the rate, t - (a / turn) sin(turn t), inverted by bisection.
        turn, last = 2 * np.pi / self.day_s, 0.0
        for operational in _add_up(lambda: generator.exponential(1 / request_per_s, BLOCK)):
            low, high = operational - swing / turn, operational + swing / turn
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                early = middle - swing / turn * np.sin(turn * middle) < operational
                low, high = np.where(early, middle, low), np.where(early, high, middle)
            times = np.maximum(np.maximum.accumulate(low), last)
            last = times[-1]
            yield times


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Trace(Arrivals):
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

    def blocks_s(self, *, request_per_s: float, generator: np.random.Generator) -> Iterator[Times]:
        """Return blocks of the times of the trace.

        The trace starts at a request drawn from `generator` and repeats from its start when it
        is used up, after one mean gap.
        """
        gaps = np.diff(self.recorded_s)
        gaps = np.append(gaps, gaps.mean()) / (gaps.mean() * request_per_s)
        gaps = np.roll(gaps, -int(generator.integers(len(gaps))))
        return _add_up(lambda: np.tile(gaps, -(-BLOCK // len(gaps))))


TRACE_SUFFIXES: Final = (".csv", ".parquet")

#: Processes by the start of their name in a config; see `make_arrivals`. A new one is one entry.
PROCESSES: Mapping[str, tuple[int, Callable[..., Arrivals]]] = {
    "poisson": (0, Poisson),
    "gamma": (1, lambda scv: Renewal(shape="gamma", gap_scv=scv)),
    "weibull": (1, lambda scv: Renewal(shape="weibull", gap_scv=scv)),
    "modulated": (
        3,
        lambda factor, share, requests: Modulated(
            burst_factor=factor, burst_share=share, burst_requests=requests
        ),
    ),
    "diurnal": (2, lambda ratio, day_s: Diurnal(peak_to_trough=ratio, day_s=day_s)),
}


def make_arrivals(name: str) -> Arrivals:
    """Return the arrival process called `name`.

    "poisson"; "gamma:4" and "weibull:4" (squared coefficient of variation of the gaps);
    "modulated:10:0.1:500" (`burst_factor`, `burst_share`, `burst_requests`); "diurnal:4:86400"
    (`peak_to_trough`, `day_s`); or the path of a trace, .csv or .parquet.

    Raises:
        ValueError: the name, the number of parameters, a parameter or the trace is wrong.
    """
    if Path(name).suffix in TRACE_SUFFIXES:
        from equinox.colocation.traces import read_trace  # pandas takes long to import

        return read_trace(name)
    kind, *texts = name.split(":")
    if kind not in PROCESSES:
        known = ", ".join(PROCESSES)
        raise ValueError(f"arrivals is {name!r}; processes are {known}, or a .csv or .parquet file")
    count, make = PROCESSES[kind]
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        raise ValueError(f"arrivals is {name!r}; its parameters must be numbers") from None
    if len(numbers) != count:
        shape = ":".join([kind, *["NUMBER"] * count])
        raise ValueError(f"arrivals is {name!r}; it must be {shape}")
    return make(*numbers)


def weibull_form(gap_scv: float) -> float:
    """Return the shape parameter of a Weibull distribution with this scv, by bisection."""
    low, high = 0.05, 100.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        scv = gamma(1 + 2 / middle) / gamma(1 + 1 / middle) ** 2 - 1
        low, high = (middle, high) if scv > gap_scv else (low, middle)
    return (low + high) / 2


def check_times(times: NDArray[Any], what: str) -> None:
    """Raise a ValueError unless `times` is one column of finite values in rising order."""
    if times.ndim != 1:
        raise ValueError(f"{what} has {times.ndim} dimensions; give one column of times")
    # No array as long as `times` but one of truths: memory costs more than the comparison.
    if (times[1:] >= times[:-1]).all() and np.isfinite(times[[0, -1] if len(times) else []]).all():
        return
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
