"""The tables that stages exchange: every column's type, unit, meaning and range, declared once.

`write_table` and `read_table` check a frame against its declaration, so that a wrong value is
found where it is made. Unit and meaning travel in the Parquet schema. To add a table, add an
entry to `TABLES`.
"""

import json
import os
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from equinox.colocation_tables import COLOCATION_TABLES
from equinox.columns import Column, Table, count, number, share, text
from equinox.commands import run
from equinox.provenance import Origin, frame_sha256, origin_of

_DESIGN_POINT = (
    text("encoding", "how operands of dot products are stored"),
    count("rows", "rows of an array, which is the batch", low=1),
    count("columns", "columns of an array", low=1),
    count("width", "values that a processing element multiplies per cycle", low=1),
    count("arrays", "arrays", low=1),
    number("voltage_v", "V", "supply voltage of the logic"),
    number("frequency_hz", "Hz", "clock frequency"),
    number("area_mm2", "mm2", "die area"),
    number("power_w", "W", "power at full utilization"),
    number("service_time_us", "us", "time of one full batch of the inference workload"),
    number("throughput_op_per_s", "op/s", "inference throughput, full batches back to back"),
    number("peak_op_per_s", "op/s", "peak throughput"),
    number("training_op_per_s", "op/s", "training throughput, compute and DRAM roofline"),
)

_DESIGN = (
    text("design", "min_latency, 50us, 500us, unconstrained, ..."),
    *_DESIGN_POINT,
    count("sram_byte", "capacity of on-chip memory"),
    number("dram_byte_per_s", "B/s", "bandwidth of DRAM"),
)

