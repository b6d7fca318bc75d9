"""Train one task in one encoding, from several seeds."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import nn
from torch.utils import deterministic as deterministic_mode

from equinox.config.training import TrainingJob
from equinox.encodings import Encoding, get_encoding, set_encoding
from equinox.table_files import check
from equinox.training.checkpoints import Checkpoints
from equinox.training.describe import describe_encoding
from equinox.training.distributed import Team, without_sharing
from equinox.training.problem import Problem, Step
from equinox.training.problems import make_problem
from equinox.training.progress import Epoch, Progress
from equinox.training.recipe import learning_rate
from equinox.training.run import Run, start_run, uses_autocast
from equinox.training_tables import ACCURACY

_LOG = logging.getLogger(__name__)
_FILL = "fill_uninitialized_memory"  # a property that PyTorch's type hints do not know


def train(
    job: TrainingJob,
    *,
    checkpoints: Checkpoints | None = None,
    team: Team | None = None,
    curve: Path | None = None,
) -> pd.DataFrame:
    """Return table `accuracy`, a row for each seed and epoch.

    The same job gives the same rows. From the epoch in which the loss or a weight is not finite,
    a run has status "diverged" and no value. See `equinox.training.run.start_run` for streams of
    random numbers.

    Args:
        job: What to train.
        checkpoints: What an earlier call has done, and where to keep what this one does.
        team: The processes that train together; all of them call this, and get the same rows.
        curve: A CSV file to write loss, metric and speed of each epoch to, by the first process.

    Raises:
        ValueError: model, data or encoding are unknown, or data are damaged or too few.
    """
    team = team or Team()
    encoding = _encoding_of(job)
    parts = []
    with _one_deterministic_thread():
        problem = make_problem(job.task, job.data_dir, team.device)
        progress = Progress(
            job=job,
            metric=problem.metric,
            samples=problem.steps * job.task.step_size * job.task.sequence_length,
            curve=curve if team.rank == 0 else None,
        )
        for seed in job.seeds:
            rows = checkpoints.read_rows(seed) if checkpoints else None
            if rows is None:
                rows = _train_seed(job, seed, problem, encoding, progress, checkpoints, team)
                if checkpoints and team.rank == 0:
                    checkpoints.write_rows(seed, rows)
            else:
                progress.skip(seed)
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _encoding_of(job: TrainingJob) -> Encoding:
    """Return the encoding of the first epochs, under the name of the job's."""
    if job.boost is not None:
        return replace(get_encoding(job.boost.first), name=job.encoding)
    definitions = {} if job.definition is None else {job.encoding: job.definition}
    return get_encoding(job.encoding, definitions)


def _train_seed(
    job: TrainingJob,
    seed: int,
    problem: Problem,
    encoding: Encoding,
    progress: Progress,
    checkpoints: Checkpoints | None,
    team: Team,
) -> pd.DataFrame:
    with torch.random.fork_rng():
        run = start_run(job, seed, problem, encoding, team)
        state = checkpoints.read_state(seed) if checkpoints else None
        if state is not None:
            run.load(state, team)
            progress.resume(seed, len(run.epochs))
        for _ in progress.watch(seed, _epochs(run, job, problem, encoding, team)):
            if checkpoints and len(run.epochs) < job.task.epochs:
                state = run.state(team)
                if team.rank == 0:
                    checkpoints.write_state(seed, state)
    rows = pd.DataFrame([vars(epoch) for epoch in run.epochs])
    names = {"task": job.name, "dataset": job.task.dataset, "encoding": encoding.name}
    described = describe_encoding(encoding)
    rows = rows.assign(**names, seed=seed, metric=problem.metric, **described)
    return check(rows, ACCURACY)


