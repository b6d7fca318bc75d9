"""A killed training job goes on where it was, and the table is as if nothing had happened."""

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.training.miniatures import MINIATURES
from tests.workflow.conftest import copy_product, snakemake, start

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("resume")]

#: One small job of four epochs, with stochastic rounding of stored weights.
CONFIG = (
    "training={tasks: {mlp: {train_size: 6400, test_size: 1000, epochs: 4, width: 128}}, "
    "encodings: {noisy: {base: hbfp8_16, storage_rounding: stochastic}}, runs: {mlp: {noisy: 1}}}"
)
RUN = "results/smoke/runs/mlp/noisy.parquet"
KEPT = "results/smoke/checkpoints/mlp/noisy"
DATA = "equinox/training/data/fashion_mnist/train-images-idx3-ubyte.xz"


def training_processes(snakemake_id: int) -> list[psutil.Process]:
    """Return the Python processes of the training job."""
    children = psutil.Process(snakemake_id).children(recursive=True)
    return [
        child
        for child in children
        if child.name().startswith("python") and "equinox.training" in child.cmdline()
    ]


def is_ready(job: psutil.Process) -> bool:
    """Whether a process has taken SIGTERM into its own hands, which is when it has begun."""
    status = Path(f"/proc/{job.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def end_in_second_epoch(folder: Path, number: signal.Signals) -> str:
    """Send a signal to the training job as soon as its first epoch is kept; return the output."""
    running = start(folder, RUN, config=[CONFIG])
    deadline = time.monotonic() + 240
    while True:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        jobs = training_processes(running.pid)
        if jobs and list((folder / KEPT).glob("*.pt")) and is_ready(jobs[0]):
            break
        time.sleep(0.02)
    jobs[0].send_signal(number)
    output, _ = running.communicate(timeout=240)
    assert running.returncode != 0
    assert not (folder / RUN).exists()
    assert "epoch 4/4" not in output
    return output


def test_a_job_without_data_killed_and_preempted_ends_with_the_bytes_of_an_undisturbed_one(
    repository, tmp_path
):
    folder = copy_product(repository, tmp_path / "product")
    done = snakemake(folder, RUN, config=[CONFIG])
    assert done.returncode == 0, done.stdout
    assert not (folder / KEPT).exists()
    undisturbed = (folder / RUN).read_bytes()
    shutil.rmtree(folder / "results")

    half_copied(folder / DATA)
    output = end_in_second_epoch(folder, signal.SIGKILL)
    assert "error: the job was killed by signal 9." in output
    output = end_in_second_epoch(folder, signal.SIGTERM)  # as soon as it is running again
    assert "stopped by SIGTERM: finished epochs are kept in" in output

    done = snakemake(folder, RUN, config=[CONFIG])
    assert done.returncode == 0, done.stdout
    assert "train mlp noisy seed 0: resumes after epoch" in done.stdout
    assert (folder / RUN).read_bytes() == undisturbed
    assert not (folder / KEPT).exists()


def half_copied(data: Path) -> None:
    """Let the job fail for want of data: half of a file, then no file; put it back."""
    folder, whole = data.parents[4], data.read_bytes()
    os.truncate(data, len(whole) // 2)
    refused = snakemake(folder, RUN, config=[CONFIG])
    assert refused.returncode != 0
    assert f"{data} is damaged" in refused.stdout
    assert "restore" in refused.stdout
    data.unlink()
    refused = snakemake(folder, RUN, config=[CONFIG])
    assert refused.returncode != 0
    assert f"{data.parent} has no file {data.stem}" in refused.stdout
    assert "Traceback" not in refused.stdout
    data.write_bytes(whole)


def test_scale_full_has_a_plan_where_the_data_are(repository, tmp_path):
    for make in MINIATURES.values():
        make(tmp_path)
    config = [f"data_dir={tmp_path}"]
    done = snakemake(repository, "accuracy", "--dry-run", scale="full", config=config)
    assert done.returncode == 0, done.stdout
    assert "results/full/checkpoints" not in done.stdout


def test_missing_data_are_told_before_any_job_runs(repository, tmp_path):
    config = [f"data_dir={tmp_path}"]
    done = snakemake(repository, "accuracy", "--dry-run", scale="full", config=config)
    assert done.returncode != 0
    for folder in ("cifar-100-python", "svhn", "imagenet", "ptb", "wordpiece"):
        assert str(tmp_path / folder) in done.stdout
    fetched = snakemake(
        repository, "accuracy", "--dry-run", scale="full", config=[*config, "download=true"]
    )
    assert str(tmp_path / "imagenet") in fetched.stdout
    assert str(tmp_path / "svhn") not in fetched.stdout
