"""Run one training job: `python -m equinox.training --job JSON --output PATH --checkpoints DIR`."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from equinox.commands import run
from equinox.config.checks import from_json
from equinox.config.training import TrainingJob
from equinox.provenance import Origin, origin_of
from equinox.table_files import write
from equinox.training_tables import ACCURACY

_LOG = logging.getLogger("equinox.training")
DATA = Path(__file__).parent / "data"  # that come with the product


def main() -> None:
    """Train as the arguments say, on with what an interrupted run has done.

    A job of several processes is started by torchrun, here or by the user. SIGTERM ends a job with
    an error; what it has kept of finished epochs is where the next call begins.
    """
    parser = argparse.ArgumentParser(prog="equinox.training", description=__doc__)
    parser.add_argument("--job", required=True, help="a TrainingJob as JSON")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")
    parser.add_argument("--checkpoints", required=True, type=Path, help="folder to work in")
    parser.add_argument("--curve", type=Path, help="CSV file to write each epoch to")
    arguments = parser.parse_args()
    job = from_json(TrainingJob, arguments.job)
    if job.processes > 1 and "WORLD_SIZE" not in os.environ:
        _start_processes(job.processes)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _exit_on_sigterm(arguments.checkpoints)
    source = DATA / job.task.dataset / "source.yaml"
    known = [source] if job.data_dir is None and source.exists() else []
    origin = origin_of("equinox.training", vars(arguments), known)
    _train(job, arguments.output, arguments.checkpoints, arguments.curve, origin)


def _start_processes(count: int) -> None:
    """Become torchrun, which starts this command `count` times."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    os.execv(sys.executable, [sys.executable, *torchrun, "-m", "equinox.training", *sys.argv[1:]])


def _exit_on_sigterm(checkpoints: Path) -> None:
    def leave(_signal: int, _frame: object) -> None:
        raise SystemExit(
            f"stopped by SIGTERM: finished epochs are kept in {checkpoints}; run the same command "
            "again to go on"
        )

    signal.signal(signal.SIGTERM, leave)


def _train(
    job: TrainingJob, output: Path, folder: Path, curve: Path | None, origin: Origin
) -> None:
    from equinox.training.checkpoints import checkpoints_of
    from equinox.training.distributed import join_team
    from equinox.training.loop import train

    checkpoints = checkpoints_of(job, folder)
    with join_team(job.device) as team:
        if team.rank:
            _LOG.setLevel(logging.WARNING)
        rows = train(job, checkpoints=checkpoints, team=team, curve=curve)
        if team.rank == 0:
            write(rows, ACCURACY, output, origin=origin)
            checkpoints.remove()


if __name__ == "__main__":
    run(main)
