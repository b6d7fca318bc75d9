"""Two processes with gloo learn as one does with the doubled batch."""

import json
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from equinox.config.checks import to_jsonable
from equinox.config.training import TrainingJob
from equinox.training.distributed import Team
from equinox.training.loop import train


def run_processes(job, folder, repository):
    """Run a job as the workflow does; it starts torchrun itself."""
    output = folder / "rows.parquet"
    command = [sys.executable, "-m", "equinox.training", "--job", json.dumps(to_jsonable(job))]
    command += ["--output", str(output), "--checkpoints", str(folder / "kept")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(output), done.stderr


def test_two_processes_learn_as_one_with_the_doubled_batch(
    data_dir, make_task, tmp_path, repository
):
    # An MLP: norms take their means from a process's own part of a batch.
    task = make_task(batch_size=8, workers=4, epochs=3)
    job = TrainingJob(
        name="tiny", task=task, encoding="fp32", seeds=(0,), data_dir=str(data_dir), processes=2
    )
    two, log = run_processes(job, tmp_path, repository)
    assert log.count("epoch 3/3") == 1  # one process speaks for both
    turns = train(replace(job, processes=1))
    doubled = train(replace(job, processes=1, task=replace(task, batch_size=32, workers=1)))
    for column in ("train_loss", "value"):
        assert two[column].to_numpy() == pytest.approx(turns[column].to_numpy(), rel=1e-5)
        assert two[column].to_numpy() == pytest.approx(doubled[column].to_numpy(), rel=1e-5)


def test_workers_are_shared_out_evenly_and_in_order():
    assert [list(Team(rank=rank, size=2).share(4)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="3 workers cannot be shared by 2 processes"):
        Team(size=2).share(3)


def test_a_task_takes_no_more_processes_than_its_workers_divide_into(make_task):
    assert [make_task(workers=6).processes(available) for available in (1, 2, 4, 8)] == [1, 2, 3, 6]
    assert make_task().processes(8) == 1
