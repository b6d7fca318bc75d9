"""Classification of images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from equinox.config.training import Task
from equinox.training.architectures import IMAGE_MODELS
from equinox.training.datasets import load_images
from equinox.training.original import Images
from equinox.training.problem import ALONE, Problem, Step

#: Top, left and whether mirrored, each (batch, 1).
Windows: TypeAlias = tuple[Tensor, Tensor, Tensor]


@final
@dataclass(frozen=True, kw_only=True)
class ImageProblem(Problem):
    """Classes of images; the metric is the share of test images whose class is wrong."""

    metric: ClassVar[str] = "error"

    task: Task
    train: Images
    test: Images
    mean: Tensor  # of each channel
    deviation: Tensor
    device: torch.device = torch.device("cpu")

    @property
    def steps(self) -> int:
        """Training steps of one epoch; an incomplete batch is left out."""
        return len(self.train.labels) // self.task.step_size

    def build(self, generator: torch.Generator) -> nn.Module:
        """Return the model with new weights."""
        channels, height, width = self.train.pixels.shape[1:]
        make = IMAGE_MODELS[self.task.model]
        return make(self.task, (channels, height, width), self.train.classes, generator)

    def epoch(
        self, model: nn.Module, generator: torch.Generator, workers: range = ALONE
    ) -> Iterator[Step]:
        """Yield steps on batches in random order, each image once an epoch."""
        margin = self.task.crop_margin if self.task.augment else 0
        pixels, labels = _channels_last(self.train.pixels, margin), _labels(self.train)
        order = torch.randperm(len(labels), generator=generator)
        for step in range(self.steps):
            chosen = order[step * self.task.step_size :][: self.task.step_size]
            windows = _draw_windows(chosen, margin, generator) if self.task.augment else None
            yield Step(losses=self._losses(model, pixels, labels, chosen, windows, workers))

    def _losses(
        self,
        model: nn.Module,
        pixels: Tensor,
        labels: Tensor,
        chosen: Tensor,
        windows: Windows | None,
        workers: range,
    ) -> Iterator[Tensor]:
        """Yield the cross entropy of each worker's part of the images `chosen`."""
        for worker in workers:
            part = slice(worker * self.task.batch_size, (worker + 1) * self.task.batch_size)
            batch = chosen[part]
            if windows is None:
                cut = pixels[batch]
            else:
                cut = _cut(pixels, batch, self.task.crop_margin, windows, part)
            scores = model(self._normalize(cut))
            yield functional.cross_entropy(scores, labels[batch].to(self.device))

    def evaluate(self, model: nn.Module) -> float:
        """Return the share of test images whose class is wrong.

        Batches are those of training, since images of a batch may share an exponent.
        """
        batches = _channels_last(self.test.pixels, 0).split(self.task.batch_size)  # type: ignore[no-untyped-call]
        scores = [model(self._normalize(batch)) for batch in batches]
        if not all(bool(batch.isfinite().all()) for batch in scores):
            return float("nan")
        wrong = torch.cat(scores).argmax(dim=1).cpu() != _labels(self.test)
        return float(wrong.double().mean())

    def _normalize(self, pixels: Tensor) -> Tensor:
        """Return `pixels` (batch, height, width, channels) as (batch, channels, height, width)."""
        moved = pixels.to(self.device).float()
        return ((moved - self.mean) / self.deviation).permute(0, 3, 1, 2)


def make_image_problem(task: Task, data_dir: str | None, device: torch.device) -> ImageProblem:
    """Return the problem of `task`.

    Each channel of the training images gets mean 0 and variance 1, or what the task says.

    Raises:
        ValueError: the data are missing, damaged or too few.
    """
    train = load_images(task.dataset, "train", size=task.train_size, data_dir=data_dir)
    if len(train.labels) < task.step_size:
        raise ValueError(
            f"train_size is {len(train.labels)}, less than one batch of {task.step_size}"
        )
    mean, deviation = _statistics(train.pixels)
    if task.pixel_mean is not None:
        mean = 255 * torch.tensor(task.pixel_mean)
    if task.pixel_deviation is not None:
        deviation = 255 * torch.tensor(task.pixel_deviation)
    return ImageProblem(
        task=task,
        train=train,
        test=load_images(task.dataset, "test", size=task.test_size, data_dir=data_dir),
        mean=mean.to(device),
        deviation=deviation.to(device),
        device=device,
    )


def _labels(images: Images) -> Tensor:
    return torch.from_numpy(images.labels).long()


def _channels_last(pixels: NDArray[np.uint8], margin: int) -> Tensor:
    """Return pixels (images, height, width, channels) with `margin` zeros on all sides.

    Convolutions are faster in this layout in memory.
    """
    sides = (0, 0), (margin, margin), (margin, margin), (0, 0)
    return torch.from_numpy(np.pad(pixels.transpose(0, 2, 3, 1), sides))


def _statistics(pixels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel of `pixels`, of a constant one 1."""
    values = torch.arange(256, dtype=torch.float64)
    counts = [np.bincount(pixels[:, c].ravel(), minlength=256) for c in range(pixels.shape[1])]
    shares = torch.from_numpy(np.stack(counts) / pixels[:, 0].size)  # (channels, values)
    mean = shares @ values
    deviation = (shares @ values.square() - mean.square()).clamp(min=0).sqrt()
    return mean.float(), torch.where(deviation > 0, deviation, 1.0).float()


def _draw_windows(batch: Tensor, margin: int, generator: torch.Generator) -> Windows:
    """Return the top and left corners (batch, 1) of random crops, and which are mirrored."""
    top, left = torch.randint(2 * margin + 1, (2, len(batch), 1), generator=generator)
    return top, left, torch.randint(2, (len(batch), 1), generator=generator).bool()


def _cut(padded: Tensor, batch: Tensor, margin: int, windows: Windows, part: slice) -> Tensor:
    """Return the images `batch` without margins, moved and mirrored as `part` of windows says."""
    top, left, mirrored = (values[part] for values in windows)
    height, width = (size - 2 * margin for size in padded.shape[1:3])
    columns = torch.arange(width)
    columns = left + torch.where(mirrored, width - 1 - columns, columns)  # (batch, width)
    rows = top + torch.arange(height)  # (batch, height)
    return padded[batch[:, None, None], rows[:, :, None], columns[:, None, :]]
