"""Which rows of a table a figure shows."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

REFERENCE_DESIGN = "500us"  # the design that the published results are about
REFERENCE_ENCODING = "hbfp8_16"  # and its encoding
REFERENCE_BATCHING = "adaptive"
REFERENCE_WORKLOAD = "lstm_2048_25"  # the service of the published results


def require(frame: pd.DataFrame, table: str, what: str) -> pd.DataFrame:
    """Return `frame`.

    Raises:
        ValueError: it has no row; the message names the table and what is missing.
    """
    if frame.empty:
        raise ValueError(f"table {table} has no row of {what}; run the stage that makes it for it")
    return frame


def most_frequent(values: pd.Series) -> str:
    """Return the value that occurs most often, the first in the alphabet among equals."""
    counts = values.value_counts()
    return str(min(counts[counts == counts.max()].index))


def final_epochs(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the last row of every run: a diverged run ends where it diverged."""
    last = accuracy.groupby(["task", "encoding", "seed"])["epoch"].idxmax()
    return accuracy.loc[last].reset_index(drop=True)


def without_tile_variants(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without encodings that are the usual ones with other blocks.

    Blocks are usual as in `REFERENCE_ENCODING`, or in most encodings with wide storage
    (`storage_bits` above `mantissa_bits`) if it is not there; `mantissa_and_tile` shows the others.
    """
    kinds = accuracy.drop_duplicates("encoding")
    wide = kinds[(kinds["storage_bits"] > kinds["mantissa_bits"]) & (kinds["tile"] != "value")]
    if wide.empty:
        return accuracy
    reference = wide[wide["encoding"] == REFERENCE_ENCODING]
    usual = reference if len(reference) else wide
    same_tile = wide["tile"] == most_frequent(usual["tile"])
    same_blocks = wide["blocks"] == most_frequent(usual["blocks"])
    return accuracy[~accuracy["encoding"].isin(wide.loc[~(same_tile & same_blocks), "encoding"])]


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


def named_limits_us(designs: pd.Series) -> dict[str, float]:
    """Return the service time limit of every design that is named after one, such as `50us`."""
    found = {name: re.fullmatch(r"(\d+)us", name) for name in sorted(set(designs))}
    return {name: float(match[1]) for name, match in found.items() if match}
