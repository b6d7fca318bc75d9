"""Train one task in one encoding, from several seeds."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import torch
from torch import nn
from torch.optim import Optimizer

from equinox.config.training import Task, TrainingJob
from equinox.encodings import Encoding, convert, get_encoding, wide_weights
from equinox.training.architectures import IMAGE_MODELS, check_model
from equinox.training.describe import describe_encoding
from equinox.training.images import make_image_problem
from equinox.training.partials import Partials
from equinox.training.problem import Problem
from equinox.training.progress import Epoch, Progress
from equinox.training.recipe import learning_rate, make_optimizer
from equinox.training.text import make_text_problem


def train(job: TrainingJob, *, partials: Partials | None = None) -> pd.DataFrame:
    """Return the columns of table `accuracy`, a row for each seed and epoch.

    The same job gives the same rows. From the epoch in which the loss or a weight is not finite,
    a run has status "diverged" and no value. Weights are initialized, data ordered and units
    dropped by streams of the seed, the same in every encoding; rounding has a stream of its own.

    Args:
        job: What to train.
        partials: Seeds that are finished already, and where to keep those that will be.

    Raises:
        ValueError: model, data or encoding are unknown, or data are damaged or too few.
    """
    definitions = {} if job.definition is None else {job.encoding: job.definition}
    encoding = get_encoding(job.encoding, definitions)
    parts = []
    with _one_deterministic_thread():
        problem = _make_problem(job.task, job.data_dir)
        progress = Progress(job=job, metric=problem.metric)
        for seed in job.seeds:
            rows = partials.read(seed) if partials else None
            if rows is None:
                epochs = list(progress.watch(seed, _epochs(job.task, seed, problem, encoding)))
                rows = _as_frame(job, seed, encoding, problem.metric, epochs)
                if partials:
                    partials.write(seed, rows)
            else:
                progress.skip(seed)
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _make_problem(task: Task, data_dir: str | None) -> Problem:
    check_model(task.model)
    if task.model in IMAGE_MODELS:
        return make_image_problem(task, data_dir)
    return make_text_problem(task, data_dir)


def _as_frame(
    job: TrainingJob, seed: int, encoding: Encoding, metric: str, epochs: list[Epoch]
) -> pd.DataFrame:
    rows = pd.DataFrame([vars(epoch) for epoch in epochs])
    names = {"task": job.name, "dataset": job.task.dataset, "encoding": encoding.name}
    return rows.assign(**names, seed=seed, metric=metric, **describe_encoding(encoding))


def _epochs(task: Task, seed: int, problem: Problem, encoding: Encoding) -> Iterator[Epoch]:
    """Train from one seed and yield the state after each epoch."""
    with torch.random.fork_rng():  # modules initialize from PyTorch's own generator
        torch.manual_seed(_stream(seed, "weights"))
        model = problem.build(_generator(seed, "dropout"))
    model = convert(model, encoding, seed=_stream(seed, f"rounding {encoding.name}"))
    optimizer = make_optimizer(model, task)
    wide_weights(optimizer, encoding, seed=_stream(seed, f"storage {encoding.name}"))
    order = _generator(seed, "order")
    for epoch in range(task.epochs):
        loss = _train_epoch(model, optimizer, task, problem, epoch, order)
        value = _evaluate(model, problem) if math.isfinite(loss) else math.nan
        if not math.isfinite(value):
            for diverged in range(epoch, task.epochs):
                yield Epoch(diverged + 1, math.nan, math.nan, "diverged")
            return
        yield Epoch(epoch + 1, value, loss, "ok")


def _train_epoch(
    model: nn.Module,
    optimizer: Optimizer,
    task: Task,
    problem: Problem,
    epoch: int,
    order: torch.Generator,
) -> float:
    """Train `model` for one epoch and return the mean loss; NaN as soon as one is not finite."""
    model.train()
    total = 0.0
    for step, loss in enumerate(problem.losses(model, order), start=epoch * problem.steps):
        total += loss.item()
        if not math.isfinite(total):
            return math.nan
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if task.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), task.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(task, step, task.epochs * problem.steps)
        optimizer.step()
    return total / problem.steps


def _evaluate(model: nn.Module, problem: Problem) -> float:
    """Return the metric of `model`; NaN if a weight is not finite."""
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        return math.nan
    model.eval()
    with torch.no_grad():
        return problem.evaluate(model)


def _stream(seed: int, name: str) -> int:
    """Return the seed of the stream of random numbers called `name`, 63 bits."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(_stream(seed, name))


@contextmanager
def _one_deterministic_thread() -> Iterator[None]:
    """Make PyTorch's results independent of the machine's cores while the context lasts."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)
