"""The ancestry of a table is printed down to its constants, with what has changed since."""

import sys
from pathlib import Path

import pytest

from equinox.provenance import origin_of
from equinox.report.provenance import ancestry, main
from equinox.tables import write_table
from tests.test_tables import fleet_rows


@pytest.fixture
def child(tmp_path: Path) -> Path:
    """A table that rests on another one, which rests on a file of constants."""
    constants = tmp_path / "28nm.yaml"
    constants.write_text("a: 1\n")
    for name, inputs in (("parent", constants), ("child", tmp_path / "parent.parquet")):
        config = '{"seeds": [0, 7]}'
        options = {"config": config, "designs": inputs, "design": name}
        origin = origin_of("equinox.colocation", options)
        write_table(fleet_rows(), "fleet", tmp_path / f"{name}.parquet", origin=origin)
    return tmp_path / "child.parquet"


def test_the_ancestry_goes_down_to_constants_and_seeds(child):
    lines = list(ancestry(child))
    depth = {
        word: next(len(line) - len(line.lstrip()) for line in lines if word in line)
        for word in ("child.parquet", "parent.parquet", "28nm.yaml")
    }
    assert depth == {"child.parquet": 0, "parent.parquet": 2, "28nm.yaml": 4}
    assert sum("seeds: [0, 7]" in line for line in lines) == 2


def test_an_input_that_has_changed_since_is_marked(child):
    constants = child.with_name("28nm.yaml")
    constants.write_text("a: 2\n")
    assert any("28nm.yaml" in line and "has changed since" in line for line in ancestry(child))
    constants.unlink()
    assert any("28nm.yaml" in line and "no longer there" in line for line in ancestry(child))


def test_a_file_without_an_origin_is_an_error_that_says_what_to_do(tmp_path, monkeypatch, capsys):
    write_table(fleet_rows(), "fleet", tmp_path / "bare.parquet")
    monkeypatch.setattr(sys, "argv", ["provenance", str(tmp_path / "bare.parquet")])
    with pytest.raises(SystemExit):
        main()
    assert "does not say where it comes from" in capsys.readouterr().err
