"""Tables as Parquet files: checked on write and on read, with checksum and origin."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from equinox.columns import Column, Table
from equinox.provenance import Origin, frame_sha256
from equinox.whole_files import written_whole


def check(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` in the declared order of columns and rows if it fits `table`.

    Raises:
        ValueError: a column is missing or unknown, a value is missing, of a wrong kind or out of
            range, or two rows have the same key.
    """
    names = [column.name for column in table.columns]
    _check_names(table, list(frame.columns), names)
    frame = frame[names]
    for column in table.columns:
        _check_column(table, column, frame)
    double = frame[frame.duplicated(list(table.key))]
    if len(double):
        raise ValueError(f"table {table.name}: two rows have the key {_row(table, double.iloc[0])}")
    return frame.sort_values(list(table.key), kind="stable", ignore_index=True)


def _check_names(table: Table, found: Sequence[str], declared: Sequence[str]) -> None:
    missing, unknown = set(declared) - set(found), set(found) - set(declared)
    if missing or unknown:
        raise ValueError(
            f"table {table.name}: missing columns {sorted(missing)}, unknown columns "
            f"{sorted(unknown)}; declare columns in equinox/tables.py"
        )


def _check_column(table: Table, column: Column, frame: pd.DataFrame) -> None:
    values = frame[column.name]
    where = f"table {table.name}: {column.name}"
    if not column.nullable and values.isna().any():
        raise ValueError(f"{where} is empty in the row {_row(table, frame[values.isna()].iloc[0])}")
    if column.kind == "text":
        return
    numeric = pd.to_numeric(values, errors="coerce")
    wrong = values.notna() & (numeric.isna() | (numeric < column.low) | (numeric > column.high))
    if column.kind == "integer":
        wrong |= values.notna() & (numeric % 1 != 0)
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise ValueError(
            f"{where} is {_plain(row[column.name])!r} in the row {_row(table, row)}, not in "
            f"[{column.low:g}, {column.high:g}] {column.unit or column.kind}"
        )


def _row(table: Table, row: pd.Series) -> dict[str, object]:
    return {name: _plain(row[name]) for name in table.key}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def empty(table: Table) -> pd.DataFrame:
    """Return `table` without a row."""
    frame: pd.DataFrame = table.schema.empty_table().to_pandas()
    return frame


def write(
    frame: pd.DataFrame, table: Table, path: str | Path, *, origin: Origin | None = None
) -> None:
    """Check `frame` against `table` and write it to `path` at once or not at all.

    The file also has a checksum of its values and, if given, the `origin` of the table.

    Raises:
        ValueError: as of `check`; or an input of `origin` was changed since, so that nobody could
            tell which of the two states the table was made from.
    """
    frame = check(frame, table)
    if origin is not None:
        origin.check_inputs()
    arrow = pa.Table.from_pandas(frame, table.schema, preserve_index=False)
    made = {"values_sha256": frame_sha256(arrow.to_pandas())}
    if origin is not None:
        made["origin"] = origin.to_json()
    arrow = arrow.replace_schema_metadata(table.schema.metadata | made)
    with written_whole(path) as partial:
        pq.write_table(arrow, partial, write_page_checksum=True)


def read(table: Table, path: str | Path) -> pd.DataFrame:
    """Return `table` from `path`, checked against its declaration.

    Raises:
        ValueError: the file is not a Parquet file, was changed after it was made, or does not fit
            the declaration.
    """
    again = "delete it and run snakemake again"
    try:
        arrow = pq.read_table(path, page_checksum_verification=True)
        frame = arrow.to_pandas()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}); {again}") from error
    made = (arrow.schema.metadata or {}).get(b"values_sha256", b"").decode()
    if not made:
        raise ValueError(f"{path} has no checksum: it was not made by this product; {again}")
    if made != frame_sha256(frame):
        raise ValueError(f"{path} was changed after it was made: its checksum differs; {again}")
    try:
        return check(frame, table)
    except ValueError as error:
        raise ValueError(f"{path} is not as declared: {error}; {again}") from error


def read_origin(path: str | Path) -> Mapping[str, Any] | None:
    """Return the origin (see `equinox.provenance.Origin`) in a table's file, if it has one."""
    kept = (pq.read_schema(path).metadata or {}).get(b"origin")
    return None if kept is None else json.loads(kept)
