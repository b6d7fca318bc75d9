"""An experiment stands beside the results of its scale, and shares training with them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_product, snakemake

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


# tests/test_plan.py asks of every experiment what it trains.
def test_an_experiment_on_hardware_writes_beside(repository):
    output = plan(repository, "scale=smoke", "experiment=7nm")
    assert folders(output, "report.html") == folders(output, "designs.parquet") == {"smoke@7nm"}
    assert folders(output, "experiment_comparison.svg") == {"smoke@7nm"}
    assert folders(output, "runs/mlp/fp32.parquet") == {"smoke"}


def test_an_experiment_on_encodings_trains_in_its_own_and_takes_the_rest_from_the_scale(repository):
    output = plan(repository, "experiment=mx")
    for encoding, folder in (
        ("mxint8", "default@mx"),
        ("mxfp4", "default@mx"),
        ("fp32", "default"),
    ):
        assert folders(output, f"runs/resnet/{encoding}.parquet") == {folder}


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


@pytest.mark.parametrize(
    ("target", "config", "reason"),
    [
        (
            "fig_experiment_sharing",
            ["experiment=hbm3"],
            "beside scale = 'smoke', .*\n    snakemake sharing --config scale=smoke",
        ),
        (
            "fig_experiment_accuracy",
            ["experiment=hbm3"],
            "trains nothing that scale = 'smoke'",
        ),
        ("fig_experiment_comparison", [], "--config experiment=NAME"),
        ("compare", [], "--config experiment=NAME"),
    ],
)
def test_what_cannot_be_compared_says_why_and_what_to_run_even_if_told_to_be_quiet(
    repository, tmp_path, target, config, reason
):
    folder = copy_product(repository, tmp_path / "fresh")
    done = snakemake(folder, target, "--quiet", "all", config=config)
    assert done.returncode == 1
    assert re.search(f"^{target}: .*{reason}", done.stdout, re.MULTILINE), done.stdout