_OPERANDS = (
    count("mantissa_bits", "bits of a mantissa, sign included", low=1),
    count("exponent_bits", "bits of an exponent, shared or not; 0 for fixed point"),
    text("tile", "values that share an exponent: rows x columns, tensor or value"),
    text("blocks", "what shares an exponent in activations: sample, tile, ..."),
    count("storage_bits", "bits of a stored weight's mantissa, sign included"),
    text("gradient_rounding", "rounding of gradients: nearest or stochastic"),
    text("storage_rounding", "rounding of stored weights: nearest or stochastic"),
)
_BOUNDS = (("", ""), ("_low", ", lower 95 % bound"), ("_high", ", upper 95 % bound"))

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "accuracy",
            "the state of one training run after one epoch",
            ("task", "encoding", "seed", "epoch"),
            (
                text("task", "model and data that are trained"),
                text("dataset", "the data, by name"),
                text("encoding", "how operands of dot products are stored"),
                count("seed", "seed of initialization, data order and stochastic rounding"),
                count("epoch", "epochs trained so far", low=1),
                *_OPERANDS,
                text("metric", "error (share of test images) or perplexity (of validation text)"),
                number("value", "", "the metric; empty when the run diverged", nullable=True),
                number("train_loss", "nat", "mean training loss of the epoch", nullable=True),
                text("status", "ok or diverged"),
            ),
        ),
        Table(
            "equivalence",
            "one encoding of one task against fp32: runs paired by seed, after the last epoch",
            ("task", "encoding"),
            (
                text("task", "model and data that are trained"),
                text("dataset", "the data, by name"),
                text("encoding", "how operands of dot products are stored"),
                *_OPERANDS,
                text("metric", "error (share of test images) or perplexity (of validation text)"),
                count("seeds", "pairs of runs, one seed each", low=1),
                count("diverged", "runs of this encoding that diverged"),
                number("value", "", "mean metric of the runs that did not diverge", nullable=True),
                number("fp32_value", "", "mean metric of fp32, same seeds", nullable=True),
                *(
                    number(name, "", meaning, low=-np.inf, nullable=True)
                    for name, meaning in (
                        ("difference", "mean of metric less fp32's; of perplexity, a share of it"),
                        ("low", "lower bound of its 90 % confidence interval"),
                        ("high", "upper bound of its 90 % confidence interval"),
                    )
                ),
                number("margin", "", "difference that is stated not to matter"),
                share("p_value", "of the two one-sided tests of equivalence", nullable=True),
                text("outcome", "equivalent, different or inconclusive, at level 0.05"),
            ),
        ),
        Table(
            "density",
            "the cost of one multiply-accumulate in one encoding",
            ("model", "encoding", "block"),
            (
                text("model", "how components are composed: this product's, or the authors'"),
                text("encoding", "how operands are stored"),
                count("block", "values that share an exponent and an accumulator", low=1),
                number("area_um2", "um2", "area per multiply-accumulate"),
                number("energy_pj", "pJ", "energy per multiply-accumulate", nullable=True),
                number("operand_bit", "bit", "bits of an operand, exponent share included"),
                number("storage_bit", "bit", "bits of a stored weight"),
            ),
        ),
        Table(
            "design_space",
            "the largest number of arrays that fits, for one shape and voltage",
            ("encoding", "rows", "width", "voltage_v"),
            (*_DESIGN_POINT, text("bound_by", "the limit that one more array would break")),
        ),
        Table(
            "pareto",
            "a design point that no other of its encoding beats in both",
            ("encoding", "rows", "width", "voltage_v"),
            _DESIGN_POINT,
        ),
        Table("designs", "a named design point", ("design", "encoding"), _DESIGN),
        Table(
            "comparison",
            "a named design of an experiment, or of the scale that it changes",
            ("experiment", "design", "encoding"),
            (text("experiment", "the scale, or scale@experiment"), *_DESIGN),
        ),
        Table(
            "breakdown",
            "one component of a named design",
            ("design", "encoding", "component"),
            (
                text("design", "name of the design"),
                text("encoding", "how operands of dot products are stored"),
                text("component", "part of the accelerator"),
                number("area_mm2", "mm2", "area of the component"),
                number("power_w", "W", "power of the component at full utilization"),
                number("leakage_w", "W", "what it leaks; their sum is the component leakage"),
            ),
        ),
        Table(
            "roofline",
            "inference or training alone on a named design, under its roof",
            ("design", "encoding", "phase"),
            (
                text("design", "name of the design"),
                text("encoding", "how operands of dot products are stored"),
                text("phase", "inference or training"),
                text("memory", "memory that bounds it: SRAM (weights) or DRAM (all that moves)"),
                number("op_per_byte", "op/B", "operations for a byte that this memory moves"),
                number("byte_per_s", "B/s", "bandwidth of this memory"),
                number("peak_op_per_s", "op/s", "peak throughput"),
                number("roof_op_per_s", "op/s", "the smaller of peak and what the memory allows"),
                number("attained_op_per_s", "op/s", "throughput of the timing model"),
            ),
        ),
        Table(
            "sensitivity",
            "one quantity under one setting of the constants",
            ("study", "constant", "setting", "quantity"),
            (
                text("study", "baseline, one_at_a_time, choice, two_choices or monte_carlo"),
                text("constant", "constant or choice that was changed; all for monte_carlo"),
                text("setting", "low, high, the name of the choice, or the draw's number"),
                number("constant_value", "", "its value there", low=-np.inf, nullable=True),
                text("unit", "unit of the constant"),
                text("quantity", "the ratio that is claimed"),
                number("value", "", "its value; empty where no design fits", nullable=True),
            ),
        ),
        Table(
            "sobol",
            "the Sobol indices of a quantity for a constant: shares of its variance",
            ("quantity", "constant"),
            (
                text("quantity", "the ratio that is claimed"),
                text("constant", "constant of the hardware model"),
                *(
                    number(f"{order}{end}", "", f"{order} index{what}", low=-np.inf, nullable=True)
                    for order in ("first", "total")
                    for end, what in _BOUNDS
                ),
                count("draws", "draws of all constants with a value, each repeated"),
            ),
        ),
        *COLOCATION_TABLES,
        Table(
            "claims",
            "one published statement beside what came out here",
            ("id",),
            (
                text("id", "name of the claim"),
                text("chapter", "encoding, design_space, colocation or hardware"),
                text("statement", "what was published"),
                text("quantity", "what is compared"),
                number("published", "", "published value", low=-np.inf, nullable=True),
                number("reproduced", "", "value computed here", low=-np.inf, nullable=True),
                number("low", "", "lower bound of its interval", low=-np.inf, nullable=True),
                number("high", "", "upper bound of its interval", low=-np.inf, nullable=True),
                number(
                    "accepted_low", "", "the claim accepts from here", low=-np.inf, nullable=True
                ),
                number("accepted_high", "", "and up to here", low=-np.inf, nullable=True),
                text("unit", "unit of the values"),
                text("verdict", "reproduced, partly, not_reproduced or not_run"),
                text("reason", "why the verdict, or what it would take"),
                text("source", "where it was published"),
                text("from_table", "the table that the value was computed from"),
            ),
        ),
    )
}


