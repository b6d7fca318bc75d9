"""A killed training job goes on where it was, and the table is as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.training.miniatures import MINIATURES
from tests.workflow.conftest import copy_product, snakemake

pytestmark = pytest.mark.workflow

#: One small job of three epochs, with stochastic rounding of stored weights.
CONFIG = (
    "training={tasks: {mlp: {train_size: 12800, test_size: 1000, epochs: 4, width: 128}}, "
    "encodings: {noisy: {base: hbfp8_16, storage_rounding: stochastic}}, "
    "runs: {mlp: {noisy: 1}, resnet: {fp32: 1}, lstm: {fp32: 1}}}"
)
RUN = "results/smoke/runs/mlp/noisy.parquet"
KEPT = "results/smoke/checkpoints/mlp/noisy"


def start(folder: Path) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("snakemake")), RUN]
    command += ["--config", "scale=smoke", CONFIG]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def training_processes(snakemake_id: int) -> list[psutil.Process]:
    """Return the Python processes of the training job."""
    children = psutil.Process(snakemake_id).children(recursive=True)
    return [
        child
        for child in children
        if child.name().startswith("python") and "equinox.training" in child.cmdline()
    ]


def end_in_second_epoch(folder: Path, number: signal.Signals) -> str:
    """Send a signal to the training job as soon as its first epoch is kept; return the output."""
    running = start(folder)
    deadline = time.monotonic() + 240
    while not list((folder / KEPT).glob("*.pt")):
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (job,) = training_processes(running.pid)
    job.send_signal(number)
    output, _ = running.communicate(timeout=240)
    assert running.returncode != 0
    assert not (folder / RUN).exists()
    assert "epoch 4/4" not in output
    return output


def test_a_job_killed_in_its_second_epoch_resumes_to_the_same_bytes(repository, tmp_path):
    undisturbed, disturbed = (copy_product(repository, tmp_path / name) for name in ("a", "b"))
    done = snakemake(undisturbed, RUN, config=[CONFIG])
    assert done.returncode == 0, done.stdout
    assert not (undisturbed / KEPT).exists()

    end_in_second_epoch(disturbed, signal.SIGKILL)
    output = end_in_second_epoch_again(disturbed)
    assert "stopped by SIGTERM: finished epochs are kept in" in output

    done = snakemake(disturbed, RUN, config=[CONFIG])
    assert done.returncode == 0, done.stdout
    assert "train mlp noisy seed 0: resumes after epoch" in done.stdout
    assert (disturbed / RUN).read_bytes() == (undisturbed / RUN).read_bytes()
    assert not (disturbed / KEPT).exists()


def end_in_second_epoch_again(folder: Path) -> str:
    """Stop the job by SIGTERM right after it has resumed."""
    return end_in_second_epoch(folder, signal.SIGTERM)


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
