"""Optimizers and schedules of the learning rate."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.optim import Optimizer

from equinox.config.training import Task

MOMENTUM = 0.9
PEAK = 0.2  # where, as a share of all steps, the triangle has its peak
WARM_UP = 0.05  # share of all steps
DECAY_START = 0.5  # share of all steps


def make_optimizer(model: nn.Module, task: Task) -> Optimizer:
    """Return SGD with Nesterov's momentum, or Adam; norms and biases do not decay."""
    decaying = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": decaying, "weight_decay": task.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if task.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=task.learning_rate, momentum=MOMENTUM, nesterov=True)
    return torch.optim.Adam(groups, lr=task.learning_rate)


def learning_rate(task: Task, step: int, steps: int) -> float:
    """Return the learning rate of step `step`, counted from 0, of all `steps`."""
    return task.learning_rate * _SCHEDULES[task.optimizer]((step + 0.5) / steps)


def _triangle(done: float) -> float:
    """Return the share of the peak: linear up, then linear down to zero."""
    return min(done / PEAK, (1 - done) / (1 - PEAK))


def _warm_up_and_decay(done: float) -> float:
    """Return the share of the peak: linear up, flat, then linear down to zero."""
    return min(done / WARM_UP, 1.0, (1 - done) / (1 - DECAY_START))


_SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "sgd": _triangle,
    "adam": _warm_up_and_decay,
}