def check_table(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return `frame` in the declared order of columns and rows if it fits table `name`.

    Raises:
        ValueError: a column is missing or unknown, a value is missing, of a wrong kind or out of
            range, or two rows have the same key.
    """
    table = TABLES[name]
    names = [column.name for column in table.columns]
    _check_names(table, list(frame.columns), names)
    frame = frame[names]
    for column in table.columns:
        _check_column(table, column, frame)
    double = frame[frame.duplicated(list(table.key))]
    if len(double):
        raise ValueError(f"table {name}: two rows have the key {_row(table, double.iloc[0])}")
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


def empty_table(name: str) -> pd.DataFrame:
    """Return table `name` without a row."""
    frame: pd.DataFrame = TABLES[name].schema.empty_table().to_pandas()
    return frame


def write_table(
    frame: pd.DataFrame, name: str, path: str | Path, *, origin: Origin | None = None
) -> None:
    """Check `frame` against table `name` and write it to `path` at once or not at all.

    The file also has a checksum of its values and, if given, the `origin` of the table.
    """
    frame = check_table(frame, name)
    arrow = pa.Table.from_pandas(frame, TABLES[name].schema, preserve_index=False)
    made = {"values_sha256": frame_sha256(arrow.to_pandas())}
    if origin is not None:
        made["origin"] = origin.to_json()
    arrow = arrow.replace_schema_metadata(TABLES[name].schema.metadata | made)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        pq.write_table(arrow, partial, write_page_checksum=True)
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def read_table(name: str, path: str | Path) -> pd.DataFrame:
    """Return table `name` from `path`, checked against its declaration.

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
    return check_table(frame, name)


def read_origin(path: str | Path) -> Mapping[str, Any] | None:
    """Return the origin (see `equinox.provenance.Origin`) in a table's file, if it has one."""
    kept = (pq.read_schema(path).metadata or {}).get(b"origin")
    return None if kept is None else json.loads(kept)


def collect_table(
    name: str, paths: Iterable[str | Path], output: str | Path, *, origin: Origin | None = None
) -> None:
    """Write table `name` to `output` from the parts in `paths`, each a table of this name."""
    write_table(pd.concat([read_table(name, path) for path in paths]), name, output, origin=origin)


def describe_tables() -> str:
    """Return the declarations as Markdown, for `results/README.md`."""
    lines = ["# Tables", "", "Made from the declarations in `equinox/tables.py`.", ""]
    for table in TABLES.values():
        lines += [f"## {table.name}", "", f"A row is {table.row}; key: {', '.join(table.key)}.", ""]
        lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [f"| {c.name} | {c.kind} | {c.unit} | {c.meaning} |" for c in table.columns]
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Collect the parts of a table: `python -m equinox.tables NAME PART... --output PATH`."""
    parser = ArgumentParser(description="Collect the parts of a table, checked.")
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(arguments)
    origin = origin_of("equinox.tables", vars(options))
    collect_table(options.name, options.parts, options.output, origin=origin)


if __name__ == "__main__":
    run(main)
