"""An experiment stands beside the results of its scale, and shares training with them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from equinox.config import CONFIG_DIR
from equinox.plan import load_plan, training_folders
from equinox.yaml_files import read_yaml

EXPERIMENTS = CONFIG_DIR / "experiments"

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]


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


@pytest.mark.parametrize("experiment", sorted(path.stem for path in EXPERIMENTS.glob("*.yaml")))
def test_an_experiment_on_hardware_trains_nothing_of_its_own(experiment):
    config = load_plan({"scale": "smoke", "experiment": experiment})
    assert config.name == f"smoke@{experiment}"
    changes_training = "training" in read_yaml(EXPERIMENTS / f"{experiment}.yaml")
    assert (config.name in training_folders(config).values()) == changes_training


def test_an_experiment_on_hardware_writes_beside(repository):
    output = plan(repository, "scale=smoke", "experiment=7nm")
    assert folders(output, "report.html") == folders(output, "designs.parquet") == {"smoke@7nm"}
    assert folders(output, "experiment_comparison.svg") == {"smoke@7nm"}
    assert folders(output, "runs/mlp/fp32.parquet") == {"smoke"}


def test_a_budget_from_the_command_line_trains_nothing_that_the_scale_has(made, planned):
    jobs = planned(config=["experiment=hot", "design_space__budget__power_w=150"])
    assert {"sweep", "designs", "simulate", "fig_experiment_comparison"} <= jobs
    assert "train" not in jobs


@pytest.mark.parametrize(
    "given",
    [
        "design_space__budget__power_w=150",
        # Snakemake refuses a.b=1: keys are words. Braces go through its parser of YAML.
        "design_space={budget: {power_w: 150}}",
        "design_space__workload=gru_2816_1500",
    ],
)
def test_the_command_line_alone_makes_an_experiment(repository, given):
    output = plan(repository, "scale=smoke", "experiment=hot", given)
    assert folders(output, "designs.parquet") == {"smoke@hot"}
    assert folders(output, "experiment_comparison.svg") == {"smoke@hot"}


def test_without_an_experiment_there_is_nothing_to_compare(repository):
    output = plan(repository, "scale=smoke", "design_space={technology: epfl}")
    assert folders(output, "designs.parquet") == {"smoke"}
    assert "experiment_comparison" not in output
