"""The command, from tables on disk to files."""

import sys
from pathlib import Path

import pytest

from equinox.figures.__main__ import main, read_published
from equinox.tables import write_table
from tests.figures._tables import random_table


def test_the_command_writes_three_files_and_nothing_else(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(random_table("density"), "density", tmp_path / "tables" / "density.parquet")
    arguments = ["arithmetic_density", "--tables", tmp_path / "tables" / "density.parquet"]
    arguments += ["--published", repository / "config" / "published.yaml"]
    endings = ("pdf", "png", "svg")
    arguments += ["--output", *(tmp_path / "figures" / f"density.{end}" for end in endings)]
    monkeypatch.setattr(sys, "argv", ["figures", *map(str, arguments)])
    main()
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == ["density.pdf", "density.png", "density.svg"]


def test_values_in_words_are_left_out_and_unknown_ids_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text("published: [{id: a, value: 78}, {id: b, value: null}]")
    assert read_published(path, ("a", "b")) == {"a": 78.0}
    with pytest.raises(ValueError, match="has no c, which the figure marks"):
        read_published(path, ("a", "c"))
