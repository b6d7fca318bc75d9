"""Latency statistics of one run, with confidence bounds from within the run."""

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Quantiles of latency that are reported, by the name of their columns.
QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
BATCHES: Final = 30
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
