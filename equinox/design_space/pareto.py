"""The design points that no other one beats."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def pareto_front(
    points: pd.DataFrame, *, minimize: Sequence[str] = (), maximize: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows of `points` that no other row dominates, in their order.

    A row dominates another if it is at least as good in every named column and better in one.
    Equal rows do not dominate each other, so all of them stay. A row with a missing value in a
    named column is never on the front. O(n log n) for two columns.

    Raises:
        ValueError: no column is named.
    """
    names = [*minimize, *maximize]
    if not names:
        raise ValueError("a Pareto front needs a column; name one to minimize or to maximize")
    costs = points[names].to_numpy(dtype=float, copy=True)
    costs[:, len(minimize) :] *= -1
    present = np.flatnonzero(~np.isnan(costs).any(axis=1))
    find = _undominated_pairs if len(names) == 2 else _undominated
    return points.iloc[np.sort(present[find(costs[present])])]


def find_fronts(points: pd.DataFrame) -> pd.DataFrame:
    """Return each encoding's front of service time and throughput: rows of the table pareto."""
    fronts = [
        pareto_front(rows, minimize=["service_time_us"], maximize=["throughput_op_per_s"])
        for _, rows in points.groupby("encoding")
    ]
    return pd.concat(fronts).drop(columns="bound_by")


def _undominated_pairs(costs: Any) -> Any:
    """Return the indices of undominated rows of two costs, by one sort."""
    order = np.lexsort((costs[:, 1], costs[:, 0]))
    first, second = costs[order].T
    # The lowest second cost among rows of lower first cost, and where those of equal one begin.
    lowest = np.minimum.accumulate(np.concatenate([[np.inf], second]))
    start = np.searchsorted(first, first, side="left")
    return order[(second < lowest[start]) & (second == second[start])] if len(order) else order


def _undominated(costs: Any) -> Any:
    """Return the indices of undominated rows: of what is left, the lowest sum is undominated."""
    left, found = np.arange(len(costs)), []
    while len(left):
        best = costs[left[np.argmin(costs[left].sum(axis=1))]]
        equal = (costs[left] == best).all(axis=1)
        found.append(left[equal])
        left = left[(costs[left] < best).any(axis=1)]
    return np.concatenate(found) if found else left
