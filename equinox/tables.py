"""The tables that stages exchange: every column's type, unit, meaning and range, declared once.

`write_table` and `read_table` check a frame against its declaration, so that a wrong value is
found where it is made. Unit and meaning travel in the Parquet schema. To add a table, add an
entry to `TABLES`.
"""

from argparse import ArgumentParser
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from equinox.colocation_tables import COLOCATION_TABLES
from equinox.columns import Table, count, number, text
from equinox.commands import run
from equinox.provenance import Origin, origin_of
from equinox.table_files import check, empty, read, write
from equinox.training_tables import ACCURACY, EQUIVALENCE

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


#: Tables that set one of an experiment beside that of its scale: name, and the table that is set.
SOURCES: Mapping[str, str] = {
    "accuracy_comparison": "equivalence",
    "colocation_comparison": "operating_points",
    "sharing_comparison": "sharing",
}
_EXPERIMENT = text("experiment", "the scale, or scale@experiment")


def _beside(name: str, table: Table) -> Table:
    row = f"{table.row}, in an experiment or in the scale that it changes"
    return Table(name, row, ("experiment", *table.key), (_EXPERIMENT, *table.columns))


_SOURCE_TABLES = {table.name: table for table in (EQUIVALENCE, *COLOCATION_TABLES)}
_BOUNDS = (("", ""), ("_low", ", lower 95 % bound"), ("_high", ", upper 95 % bound"))

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        ACCURACY,
        EQUIVALENCE,
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
            (_EXPERIMENT, *_DESIGN),
        ),
        *(_beside(name, _SOURCE_TABLES[source]) for name, source in SOURCES.items()),
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
                text("title", "the claim in a few words"),
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


def made_tables(comparisons: Collection[str] = ()) -> list[str]:
    """Return the tables that a run makes: all, but of those that compare only `comparisons`.

    A scale compares nothing; what an experiment compares is `equinox.plan.comparisons`.
    """
    return [n for n in TABLES if n in comparisons or n not in ("comparison", *SOURCES)]


def check_table(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return `frame` as table `name`; see `equinox.table_files.check`."""
    return check(frame, TABLES[name])


def empty_table(name: str) -> pd.DataFrame:
    """Return table `name` without a row."""
    return empty(TABLES[name])


def write_table(
    frame: pd.DataFrame, name: str, path: str | Path, *, origin: Origin | None = None
) -> None:
    """Write `frame` to `path` as table `name`; see `equinox.table_files.write`."""
    write(frame, TABLES[name], path, origin=origin)


def read_table(name: str, path: str | Path) -> pd.DataFrame:
    """Return table `name` from `path`; see `equinox.table_files.read`."""
    return read(TABLES[name], path)


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
    """Collect the parts of a table: `python -m equinox.tables NAME PART... --output PATH`.

    `@FILE` stands for the parts that FILE names, one a line.
    """
    parser = ArgumentParser(
        description="Collect the parts of a table, checked.", fromfile_prefix_chars="@"
    )
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(arguments)
    origin = origin_of("equinox.tables", vars(options))
    collect_table(options.name, options.parts, options.output, origin=origin)


if __name__ == "__main__":
    run(main)
