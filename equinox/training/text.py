"""Language modeling: the next word of a text."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Task
from equinox.training.architectures import TEXT_MODELS
from equinox.training.datasets import Text, load_text
from equinox.training.models import State
from equinox.training.problem import ALONE, Problem, Step


@final
@dataclass(frozen=True, kw_only=True)
class TextProblem(Problem):
    """The next word; the metric is the perplexity of the validation text, e**(mean loss).

    The text is cut into `batch_size` parts that are read side by side. The state goes on from one
    sequence to the next, gradients do not (truncated backpropagation).
    """

    metric: ClassVar[str] = "perplexity"

    task: Task
    text: Text

    device: torch.device = torch.device("cpu")

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete sequence is left out."""
        return (len(self.text.train) // self.task.step_size - 1) // self.task.sequence_length

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        return TEXT_MODELS[self.task.model](self.task, self.text.vocabulary, generator)

    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield steps on one sequence after the other; their order is the text's."""
        del generator
        words = side_by_side(self.text.train, self.task.step_size).to(self.device)
        states: dict[int, State] = {}
        for step in range(self.steps):
            start = step * self.task.sequence_length
            sequence = words[start : start + self.task.sequence_length + 1]
            yield Step(losses=self._losses(model, sequence, states, workers))

    def _losses(
        self, model: nn.Module, sequence: Tensor, states: dict[int, State], workers: range
    ) -> Iterator[Tensor]:
        """Yield the cross entropy of each worker's columns, from its state, which is replaced."""
        for worker in workers:
            part = slice(worker * self.task.batch_size, (worker + 1) * self.task.batch_size)
            scores, last = model(sequence[:-1, part], states.get(worker))
            if last is not None:
                states[worker] = last[0].detach(), last[1].detach()
            yield functional.cross_entropy(scores.flatten(0, 1), sequence[1:, part].flatten())

    def evaluate(self, model: nn.Module) -> float:
        """Return the perplexity of the validation text."""
        words = side_by_side(self.text.valid, self.task.batch_size).to(self.device)
        return perplexity(model, words, self.task.sequence_length)


def perplexity(model: nn.Module, words: Tensor, sequence_length: int) -> float:
    """Return the perplexity of `words` (time, batch), read in sequences; infinite if too large."""
    state: State | None = None
    total = 0.0
    for start in range(0, len(words) - 1, sequence_length):
        following = words[start + 1 : start + 1 + sequence_length]
        scores, state = model(words[start : start + len(following)], state)
        loss = functional.cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="sum")
        total += float(loss)
    return exponential(total / words[1:].numel())


def exponential(mean: float) -> float:
    """Return e**`mean`, infinite where that is beyond 1e30."""
    return math.exp(mean) if mean < math.log(1e30) else math.inf


def make_text_problem(task: Task, data_dir: str | None, device: torch.device) -> TextProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing, damaged or too few.
    """
    text = read_text(task, data_dir)
    return TextProblem(task=task, text=text, device=device)


def read_text(task: Task, data_dir: str | None) -> Text:
    """Return the text of `task`.

    Raises:
        ValueError: the data are missing, damaged or too few.
    """
    text = load_text(
        task.dataset,
        train_size=task.train_size,
        valid_size=task.test_size,
        vocabulary=task.vocabulary,
        data_dir=data_dir,
    )
    needed = task.step_size * (task.sequence_length + 1)
    for name, size in (("train_size", len(text.train)), ("test_size", len(text.valid))):
        if size < needed:
            raise ValueError(
                f"{name} is {size} words; {task.step_size} sequences of {task.sequence_length} "
                f"words, and the next, take {needed}"
            )
    return text


def side_by_side(words: NDArray[np.int64], parts: int) -> Tensor:
    """Return `words` as (time, parts): column i holds the i-th part of the text."""
    tensor = torch.from_numpy(words)
    length = len(tensor) // parts
    return tensor[: length * parts].view(parts, length).T.contiguous()
