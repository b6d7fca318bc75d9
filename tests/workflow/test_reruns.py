"""A job runs again when, and only when, something that it rests on has changed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from equinox.dependencies import figure_tables
from tests.workflow.conftest import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]

FIGURES = figure_tables()
ENDS = {"all", "figures", "report"}


def figures_of(*tables: str) -> set[str]:
    return {f"fig_{name}" for name, drawn in FIGURES.items() if set(drawn) & set(tables)}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Change `old` to `new` in a file, for a while."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)


@contextmanager
def removed(path: Path) -> Iterator[None]:
    """Take a file away, for a while."""
    away = path.with_name(path.name + ".away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


def test_a_second_call_has_nothing_to_do_after_everything_was_touched_too(made):
    for path in [*made.glob("equinox/**/*.py"), *made.glob("config/**/*.yaml")]:
        path.touch()
    done = snakemake(made)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_a_figure_on_a_clean_tree_trains_no_network(made, planned):
    with removed(made / "results"):
        jobs = planned("fig_pareto_front")
    assert jobs == {"sweep", "pareto", "designs", "fig_pareto_front"}


def test_a_constant_reruns_hardware_and_colocation_and_no_training(made, planned):
    technology = made / "config/technology/28nm.yaml"
    with edited(technology, "\n", "\n# a change of content\n"):
        jobs = planned()
    assert not jobs & {"train", "collect_accuracy", "fig_convergence"}
    assert {"sweep", "designs", "sensitivity", "density", "simulate", "colocation"} <= jobs
    assert figures_of("design_space", "designs", "operating_points", "sensitivity") <= jobs


def test_the_code_of_a_figure_reruns_that_figure_and_the_report_alone(made, planned):
    module = made / "equinox/figures/pareto_front.py"
    with edited(module, '"""', '"""A change. '):
        jobs = planned()
    assert jobs - ENDS == {"fig_pareto_front"}


def test_the_code_of_encodings_reruns_training(made, planned):
    with edited(made / "equinox/encodings/rounding.py", '"""', '"""A change. '):
        jobs = planned()
    assert {"train", "collect_accuracy", "equivalence"} <= jobs
    assert not jobs & {"sweep", "designs", "simulate", "colocation"}


RESTS_ON = {
    "collect_accuracy": {"equivalence", "claims"} | figures_of("accuracy", "equivalence", "claims"),
    "equivalence": {"claims"} | figures_of("equivalence", "claims"),
    "pareto": figures_of("pareto"),
    "breakdown": figures_of("breakdown"),
    "sensitivity": {"claims"} | figures_of("sensitivity", "claims"),
    "density": {"claims"} | figures_of("density", "claims"),
    "roofline": figures_of("roofline"),
    "fleet": figures_of("fleet"),
    "sharing": figures_of("sharing"),
    "claims": figures_of("claims"),
    "colocation": {"operating_points", "fleet", "claims"}
    | figures_of("colocation", "operating_points", "fleet", "claims"),
}


def test_rules_rest_on_the_tables_that_they_read_and_on_no_others(made):
    graph = snakemake(made, "--rulegraph").stdout
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', graph, re.MULTILINE))
    edges = [
        (names[a], names[b]) for a, b in re.findall(r"^\s*(\d+) -> (\d+)", graph, re.MULTILINE)
    ]
    for rule, expected in RESTS_ON.items():
        found = {rule}
        while more := {b for a, b in edges if a in found} - found:
            found |= more
        assert found - ENDS - {rule} == expected, rule


def test_a_removed_table_is_rebuilt_with_what_rests_on_it(made, planned):
    with removed(made / "results/smoke/tables/colocation.parquet"):
        assert planned() - ENDS - {"colocation"} == RESTS_ON["colocation"]


def test_a_removed_figure_is_drawn_again_from_its_tables(made):
    figure = made / "results/smoke/figures/pareto_front.svg"
    before = figure.read_bytes()
    figure.unlink()
    done = snakemake(made)
    assert done.returncode == 0
    assert figure.read_bytes() == before
