"""Language modeling as AWD-LSTM is trained: sequences of random length, and penalties."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Awd, Task
from equinox.training.awd_lstm import AwdLstm, States
from equinox.training.datasets import Text
from equinox.training.problem import ALONE, Problem, Step
from equinox.training.text import perplexity, read_text, side_by_side

SHORT_SHARE = 0.05  # of sequences that are about half as long
LENGTH_DEVIATION = 5.0
SHORTEST = 5


@final
@dataclass(frozen=True, kw_only=True)
class AwdProblem(Problem):
    """The next word; the metric is the perplexity of the validation text.

    A sequence has a random length, and the learning rate is in proportion to it. The loss that is
    reported is the cross entropy, without penalties.

    Source: Merity et al., "Regularizing and Optimizing LSTM Language Models", ICLR 2018.
    """

    metric: ClassVar[str] = "perplexity"

    task: Task
    awd: Awd
    text: Text
    device: torch.device

    @property
    def steps(self) -> int:
        """Training steps of one epoch, if all sequences have the usual length."""
        return (len(self.text.train) // self.task.step_size - 1) // self.task.sequence_length

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        return AwdLstm(
            vocabulary=self.text.vocabulary,
            width=self.task.width,
            depth=self.task.depth,
            dropout=self.task.dropout,
            awd=self.awd,
            generator=generator,
        )

    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield steps on one sequence after the other; their order is the text's."""
        words = side_by_side(self.text.train, self.task.step_size).to(self.device)
        states: dict[int, States] = {}
        start = 0
        while start < len(words) - 2:
            length = self._draw_length(generator)
            losses = self._losses(model, words[start : start + length + 1], states, workers)
            yield Step(losses=losses, rate=length / self.task.sequence_length)
            start += length

    def _draw_length(self, generator: torch.Generator) -> int:
        usual = float(self.task.sequence_length)
        if float(torch.rand((), generator=generator)) < SHORT_SHARE:
            usual /= 2
        drawn = usual + LENGTH_DEVIATION * float(torch.randn((), generator=generator))
        return max(SHORTEST, int(drawn))

    def _losses(
        self, model: nn.Module, sequence: Tensor, states: dict[int, States], workers: range
    ) -> Iterator[Tensor]:
        for worker in workers:
            part = slice(worker * self.task.batch_size, (worker + 1) * self.task.batch_size)
            scores, last, penalty = model(
                sequence[:-1, part], states.get(worker), with_penalty=True
            )
            states[worker] = tuple(state.detach() for state in last)
            loss = functional.cross_entropy(scores.flatten(0, 1), sequence[1:, part].flatten())
            # The gradient of the penalty, without its value.
            yield loss + (penalty - penalty.detach())

    def evaluate(self, model: nn.Module) -> float:
        """Return the perplexity of the validation text."""
        words = side_by_side(self.text.valid, self.awd.test_batch_size).to(self.device)
        return perplexity(model, words, self.task.sequence_length)


def make_awd_problem(task: Task, data_dir: str | None, device: torch.device) -> AwdProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing, damaged or too few, or `task` has no section awd.
    """
    if task.awd is None:
        raise ValueError(
            "a task of model awd_lstm needs a section awd; see config/scales/full.yaml"
        )
    return AwdProblem(task=task, awd=task.awd, text=read_text(task, data_dir), device=device)
