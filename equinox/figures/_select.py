"""Which rows of a table a figure shows."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

REFERENCE_DESIGN = "500us"  # the design that the published results are about
REFERENCE_ENCODING = "hbfp8_16"  # and its encoding
REFERENCE_BATCHING = "adaptive"
REFERENCE_WORKLOAD = "lstm_2048_25"  # the service of the published results
REFERENCE_ORDER = "listed"  # of services that share an accelerator


def require(frame: pd.DataFrame, table: str, what: str) -> pd.DataFrame:
    """Return `frame`.

    Raises:
        ValueError: it has no row; the message names the table and what is missing.
    """
    if frame.empty:
        raise ValueError(f"table {table} has no row of {what}: no run in the config is one")
    return frame


def most_frequent(values: pd.Series) -> str:
    """Return the value that occurs most often, the first in the alphabet among equals."""
    counts = values.value_counts()
    return str(min(counts[counts == counts.max()].index))


def final_epochs(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of every run: a diverged run ends where it diverged."""
    last = accuracy.groupby(["task", "encoding", "seed"])["epoch"].idxmax()
    return accuracy.loc[last].reset_index(drop=True)


def of_several_tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of encodings that more than one task was trained in, if there are any.

    What one task alone was trained in is part of a sweep; other figures show it.
    """
    tasks = rows.groupby("encoding")["task"].transform("nunique")
    return rows[tasks > 1] if (tasks > 1).any() else rows


def mean_intervals(rows: pd.DataFrame, by: str, value: str, *, scale: float = 1.0) -> pd.DataFrame:
    """Return mean, low and high of `value` for each `by`: its 90 % confidence interval.

    The interval is Student's; with one value it is that value. Rows without a value are left out.
    """
    groups = rows.dropna(subset=[value]).groupby(by)[value]
    n, mean = groups.count(), groups.mean()
    half = stats.t.ppf(0.95, (n - 1).clip(lower=1)) * groups.std(ddof=1) / np.sqrt(n)
    half = half.fillna(0.0)
    return pd.DataFrame({"mean": mean, "low": mean - half, "high": mean + half}) * scale


def over_seeds(rows: pd.DataFrame, by: str, value: str, *, scale: float = 1.0) -> pd.DataFrame:
    """Return mean, low and high of `value` for each `by`: the range of seeds.

    With one seed, the range is its own confidence bounds (`<value>_low`, `_high`) if the table has
    them. Rows without a value are left out.
    """
    rows = rows.dropna(subset=[value])
    groups = rows.groupby(by)
    column = groups[value]
    result = pd.DataFrame({"mean": column.mean(), "low": column.min(), "high": column.max()})
    if f"{value}_low" in rows.columns:
        single = groups["seed"].nunique() == 1
        for end in ("low", "high"):
            bound = groups[f"{value}_{end}"].mean()
            result[end] = result[end].mask(single & bound.notna(), bound)
    result = result.sort_index()
    return result * scale


def with_interval(points: pd.DataFrame, by: str, value: str, *, scale: float = 1.0) -> pd.DataFrame:
    """Return mean, low and high of `value` for each `by`, from the columns of operating points.

    Rows without a finite value are left out; where there is no interval, it is the value.
    """
    rows = points[np.isfinite(points[value])].sort_values(by).set_index(by)
    result = pd.DataFrame({"mean": rows[value]})
    for end in ("low", "high"):
        bound = rows[f"{value}_{end}"] if f"{value}_{end}" in rows else rows[value]
        result[end] = bound.where(np.isfinite(bound), rows[value])
    return result * scale


def operating_points(
    points: pd.DataFrame,
    *,
    schedulings: Sequence[str] = (),
    batching: str = REFERENCE_BATCHING,
    design: str = "",
    workload: str = REFERENCE_WORKLOAD,
) -> pd.DataFrame:
    """Return the operating points of one study: one encoding, workload, task and arrival process.

    Of each, it is the one with most rows (`REFERENCE_ENCODING` and `workload` if they are there).

    Args:
        points: The table operating_points.
        schedulings: Policies to keep; none means all.
        batching: The batching policy to keep; empty means all.
        design: The named design to keep; empty means all.
        workload: The service to prefer; empty means all.

    Raises:
        ValueError: no row is left.
    """
    wanted = {"design": [design] if design else [], "scheduling": schedulings}
    wanted["batching"] = [batching] if batching else []
    rows = require(points, "operating_points", "any design")
    for column, values in wanted.items():
        found = ", ".join(sorted(rows[column].unique()))
        kept = rows[rows[column].isin(values)] if values else rows
        rows = require(kept, "operating_points", f"{column} {' or '.join(values)} (it has {found})")
    references = {"encoding": REFERENCE_ENCODING, "workload": workload}
    for column, reference in references.items():
        if (rows[column] == reference).any():
            rows = rows[rows[column] == reference]
    for column in ("encoding", "arrivals", *(["workload"] if workload else [])):
        rows = rows[rows[column] == most_frequent(rows[column])]
    if not workload:
        return rows
    # A policy without training may have another word in this column.
    main = rows.groupby("scheduling")["training_task"].transform(most_frequent)
    return rows.loc[rows["training_task"] == main]


def select_order(sharing: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one order of services: as they are listed, or of that with most rows."""
    orders = sharing["order"]
    listed = (orders == REFERENCE_ORDER).any()
    return sharing[orders == (REFERENCE_ORDER if listed else most_frequent(orders))]


def named_limits_us(designs: pd.Series) -> dict[str, float]:
    """Return the service time limit of every design that is named after one, such as `50us`."""
    found = {name: re.fullmatch(r"(\d+)us", name) for name in sorted(set(designs))}
    return {name: float(match[1]) for name, match in found.items() if match}
