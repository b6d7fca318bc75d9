"""A job depends on the code it rests on, and on no other."""

import os
from pathlib import Path

import grimp
import pytest

from equinox.dependencies import (
    argument_file,
    figure_captions,
    figure_tables,
    product_file,
    source_files,
    source_stamp,
)
from equinox.tables import TABLES


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("equinox", cache_dir=None)


def test_training_rests_on_encodings_and_not_on_tables(graph):
    files = source_files(graph, ["equinox.training.__main__"])
    assert any(path.endswith("equinox/encodings/formats.py") for path in files)
    assert not any("equinox/tables.py" in path for path in files)
    assert not any("colocation" in path or "design_space" in path for path in files)


def test_a_figure_rests_on_itself_and_no_other_figure(graph):
    files = source_files(graph, ["equinox.figures.__main__", "equinox.figures.pareto_front"])
    assert any(path.endswith("figures/pareto_front.py") for path in files)
    assert not any(path.endswith("figures/convergence.py") for path in files)


def test_a_stamp_has_each_source_and_changes_with_its_content_alone(graph, tmp_path, monkeypatch):
    module = "equinox.units"
    (source,) = source_files(graph, [module])
    stamp = source_stamp(graph, [module], tmp_path)
    before = (tmp_path / module).read_text()
    assert before.split() == [before.split()[0], source]
    assert os.stat(stamp).st_mtime_ns == os.stat(source).st_mtime_ns
    changed = tmp_path / "changed.py"
    changed.write_text("KILO = 1001\n")
    monkeypatch.setattr("equinox.dependencies.source_files", lambda *_: [str(changed)])
    source_stamp(graph, [module], tmp_path)
    assert (tmp_path / module).read_text().split()[0] != before.split()[0]


def test_an_unknown_module_is_named(graph):
    with pytest.raises(ValueError, match=r"no module equinox\.colocaton"):
        source_files(graph, ["equinox.colocaton"])


def test_files_under_the_working_directory_are_relative_and_others_absolute(
    repository, monkeypatch, tmp_path
):
    monkeypatch.chdir(repository)
    assert product_file("config/config.yaml") == "config/config.yaml"
    monkeypatch.chdir(tmp_path)
    assert product_file("config/config.yaml") == str(repository / "config/config.yaml")


def test_every_figure_names_declared_tables_and_has_a_caption():
    captions = figure_captions()
    for name, tables in figure_tables().items():
        assert set(tables) <= set(TABLES)
        assert len(captions[name]) > 80


def test_a_figure_without_tables_is_named(tmp_path):
    (tmp_path / "empty.py").write_text('"""No tables."""\n')
    with pytest.raises(ValueError, match=r"empty.py has no TABLES"):
        figure_tables(tmp_path)


def test_a_file_of_arguments_has_one_a_line_and_stays_when_others_are_asked_for(tmp_path):
    given = argument_file(["a b", "-c"], tmp_path / "folder")
    path = Path(given.removeprefix("@"))
    assert path.read_text() == "a b\n-c\n"
    os.utime(path, (1, 1))
    assert argument_file(["a b", "-c"], tmp_path / "folder") == given
    assert path.stat().st_mtime == 1
    other = argument_file(["a b"], tmp_path / "folder")
    assert Path(other.removeprefix("@")).read_text() == "a b\n"
    assert path.read_text() == "a b\n-c\n"
    for wrong in ("a\nb", ""):
        with pytest.raises(ValueError, match="is not one line"):
            argument_file([wrong], tmp_path / "folder")
