"""What a claim is measured by, and the register of these functions by claim."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd
from scipy import stats

Tables = Mapping[str, pd.DataFrame]

PERCENT = 100.0
TRAINING_DESIGN = "500us"  # the design that the paper trains on
TRAINING_SERVICE = "lstm_2048_25"  # and the inference service beside it
HBFP = "hbfp8_16"


class NotComputedError(ValueError):
    """The tables of this scale do not hold what a claim is computed from."""


@final
@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A value with its interval (NaN where there is none), in the unit of its claim."""

    value: float
    low: float = np.nan
    high: float = np.nan
    table: str
    how: str

    def scaled(self, factor: float) -> "Measurement":
        """Return the measurement in a unit that is `factor` times smaller."""
        value, low, high = (factor * end for end in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)


Measure = Callable[[Tables], Measurement]
MEASURES: dict[str, Measure] = {}


def measures(claim_id: str) -> Callable[[Measure], Measure]:
    """Register a function as the one that measures `claim_id`."""

    def register(function: Measure) -> Measure:
        MEASURES[claim_id] = function
        return function

    return register


def mean_interval(values: pd.Series, *, table: str, how: str) -> Measurement:
    """Return the mean of independent `values` with its 95 % confidence interval (Student's t)."""
    mean, n = float(values.mean()), len(values)
    if n < 2 or not np.isfinite(mean):
        return Measurement(value=mean, table=table, how=how)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Measurement(value=mean, low=mean - half, high=mean + half, table=table, how=how)
