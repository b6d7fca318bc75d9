"""Whatever is killed: what was finished is kept, the remedy is named, a rerun gives equal bytes."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import RESULTS, jobs_of, lose, snakemake, start, tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]

THREE = ("pareto", "breakdown", "roofline")  # three jobs of two seconds, each on its own


def job_of(process: subprocess.Popen[str], module: str) -> psutil.Process:
    """Return the first job of a running snakemake that runs `module`, as soon as there is one."""
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            if module in command and "python" in Path(command[0]).name:
                return child
        time.sleep(0.05)
    raise AssertionError(f"no job of {module}")


def test_a_killed_job_leaves_the_others_and_is_made_again(made, run):
    lose(run, *(f"tables/{name}.parquet" for name in THREE))
    process = start(run, *THREE, "--cores", "1")
    job_of(process, "equinox.design_space").kill()
    told, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "error: the job was killed by signal 9. Kill 9 is often a lack of memory" in told
    assert ") failed." in told
    kept = tables(run)
    assert len(kept) == len(tables(made)) - 1
    assert kept.items() <= tables(made).items()
    done = snakemake(run, *THREE)
    assert done.returncode == 0
    assert len(jobs_of(done.stdout) & set(THREE)) == 1
    assert tables(run) == tables(made)


def test_a_killed_snakemake_leaves_a_lock_and_says_how_to_go_on(made, run):
    lose(run, "tables/roofline.parquet")
    process = start(run, "roofline", "--cores", "1")
    job = job_of(process, "equinox.design_space")
    process.kill()
    process.communicate()
    psutil.wait_procs([job], timeout=120)
    refused = snakemake(run, "roofline")
    assert refused.returncode != 0
    assert "--unlock" in refused.stdout
    assert snakemake(run, "--unlock").returncode == 0
    done = snakemake(run, "roofline")
    assert done.returncode == 0, done.stdout
    assert tables(run) == tables(made)


def test_a_terminated_snakemake_leaves_no_lock(made, run):
    lose(run, "tables/roofline.parquet")
    process = start(run, "roofline", "--cores", "1")
    job_of(process, "equinox.design_space")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    done = snakemake(run, "roofline")
    assert done.returncode == 0, done.stdout
    assert tables(run) == tables(made)


def test_a_config_edited_and_a_second_snakemake_started_during_a_run_do_not_reach_it(made, run):
    lose(run, "tables/breakdown.parquet", "tables/roofline.parquet")
    config = run / "config/config.yaml"
    before = config.read_text()
    first = start(run, "breakdown", "roofline", "--cores", "1")
    job = job_of(first, "equinox.design_space")
    job.suspend()
    config.write_text(before.replace("power_w: 75", "power_w: 90", 1))
    second = snakemake(run, "roofline")
    job.resume()
    told, _ = first.communicate(timeout=300)
    assert second.returncode != 0
    assert "no other Snakemake process" in second.stdout
    assert first.returncode == 0, told
    assert tables(run) == tables(made)
    planned = jobs_of(snakemake(run, "breakdown", "roofline", "--dry-run").stdout)
    assert {"sweep", "designs", "breakdown", "roofline"} <= planned  # with the edited config
    config.write_text(before)
    assert "Nothing to be done" in snakemake(run, "breakdown", "roofline", "--dry-run").stdout


KILLED_AT_THE_LAST_STEP = """
import os, signal
from equinox import whole_files
from equinox.design_space.__main__ import main
whole_files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def test_what_a_job_killed_while_it_writes_leaves_behind_is_not_read(made, run):
    lose(run, "tables/pareto.parquet")
    folder = run / RESULTS / "tables"
    options = ["--design-space", RESULTS / "tables/design_space.parquet"]
    options += ["--output", RESULTS / "tables/pareto.parquet"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_LAST_STEP, "pareto", *options], cwd=run, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = folder.glob(".pareto.parquet.*.partial")
    assert left.read_bytes() == (made / RESULTS / "tables/pareto.parquet").read_bytes()
    left.write_bytes(b"half a file")
    assert not (folder / "pareto.parquet").exists()
    assert snakemake(run, "pareto").returncode == 0
    assert not left.exists()
    assert tables(run) == tables(made)
