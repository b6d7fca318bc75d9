"""A table of an experiment beside that of its scale: the rows of both, each with its name."""

import sys

import pandas as pd
import pytest

from equinox.report.compare import main
from equinox.tables import SOURCES, read_table, write_table
from tests.figures._tables import random_table


@pytest.mark.parametrize("name", SOURCES)
def test_the_rows_of_both_are_kept_and_named(name, tmp_path, monkeypatch):
    scale, experiment = random_table(SOURCES[name]), random_table(SOURCES[name], seed=1)
    paths = [tmp_path / f"{run}.parquet" for run in ("scale", "experiment")]
    for frame, path in zip((scale, experiment), paths, strict=True):
        write_table(frame, SOURCES[name], path)
    output = tmp_path / f"{name}.parquet"
    arguments = [name, "--tables", *paths, "--names", "default", "default@x", "--output", output]
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, arguments)])
    main()
    found = read_table(name, output).set_index("experiment")
    for run, path in zip(("default", "default@x"), paths, strict=True):
        rows = found.loc[run].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, read_table(SOURCES[name], path))
