"""Latency statistics of a run and of independent replications; where the steady state begins."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Final, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

#: Quantiles of latency that are reported, by the name of their columns.
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
BATCHES: Final = 30
MSER_SIZE: Final = 5  # requests that are averaged before the transient is looked for
STUDENT_T: Final = 2.0452  # 97.5 % quantile of Student's t with BATCHES - 1 degrees of freedom


def summarize_latency(latency: NDArray[np.float64]) -> dict[str, float]:
    """Return mean, p50, p99 and p999 of `latency`, each with `_low` and `_high` 95 % bounds.

    `latency` is in the order of arrival. Consecutive requests are correlated, so bounds come from
    30 batches of consecutive requests: for the mean, batch means; for a quantile, the batch means
    of the indicator "not above the quantile", whose bounds p -+ t s / sqrt(30) are read off the
    order statistics. A p-quantile is the smallest value that at least a share p does not exceed.
    With fewer than 30 requests the bounds are minimum and maximum; with none all are NaN.

    Source: Law, Simulation Modeling and Analysis, chapter 9 (batch means); Woodruff, Confidence
    intervals for medians and other position measures, JASA 47 (1952).
    """
    names = ("mean", *QUANTILES)
    if not len(latency):
        return {f"{name}{end}": np.nan for name in names for end in ("", "_low", "_high")}
    ordered = np.sort(latency)
    mean = float(latency.mean())
    error = _standard_error(latency)
    found = {"mean": (mean, max(mean - STUDENT_T * error, ordered[0]), mean + STUDENT_T * error)}
    if not np.isfinite(error):
        found["mean"] = (mean, ordered[0], ordered[-1])
    for name, share in QUANTILES.items():
        value = _quantile(ordered, share)
        error = _standard_error((latency <= value).astype(np.float64))
        bounds = [_quantile(ordered, share + sign * STUDENT_T * error) for sign in (-1, 1)]
        found[name] = (value, min(bounds), max(bounds))
    return {
        f"{name}{end}": float(value)
        for name, values in found.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }


@final
@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean of independent replications with its confidence interval."""

    value: float
    low: float
    high: float
    replications: int
    tight: bool  # the interval is as tight as was asked for

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


def estimate(values: ArrayLike, *, confidence: float = 0.95, relative: float = np.inf) -> Estimate:
    """Return the mean of `values`, one a replication, with its Student-t confidence interval.

    `tight` if half the interval is at most `relative` of the mean's size; never with one value,
    whose interval is infinite.

    Raises:
        ValueError: there is no value, or `confidence` is not between 0 and 1.
    """
    found = np.asarray(values, np.float64)
    if len(found) == 0 or not 0 < confidence < 1:
        raise ValueError(
            f"{len(found)} values, confidence {confidence}; an estimate needs a value, and a "
            "confidence between 0 and 1"
        )
    mean, half = float(found.mean()), np.inf
    if len(found) > 1:
        student_t = stdtrit(len(found) - 1, (1 + confidence) / 2)
        half = float(student_t * found.std(ddof=1)) / sqrt(len(found))
    tight = half <= relative * abs(mean)
    return Estimate(
        value=mean, low=mean - half, high=mean + half, replications=len(found), tight=bool(tight)
    )


def replicate_until(
    measure: Callable[[int], float],
    *,
    relative: float,
    confidence: float = 0.95,
    least: int = 5,
    most: int = 100,
) -> Estimate:
    """Return the mean of `measure(seed)` over seeds 0, 1, 2, ..., as many as it takes.

    That is until half of the confidence interval is at most `relative` of the mean, at `least`
    and at `most` so many: then `tight` says whether it is. Stopping when the interval is tight
    makes it cover the truth a little less often than `confidence`; the larger `least`, the less.

    Raises:
        ValueError: `relative` is not positive, or not 2 <= `least` <= `most`.

    Source: Law, Simulation Modeling and Analysis, chapter 9 (sequential procedure).
    """
    if not (relative > 0 and 2 <= least <= most):
        raise ValueError(
            f"relative is {relative}, least is {least}, most is {most}; relative must be "
            "positive, least 2 or more, and most not below it"
        )
    values = [measure(seed) for seed in range(least)]
    found = estimate(values, confidence=confidence, relative=relative)
    while not found.tight and len(values) < most:
        values.append(measure(len(values)))
        found = estimate(values, confidence=confidence, relative=relative)
    return found


def transient_length(values: ArrayLike) -> int:
    """Return how many of `values`, in their order, to leave out as the initial transient.

    MSER-5: of means of five consecutive values, the first d are left out so that the standard
    error of the mean of those left is least; at most half of them, since the rule is blind
    towards the end of a run. 0 for fewer than 20 values.

    Source: White, Cobb and Spratt, A comparison of five steady-state truncation heuristics for
    simulation, Winter Simulation Conference 2000.
    """
    given = np.asarray(values, np.float64)
    size = len(given) // MSER_SIZE
    if size < 4:
        return 0
    means = given[: size * MSER_SIZE].reshape(size, MSER_SIZE).mean(axis=1)
    centered = (means - means.mean())[::-1]  # against loss of digits in the sums of squares
    left = np.arange(1, size + 1)
    squares = np.cumsum(centered**2) - np.cumsum(centered) ** 2 / left
    errors = (squares / left**2)[::-1]  # of the means from place d on
    return int(np.argmin(errors[: size // 2 + 1])) * MSER_SIZE


def _standard_error(values: NDArray[np.float64]) -> float:
    """Return the standard error of the mean of correlated `values`, by batch means."""
    size = len(values) // BATCHES
    if size == 0:
        return np.inf
    means = values[-size * BATCHES :].reshape(BATCHES, size).mean(axis=1)
    return float(means.std(ddof=1)) / sqrt(BATCHES)


def _quantile(ordered: NDArray[np.float64], share: float) -> float:
    """Return the `share` quantile of `ordered`; shares outside 0..1 are its ends."""
    rank = np.ceil(np.clip(share, 0.0, 1.0) * len(ordered) - 1e-9)  # 1e-9: 0.99 * 100 is above 99
    return float(ordered[int(max(rank - 1, 0))])
