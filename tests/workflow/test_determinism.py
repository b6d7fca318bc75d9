"""The same config and seeds give the same bytes, on any number of cores, in any folder."""

import os
import shutil

import pytest

from tests.workflow.conftest import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("slurmctld") is not None,
    reason="tests/cluster compares a second run, on Slurm",
)
def test_another_folder_and_one_core_give_the_same_tables_and_figures(made, tmp_path):
    leave = shutil.ignore_patterns("results", ".snakemake")
    other = shutil.copytree(made, tmp_path / "another folder", ignore=leave)
    done = snakemake(other, "--cores", "1", TZ="Asia/Kathmandu", LC_ALL="C")
    assert done.returncode == 0, done.stdout
    results = made / "results/smoke"
    files = [*results.glob("tables/*.parquet"), *results.glob("figures/*.svg")]
    files += [results / "claims.md", results / "report.html"]
    assert len(files) > 20
    different = [
        path.name
        for path in files
        if path.read_bytes() != (other / path.relative_to(made)).read_bytes()
    ]
    assert different == []
