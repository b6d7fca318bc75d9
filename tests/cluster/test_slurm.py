"""The whole graph on a real Slurm of one node gives the bytes of a local run."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_product, snakemake

SCRIPT = Path(__file__).with_name("slurm.sh")
PROFILE = ("--workflow-profile", "profiles/sbatch", "--cores", "2", "--latency-wait", "5")

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.xdist_group("smoke"),
    pytest.mark.skipif(not os.environ.get("EQUINOX_LONG"), reason="long; EQUINOX_LONG=1 runs it"),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running Slurm, or a skip that says what is missing."""
    if os.geteuid() != 0 or shutil.which("slurmctld") is None:
        pytest.skip("needs root and Slurm; tests/cluster/slurm.sh install")
    folder = str(tmp_path_factory.mktemp("slurm"))
    up = subprocess.run([SCRIPT, "up", folder], text=True, capture_output=True, check=False)
    if up.returncode == 3:
        pytest.skip(up.stderr)
    assert up.returncode == 0, up.stderr
    yield
    subprocess.run([SCRIPT, "down", folder], check=True)


@pytest.fixture(scope="module")
def on_slurm(slurm: None, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a whole run at scale smoke has just ended, through sbatch."""
    folder = copy_product(repository, tmp_path_factory.mktemp("sbatch") / "product")
    done = snakemake(folder, *PROFILE)
    assert done.returncode == 0, done.stdout
    return folder


def test_every_table_on_slurm_has_the_bytes_of_the_local_run(made, on_slurm):
    tables = sorted((made / "results/smoke/tables").glob("*.parquet"))
    assert len(tables) >= 9
    for table in tables:
        other = on_slurm / table.relative_to(made)
        assert other.read_bytes() == table.read_bytes(), table.name


def test_all_tables_and_figures_were_made_by_jobs_of_slurm(on_slurm):
    told = "".join(path.read_text() for path in (on_slurm / "results/logs/sbatch").glob("*.log"))
    made = [*(on_slurm / "results/smoke").glob("tables/*"), *on_slurm.glob("results/*/*/*.svg")]
    assert len(made) > 20
    assert [path.name for path in made if str(path.relative_to(on_slurm)) not in told] == []


def test_the_state_of_a_job_is_told_in_the_words_that_snakemake_knows(slurm, repository):
    status = repository / "profiles/sbatch/status.sh"

    def state_after(*command: str) -> str:
        job = subprocess.run(
            ["sbatch", "--parsable", "--wait", "--output=/dev/null", "--wrap", *command],
            text=True,
            capture_output=True,
            check=False,
        ).stdout.strip()
        return subprocess.run([status, job], text=True, capture_output=True).stdout.strip()

    assert state_after("true") == "success"
    assert state_after("false") == "failed"
    assert state_after("kill -9 $$") == "failed"
    unknown = subprocess.run([status, "99999"], text=True, capture_output=True, check=False)
    assert unknown.stdout.strip() == "failed"
