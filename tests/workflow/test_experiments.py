"""An experiment stands beside the results of its scale, and shares training with them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow


def plan(repository: Path, *config: str) -> str:
    """Return all files of a run, one a line."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("snakemake")),
            *("--summary", "--config", *config),
        ],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def folders(output: str, name: str) -> set[str]:
    """Return the folders of results that have a file of this name as an output."""
    return set(re.findall(rf"^results/([^/]+)/\S*{name}\t", output, re.MULTILINE))


@pytest.mark.parametrize("experiment", ["more_power", "epfl", "7nm"])
def test_an_experiment_on_hardware_writes_beside_and_trains_nothing_of_its_own(
    repository, experiment
):
    output = plan(repository, "scale=smoke", f"experiment={experiment}")
    own = f"smoke@{experiment}"
    assert folders(output, "report.html") == folders(output, "designs.parquet") == {own}
    assert folders(output, "experiment_comparison.svg") == {own}
    assert folders(output, "runs/mlp/fp32.parquet") == {"smoke"}


def test_the_command_line_alone_makes_an_experiment(repository):
    output = plan(repository, "scale=smoke", "experiment=hot", "design_space__budget__power_w=150")
    assert folders(output, "designs.parquet") == {"smoke@hot"}


def test_a_section_of_the_command_line_is_the_same_as_its_keys(repository):
    # Snakemake refuses a.b=1: keys are words. A section in braces goes through its parser of YAML.
    output = plan(
        repository, "scale=smoke", "experiment=hot", "design_space={budget: {power_w: 150}}"
    )
    assert folders(output, "designs.parquet") == {"smoke@hot"}


def test_another_workload_writes_beside(repository):
    output = plan(
        repository, "scale=smoke", "experiment=gru", "design_space__workload=gru_2816_1500"
    )
    assert folders(output, "designs.parquet") == {"smoke@gru"}
    assert folders(output, "experiment_comparison.svg") == {"smoke@gru"}


def test_without_an_experiment_there_is_nothing_to_compare(repository):
    output = plan(repository, "scale=smoke", "design_space={technology: epfl}")
    assert folders(output, "designs.parquet") == {"smoke"}
    assert "experiment_comparison" not in output
