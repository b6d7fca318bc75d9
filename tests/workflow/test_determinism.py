"""The same config and seeds give the same bytes, on any number of cores, in any folder."""

import pytest

from tests.workflow.conftest import copy_product, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]


def test_another_folder_and_one_core_give_the_same_tables_and_figures(made, repository, tmp_path):
    other = copy_product(repository, tmp_path / "another folder")
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
