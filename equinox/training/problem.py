"""What the loop needs to know of a task: its model, training losses and metric."""

import abc
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn


class Problem(abc.ABC):
    """A model and data: the loop trains on `losses` and reports `evaluate`."""

    metric: ClassVar[str]  # its name; smaller is better

    @property
    @abc.abstractmethod
    def steps(self) -> int:
        """Training steps of one epoch."""

    @abc.abstractmethod
    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights from PyTorch's generator; `generator` is dropout's."""

    @abc.abstractmethod
    def losses(self, model: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the mean loss (nat) of each step of one epoch; `generator` orders the data.

        The model may change between two losses.
        """

    @abc.abstractmethod
    def evaluate(self, model: nn.Module) -> float:
        """Return the metric of `model` on data that it is not trained on."""