def _epochs(
    run: Run, job: TrainingJob, problem: Problem, encoding: Encoding, team: Team
) -> Iterator[Epoch]:
    """Train on from where `run` is, and yield each epoch, which `run` then has."""
    autocast = uses_autocast(job, encoding)
    for epoch in range(len(run.epochs), job.task.epochs):
        if job.boost is not None and epoch >= job.task.epochs - job.boost.last_epochs:
            set_encoding(run.model, job.boost.last)
        loss = value = math.nan
        if not run.epochs or run.epochs[-1].status == "ok":
            loss = _train_epoch(run, job, problem, epoch, team, autocast)
        if math.isfinite(loss):
            value = _evaluate(run, problem, team, autocast)
        if math.isfinite(value):
            _begin_average_if_due(run, job, value)
            run.epochs.append(Epoch(epoch + 1, value, loss, "ok"))
        else:
            run.epochs.append(Epoch(epoch + 1, math.nan, math.nan, "diverged"))
        yield run.epochs[-1]


def _train_epoch(
    run: Run, job: TrainingJob, problem: Problem, epoch: int, team: Team, autocast: bool
) -> float:
    """Train for one epoch and return the mean loss; NaN as soon as one is not finite."""
    task = job.task
    workers = team.share(task.workers)
    run.model.train()
    total, done = 0.0, 0
    for step in problem.epoch(run.network, run.order, workers):
        run.optimizer.zero_grad()
        total += team.mean(_accumulate(run, step, len(workers), autocast, team))
        if not math.isfinite(total):
            return math.nan
        if task.clip_norm is not None:
            nn.utils.clip_grad_norm_(run.model.parameters(), task.clip_norm)
        rate = learning_rate(task, epoch * problem.steps + done, task.epochs * problem.steps)
        for group in run.optimizer.param_groups:
            group["lr"] = step.rate * rate
        run.optimizer.step()
        if run.average is not None:
            run.average.update_parameters(run.model)
        done += 1
    return total / done


def _accumulate(run: Run, step: Step, workers: int, autocast: bool, team: Team) -> float:
    """Add up the gradients of `workers` losses and return their mean; share gradients at last."""
    total = 0.0
    for worker in range(workers):
        with without_sharing(run.network) if worker < workers - 1 else nullcontext():
            with _precision(team, autocast):
                loss = next(step.losses)
            total += loss.item()
            (loss / workers).backward()  # type: ignore[no-untyped-call]
    return total / workers


def _evaluate(run: Run, problem: Problem, team: Team, autocast: bool) -> float:
    """Return the metric of the model, or of its average; NaN if a weight is not finite.

    The first process evaluates for all.
    """
    value = math.nan
    finite = all(bool(weight.isfinite().all()) for weight in run.model.parameters())
    if finite and team.rank == 0:
        model = run.model if run.average is None else run.average.module
        model.eval()
        with torch.no_grad(), _precision(team, autocast):
            value = problem.evaluate(model)
    return team.first(value)


def _begin_average_if_due(run: Run, job: TrainingJob, value: float) -> None:
    """Begin to average weights when `value` is worse than the best but for the last epochs.

    Source: Merity et al., "Regularizing and Optimizing LSTM Language Models", ICLR 2018,
    algorithm 1, with one check an epoch.
    """
    if job.task.awd is None or run.average is not None:
        return
    earlier = [epoch.value for epoch in run.epochs][: -job.task.awd.averaging_patience]
    if earlier and value > min(earlier):
        _LOG.info("%s: weights are averaged from now on", job.name)
        run.begin_average()


def _precision(team: Team, autocast: bool) -> torch.autocast:
    return torch.autocast(team.device.type, dtype=torch.bfloat16, enabled=autocast)


@contextmanager
def _one_deterministic_thread() -> Iterator[None]:
    """Make PyTorch's results independent of the machine's cores while the context lasts."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(False)
    filling = getattr(deterministic_mode, _FILL)
    setattr(deterministic_mode, _FILL, False)  # it finds bugs, and takes time
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what CUDA needs for that
    try:
        yield
    finally:
        setattr(deterministic_mode, _FILL, filling)
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)
