"""A table's file says what it was made from, and keeps a checksum of its values."""

import json
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equinox.provenance import code_sha256, file_sha256, frame_sha256, origin_of
from equinox.table_files import read_origin
from equinox.tables import read_table, write_table
from tests.test_tables import fleet_rows

CONFIG = json.dumps({"seeds": [0, 1], "load": 0.5})


def options(tmp_path: Path, **changes: object) -> dict[str, object]:
    technology = tmp_path / "28nm.yaml"
    technology.write_text("constants: {}\n")
    given = {"command": "fleet", "config": CONFIG, "technology": str(technology)}
    return given | {"output": "x.parquet", "call": len} | changes


def test_an_origin_has_arguments_config_and_the_checksum_of_each_input(tmp_path):
    origin = origin_of("equinox.colocation", options(tmp_path))
    technology = tmp_path / "28nm.yaml"
    assert origin.arguments == {"command": "fleet"}
    assert origin.config == {"config": json.loads(CONFIG)}
    assert origin.inputs == {str(technology): file_sha256(technology)}


def test_lists_of_files_are_inputs(tmp_path):
    paths = [tmp_path / "b", tmp_path / "a"]
    for path in paths:
        path.write_text(path.name)
    origin = origin_of("equinox.report", {"tables": paths, "scale": "smoke"})
    assert list(origin.inputs) == sorted(map(str, paths))
    assert origin.arguments == {"scale": "smoke"}


def test_packages_are_those_that_the_code_rests_on(tmp_path):
    assert "torch" not in origin_of("equinox.design_space", options(tmp_path)).packages
    training = origin_of("equinox.training", options(tmp_path)).packages
    assert {"python", "torch", "numpy"} <= set(training)


def test_a_changed_config_or_input_changes_the_origin(tmp_path):
    before = origin_of("equinox.colocation", options(tmp_path))
    other = origin_of("equinox.colocation", options(tmp_path, config='{"seeds": [0, 2]}'))
    assert before.config_sha256 != other.config_sha256
    assert before.to_json() != other.to_json()


def test_the_code_of_another_stage_has_another_checksum():
    assert code_sha256("equinox.colocation") != code_sha256("equinox.design_space")
    with pytest.raises(ValueError, match=r"no module equinox\.nowhere"):
        code_sha256("equinox.nowhere")


def test_the_origin_travels_in_the_file(tmp_path):
    origin = origin_of("equinox.colocation", options(tmp_path))
    write_table(fleet_rows(), "fleet", tmp_path / "fleet.parquet", origin=origin)
    assert json.loads(origin.to_json()) == read_origin(tmp_path / "fleet.parquet")
    write_table(fleet_rows(), "fleet", tmp_path / "bare.parquet")
    assert read_origin(tmp_path / "bare.parquet") is None


def test_equal_values_have_equal_checksums_and_others_do_not():
    frame = fleet_rows()
    assert frame_sha256(frame) == frame_sha256(frame.copy())
    assert frame_sha256(frame) != frame_sha256(fleet_rows(load=0.3000000001))
    assert frame_sha256(frame) != frame_sha256(frame.rename(columns={"load": "lode"}))


def test_a_table_whose_values_were_changed_by_hand_is_refused(tmp_path):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    kept = pq.read_table(path)
    frame = kept.to_pandas()
    frame.loc[0, "power_w"] += 1
    schema = kept.schema
    pq.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False), path)
    with pytest.raises(ValueError, match="was changed after it was made"):
        read_table("fleet", path)


def test_a_table_that_another_program_saved_is_refused(tmp_path):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    pd.read_parquet(path).to_parquet(path)
    with pytest.raises(ValueError, match=r"fleet\.parquet has no checksum.*delete it"):
        read_table("fleet", path)


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_file_is_never_read(tmp_path, damage):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"a,b"}[damage])
    with pytest.raises(ValueError, match=r"fleet\.parquet .*delete it and run snakemake again"):
        read_table("fleet", path)


def test_no_flipped_byte_among_the_values_is_ever_read(tmp_path):
    path = tmp_path / "fleet.parquet"
    write_table(fleet_rows(), "fleet", path)
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    before = read_table("fleet", path)
    places = range(4, len(content) - footer, 7)
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        with suppress(ValueError):  # refused, or the byte means nothing
            pd.testing.assert_frame_equal(read_table("fleet", path), before)
    assert len(places) > 50
