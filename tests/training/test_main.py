import json
import subprocess
import sys

import pandas as pd

from equinox.config.checks import to_jsonable
from equinox.config.training import TrainingJob
from equinox.training.loop import train


def test_the_command_writes_the_rows_and_nothing_else(data_dir, make_task, tmp_path, repository):
    job = TrainingJob(
        name="tiny",
        task=make_task(epochs=1),
        encoding="fp32",
        seeds=(0, 1),
        data_dir=str(data_dir),
    )
    output = tmp_path / "out" / "tiny.parquet"
    command = [sys.executable, "-m", "equinox.training", "--job", json.dumps(to_jsonable(job))]
    done = subprocess.run(
        [*command, "--output", str(output), "--checkpoints", str(tmp_path / "kept")],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "train tiny fp32 seed 1: epoch 1/1" in done.stderr
    assert [path.name for path in output.parent.iterdir()] == ["tiny.parquet"]
    assert not (tmp_path / "kept").exists()
    pd.testing.assert_frame_equal(pd.read_parquet(output), train(job))
