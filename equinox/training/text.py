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
from equinox.training.problem import Problem


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

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete sequence is left out."""
        return (len(self.text.train) // self.task.batch_size - 1) // self.task.sequence_length

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        return TEXT_MODELS[self.task.model](self.task, self.text.vocabulary, generator)

    def losses(self, model: nn.Module, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the cross entropy of one sequence after the other; their order is the text's."""
        words = _side_by_side(self.text.train, self.task.batch_size)
        state: State | None = None
        for step in range(self.steps):
            start = step * self.task.sequence_length
            end = start + self.task.sequence_length
            scores, last = model(words[start:end], state)
            state = None if last is None else (last[0].detach(), last[1].detach())
            following = words[start + 1 : end + 1]
            yield functional.cross_entropy(scores.flatten(0, 1), following.flatten())

    def evaluate(self, model: nn.Module) -> float:
        """Return the perplexity of the validation text."""
        words = _side_by_side(self.text.valid, self.task.batch_size)
        state: State | None = None
        total = 0.0
        for start in range(0, len(words) - 1, self.task.sequence_length):
            following = words[start + 1 : start + 1 + self.task.sequence_length]
            scores, state = model(words[start : start + len(following)], state)
            loss = functional.cross_entropy(
                scores.flatten(0, 1), following.flatten(), reduction="sum"
            )
            total += float(loss)
        mean = total / words[1:].numel()
        return math.exp(mean) if mean < math.log(1e30) else math.inf


def make_text_problem(task: Task, data_dir: str | None) -> TextProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing, damaged or too few.
    """
    for name, size in (("train_size", task.train_size), ("test_size", task.test_size)):
        if size < task.batch_size * (task.sequence_length + 1):
            raise ValueError(
                f"{name} is {size} words; {task.batch_size} sequences of {task.sequence_length} "
                f"words, and the next, take {task.batch_size * (task.sequence_length + 1)}"
            )
    text = load_text(
        task.dataset,
        train_size=task.train_size,
        valid_size=task.test_size,
        vocabulary=task.vocabulary,
        data_dir=data_dir,
    )
    return TextProblem(task=task, text=text)


def _side_by_side(words: NDArray[np.int64], parts: int) -> Tensor:
    """Return `words` as (time, parts): column i holds the i-th part of the text."""
    tensor = torch.from_numpy(words)
    length = len(tensor) // parts
    return tensor[: length * parts].view(parts, length).T.contiguous()
