"""A machine at its limits: disk, memory, rights and clock. Nothing that was finished is lost."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from equinox import commands
from equinox.config import load_config
from equinox.config.checks import to_jsonable
from equinox.design_space import __main__ as design_space
from equinox.training.checkpoints import Checkpoints
from tests.workflow.conftest import RESULTS, lose, snakemake, tables

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("smoke")]

TABLES = RESULTS / "tables"
PARETO = TABLES / "pareto.parquet"
KEPT = "what is finished is kept"


@pytest.fixture
def pareto(made, tmp_path, monkeypatch) -> Callable[[], None]:
    """Make table `pareto`, as its job does, in a folder with the other tables; it is not there."""
    shutil.copytree(made / TABLES, tmp_path / TABLES)
    lose(tmp_path, "tables/pareto.parquet")
    monkeypatch.chdir(tmp_path)

    def job() -> None:
        options = ["--design-space", str(TABLES / "design_space.parquet"), "--output", str(PARETO)]
        monkeypatch.setattr(sys, "argv", ["equinox.design_space", "pareto", *options])
        commands.run(design_space.main)

    return job


def refusal(job: Callable[[], None]) -> str:
    """Return the message, one line, with which a job ends that leaves nothing behind."""
    before = sorted(TABLES.iterdir())
    with pytest.raises(SystemExit) as ended:
        job()
    assert sorted(TABLES.iterdir()) == before
    told = str(ended.value)
    assert told.startswith("error: ")
    assert "\n" not in told
    return told


@contextmanager
def limited(what: int, size_byte: int) -> Iterator[None]:
    """Limit this process for a while."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (size_byte, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def test_a_limit_on_the_size_of_files_is_named(made, pareto):
    with limited(resource.RLIMIT_FSIZE, 1000):
        told = refusal(pareto)
    assert f"{PARETO} cannot be written: " in told
    assert "ulimit -f" in told
    pareto()
    assert tables(Path.cwd()) == tables(made)


def test_a_full_disk_is_named_and_a_rerun_with_space_completes(made, pareto, mounted):
    aside = Path(shutil.copytree(TABLES, "aside"))
    size = sum(path.stat().st_size + 4096 for path in TABLES.iterdir())
    mounted("-t", "tmpfs", "-o", f"size={size + 50_000_000}", "none", at=TABLES)
    shutil.copytree(aside, TABLES, dirs_exist_ok=True)
    disk = os.statvfs(TABLES)
    filler = Path(TABLES, ".filler")
    with filler.open("wb") as file:
        file.write(bytes((disk.f_bavail - 1) * disk.f_frsize))
    told = refusal(pareto)
    assert f"{PARETO} cannot be written: " in told
    assert "No space left on device" in told
    assert f"free some space, then run snakemake again: {KEPT}" in told
    filler.unlink()
    pareto()
    assert tables(Path.cwd()) == tables(made)


def test_a_disk_that_fills_up_under_a_checkpoint_leaves_the_one_before(tmp_path, mounted):
    mounted("-t", "tmpfs", "-o", "size=1m", "none", at=tmp_path)
    kept = Checkpoints(folder=tmp_path / "kept", key="job")
    kept.write_state(0, {"weights": torch.ones(100_000)})
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda: kept.write_state(0, {"weights": torch.zeros(400_000)}))
    assert "job.seed0.pt cannot be written: No space left" in str(ended.value)
    assert KEPT in str(ended.value)
    state = kept.read_state(0)
    assert state is not None
    assert torch.equal(state["weights"], torch.ones(100_000))
    assert [path.name for path in kept.folder.iterdir()] == ["job.seed0.pt"]


def test_a_read_only_folder_of_results_is_named(made, pareto, mounted):
    mounted("--bind", TABLES, at=TABLES)
    mounted("-o", "remount,bind,ro", at=TABLES)
    told = refusal(pareto)
    assert f"{PARETO} cannot be written: " in told
    assert "Read-only file system" in told
    assert "make the folder writable, or run in another one" in told
    subprocess.run(["mount", "-o", "remount,bind,rw", TABLES], check=True)
    pareto()
    assert tables(Path.cwd()) == tables(made)


def test_a_file_where_a_folder_belongs_is_named(pareto):
    TABLES.rename("away")
    TABLES.write_text("not a folder")
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda: Checkpoints(folder=TABLES / "kept", key="job").write_state(0, {}))
    assert "remove the file that stands where a folder belongs" in str(ended.value)


def test_a_read_only_working_folder_is_named_before_anything_runs(run, mounted):
    mounted("--bind", run, at=run)
    mounted("-o", "remount,bind,ro", at=run)
    refused = snakemake(run)
    assert refused.returncode != 0
    assert "is read-only; run in a folder that you may write to" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_a_folder_of_logs_that_cannot_be_written_is_named_and_harms_no_table(made, run, mounted):
    lose(run, "tables/pareto.parquet")
    logs = run / RESULTS / "logs"
    mounted("--bind", logs, at=logs)
    mounted("-o", "remount,bind,ro", at=logs)
    refused = snakemake(run, "pareto")
    assert refused.returncode != 0
    assert f"{RESULTS}/logs/design_space/pareto.log" in refused.stdout
    assert "Read-only file system" in refused.stdout
    assert tables(run).items() <= tables(made).items()
    subprocess.run(["umount", "--lazy", logs], check=True)
    assert snakemake(run, "pareto").returncode == 0
    assert tables(run) == tables(made)


def test_a_job_that_runs_out_of_memory_says_so(repository, tmp_path, monkeypatch):
    config = load_config({"scale": "smoke", "design_space__voltage_steps": 10**10})  # of 8 bytes
    options = ["--config", json.dumps(to_jsonable(config.design_space))]
    options += ["--technology", str(repository / "config/technology/28nm.yaml")]
    options += ["--workload", str(repository / "config/workloads/lstm_2048_25.yaml")]
    options += ["--output", str(tmp_path / "design_space.parquet")]
    monkeypatch.setattr(sys, "argv", ["equinox.design_space", "sweep", *options])
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    with pytest.raises(SystemExit) as ended, limited(resource.RLIMIT_AS, used + 2**35):
        commands.run(design_space.main)
    told = str(ended.value)
    assert told.startswith("error: out of memory (Unable to allocate 74.5 GiB")
    assert "give the job more (--set-resources RULE:mem_mb=" in told
    assert KEPT in told
    assert list(tmp_path.iterdir()) == []


def test_memory_that_pytorch_does_not_get_is_told_in_the_same_words():
    with pytest.raises(SystemExit) as ended:
        commands.run(lambda: torch.empty(10**15))
    told = str(ended.value)
    assert told.startswith("error: out of memory (")
    assert "4000000000000000 bytes" in told
    assert KEPT in told
    assert "\n" not in told


def test_clocks_that_jump_make_nothing_again(run):
    files = [path for path in run.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    moments = (0, time.time() + 10 * 365 * 86400)
    for number, path in enumerate(sorted(files)):
        os.utime(path, (moments[number % 2],) * 2)
    done = snakemake(run, "--dry-run")
    assert "Nothing to be done" in done.stdout, done.stdout
