"""Is an encoding equivalent to FP32? Paired by seed, with two one-sided tests.

The difference d of a run is its final metric less that of FP32 from the same seed, which has the
same initial weights, order of data and dropped units. Of perplexities, it is a share of FP32's.
With margin m, two t-tests at level `ALPHA` ask whether the mean difference is above -m, and whether
it is below m; both say yes if and only if its 1 - 2 `ALPHA` confidence interval lies in (-m, m).

Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach",
J. Pharmacokinetics and Biopharmaceutics 15, 1987; outcomes as in Lakens, "Equivalence Tests",
Social Psychological and Personality Science 8, 2017.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05
REFERENCE = "fp32"
RELATIVE_METRICS = frozenset({"perplexity"})

Outcome = Literal["equivalent", "different", "inconclusive"]

_DESCRIPTION = (
    *("task", "dataset", "encoding", "metric", "mantissa_bits", "exponent_bits", "tile", "blocks"),
    *("storage_bits", "gradient_rounding", "storage_rounding"),
)


@final
@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The mean of paired differences with its interval, and what the tests say.

    `low` and `high` are NaN for one pair; all numbers are NaN where a run diverged.
    """

    difference: float
    low: float
    high: float
    p_value: float  # of the two one-sided tests: the larger one
    outcome: Outcome


def compare(differences: NDArray[np.float64], margin: float) -> Comparison:
    """Return what paired `differences` to FP32 say, of which a diverged run is infinite.

    - equivalent: both one-sided tests reject at level `ALPHA`: the interval lies in ±`margin`;
    - different: not equivalent, and the interval excludes zero, or a run diverged where FP32's did
      not;
    - inconclusive: neither, or there is one pair, or FP32's run diverged (NaN).
    """
    if np.isnan(differences).any() or not len(differences):
        return _undecided("inconclusive")
    if np.isinf(differences).any():
        return _undecided("different")
    n, mean = len(differences), float(differences.mean())
    if n < 2:
        return Comparison(
            difference=mean, low=np.nan, high=np.nan, p_value=np.nan, outcome="inconclusive"
        )
    error = float(differences.std(ddof=1)) / np.sqrt(n)
    half = float(stats.t.ppf(1 - ALPHA, n - 1)) * error
    p_value = _p_value(margin - abs(mean), error, n - 1)
    outcome: Outcome = "inconclusive"
    if p_value < ALPHA:
        outcome = "equivalent"
    elif abs(mean) > half:
        outcome = "different"
    return Comparison(
        difference=mean, low=mean - half, high=mean + half, p_value=p_value, outcome=outcome
    )


def equivalence_table(accuracy: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Return table `equivalence`: each encoding of each task against FP32.

    Tasks without FP32 have no rows, encodings no pairs of seeds that FP32 lacks.

    Args:
        accuracy: Table `accuracy`.
        margins: By metric, the largest difference that does not matter; of perplexity as a share.

    Raises:
        ValueError: a metric has no margin.
    """
    unknown = sorted(set(accuracy["metric"]) - set(margins))
    if unknown:
        raise ValueError(
            f"metric {unknown[0]!r} has no margin; set training.margins.{unknown[0]} to the "
            "difference to fp32 that does not matter"
        )
    last = accuracy[accuracy["epoch"] == accuracy.groupby("task")["epoch"].transform("max")]
    rows = []
    for _, of_task in last.groupby("task"):
        reference = _final_values(of_task[of_task["encoding"] == REFERENCE])
        for name, of_encoding in of_task.groupby("encoding"):
            if name != REFERENCE and len(reference):
                margin = margins[str(of_encoding["metric"].iloc[0])]
                rows.append(_row(of_encoding, reference, margin))
    names = [*_DESCRIPTION, *_RESULTS]
    return pd.DataFrame(rows, columns=names)


_RESULTS = (
    *("seeds", "diverged", "value", "fp32_value", "difference", "low", "high", "margin"),
    *("p_value", "outcome"),
)


def _row(runs: pd.DataFrame, reference: pd.Series, margin: float) -> dict[str, object]:
    ours, theirs = _final_values(runs).align(reference, join="inner")
    differences = differences_of(ours, theirs, str(runs["metric"].iloc[0]))
    description = {name: runs[name].iloc[0] for name in _DESCRIPTION}
    return {
        **description,
        "seeds": len(ours),
        "diverged": int(np.isinf(ours).sum()),
        "value": _finite_mean(ours),
        "fp32_value": _finite_mean(theirs),
        "margin": margin,
        **vars(compare(differences.to_numpy(), margin)),
    }


def differences_of(ours: pd.Series, theirs: pd.Series, metric: str) -> pd.Series:
    """Return the paired differences of `metric`, as a share of `theirs` where it is relative.

    Where `theirs` diverged, that is, is infinite, it is NaN.
    """
    theirs = theirs.where(np.isfinite(theirs))
    difference = ours - theirs
    return difference / theirs if metric in RELATIVE_METRICS else difference


def _final_values(last: pd.DataFrame) -> pd.Series:
    """Return the metric by seed, infinite for a diverged run."""
    by_seed = last.set_index("seed").sort_index()
    values: pd.Series = by_seed["value"].where(by_seed["status"] == "ok", np.inf)
    return values


def _finite_mean(values: pd.Series) -> float:
    return float(values[np.isfinite(values)].mean())


def _p_value(slack: float, error: float, freedom: int) -> float:
    """Return the larger p-value of the two tests; `slack` is the margin less the distance."""
    if error == 0:
        return 0.0 if slack > 0 else 1.0
    return float(stats.t.sf(slack / error, freedom))


def _undecided(outcome: Outcome) -> Comparison:
    return Comparison(difference=np.nan, low=np.nan, high=np.nan, p_value=np.nan, outcome=outcome)
