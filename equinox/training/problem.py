"""What the loop needs to know of a task: its model, training losses and metric."""

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn

ALONE = range(1)  # the workers of a process that has the only one


@final
@dataclass(frozen=True, kw_only=True)
class Step:
    """What one training step learns from."""

    losses: Iterator[Tensor]  # mean loss (nat) of each worker of this process, made when asked for
    rate: float = 1.0  # factor of the learning rate


class Problem(abc.ABC):
    """A model and data: the loop trains on `epoch` and reports `evaluate`."""

    metric: ClassVar[str]  # its name; smaller is better

    @property
    @abc.abstractmethod
    def steps(self) -> int:
        """Training steps of one epoch."""

    @abc.abstractmethod
    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights from PyTorch's generator; `generator` is dropout's."""

    @abc.abstractmethod
    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield the steps of one epoch; `generator` orders the data.

        All processes draw the same of `generator`, whichever `workers` are theirs. The model may
        change between two steps.
        """

    @abc.abstractmethod
    def evaluate(self, model: nn.Module) -> float:
        """Return the metric of `model` on data that it is not trained on."""
