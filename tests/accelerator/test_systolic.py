"""Cycles of products against those that SCALE-Sim v2.0.2 reports: every row of systolic.csv.

Its layers are small random convolutions and products, and a product of a recurrent layer; it
reports the index of the last cycle, one less than their number. Its output-stationary array leaves
out the draining of outputs.
"""

import csv
from pathlib import Path

import pytest

from equinox.accelerator import matmul_cycles, systolic_cycles

from ._machines import machine

ROWS = list(csv.DictReader(Path(__file__).with_name("systolic.csv").open()))


def sizes(row):
    """Return m, k, n, rows and columns of the array, and the count of cycles."""
    names = ("M", "K", "N", "array_rows", "array_columns", "reported_cycles")
    *shape, last = (int(row[name]) for name in names)
    return *shape, last + 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['dataflow']} {row['layer']}")
def test_a_product_takes_the_cycles_of_the_published_simulator(row):
    m, k, n, rows, columns, cycles = sizes(row)
    dataflow = row["dataflow"]
    assert systolic_cycles(m, k, n, rows=rows, columns=columns, dataflow=dataflow) == cycles


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row["dataflow"] == "os"],
    ids=lambda row: f"{row['array_rows']} {row['layer']}",
)
def test_our_output_stationary_array_is_bounded_by_it(row):
    m, k, n, rows, columns, cycles = sizes(row)
    own = machine(rows=rows, columns=columns)
    folds = -(-m // rows) * -(-n // columns)
    # Without overlap a fold is theirs, and the draining of its outputs.
    separate = matmul_cycles(own, m=m, k=k, n=n, folds="separate")
    assert separate == cycles + folds * rows
    # With overlap, ours: a fold streams or drains, whatever takes longer, and the last fills and
    # drains the array. Never below the work, and never above the array without overlap but for a
    # last fold that is held for the drain.
    overlapped = matmul_cycles(own, m=m, k=k, n=n)
    assert overlapped == folds * max(k, rows) + rows + columns - 2 + rows
    assert m * k * n / (rows * columns) <= overlapped <= separate + max(rows - k, 0)


def test_the_rows_cover_every_dataflow():
    assert len(ROWS) == 108
    assert {row["dataflow"] for row in ROWS} == {"ws", "is", "os"}
