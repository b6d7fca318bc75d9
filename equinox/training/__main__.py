"""Run one training job: `python -m equinox.training --job JSON --output PATH`."""

import argparse
import logging
from pathlib import Path

from equinox.commands import run
from equinox.config.checks import from_json
from equinox.config.training import TrainingJob
from equinox.training.loop import train
from equinox.training.partials import partials_of, write_frame


def main() -> None:
    """Train as the arguments say; seeds that an interrupted run has finished are kept."""
    parser = argparse.ArgumentParser(prog="equinox.training", description=__doc__)
    parser.add_argument("--job", required=True, help="a TrainingJob as JSON")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    job = from_json(TrainingJob, arguments.job)
    partials = partials_of(job, arguments.output)
    write_frame(train(job, partials=partials), arguments.output)
    partials.remove()


if __name__ == "__main__":
    run(main)
