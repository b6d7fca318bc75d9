"""Tables are checked on write and on read, and carry units and meanings."""

import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from equinox.dependencies import argument_file
from equinox.table_files import read_origin
from equinox.tables import TABLES, check_table, describe_tables, main, read_table, write_table


def fleet_rows(**changes: object) -> pd.DataFrame:
    row = {
        "balancer": "even",
        "design": "500us",
        "scheduling": "priority",
        "interval": 0,
        "time_h": 0.0,
        "load": 0.3,
        "accelerators": 10,
        "serving": 10,
        "load_each": 0.3,
        "status": "ok",
        "p99_latency_us": 900.0,
        "reclaimed_accelerators": 4.5,
        "power_w": 500.0,
        "separate_power_w": 900.0,
        "energy_j": 1e6,
    }
    return pd.DataFrame([row | {"interval": 1}, row | changes])


def test_a_table_comes_back_in_the_order_of_its_key_with_declared_columns(tmp_path):
    write_table(fleet_rows(), "fleet", tmp_path / "fleet.parquet")
    frame = read_table("fleet", tmp_path / "fleet.parquet")
    assert list(frame["interval"]) == [0, 1]
    assert list(frame.columns) == [column.name for column in TABLES["fleet"].columns]


def test_units_and_meanings_travel_in_the_file(tmp_path):
    write_table(fleet_rows(), "fleet", tmp_path / "fleet.parquet")
    field = pq.read_schema(tmp_path / "fleet.parquet").field("p99_latency_us")
    assert field.metadata[b"unit"] == b"us"
    assert b"percentile" in field.metadata[b"meaning"]


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    write_table(fleet_rows(), "fleet", tmp_path / "a.parquet")
    write_table(fleet_rows()[::-1], "fleet", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"load": -0.1}, r"load is -0.1 in the row .*'interval': 0}, not in \[0, inf\]"),
        ({"load": np.nan}, "load is empty in the row"),
        ({"accelerators": 1.5}, "accelerators is 1.5"),
        ({"interval": 1}, "two rows have the key"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_rule(changes, message):
    with pytest.raises(ValueError, match=message):
        check_table(fleet_rows(**changes), "fleet")


def test_missing_and_unknown_columns_are_named():
    frame = fleet_rows().rename(columns={"load": "lode"})
    with pytest.raises(ValueError, match=r"missing columns \['load'\], unknown columns \['lode'\]"):
        check_table(frame, "fleet")


def test_a_file_that_is_cut_short_says_what_to_do(tmp_path):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="not a readable Parquet file.*delete it"):
        read_table("fleet", path)


def test_a_failed_check_leaves_the_old_file(tmp_path):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="load"):
        write_table(fleet_rows(load=-1), "fleet", path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["fleet.parquet"]


def test_parts_are_collected_into_one_table(tmp_path):
    for index, part in fleet_rows().iterrows():
        write_table(part.to_frame().T.infer_objects(), "fleet", tmp_path / f"{index}.parquet")
    parts = [str(tmp_path / f"{index}.parquet") for index in (0, 1)]
    main(["fleet", *parts, "--output", str(tmp_path / "all.parquet")])
    assert len(read_table("fleet", tmp_path / "all.parquet")) == 2


def test_more_parts_than_a_command_of_a_shell_holds_are_collected_from_a_file(tmp_path):
    folder = tmp_path.joinpath(*["a long name " * 20] * 12)
    folder.mkdir(parents=True)
    parts = [folder / f"{index}.parquet" for index in range(50)]
    for index, part in enumerate(parts):
        write_table(fleet_rows()[:1].assign(interval=index), "fleet", part)
    given = argument_file(map(str, parts), tmp_path / "parts of a table")
    command = f"{shlex.quote(sys.executable)} -m equinox.tables fleet"
    output = tmp_path / "all.parquet"
    with pytest.raises(OSError, match="too long"):
        subprocess.run(f"{command} {shlex.join(map(str, parts))}", shell=True, check=False)
    subprocess.run(f"{command} {shlex.quote(given)} --output {output}", shell=True, check=True)
    assert read_table("fleet", output)["interval"].tolist() == list(range(50))
    assert len(read_origin(output)["inputs"]) == 50


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_declaration_is_complete(table):
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert all(column.meaning for column in table.columns)
    assert not any(column.nullable for column in table.columns if column.name in table.key)


def test_the_description_of_tables_in_results_is_up_to_date(repository):
    assert (repository / "results/README.md").read_text() == describe_tables()
