"""Optimizers and schedules of the learning rate."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.optim import Optimizer

from equinox.config.training import Schedule, Task

PEAK = 0.2  # of triangle: where, as a share of all steps, it has its peak
WARM_UP = 0.05  # of trapezoid: share of all steps
DECAY_START = 0.5  # of trapezoid: share of all steps
LINEAR_WARM_UP = 0.01  # of linear: share of all steps
LINEAR_END = 0.1  # of linear: share of the peak that is left at the end
DECAY = 0.1  # of steps: factor at each of `decay_epochs`


def make_optimizer(model: nn.Module, task: Task) -> Optimizer:
    """Return SGD with Nesterov's momentum, Adam or AdamW; norms and biases decay only if asked."""
    decaying = [weight for weight in model.parameters() if task.decay_all or weight.ndim >= 2]
    others = [weight for weight in model.parameters() if not task.decay_all and weight.ndim < 2]
    groups = [
        {"params": decaying, "weight_decay": task.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    match task.optimizer:
        case "sgd":
            return torch.optim.SGD(
                groups, lr=task.learning_rate, momentum=task.momentum, nesterov=task.momentum > 0
            )
        case "adam":
            return torch.optim.Adam(groups, lr=task.learning_rate)
        case "adamw":
            return torch.optim.AdamW(groups, lr=task.learning_rate)


def learning_rate(task: Task, step: int, steps: int) -> float:
    """Return the learning rate of step `step`, counted from 0, of all `steps`."""
    schedule = task.schedule or ("triangle" if task.optimizer == "sgd" else "trapezoid")
    return peak_rate(task) * _SCHEDULES[schedule](task, (step + 0.5) / steps)


def peak_rate(task: Task) -> float:
    """Return the learning rate of all workers together, before the schedule."""
    return task.learning_rate * (task.workers if task.scale_learning_rate else 1)


def _triangle(_: Task, done: float) -> float:
    """Return the share of the peak: linear up, then linear down to zero."""
    return min(done / PEAK, (1 - done) / (1 - PEAK))


def _trapezoid(_: Task, done: float) -> float:
    """Return the share of the peak: linear up, flat, then linear down to zero."""
    return min(done / WARM_UP, 1.0, (1 - done) / (1 - DECAY_START))


def _linear(_: Task, done: float) -> float:
    """Return the share of the peak: linear up, then linear down to a tenth."""
    down = 1 - (1 - LINEAR_END) * (done - LINEAR_WARM_UP) / (1 - LINEAR_WARM_UP)
    return min(done / LINEAR_WARM_UP, down)


def _steps(task: Task, done: float) -> float:
    """Return the share of the peak: up from one worker's rate, then down at certain epochs."""
    epoch = done * task.epochs
    start = task.learning_rate / peak_rate(task)
    risen = min(epoch / task.warm_up_epochs, 1.0) if task.warm_up_epochs else 1.0
    share = start + (1 - start) * risen
    decays = sum(epoch >= decay_epoch for decay_epoch in task.decay_epochs)
    return share * DECAY**decays


def _constant(_: Task, done: float) -> float:
    del done
    return 1.0


_SCHEDULES: Mapping[Schedule, Callable[[Task, float], float]] = {
    "triangle": _triangle,
    "trapezoid": _trapezoid,
    "steps": _steps,
    "linear": _linear,
    "constant": _constant,
}
