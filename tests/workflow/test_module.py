"""Another workflow can use this one as a module, from its own folder and with its own config."""

import subprocess
import sys
from pathlib import Path

import pytest

from equinox.tables import read_table

pytestmark = pytest.mark.workflow

SNAKEFILE = """
module evaluation:
    snakefile: "{repository}/workflow/Snakefile"
    config: {{"scale": "smoke", "design_space": {{"budget": {{"power_w": 100}}}}}}


use rule * from evaluation as evaluation_*


rule mine:
    input:
        "results/smoke/figures/pareto_front.svg",
    default_target: True
    output:
        "mine.txt",
    shell:
        "echo {{input}} > {{output}}"
"""


def snakemake(folder, *arguments):
    """Run snakemake in `folder`; return what it says."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("snakemake")), "--cores", "1", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_workflow_that_imports_this_one_plans_its_jobs_and_runs_them(repository, tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(repository=repository))
    plan = snakemake(tmp_path, "--dry-run")
    for rule in ("evaluation_sweep", "evaluation_pareto", "evaluation_fig_pareto_front", "mine"):
        assert rule in plan
    assert "evaluation_train" not in plan
    snakemake(tmp_path, "evaluation_designs")
    designs = read_table("designs", tmp_path / "results/smoke/tables/designs.parquet")
    assert 75 < designs["power_w"].max() <= 100  # the module's own budget


def test_the_catalog_finds_the_standard_layout(repository):
    for path in ("workflow/Snakefile", ".snakemake-workflow-catalog.yml", "README.md", "LICENSE"):
        assert (repository / path).is_file()
