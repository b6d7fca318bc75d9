"""From a task to its problem, by the name of its model."""

from collections.abc import Callable
from typing import TypeAlias

import torch

from equinox.config.training import Task
from equinox.training.architectures import IMAGE_MODELS, TEXT_MODELS
from equinox.training.awd import make_awd_problem
from equinox.training.imagenet import make_imagenet_problem
from equinox.training.images import make_image_problem
from equinox.training.masked import make_masked_problem
from equinox.training.problem import Problem
from equinox.training.text import make_text_problem

ProblemMaker: TypeAlias = Callable[[Task, str | None, torch.device], Problem]

_MAKERS: dict[str, ProblemMaker] = {
    **dict.fromkeys(IMAGE_MODELS, make_image_problem),
    **dict.fromkeys(TEXT_MODELS, make_text_problem),
    "resnet50": make_imagenet_problem,
    "awd_lstm": make_awd_problem,
    "bert": make_masked_problem,
}


def make_problem(task: Task, data_dir: str | None, device: torch.device) -> Problem:
    """Return the problem of `task`, whose data are in `data_dir` or come with the product.

    Raises:
        ValueError: there is no such model, or the data are missing, damaged or too few.
    """
    if task.model not in _MAKERS:
        raise ValueError(f"no model {task.model!r}; known are {', '.join(_MAKERS)}")
    return _MAKERS[task.model](task, data_dir, device)
