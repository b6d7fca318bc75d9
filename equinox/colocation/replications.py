"""Operating points: the mean over independent replications, with its confidence interval."""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from equinox.tables import TABLES

ALONE: Final = "inference_only"  # the scheduling that tail latencies are compared with
_CONFIDENCE = 0.95
_WITH_INTERVAL = (
    *(f"{name}_latency_us" for name in ("mean", "p50", "p99", "p999")),
    "training_relative",
    "p99_increase",
)


def summarize_replications(
    colocation: pd.DataFrame, table: str = "operating_points"
) -> pd.DataFrame:
    """Return rows of `table`: those of `colocation` over their seeds, which its key leaves out.

    Seeds are independent replications, so the 95 % interval of a mean is Student's t; with one
    seed it is that of the run, or empty. A latency that is infinite in a replication is infinite,
    with the mean of what was measured as its lower bound. `p99_increase` is the p99 latency over
    that of inference alone with the same batching, load and seed, less 1; empty without the latter.
    """
    key = list(TABLES[table].key)
    rows = colocation.assign(p99_increase=_increase(colocation, key))
    groups = rows.groupby(key, sort=True, observed=True)
    means = groups.mean(numeric_only=True)
    count = groups.size()
    points = pd.DataFrame({"replications": count, "weights": groups["weights"].first()})
    deviation = groups[list(_WITH_INTERVAL)].std(ddof=1)
    student_t = pd.Series(stdtrit(count - 1, (1 + _CONFIDENCE) / 2), index=count.index)
    for name in _WITH_INTERVAL:
        half: pd.Series = deviation[name] * student_t / np.sqrt(count)
        low, high = means[name] - half, means[name] + half
        if f"{name}_low" in means:  # of one run, and of a queue that grows
            known = np.isfinite(half)
            low = low.where(known, means[f"{name}_low"])
            high = high.where(known, means[f"{name}_high"])
        points[name], points[f"{name}_low"], points[f"{name}_high"] = means[name], low, high
    points["training_relative_low"] = points["training_relative_low"].clip(lower=0)
    points["p99_increase_low"] = points["p99_increase_low"].clip(lower=-1)
    for name in (f"{name}_low" for name in _WITH_INTERVAL if name.endswith("_us")):
        points[name] = points[name].clip(lower=0)
    rest = [c.name for c in TABLES[table].columns if c.name in means]
    rest = [name for name in rest if name not in points]
    return points.join(means[rest]).reset_index()


def _increase(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    """Return p99 latency over that of inference alone at the same point, less 1."""
    same = [name for name in key if name != "scheduling"] + ["seed"]
    alone = rows[rows["scheduling"] == ALONE].set_index(same)["p99_latency_us"]
    if alone.empty:
        return pd.Series(np.nan, index=rows.index)
    reference = alone.reindex(pd.MultiIndex.from_frame(rows[same])).to_numpy()
    with np.errstate(invalid="ignore"):
        found: pd.Series = rows["p99_latency_us"] / reference - 1
    return found
