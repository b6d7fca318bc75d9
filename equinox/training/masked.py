"""Masked language modeling: words that were hidden, as BERT is trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Task
from equinox.training.hugging_face import bert
from equinox.training.layouts import require_layout
from equinox.training.problem import ALONE, Problem, Step
from equinox.training.text import exponential

CHOSEN_SHARE = 0.15  # of words, that are to be predicted
MASKED_SHARE = 0.8  # of the chosen ones
RANDOM_SHARE = 0.1  # of the chosen ones; the others stay
IGNORED = -100  # label of words that are not to be predicted


@final
@dataclass(frozen=True, kw_only=True)
class MaskedProblem(Problem):
    """Words that are hidden; the metric is their perplexity in the validation text.

    Source: Devlin et al., "BERT", NAACL 2019, section 3.1, task 1.
    """

    metric: ClassVar[str] = "perplexity"

    task: Task
    train: Tensor  # (sequences, sequence_length), each between [CLS] and [SEP]
    valid: Tensor
    vocabulary: int
    mask: int  # number of [MASK]
    device: torch.device

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete batch is left out."""
        return len(self.train) // self.task.step_size

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        del generator
        return bert(
            vocabulary=self.vocabulary,
            width=self.task.width,
            depth=self.task.depth,
            heads=self.task.heads,
            sequence_length=self.task.sequence_length,
            dropout=self.task.dropout,
        )

    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield steps on sequences in random order, each once an epoch, with new masks."""
        order = torch.randperm(len(self.train), generator=generator)
        for step in range(self.steps):
            chosen = order[step * self.task.step_size :][: self.task.step_size]
            words, labels = self._hide(self.train[chosen], generator)
            yield Step(losses=self._losses(model, words, labels, workers))

    def _losses(
        self, model: nn.Module, words: Tensor, labels: Tensor, workers: range
    ) -> Iterator[Tensor]:
        for worker in workers:
            part = slice(worker * self.task.batch_size, (worker + 1) * self.task.batch_size)
            total, count = _loss(model, words[part].to(self.device), labels[part].to(self.device))
            yield total / max(1, count)

    def evaluate(self, model: nn.Module) -> float:
        """Return the perplexity of hidden words; which are hidden is always the same."""
        generator = torch.Generator().manual_seed(0)
        total, count = 0.0, 0
        for batch in self.valid.split(self.task.batch_size):  # type: ignore[no-untyped-call]
            words, labels = self._hide(batch, generator)
            loss, hidden = _loss(model, words.to(self.device), labels.to(self.device))
            total, count = total + float(loss), count + hidden
        return exponential(total / max(1, count))

    def _hide(self, words: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return `words` with some hidden, and what was there."""
        inner = torch.ones_like(words, dtype=torch.bool)
        inner[:, [0, -1]] = False
        chosen = inner & (torch.rand(words.shape, generator=generator) < CHOSEN_SHARE)
        fate = torch.rand(words.shape, generator=generator)
        others = torch.randint(self.vocabulary, words.shape, generator=generator)
        hidden = torch.where(chosen & (fate < MASKED_SHARE), self.mask, words)
        is_random = chosen & (fate >= MASKED_SHARE) & (fate < MASKED_SHARE + RANDOM_SHARE)
        return torch.where(is_random, others, hidden), torch.where(chosen, words, IGNORED)


def _loss(model: nn.Module, words: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Return the sum of cross entropies of the words to predict, and how many they are."""
    scores = model(words).flatten(0, 1)
    total = functional.cross_entropy(
        scores, labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total, int((labels != IGNORED).sum())


def make_masked_problem(task: Task, data_dir: str | None, device: torch.device) -> MaskedProblem:
    """Return the problem of `task`.

    Raises:
        ValueError: the data are missing or too few, or the library for WordPiece is not installed.
    """
    try:
        from tokenizers import BertWordPieceTokenizer  # here, since only scale full needs it
    except ImportError:
        raise ValueError(
            "WordPiece needs the library tokenizers; pip install 'coltrain-equinox[full]'"
        ) from None
    folder = require_layout(task.dataset, data_dir)
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    ends = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")

    def read(name: str, size: int | None) -> Tensor:
        lines = (folder / name).read_text("utf-8").splitlines()
        encoded = tokenizer.encode_batch(lines, add_special_tokens=False)
        pieces = torch.tensor([piece for line in encoded for piece in line.ids])[:size]
        return _sequences(pieces, task, folder / name, *ends)

    return MaskedProblem(
        task=task,
        train=read("train.txt", task.train_size),
        valid=read("valid.txt", task.test_size),
        vocabulary=tokenizer.get_vocab_size(),
        mask=tokenizer.token_to_id("[MASK]"),
        device=device,
    )


def _sequences(pieces: Tensor, task: Task, path: Path, first: int, last: int) -> Tensor:
    """Return `pieces` as sequences between the pieces `first` and `last`."""
    inner = task.sequence_length - 2
    count = len(pieces) // inner
    if count < task.step_size:
        raise ValueError(
            f"{path} has {len(pieces)} word pieces, which make {count} sequences of "
            f"{inner}; a step takes {task.step_size}"
        )
    rows = pieces[: count * inner].view(count, inner)
    ends = torch.tensor([first, last]).expand(count, 2)
    return torch.cat([ends[:, :1], rows, ends[:, 1:]], dim=1)
