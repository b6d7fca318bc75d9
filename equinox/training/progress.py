"""Say how far a training job is."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
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
    """The epochs that a job has left, and how long one takes."""

    def __init__(self, *, job: TrainingJob, metric: str) -> None:
        self._name = f"train {job.name} {job.encoding}"
        self._metric = metric
        self._epochs = job.task.epochs
        self._left = len(job.seeds) * job.task.epochs

    def watch(self, seed: int, epochs: Iterator[Epoch]) -> Iterator[Epoch]:
        """Yield `epochs`, logging a line for each."""
        started_s = time.perf_counter()
        for done, state in enumerate(epochs, start=1):
            self._left -= 1
            epoch_s = (time.perf_counter() - started_s) / done
            _LOG.info(
                "%s seed %d: epoch %d/%d, %s, %.1f s/epoch, %.0f s left",
                *(self._name, seed, state.epoch, self._epochs),
                *(self._describe(state), epoch_s, self._left * epoch_s),
            )
            yield state

    def skip(self, seed: int) -> None:
        """Count a seed whose rows are there already."""
        self._left -= self._epochs
        _LOG.info("%s seed %d: was finished before", self._name, seed)

    def resume(self, seed: int, epochs: int) -> None:
        """Count the epochs of a seed that an interrupted run has done."""
        self._left -= epochs
        _LOG.info("%s seed %d: resumes after epoch %d/%d", self._name, seed, epochs, self._epochs)

    def _describe(self, state: Epoch) -> str:
        if state.status == "diverged":
            return "diverged"
        return f"loss {state.train_loss:.3f}, {self._metric} {state.value:.4g}"
