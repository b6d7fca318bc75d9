"""Say how far a training job is: a line for each epoch in the log, a row in a CSV file."""

import csv
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, final

from equinox.config.training import TrainingJob

_LOG = logging.getLogger(__name__)


@final
@dataclass(frozen=True)
class Epoch:
    """The state of a run after one epoch."""

    epoch: int
    value: float  # of the metric; NaN when diverged
    train_loss: float
    status: Literal["ok", "diverged"]


@final
class Progress:
    """The epochs that a job has left, and how long one takes.

    Args:
        job: What is trained.
        metric: Name of what `Epoch.value` is.
        samples: Images, or words, of an epoch.
        curve: The CSV file of this job's epochs, if there is to be one; times of day and speeds are
            here rather than in the tables, which are the same for each run.
    """

    def __init__(
        self, *, job: TrainingJob, metric: str, samples: int, curve: Path | None = None
    ) -> None:
        self._samples = samples
        self._curve = curve
        self._goes_on = False  # with a file that has rows of this job
        self._name = f"train {job.name} {job.encoding}"
        self._metric = metric
        self._epochs = job.task.epochs
        self._left = len(job.seeds) * job.task.epochs

    def watch(self, seed: int, epochs: Iterator[Epoch]) -> Iterator[Epoch]:
        """Yield `epochs`, logging a line for each."""
        began_s = last_s = time.perf_counter()
        for done, state in enumerate(epochs, start=1):
            now_s = time.perf_counter()
            self._left -= 1
            mean_s = (now_s - began_s) / done
            _LOG.info(
                "%s seed %d: epoch %d/%d, %s, %.0f samples/s, %.1f s/epoch, %.0f s left",
                *(self._name, seed, state.epoch, self._epochs, self._describe(state)),
                *(self._samples / mean_s, mean_s, self._left * mean_s),
            )
            self._write(seed, state, now_s - last_s)
            last_s = now_s
            yield state

    def skip(self, seed: int) -> None:
        """Count a seed whose rows are there already."""
        self._left -= self._epochs
        self._goes_on = True
        _LOG.info("%s seed %d: was finished before", self._name, seed)

    def resume(self, seed: int, epochs: int) -> None:
        """Count the epochs of a seed that an interrupted run has done."""
        self._left -= epochs
        self._goes_on = True
        _LOG.info("%s seed %d: resumes after epoch %d/%d", self._name, seed, epochs, self._epochs)

    def _write(self, seed: int, state: Epoch, epoch_s: float) -> None:
        """Append a row to the CSV file, or begin it."""
        if self._curve is None:
            return
        row = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": seed,
            "epoch": state.epoch,
            "train_loss": state.train_loss,
            self._metric: state.value,
            "status": state.status,
            "epoch_s": round(epoch_s, 3),
            "samples_per_s": round(self._samples / epoch_s, 1),
        }
        self._curve.parent.mkdir(parents=True, exist_ok=True)
        begins = not (self._goes_on and self._curve.exists())
        with self._curve.open("w" if begins else "a", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if begins:
                writer.writeheader()
            writer.writerow(row)
        self._goes_on = True

    def _describe(self, state: Epoch) -> str:
        if state.status == "diverged":
            return "diverged"
        return f"loss {state.train_loss:.3f}, {self._metric} {state.value:.4g}"
