"""Damaged files are refused by name, with the remedy, and never silently used."""

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equinox import commands
from equinox.colocation import __main__ as colocation
from equinox.provenance import frame_sha256
from equinox.tables import read_table
from tests.workflow.conftest import RESULTS, lose, snakemake, tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]

TABLES = RESULTS / "tables"
COLOCATION = TABLES / "colocation.parquet"
AGAIN = "delete it and run snakemake again"


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a table and keep all that its file says of itself."""
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def with_its_checksum(table: pa.Table) -> pa.Table:
    """Return a table as another version of the product would have written it."""
    made = {b"values_sha256": frame_sha256(table.to_pandas()).encode()}
    return table.replace_schema_metadata(table.schema.metadata | made)


def edit_a_value(path: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        values = table["p99_latency_us"].to_pandas() * 1.01
        at = table.schema.get_field_index("p99_latency_us")
        return table.set_column(at, table.schema.field(at), pa.Array.from_pandas(values))

    rewritten(path, change)


def drop_a_column(path: Path) -> None:
    pq.write_table(with_its_checksum(pq.read_table(path).drop_columns(["load"])), path)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut short": (lambda path: os.truncate(path, 3000), "is not a readable Parquet file"),
    "empty": (lambda path: os.truncate(path, 0), "is not a readable Parquet file"),
    "a web page": (lambda path: path.write_text("<html>502"), "is not a readable Parquet file"),
    "a flipped bit": (flip_a_bit, "is not a readable Parquet file"),
    "saved by pandas": (
        lambda path: pd.read_parquet(path).to_parquet(path),
        "has no checksum: it was not made by this product",
    ),
    "an edited value": (edit_a_value, "was changed after it was made"),
    "without rows": (
        lambda path: rewritten(path, lambda table: table.slice(0, 0)),
        "was changed after it was made",
    ),
    "a missing column": (drop_a_column, "missing columns ['load']"),
    "another table": (
        lambda path: shutil.copy2(path.with_name("fleet.parquet"), path),
        "is not as declared: table colocation",
    ),
}


@pytest.fixture
def points(monkeypatch) -> Callable[[], None]:
    """Make table `operating_points` of the table `colocation`, as its job does, in the folder."""

    def job() -> None:
        options = ["--colocation", str(COLOCATION)]
        options += ["--output", str(TABLES / "operating_points.parquet")]
        monkeypatch.setattr(sys, "argv", ["equinox.colocation", "points", *options])
        commands.run(colocation.main)

    return job


@pytest.fixture
def few(made, tmp_path, monkeypatch) -> Path:
    """A folder with the tables of a finished run and nothing else, to work in."""
    shutil.copytree(made / TABLES, tmp_path / TABLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_refused_and_the_job_makes_the_same_bytes_of_a_good_one(
    made, few, points, damage
):
    lose(few, "tables/operating_points.parquet")
    kept = tables(few).keys()
    harm, words = DAMAGE[damage]
    harm(few / COLOCATION)
    with pytest.raises(SystemExit) as ended:
        points()
    told = str(ended.value)
    assert told.startswith(f"error: {COLOCATION} ")
    assert words in told
    assert AGAIN in told
    assert "\n" not in told
    assert tables(few).keys() == kept  # no output, and nothing half written
    shutil.copy2(made / COLOCATION, few / COLOCATION)
    points()
    assert tables(few) == tables(made)


def test_no_flipped_bit_anywhere_in_a_file_changes_a_value(few):
    path = few / TABLES / "fleet.parquet"
    good, expected = path.read_bytes(), read_table("fleet", path)
    chance = random.Random(0)
    refused = 0
    for _ in range(300):
        content = bytearray(good)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        found = rows_or_refusal(path)
        if isinstance(found, str):
            assert str(path) in found
            refused += 1
        else:  # a bit of what describes the columns, not of the values
            pd.testing.assert_frame_equal(found, expected)
    assert refused > 100


def rows_or_refusal(path: Path) -> pd.DataFrame | str:
    try:
        return read_table("fleet", path)
    except ValueError as error:
        return str(error)


def test_snakemake_passes_on_what_is_damaged_and_makes_what_was_deleted(made, run):
    lose(run, "tables/equivalence.parquet", "tables/pareto.parquet")
    harmed = [run / TABLES / f"{name}.parquet" for name in ("accuracy", "design_space")]
    rewritten(harmed[0], lambda table: table.slice(1))
    os.truncate(harmed[1], 3000)
    refused = snakemake(run, "equivalence", "pareto")
    assert refused.returncode != 0
    for path in harmed:
        assert f"error: {path.relative_to(run)} " in refused.stdout
    assert refused.stdout.count(AGAIN) >= 2
    assert "Traceback" not in refused.stdout
    for path in harmed:
        path.unlink()
    assert snakemake(run, "equivalence", "pareto").returncode == 0
    assert tables(run) == tables(made)


def test_an_input_that_changes_while_a_job_reads_it_is_an_error(few, points, monkeypatch):
    lose(few, "tables/operating_points.parquet")
    read = pq.read_table

    def read_and_edit(path, **options):
        table = read(path, **options)
        with Path(path).open("ab") as file:
            file.write(b" ")
        return table

    monkeypatch.setattr(pq, "read_table", read_and_edit)
    with pytest.raises(SystemExit) as ended:
        points()
    assert f"{COLOCATION} was changed while this job ran; run snakemake again" in str(ended.value)
    assert not (few / TABLES / "operating_points.parquet").exists()


def test_a_lost_record_of_snakemake_loses_no_result(made, run):
    record = run / ".snakemake/metadata"
    for path in filter(Path.is_file, record.rglob("*")):
        os.truncate(path, path.stat().st_size // 2)
    half = snakemake(run, "--dry-run")
    assert "Traceback" not in half.stdout
    shutil.rmtree(run / ".snakemake")
    done = snakemake(run, "--dry-run")
    assert "Nothing to be done" in done.stdout, done.stdout
    assert tables(run) == tables(made)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("config/config.yaml", b"a: [1\n", "config.yaml, line 2: it is not YAML"),
        ("config/technology/28nm.yaml", b"constants: {}\n", "28nm.yaml"),
    ],
)
def test_a_broken_file_of_the_product_is_named_before_anything_runs(run, path, content, words):
    (run / path).write_bytes(content)
    refused = snakemake(run, "designs")
    assert refused.returncode != 0
    assert words in refused.stdout
    assert "Traceback" not in refused.stdout
